"""What is known of every step, gathered until it is written as a block."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from oracle.results.training import Steps

_NAMES = ("actual", "expected", "distance", "allowed", "shadow", "injected")


class Columns:
    """The steps of one dtype since the last block. names: of the parameters; quantities: those that have a margin at each step."""

    def __init__(self, dtype: str, first: int, names: Sequence[str], quantities: Sequence[str]) -> None:
        self._dtype, self._names, self._quantities = dtype, tuple(names), tuple(quantities)
        self._begin(first)

    def _begin(self, first: int) -> None:
        self._first = first
        self._columns: dict[str, list[float]] = {name: [] for name in _NAMES}
        self._distances: dict[str, list[float]] = {name: [] for name in self._names}
        self._margins: dict[str, list[float | None]] = {name: [] for name in self._quantities}

    def add(self, values: Sequence[float], distances: Mapping[str, float], margins: Mapping[str, float]) -> None:
        """One step more: the columns by _NAMES; by name, distances and margins."""
        for name, value in zip(_NAMES, values, strict=True):
            # two losses may differ in their last digits only
            self._columns[name].append(value if name in ("actual", "expected") else _short(value))
        for name, column in self._distances.items():
            column.append(_short(distances[name]))
        for name, measured in self._margins.items():
            measured.append(_short(margins[name]) if name in margins else None)

    def block(self) -> Steps | None:
        """The steps since the last block, which are then forgotten; None where there are none."""
        columns: list[list[Any]] = [*self._columns.values(), *self._distances.values(), *self._margins.values()]
        # of a step that Ctrl-C has cut in two, the half is left out
        n = min(map(len, columns))
        if not n:
            return None
        for column in columns:
            del column[n:]
        found = Steps(
            dtype=self._dtype,
            first=self._first,
            distances={name: tuple(column) for name, column in self._distances.items()},
            margins={name: tuple(column) for name, column in self._margins.items()},
            **{name: tuple(column) for name, column in self._columns.items()},  # type: ignore[arg-type]
        )
        self._begin(self._first + n)
        return found


def _short(value: float) -> float:
    """Ten digits: these are plotted, and a file of ten thousand steps is to stay small."""
    return float(f"{value:.9e}")
