"""How far a run is: a bar on a terminal, a line per finished layer in a log."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

QUIET_SECONDS = 20.0
"""A log is told at least so often that something goes on."""


class _Rate(ProgressColumn):
    """Cases, or whatever is counted, per second."""

    def __init__(self, unit: str) -> None:
        super().__init__()
        self._unit = unit

    def render(self, task: Task) -> Text:
        return Text(f"{task.speed or 0:,.0f} {self._unit}/s")


@contextmanager
def progress_bar(layers: tuple[str, ...], examples: int, unit: str = "cases") -> Iterator[Callable[[str, int], None]]:
    """Gives the function to call with a layer's name and the number of its cases just done. unit: what is counted instead of cases."""
    console = Console(stderr=True, highlight=False)
    if not console.is_terminal:
        yield _log_lines(console, examples, unit)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), _Rate(unit), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("starting", total=len(layers) * examples)

        def advance(layer: str, n: int) -> None:
            progress.update(task, advance=n, description=escape(printable(layer)))

        yield advance


@contextmanager
def counting(what: str, total: int) -> Iterator[Callable[[str], None]]:
    """A bar over `total` things on a terminal, nothing elsewhere; gives the function to call with the name of each that is done."""
    console = Console(stderr=True, highlight=False)
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ) as progress:
        task = progress.add_task(what, total=total)
        yield lambda name: progress.update(task, advance=1)


def _log_lines(console: Console, examples: int, unit: str) -> Callable[[str, int], None]:
    done: dict[str, int] = {}
    told = time.monotonic()

    def advance(layer: str, n: int) -> None:
        nonlocal told
        done[layer] = done.get(layer, 0) + n
        if done[layer] >= examples:
            _tell(console, f"{layer}: done")
        elif time.monotonic() - told > QUIET_SECONDS:
            _tell(console, f"{layer}: {done[layer]:,} of {examples:,} {unit}")
        else:
            return
        told = time.monotonic()

    return advance


def _tell(console: Console, line: str) -> None:
    # a path may hold what looks like markup, or what a terminal would obey
    console.print(printable(line), markup=False, soft_wrap=True)


def printable(text: str) -> str:
    """`text` on one line, without what a terminal would obey."""
    return "".join([c if c.isprintable() else " " for c in text])
