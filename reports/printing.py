"""Printing in the terminal what others wrote: shared by every reporter that does."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import Console
from rich.padding import Padding
from rich.table import Column, Table
from rich.text import Text

from reports.words import shorten, visible

LONGEST = 600
"""Characters of one string; a message of pages would push the verdict off the screen."""
STYLES = {"passed": "blue", "failed": "bold yellow", "stale": "bold yellow", "error": "bold yellow"}
"""State of a row or a layer -> its style; states that are no verdict have none."""
OUTCOMES = {"conforms": "bold blue", "diverges": "bold yellow"}
"""Outcome of a run -> its style."""

Part = tuple[str, str]
"""A string, and the style that it is printed in."""


class Printer:
    """Prints strings that others wrote: never as markup, never with invisible characters, never with any the terminal cannot encode.

    plain: nobody reads it on a terminal that draws lines. Then a line stays one line however long it is, so that it can be copied or
    searched for.
    """

    def __init__(self, console: Console) -> None:
        self.console = console
        self.plain = not console.is_terminal or console.is_dumb_terminal or not console.encoding.lower().startswith("utf")

    def text(self, string: str, style: str = "") -> Text:
        """`string`, safe to print."""
        safe = _unheard(shorten(visible(string), LONGEST))
        if not self.console.encoding.lower().startswith("utf"):
            for fancy, simple in (("×", "x"), ("∞", "inf"), ("…", "...")):
                safe = safe.replace(fancy, simple)
            safe = safe.encode(self.console.encoding, "backslashreplace").decode(self.console.encoding)
        return Text(safe, style=style)

    def line(self, *parts: Part, indent: int = 0) -> None:
        """Print one line, `indent` columns from the left; where it must be broken, all of it is indented."""
        text = Text.assemble(*(self.text(*part) for part in parts))
        if self.plain or not text:
            self.console.print(Text.assemble(" " * indent, text), soft_wrap=True, highlight=False)
        else:
            self.console.print(Padding(text, (0, 0, 0, indent), expand=False), highlight=False)

    def command(self, string: str, style: str = "", indent: int = 0) -> None:
        """Print what is to be copied: no line break is put into it."""
        self.console.print(Text.assemble(" " * indent, self.text(string, style)), soft_wrap=True, highlight=False)

    def table(self, columns: Sequence[Column], body: Iterable[Sequence[Part]], indent: int = 0) -> None:
        """Print a table; where lines cannot be drawn, in aligned columns with each row on one line."""
        cells = [[self.text(*part) for part in row] for row in body]
        headed = any(column.header for column in columns)
        if self.plain:
            for line in _aligned(columns, cells)[0 if headed else 1 :]:
                self.console.print(Text(" " * indent + line), soft_wrap=True, highlight=False)
            return
        table = Table(
            *columns, box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False, header_style="dim", show_header=headed
        )
        for row in cells:
            table.add_row(*row)
        self.console.print(Padding(table, (0, 0, 0, indent), expand=False))


def _unheard(text: str) -> str:
    """`text`, which the log of a CI job does not take for one of its commands: they begin a line with `::`, or have `##[` in it."""
    text = text.replace("##[", "#\\#[")
    return "\\" + text if text.lstrip().startswith("::") else text


def _aligned(columns: Sequence[Column], cells: Sequence[Sequence[Text]]) -> list[str]:
    """A line for the titles and one for each row, in columns two blanks apart."""
    rows = [[str(column.header) for column in columns], *[[cell.plain for cell in row] for row in cells]]
    widths = [max(cell_len(row[at]) for row in rows) for at in range(len(columns))]

    def padded(text: str, at: int) -> str:
        blanks = " " * (widths[at] - cell_len(text))
        return blanks + text if columns[at].justify == "right" else text + blanks

    return ["  ".join(padded(text, at) for at, text in enumerate(row)).rstrip() for row in rows]
