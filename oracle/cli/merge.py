"""`gradconform merge`: shards of one run into that run, or runs on several versions into one page."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from oracle.cli.shared import BUILD, PAGE, RESULTS, print_with, read, usage, write_page

if TYPE_CHECKING:
    from oracle.results import Run
    from oracle.results.labels import Source
    from oracle.results.legs import Legs

LEGS_PAGE = "legs.html"
EXIT_CODES = (
    "Exit codes: 0 every leg is there, complete and conforms, 1 a leg diverges, 2 wrong usage or a file that cannot be read, "
    "3 incomplete: a leg or a shard is missing, truncated or there twice."
)


@click.command(epilog=EXIT_CODES)
@click.argument("files", nargs=-1, required=True, metavar="[LABEL=]RESULTS|FOLDER...")
@click.option("--expect", multiple=True, metavar="LABEL[,LABEL]", help="The legs that must be there: py310,py311 ...")
@click.option(
    "--out", type=click.Path(file_okay=False, path_type=Path), default=BUILD, show_default=True, help="Folder for what is written."
)
def merge(files: tuple[str, ...], expect: tuple[str, ...], out: Path) -> None:
    """Put results files together: shards of one run, or runs on several versions of Python, NumPy and torch.

    Shards of one run (`gradconform run --shard 1/4`) become OUT/results.jsonl and the report OUT/index.html, as if the run had not been
    shared out. Runs on several versions become OUT/legs.html: a matrix of all rows with a column for each, in which every cell leads to
    the same input on each version. Shards of one version are put together first. Needs neither torch nor NumPy.

    A leg is called as its run was (`--label`), else by its Python, such as py311, with the versions of NumPy and torch where several
    have that Python. LABEL=RESULTS calls it otherwise.

    \b
    gradconform merge shard-*/results.jsonl --out merged
    gradconform merge legs --expect py310,py311,py312       every legs/*/results.jsonl
    gradconform merge old=before.jsonl new=after.jsonl
    """
    from oracle.results import ResultsError
    from oracle.results.legs import legs_of

    expected = [label.strip() for labels in expect for label in labels.split(",") if label.strip()]
    try:
        sources = [_source(text) for text in _files(files)]
        legs = legs_of(sources, expected)
        sharded = any(s.run.header.settings.shard is not None for s in sources)
        if len(legs.legs) == 1 and not expected and not sharded:
            raise usage(f"{files[0]} is one whole run: there is nothing to put together. Name another file, or say what to --expect.")
        if len(legs.legs) == 1 and sharded and not legs.missing:
            _conclude_run(legs.legs[0].run, sources, out)
        _conclude_legs(legs, out)
    except ResultsError as error:
        raise usage(str(error)) from error


def _files(given: Sequence[str]) -> list[str]:
    """The files given; of a folder its results.jsonl, else those of the folders in it."""
    found: list[str] = []
    for text in given:
        if not Path(text).is_dir():
            found.append(text)
            continue
        inside = sorted(map(str, Path(text).glob(RESULTS))) or sorted(map(str, Path(text).glob(f"*/{RESULTS}")))
        if not inside:
            raise usage(f"{text} is a folder with neither {RESULTS} nor FOLDER/{RESULTS} in it. Name the results files.")
        found += inside
    return found


def _source(text: str) -> Source:
    """A file, which may be given a label."""
    from oracle.results.labels import Source

    label, equals, path = text.partition("=")
    if not equals or Path(text).is_file():
        return Source(text, read(Path(text)))
    if not label.strip() or not path or len(label) > 200:
        raise usage(f"{text!r} is no file, and no LABEL=FILE either: write it as py311=results.jsonl.")
    return Source(path, read(Path(path)), label.strip())


def _conclude_run(run: Run, sources: Sequence[Source], out: Path) -> None:
    """Write and print a run that was put together of its shards, and end as its verdict says."""
    from oracle.results import verdict
    from oracle.results.merge import write_run

    path = out / RESULTS
    for source in sources:
        if path.exists() and path.samefile(source.name):
            raise usage(f"{path} is one of the files to merge and would be overwritten. Choose another folder with --out.")
    write_run(path, run)
    page = write_page(run, out / PAGE)
    print_with("summary", run)
    click.echo(f"\nReport:  {page}\nResults: {path}")
    sys.exit(verdict(run).exit_code)


def _conclude_legs(legs: Legs, out: Path) -> None:
    """Write and print the legs side by side, and end as they say."""
    from rich.console import Console

    from oracle.results import ResultsError
    from reports import reporter

    page = out / LEGS_PAGE
    try:
        reporter("legs-page")(legs, page)
    except OSError as error:
        raise ResultsError(f"cannot write the page to {page}: {error.strerror or error}. Choose another folder with --out.") from error
    reporter("legs")(legs, Console(highlight=False))
    click.echo(f"\nPage:    {page}")
    sys.exit(legs.exit_code)
