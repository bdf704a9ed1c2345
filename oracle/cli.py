"""The `gradconform` command. Joins the rooms and holds no logic; heavy modules are imported inside the commands, so that help is quick."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from oracle.results import Run

BUILD = Path("reports") / "_build"
RESULTS = "results.jsonl"
PAGE = "index.html"
DTYPES = ("float64", "float32", "float16")
USAGE = 2
EXIT_CODES = "Exit codes: 0 conforms, 1 diverges, 2 wrong usage, 3 incomplete (interrupted, killed, or less judged than declared)."


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@click.version_option(package_name="gradconform", prog_name="gradconform")
def main() -> None:
    """Does a hand-written NumPy layer do what PyTorch does, everywhere? If not: where, by how much, and why.

    gradconform fuzzes layers with their own forward and backward against torch.autograd over random shapes, branches, dtypes and
    nasty values. Each result may be off by what rounding can explain on those very inputs, and by nothing else.

    \b
    gradconform run                    judge all reference layers, write reports/_build/index.html
    gradconform run Relu Affine        only these
    gradconform list                   what there is, and against what it is judged
    gradconform replay ID              run a counterexample of the last report again
    """


@main.command(epilog=EXIT_CODES)
@click.argument("layers", nargs=-1, metavar="[LAYER]...")
@click.option("--examples", type=click.IntRange(1, 100_000_000), default=2_000, show_default=True, help="Cases per layer.")
@click.option("--seed", type=click.IntRange(0, 2**63 - 1), default=0, show_default=True, help="The same seed draws the same cases.")
@click.option(
    "--dtype",
    "dtypes",
    multiple=True,
    type=click.Choice(DTYPES),
    help="May be given more than once.  [default: float64, float32]",
)
@click.option("--workers", type=click.IntRange(1, 256), default=None, help="Processes.  [default: one per processor]")
@click.option(
    "--out", type=click.Path(file_okay=False, path_type=Path), default=BUILD, show_default=True, help="Folder for results and report."
)
def run(layers: tuple[str, ...], examples: int, seed: int, dtypes: tuple[str, ...], workers: int | None, out: Path) -> None:
    """Judge reference layers against PyTorch and write a conformance report.

    Every LAYER (all, if none is named) is swept with the same number of cases, shared out over its branches and the dtypes. Results
    are written as they are found to OUT/results.jsonl, the report to OUT/index.html. Ctrl-C keeps what is done.

    \b
    gradconform run --examples 100000          a thorough run
    gradconform run Relu --dtype float32       one layer, one dtype
    """
    _need_torch()
    from oracle.results import ResultsError, Settings, verdict
    from oracle.search.campaign import campaign
    from oracle.search.environment import environment

    settings = Settings(
        layers=_layer_names(layers),
        examples=examples,
        seed=seed,
        dtypes=tuple(dict.fromkeys(dtypes)) or DTYPES[:2],
        workers=workers or _processors(),
    )
    path = out / RESULTS
    command = shlex.join(["gradconform", *sys.argv[1:]])
    try:
        with _progress_bar(settings.layers, examples) as advance:
            campaign(settings, environment(), command, path, advance)
        found = _read(path)
        page = _write_page(found, out / PAGE)
    except ResultsError as error:
        raise _usage(str(error)) from error
    _print_summary(found)
    click.echo(f"\nReport:  {page}\nResults: {path}")
    sys.exit(verdict(found).exit_code)


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
def replay(what: str, results: Path, raw: bool) -> None:
    """Judge stored counterexamples again with the code as it is now.

    FILE is a results file: all its counterexamples are run. ID names one of them, as the report shows it.
    """
    _need_torch()
    from oracle.results import ResultsError
    from oracle.search.replay import replayed

    path = Path(what)
    by_file = path.is_file()
    try:
        run = _read(path if by_file else results)
    except ResultsError as error:
        raise _usage(f"{what!r} is no results file, and as an ID it cannot be looked up: {error}" if not by_file else str(error)) from error
    chosen = [c for c in run.counterexamples if by_file or c.id == what]
    if not chosen and not by_file:
        known = "\n".join(f"  {c.id}" for c in run.counterexamples[:20]) or "  (none)"
        raise _usage(f"{results} has no counterexample {what!r}. It has:\n{known}")
    if not chosen:
        click.echo("No counterexamples in this file: nothing to replay.")
    failing = 0
    for counterexample in chosen:
        answer = replayed(counterexample, raw)
        failing += not answer.holds
        click.echo(f"{'holds   ' if answer.holds else 'DIVERGES'}  {counterexample.id}")
        for line in answer.lines:
            click.echo(f"          {line}")
    sys.exit(1 if failing else 0)


@main.command(epilog=EXIT_CODES)
@click.argument("results", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), default=None, help="[default: index.html beside RESULTS]")
def report(results: Path, out: Path | None) -> None:
    """Write the HTML report of a results file again, and print its summary. Needs neither torch nor NumPy."""
    from oracle.results import ResultsError, verdict

    try:
        found = _read(results)
        page = _write_page(found, out or results.with_name(PAGE))
    except ResultsError as error:
        raise _usage(str(error)) from error
    _print_summary(found)
    click.echo(f"\nReport:  {page}")
    sys.exit(verdict(found).exit_code)


class _UsageError(click.ClickException):
    """Something the user can set right; the message says what."""

    exit_code = USAGE


def _usage(message: str) -> _UsageError:
    return _UsageError(message)


def _need_torch() -> None:
    from importlib.util import find_spec

    if find_spec("torch") is None:
        raise _usage('this command needs PyTorch, which is not installed. Install it with: pip install "gradconform[torch]"')


def _layer_names(layers: tuple[str, ...]) -> tuple[str, ...]:
    from oracle.specs import UnknownLayerError, all_specs, spec_named

    try:
        return tuple(dict.fromkeys(spec_named(name).name for name in layers)) or tuple(all_specs())
    except UnknownLayerError as error:
        raise _usage(str(error)) from error


def _processors() -> int:
    import os

    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _read(path: Path) -> Run:
    from oracle.results import read_run

    return read_run(path)


def _write_page(found: Run, path: Path) -> Path:
    from oracle.results import ResultsError
    from reports import reporter

    try:
        written: Path = reporter("html")(found, path)
    except OSError as error:
        raise ResultsError(f"cannot write the report to {path}: {error.strerror or error}. Choose another place with --out.") from error
    return written


def _print_summary(found: Run) -> None:
    from rich.console import Console

    from reports import reporter

    reporter("summary")(found, Console(highlight=False))


def _progress_bar(layers: tuple[str, ...], examples: int) -> Any:
    """A bar over all layers with rate and time left on a terminal; a line per finished layer elsewhere."""
    from oracle.progress import progress_bar

    return progress_bar(layers, examples)
