"""Curves over steps as numbers for inline SVG: axes, ticks and paths. A curve of ten thousand steps is a path of some hundred points."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

WIDTH, HEIGHT = 360, 220
"""Of a chart."""
LEFT, RIGHT, TOP, BOTTOM = 50, 340, 8, 184
"""Of the area that curves are drawn in; beside it and below it is room for the labels of the axes."""
POINTS = 120
"""At most about this many points a curve."""
TICKS = 5
"""At most about this many ticks an axis."""
FURTHEST = 8e307
"""Numbers beyond it are drawn there, so that no difference of two overflows."""

SLIGHTEST = 1e-290
"""Numbers that differ by less are drawn as equal."""

Point = tuple[float, float | None]
"""Where a point of a curve is; None where there is nothing to draw, and the curve has a gap."""


class Axis(NamedTuple):
    """What an axis shows from `least` to `most`, and from which to which place. On a logarithmic one both are logarithms to base 10."""

    least: float
    most: float
    start: float
    end: float
    log: bool

    def place(self, value: float) -> float | None:
        """Where `value` is; None where it has no place: NaN, an infinity, on a logarithmic axis what is not above zero."""
        if not math.isfinite(value) or (self.log and value <= 0):
            return None
        at = math.log10(value) if self.log else _near(value)
        part = (at - self.least) / (self.most - self.least)
        return self.start + min(max(part, 0.0), 1.0) * (self.end - self.start)

    def ticks(self) -> list[tuple[float, str]]:
        """Places and labels of round numbers."""
        values = _powers(self.least, self.most) if self.log else _round_numbers(self.least, self.most)
        return [(round(place, 1), tick_text(value)) for value in values if (place := self.place(value)) is not None]


def axis(values: Iterable[float], *, log: bool = False, up: bool = False) -> Axis:
    """An axis that has room for `values`; `up`: the one that stands."""
    start, end = (BOTTOM, TOP) if up else (LEFT, RIGHT)
    found = [math.log10(v) if log else _near(v) for v in values if math.isfinite(v) and (not log or v > 0)]
    least, most = min(found, default=0.0), max(found, default=1.0)
    if log and up:
        least, most = math.floor(least), math.ceil(most)
    if most - least <= max(1e-12 * max(abs(least), abs(most)), SLIGHTEST):
        least, most = (least, least + 1) if log else (least - max(abs(least) / 2, 0.5), most + max(abs(most) / 2, 0.5))
    return Axis(least, most, start, end, log)


def _near(value: float) -> float:
    return min(max(value, -FURTHEST), FURTHEST)


def _round_numbers(least: float, most: float) -> list[float]:
    """Multiples of 1, 2 or 5 times a power of ten."""
    rough = (most - least) / TICKS
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * times for times in (1, 2, 5, 10) if power * times >= rough)
    return [step * k for k in range(math.ceil(least / step), math.floor(most / step) + 1)]


def _powers(least: float, most: float) -> list[float]:
    """Powers of ten, those that Python's floats have."""
    step = max(1, math.ceil((most - least) / TICKS))
    return [10.0**k for k in range(math.ceil(least), math.floor(most) + 1, step) if -323 <= k <= 308]


def tick_text(value: float) -> str:
    """``0``, ``0.25``, ``10,000``, ``1e-16``."""
    if value == 0 or 0.001 <= abs(value) < 100_000:
        return f"{value:,.6g}" if abs(value) < 1 else f"{value:,.10g}"
    mantissa, _, exponent = f"{value:.2e}".partition("e")
    return f"{float(mantissa):g}e{int(exponent)}"


def spans(n: int, *, log: bool = False) -> list[tuple[int, int]]:
    """The numbers from 0 to n - 1 in at most about `POINTS` parts, (first, after the last): of one size, or of one ratio of ends."""
    if log:
        ends = {min(n, math.ceil((n + 1) ** (k / POINTS)) - 1) for k in range(POINTS + 1)}
    else:
        ends = {k * n // POINTS for k in range(POINTS + 1)}
    return list(pairwise(sorted(ends)))


def mean(column: Sequence[float]) -> float | None:
    """The mean of the numbers among `column`; None where there is none."""
    finite = [_near(value) for value in column if math.isfinite(value)]
    return sum(value / len(finite) for value in finite) if finite else None


def path(points: Iterable[Point], across: Axis, up: Axis) -> str:
    """The path of a curve, with a gap where a point has no place. One that stands alone is a short stroke."""
    parts: list[str] = []
    length = 0
    for x, y in points:
        along, above = across.place(x), None if y is None else up.place(y)
        if along is None or above is None:
            parts += _alone(length)
            length = 0
            continue
        parts.append(f"{'L' if length else 'M'}{along:.1f} {above:.1f}")
        length += 1
    return "".join([*parts, *_alone(length)])


def _alone(length: int) -> list[str]:
    return ["h2"] if length == 1 else []


def dots(points: Iterable[Point], across: Axis, up: Axis) -> str:
    """The same points as strokes without length, which round or square ends make seen."""
    places = [(across.place(x), None if y is None else up.place(y)) for x, y in points]
    return "".join(f"M{x:.1f} {y:.1f}h0" for x, y in places if x is not None and y is not None)
