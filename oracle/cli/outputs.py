"""The options with which a command writes what CI systems read, and their writing."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

import click

from oracle.cli.shared import print_with, read, usage

if TYPE_CHECKING:
    from oracle.results import Run

LIMIT = 1_048_576
LEAST = 16_384
_FILE = click.Path(dir_okay=False, path_type=Path)


Writing = tuple[str, Callable[[], Path]]
"""What is written, in a word, and the writing of it, which gives the path."""


class Outputs(NamedTuple):
    """What is to be written besides page and summary. link: where the report will be found, for the Markdown."""

    junit: Path | None = None
    markdown: Path | None = None
    markdown_limit: int = LIMIT
    badge: Path | None = None
    annotations: bool = False
    link: str = ""

    def writings(self, found: Run) -> list[Writing]:
        """All that was asked for."""
        options = {"address": self.link or _job(), "limit": self.markdown_limit, "onto": _is_summary(self.markdown)}
        wanted: list[tuple[str, Path | None, dict[str, Any]]] = [
            ("JUnit", self.junit, {}),
            ("Markdown", self.markdown, options),
            ("Badge", self.badge, {}),
        ]
        return [(kind, functools.partial(_write, kind.lower(), found, path, given)) for kind, path, given in wanted if path is not None]


def conclude(found: Run, how: str, outputs: Outputs, writings: Sequence[Writing], trouble: str = "") -> NoReturn:
    """End a command that has found something: print it with the reporter `how`, write `writings` and `outputs`, say where, and exit.

    What cannot be written keeps neither the verdict from being printed nor the rest from being written; nor does `trouble` that there
    was before. Both end in exit code 2.
    """
    from oracle.results import ResultsError, verdict

    print_with(how, found)
    click.echo("")
    troubles = [trouble] if trouble else []
    for kind, write in (*writings, *outputs.writings(found)):
        try:
            click.echo(f"{kind + ':':10}{write()}")
        except ResultsError as error:
            troubles.append(str(error))
        except OSError as error:
            told = error.strerror or error
            troubles.append(f"{kind} cannot be written{f' to {error.filename}' if error.filename else ''}: {told}. Choose another place.")
    if outputs.annotations:
        _annotate(found)
    if troubles:
        raise usage("\n".join(troubles))
    sys.exit(verdict(found).exit_code)


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """While this lasts no other run writes to `folder`: the results that are read again, and the page, are those of this run.

    Raises UsageError where another does, or whatever else keeps results from being written or read.
    """
    from oracle.results import ResultsError, held

    try:
        with held(folder):
            yield
    except ResultsError as error:
        raise usage(str(error)) from error


def written_to(path: Path, judging: Callable[[], None]) -> tuple[Run, str]:
    """The run that `judging` writes to `path`, and what stopped it: what was found before the disk was full is still told."""
    from oracle.results import WritingStopped

    try:
        judging()
    except WritingStopped as stopped:
        return read(path), str(stopped)
    return read(path), ""


def output_options(command: Callable[..., None]) -> Callable[..., None]:
    """The options of every command that has found something; the command is given them as one, `outputs`."""

    @functools.wraps(command)
    def taking(*given: Any, **options: Any) -> None:
        own = {name: options.pop(name) for name in Outputs._fields}
        command(*given, outputs=Outputs(**own), **options)

    for option in (
        click.option("--link", default="", metavar="URL", help="Where the report will be, for the Markdown.  [default: the GitHub job]"),
        click.option("--annotations", is_flag=True, help="Print the divergences as GitHub shows them beside the lines of a change."),
        click.option("--badge", type=_FILE, metavar="FILE", help="Write the verdict as a badge, an SVG."),
        click.option(
            "--markdown-limit",
            type=click.IntRange(LEAST),
            default=LIMIT,
            show_default=True,
            metavar="BYTES",
            help="Size of the Markdown: a job summary on GitHub may have 1,048,576, a comment 65,536.",
        ),
        click.option("--markdown", type=_FILE, metavar="FILE", help="Write a summary in Markdown; to $GITHUB_STEP_SUMMARY it is added."),
        click.option("--junit", type=_FILE, metavar="FILE", help="Write JUnit XML: a suite for each layer, a case for each row."),
    ):
        taking = option(taking)
    return taking


def _write(kind: str, found: Run, path: Path, options: dict[str, Any]) -> Path:
    from reports import reporter

    written: Path = reporter(kind)(found, path, **options)
    return written


def _is_summary(path: Path | None) -> bool:
    """Whether `path` is the file to which every step of a GitHub job may add its summary."""
    summary = os.environ.get("GITHUB_STEP_SUMMARY")
    return bool(path and summary) and os.path.abspath(str(path)) == os.path.abspath(str(summary))


def _job() -> str:
    """The page of the GitHub job that this is, which has the artifacts; empty elsewhere."""
    server, repository, run = (os.environ.get(f"GITHUB_{name}", "") for name in ("SERVER_URL", "REPOSITORY", "RUN_ID"))
    return f"{server}/{repository}/actions/runs/{run}" if server and repository and run else ""


def _annotate(found: Run) -> None:
    from oracle.cli.places import places
    from reports import reporter

    for line in reporter("annotations")(found, places(found, Path.cwd())):
        click.echo(line)
