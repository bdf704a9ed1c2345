"""`gradconform diff`: two runs compared."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from oracle.cli.shared import need_torch, read, usage

if TYPE_CHECKING:
    from oracle.results import Run
    from oracle.results.diff import Difference

DIFF_CODES = (
    "Exit codes: 0 no regression, 1 a regression (a row that is newly failing, or that has lost its coverage), 2 wrong usage, "
    "3 no regression, but one of the runs is incomplete: cut off, damaged, or empty."
)
FILE = click.Path(dir_okay=False, path_type=Path)


@click.command("diff", epilog=DIFF_CODES)
@click.argument("before", type=FILE)
@click.argument("after", type=FILE)
@click.option("--html", type=FILE, help="Write a page on it as well.")
@click.option("--json", "json_path", type=FILE, help="Write it as JSON as well.")
@click.option("--drift", type=float, default=4.0, show_default=True, metavar="FACTOR", help="Margins that changed by more are told.")
@click.option("--replay", is_flag=True, help="Judge the stored cases again, with the code that is here: that tells causes apart.")
@click.option("--target", "targets", multiple=True, help="With --replay: where a layer of your own is now.")
def diff(
    before: Path, after: Path, html: Path | None, json_path: Path | None, drift: float, replay: bool, targets: tuple[str, ...]
) -> None:
    """What is other in the run AFTER than it was in BEFORE, and why: code, inputs, check or environment.

    BEFORE and AFTER are results files. A row that fails now is newly failing where BEFORE has tried the failing case and passed it, and
    newly found where BEFORE never tried it: another seed finds other things, and that is no regression. A row that failed is fixed
    where AFTER has passed the failing case. Every cause that the files leave open is named; --replay judges the stored cases again to
    tell them apart. Needs neither torch nor NumPy without it.

    \b
    gradconform diff main.jsonl branch.jsonl
    gradconform diff old.jsonl new.jsonl --html diff.html
    gradconform diff old.jsonl new.jsonl --replay --target layers.py
    """
    if not drift > 1 or drift == float("inf"):
        raise usage(f"--drift: {drift:g} is no factor; margins that grew or shrank by more than it are told, so it must be above 1.")
    if targets and not replay:
        raise usage("--target: only --replay runs code; give --replay as well, or leave --target out.")
    from oracle.results.diff import diff as compared

    mine, theirs = _run(before, "BEFORE"), _run(after, "AFTER")
    found = compared(mine, theirs, drift)
    if replay:
        found = _replayed(found, mine, theirs, targets)
    _tell(found, html, json_path)
    sys.exit(found.exit_code)


def _run(path: Path, name: str) -> Run:
    from oracle.results import ResultsError

    try:
        return read(path)
    except ResultsError as error:
        raise usage(f"{name}: {error}") from error


def _replayed(found: Difference, before: Run, after: Run, targets: tuple[str, ...]) -> Difference:
    need_torch()
    from oracle.progress import counting
    from oracle.search.rejudge import REPLAYED, Replayer
    from oracle.subjects.target import TargetError, parse_target

    try:
        places = [parse_target(text) for text in targets]
    except TargetError as error:
        raise usage(f"--target: {error}") from error
    layers = {change.layer for change in found.changes if change.mark in REPLAYED and change.example}
    with counting("judging again", len(layers)) as advance:
        return Replayer(before, after, places).settle(found, advance)


def _tell(found: Difference, html: Path | None, json_path: Path | None) -> None:
    """Write the files that are asked for, then print."""
    from rich.console import Console

    from reports import reporter

    written = []
    for kind, option, path in (("diff-html", "--html", html), ("diff-json", "--json", json_path)):
        if path is not None:
            write: Callable[..., Path] = reporter(kind)
            try:
                written.append((option.strip("-").upper(), write(found, path)))
            except OSError as error:
                raise usage(f"{option}: cannot write {path}: {error.strerror or error}. Choose another place.") from error
    reporter("diff")(found, Console(highlight=False))
    for name, path in written:
        click.echo(f"{name + ':':6}{path}")
