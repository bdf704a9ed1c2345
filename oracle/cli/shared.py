"""What the commands share: options, errors, reading and writing."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable
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


class Share(click.ParamType[tuple[int, int]]):
    """A share of the cases: 2/4 is the second of four."""

    name = "share"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, int]:
        if isinstance(value, tuple):
            return value
        k, slash, n = str(value).partition("/")
        if not (slash and k.isdecimal() and n.isdecimal() and 1 <= int(k) <= int(n) <= 10_000):
            self.fail(f"{value!r} is no share; write K/N with K from 1 to N, such as 2/4.", param, ctx)
        return int(k), int(n)


def search_options(command: Callable[..., None]) -> Callable[..., None]:
    """The options of every command that searches: how much, from which seed, in which dtypes, and where to."""
    for option in (
        click.option(
            "--out",
            type=click.Path(file_okay=False, path_type=Path),
            default=BUILD,
            show_default=True,
            help="Folder for results and report.",
        ),
        click.option("--label", default="", metavar="NAME", help="What `gradconform merge` calls this run.  [default: as py311]"),
        click.option(
            "--shard", type=Share(), default=None, metavar="K/N", help="Judge the K-th of N shares of the cases; merge puts them together."
        ),
        click.option("--workers", type=click.IntRange(1, 256), default=None, help="Processes.  [default: one per processor]"),
        click.option(
            "--dtype", "dtypes", multiple=True, type=click.Choice(DTYPES), help="May be given more than once.  [default: float64, float32]"
        ),
        click.option("--seed", type=click.IntRange(0, 2**63 - 1), default=0, show_default=True, help="The same seed draws the same cases."),
        click.option("--examples", type=click.IntRange(1, 100_000_000), default=2_000, show_default=True, help="Cases per layer."),
    ):
        command = option(command)
    return command


def command_line() -> str:
    """The command as it was typed."""
    return shlex.join(["gradconform", *sys.argv[1:]])


class UsageError(click.ClickException):
    """Something the user can set right; the message says what."""

    exit_code = USAGE


def usage(message: str) -> UsageError:
    # a message may repeat what a results file says
    from reports.words import visible

    return UsageError(visible(message, lines=True))


def need_torch() -> None:
    from importlib.util import find_spec

    if find_spec("torch") is None:
        raise usage('this command needs PyTorch, which is not installed. Install it with: pip install "gradconform[torch]"')


def processors() -> int:
    import os

    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def read(path: Path) -> Run:
    from oracle.results import read_run

    return read_run(path)


def write_page(found: Run, path: Path) -> Path:
    from oracle.results import ResultsError
    from reports import reporter

    try:
        written: Path = reporter("html")(found, path)
    except OSError as error:
        raise ResultsError(f"cannot write the report to {path}: {error.strerror or error}. Choose another place with --out.") from error
    return written


def print_with(name: str, found: Run) -> None:
    """Print `found` with the reporter `name`."""
    from rich.console import Console

    from reports import reporter

    reporter(name)(found, Console(highlight=False))


def progress_bar(layers: tuple[str, ...], examples: int) -> Any:
    """A bar over all layers with rate and time left on a terminal; a line per finished layer elsewhere."""
    from oracle import progress

    return progress.progress_bar(layers, examples)
