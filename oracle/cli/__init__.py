"""The `gradconform` command. Joins the rooms and holds no logic; heavy modules are imported inside the commands, so that help is quick."""

from __future__ import annotations

import json
from pathlib import Path

import click

from oracle.cli.check import check
from oracle.cli.diff import diff
from oracle.cli.gradcheck import gradcheck
from oracle.cli.keep import keep
from oracle.cli.merge import merge
from oracle.cli.outputs import Outputs, conclude, output_options
from oracle.cli.record import record
from oracle.cli.replay import replay
from oracle.cli.run import run
from oracle.cli.shared import EXIT_CODES, PAGE, read, usage, write_page
from oracle.cli.train import train


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
    gradconform gradcheck              check a net's gradients three ways: backprop, torch.autograd, differences
    gradconform train                  train a net beside its torch twin, every step judged
    gradconform run --gate             hold a project to what its pyproject.toml names, known divergences listed
    gradconform diff BEFORE AFTER      what changed between two runs, and why
    gradconform merge RESULTS...       runs of several Pythons side by side, or the shards of one
    gradconform list                   what there is, and against what it is judged
    gradconform replay ID              run a counterexample of the last report again
    gradconform replay --corpus        judge by recorded answers, without torch
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
main.add_command(replay)
main.add_command(record)
main.add_command(train)
main.add_command(gradcheck)
