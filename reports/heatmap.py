"""What the layer computed beside what torch computed, element by element, coloured by how much of the allowed error is used."""

from __future__ import annotations

import math
from typing import NamedTuple

from oracle.results import ArrayData, ComparisonData
from reports.arrays import Table, shown_part, table
from reports.words import brief

IMPRECISE = 16.0
"""Up to this many times the allowed error points to an unlucky algorithm."""


class Heat(NamedTuple):
    """Tables of one shape, whose cells share the tones `tones`: actual, expected, and their difference where there is one."""

    tables: list[Table]
    tones: list[list[str]]
    n_over: int
    n_shown: int


def heat(comparison: ComparisonData, name: str) -> Heat | None:
    """The whole arrays of `comparison`, laid out; None where they were not stored."""
    actual, expected = comparison.all_actual, comparison.all_expected
    if actual is None or expected is None:
        return None
    sides = [table("actual", name, actual), table("expected", name, expected)]
    if actual.shape != expected.shape or not math.prod(actual.shape):
        return Heat(sides, [], 0, 0)
    used = shares(actual, expected, comparison.all_allowed)
    off = [difference(float(a), float(e)) for a, e in zip(actual.values(), expected.values(), strict=True)]
    tones = [[tone(u) for u in row] for row in shown_part(actual.shape, used)]
    rows = [(label, cells) for (label, _), cells in zip(sides[0].rows, _texts(actual.shape, off), strict=True)]
    sides.append(sides[0]._replace(role="difference", dtype="actual - expected", rows=rows))
    cells = [cell for row in tones for cell in row]
    return Heat(sides, tones, sum(cell in ("f1", "f2") for cell in cells), len(cells))


def _texts(shape: tuple[int, ...], off: list[float]) -> list[list[str]]:
    return [["0" if value == 0 else brief(value) for value in row] for row in shown_part(shape, off)]


def shares(actual: ArrayData, expected: ArrayData, allowed: ArrayData | None) -> list[float | None]:
    """Of every element the difference divided by the allowed error; None where nothing is allowed or forbidden."""
    limits: list[float] | list[None]
    if allowed is None or allowed.shape != actual.shape:
        limits = [None] * math.prod(actual.shape)
    else:
        limits = [float(value) for value in allowed.values()]
    return [_share(difference(float(a), float(e)), limit) for a, e, limit in zip(actual.values(), expected.values(), limits, strict=True)]


def _share(off: float, limit: float | None) -> float | None:
    if limit is not None and not math.isfinite(limit):
        return None
    if off == 0:
        return 0.0
    if not math.isfinite(off) or not limit:
        return math.inf
    return abs(off) / limit


def difference(actual: float, expected: float) -> float:
    """actual - expected; 0 where both are the same infinity or both NaN."""
    if actual == expected or (math.isnan(actual) and math.isnan(expected)):
        return 0.0
    return actual - expected


def tone(share: float | None) -> str:
    """The colour class of a cell, the same as in the matrix: ``m0`` equal ... ``f2`` wrong, ``n`` undetermined."""
    if share is None:
        return "n"
    if share > 1:
        return "f1" if share <= IMPRECISE else "f2"
    return "m0" if share == 0 else "m1" if share <= 0.25 else "m2" if share <= 0.5 else "m3"
