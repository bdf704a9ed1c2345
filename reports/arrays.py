"""An array as a table: its last axis across, all others down."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple, TypeVar

from oracle.results import ArrayData
from reports.words import count, index_text, number

T = TypeVar("T")

WHOLE = 64
"""Arrays of up to this many elements are shown whole, in full precision."""
ROWS, COLUMNS = 4, 6
"""Of a larger array this many rows and columns are shown."""


class Table(NamedTuple):
    """One array as a table: `rows` are (index of the row, its values); `more` elements are left out."""

    role: str
    name: str
    dtype: str
    shape: str
    columns: range
    rows: list[tuple[str, list[str]]]
    more: int
    cut: bool

    @property
    def size(self) -> int:
        """About how many characters the table takes on the page."""
        return 200 + sum(60 + sum(len(v) + 9 for v in values) for _, values in self.rows)


def table(role: str, name: str, array: ArrayData) -> Table:
    """`array` as a table: its last axis across, all others down, each row labelled with its leading indexes."""
    size = math.prod(array.shape)
    part = shown_part(array.shape, array.values() if size else [])
    labels = [index_text(_unravel(at, array.shape[:-1])) if len(array.shape) > 1 else "" for at in range(len(part))]
    rows = [(label, [number(v, array.dtype) for v in values]) for label, values in zip(labels, part, strict=True)]
    shape = " × ".join(map(str, array.shape)) if array.shape else "scalar"
    across = len(part[0]) if part else 0
    columns = range(across if array.shape else 0)
    cut = bool(array.shape) and across < array.shape[-1]
    return Table(role, name, array.dtype, shape, columns, rows, size - sum(map(len, part)), cut)


def shown_part(shape: tuple[int, ...], values: Sequence[T]) -> list[list[T]]:
    """Of the elements of an array those that a table shows, by row: all of a small one, else the first rows and columns."""
    if not values:
        return []
    width = shape[-1] if shape else 1
    down, across = len(values) // width, width
    if len(values) > WHOLE:
        down, across = min(down, ROWS), min(across, COLUMNS)
    return [list(values[at * width : at * width + across]) for at in range(down)]


def _unravel(at: int, shape: tuple[int, ...]) -> tuple[int, ...]:
    index: list[int] = []
    for extent in reversed(shape):
        at, here = divmod(at, extent)
        index.append(here)
    return tuple(reversed(index))


def left_out(t: Table) -> str:
    """What a cut table says of the rest."""
    return f"… {count(t.more, 'more value')}"
