"""The `gradconform` command. Joins the rooms and holds no logic; heavy modules are imported inside the commands, so that help is quick."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from oracle.cli.check import check
from oracle.cli.diff import diff
from oracle.cli.keep import keep
from oracle.cli.merge import merge
from oracle.cli.outputs import Outputs, conclude, output_options
from oracle.cli.run import run
from oracle.cli.shared import (
    BUILD,
    EXIT_CODES,
    PAGE,
    RESULTS,
    need_torch,
    read,
    usage,
    write_page,
)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@click.version_option(package_name="gradconform", prog_name="gradconform")
def main() -> None:
    """Does a hand-written NumPy layer do what PyTorch does, everywhere? If not: where, by how much, and why.

    gradconform fuzzes layers with their own forward and backward against torch.autograd over random shapes, branches, dtypes and
    nasty values. Each result may be off by what rounding can explain on those very inputs, and by nothing else.

    \b
    gradconform run                    judge all reference layers, write reports/_build/index.html
    gradconform run Relu Affine        only these
    gradconform check layers.py        judge layers of your own: a file, a notebook or a module
    gradconform list                   what there is, and against what it is judged
    gradconform replay ID              run a counterexample of the last report again
    """


@main.command("list")
@click.option("--json", "as_json", is_flag=True, help="Machine-readable.")
def list_(as_json: bool) -> None:
    """List the layers there are, what they are judged against, their branches and quantities."""
    from oracle.specs import all_specs

    specs = all_specs().values()
    if as_json:
        rows = [
            {
                "name": s.name,
                "torch": {branch: s.expression(branch) for branch in s.branches},
                "branches": s.branches,
                "quantities": s.quantities,
                "summary": s.summary,
                "check_version": s.check_version,
            }
            for s in specs
        ]
        click.echo(json.dumps(rows, indent=2))
        return
    for s in specs:
        click.echo(f"{click.style(s.name, bold=True)}: {s.summary}")
        for expression in dict.fromkeys(s.expression(branch) for branch in s.branches):
            click.echo(f"    torch       {expression}")
        click.echo(f"    branches    {', '.join(s.branches)}")
        click.echo(f"    quantities  {', '.join(s.quantities)}\n")


@main.command(epilog="Exit codes: 0 nothing fails any more, 1 something still fails, 2 wrong usage.")
@click.argument("what", metavar="FILE|ID")
@click.option(
    "--results",
    type=click.Path(dir_okay=False, path_type=Path),
    default=BUILD / RESULTS,
    show_default=True,
    help="Where to look an ID up.",
)
@click.option("--raw", is_flag=True, help="The case as it was drawn, not the minimised one.")
@click.option("--target", help="Where the layer of your own is now; code is never loaded from where a results file says.")
def replay(what: str, results: Path, raw: bool, target: str | None) -> None:
    """Judge stored counterexamples again with the code as it is now.

    FILE is a results file: all its counterexamples are run. ID names one of them, as the report shows it.
    """
    need_torch()
    from oracle.results import ResultsError
    from oracle.search.replay import replayed
    from oracle.subjects.target import TargetError, parse_target
    from reports.words import visible

    try:
        where = None if target is None else parse_target(target)
    except TargetError as error:
        raise usage(f"--target: {error}") from error

    path = Path(what)
    by_file = path.is_file()
    try:
        run = read(path if by_file else results)
    except ResultsError as error:
        raise usage(f"{what!r} is no results file, and as an ID it cannot be looked up: {error}" if not by_file else str(error)) from error
    chosen = [c for c in run.counterexamples if by_file or c.id == what]
    if not chosen and not by_file:
        known = "\n".join(f"  {c.id}" for c in run.counterexamples[:20]) or "  (none)"
        raise usage(f"{results} has no counterexample {what!r}. It has:\n{known}")
    if not chosen:
        click.echo("No counterexamples in this file: nothing to replay.")
    failing = 0
    layers = {layer.name: layer for layer in run.header.layers}
    for counterexample in chosen:
        answer = replayed(counterexample, layers.get(counterexample.layer), where, raw)
        failing += not answer.holds
        click.echo(f"{'holds   ' if answer.holds else 'DIVERGES'}  {visible(counterexample.id)}")
        for line in answer.lines:
            click.echo(f"          {visible(line)}")
    sys.exit(1 if failing else 0)


@main.command(epilog=EXIT_CODES)
@click.argument("results", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), default=None, help="[default: index.html beside RESULTS]")
@output_options
def report(results: Path, out: Path | None, outputs: Outputs) -> None:
    """Write the HTML report of a results file again, and print its summary. Needs neither torch nor NumPy.

    \b
    gradconform report results.jsonl                                 the page, beside the results
    gradconform report results.jsonl --junit junit.xml --badge b.svg what a CI system shows
    gradconform report results.jsonl --markdown "$GITHUB_STEP_SUMMARY" --annotations
    """
    from oracle.results import ResultsError

    try:
        found = read(results)
    except ResultsError as error:
        raise usage(str(error)) from error
    conclude(found, "summary", outputs, [("Report", lambda: write_page(found, out or results.with_name(PAGE)))])


main.add_command(run)
main.add_command(keep)
main.add_command(check)
main.add_command(diff)
main.add_command(merge)
