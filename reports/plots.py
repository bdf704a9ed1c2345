"""Small plots as numbers for inline SVG: how margins and ULP distances are distributed, and which shapes were tried.

Every histogram is one path for each dtype, so that a page of all layers stays small. Heights are logarithmic: a single case out of a
million can be seen, and where it lies is what matters.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import accumulate
from typing import Literal, NamedTuple

from oracle.results.buckets import EXTENTS, bucket_top, extent
from reports.words import count

Measure = Literal["margin", "ULP distance"]

WIDTH, GUTTER, STRIP, AXIS = 330, 48, 34, 18
"""Of a histogram: its width, of that the names of the dtypes, the height of one dtype, the height of the axis."""
LIMITS: dict[Measure, tuple[int, int]] = {"margin": (-20, 20), "ULP distance": (0, 40)}
"""Exponents of two that an axis may reach; what lies beyond is drawn at its end."""
TICKS = 5
"""About this many ticks are labelled."""
SIDE, EDGE, SIZES = 250, 40, 6
"""Of a scatter: its side, of that the labels, and how many sizes of dots are told apart."""


class Domain(NamedTuple):
    """The exponents of two that an axis shows, the same for every histogram of a page, so that they can be compared."""

    least: int
    most: int


class Strip(NamedTuple):
    """The histogram of one dtype: its bars as a path of strokes, those beyond the edge as another, and what it says in words."""

    dtype: str
    y: int
    bars: str
    over: str
    said: str


class Histogram(NamedTuple):
    """All dtypes of one quantity over one axis. bar: how wide a bar is; edge: where a margin of 1 lies."""

    height: int
    bar: float
    strips: list[Strip]
    ticks: list[tuple[int, str]]
    edge: int | None
    label: str


class Scatter(NamedTuple):
    """Shapes by rows and columns: `dots` are (width of the stroke, path) by size."""

    dots: list[tuple[float, str]]
    across: list[tuple[float, str]]
    down: list[tuple[float, str]]
    label: str


def domain(measure: Measure, tables: Iterable[Mapping[str, int]]) -> Domain:
    """The exponents that `tables` use, at least the interesting ones near the edge of 1, or near one ULP."""
    floor, ceiling = (-8, 2) if measure == "margin" else (0, 8)
    used = [round(math.log2(top)) for table in tables for name in table if 0 < (top := bucket_top(name) or 0) < math.inf]
    least, most = LIMITS[measure]
    return Domain(max(min([floor, *used]), least), min(max([ceiling, *used]), most))


class _Scale(NamedTuple):
    """Where the bars of one histogram stand, and how high they are."""

    axis: Domain
    infinite: bool
    tallest: int

    @property
    def slot(self) -> float:
        """Width of a bar with the gap beside it."""
        return (WIDTH - GUTTER) / (self.axis.most - self.axis.least + 4 + 2 * self.infinite)

    def middle(self, top: float) -> float:
        """Middle of the bar of a bucket: no difference first, a gap, the powers of two, a gap, infinity."""
        if top == 0:
            return GUTTER + self.slot / 2
        k = self.axis.most + 2 if math.isinf(top) else min(max(round(math.log2(top)), self.axis.least), self.axis.most)
        return GUTTER + (k - self.axis.least + 2.5) * self.slot

    def height(self, n: int) -> float:
        """Height of the bar of `n`: one of a million is still seen."""
        return max(1.0, math.log1p(n) / math.log1p(self.tallest) * STRIP)


def histogram(measure: Measure, name: str, tables: Mapping[str, Mapping[str, int]], axis: Domain) -> Histogram | None:
    """The distribution of `name` by dtype; None where nothing was measured."""
    clean = {dtype: table for dtype, raw in tables.items() if (table := _clean(raw))}
    if not clean:
        return None
    infinite = any(math.inf in table for table in clean.values())
    scale = _Scale(axis, infinite, max(n for table in clean.values() for n in table.values()))
    strips = [_strip(dtype, at * (STRIP + 4), table, scale, measure) for at, (dtype, table) in enumerate(clean.items())]
    edge = round(scale.middle(1.0) + scale.slot / 2) if measure == "margin" else None
    label = f"{measure} of {name}: " + "; ".join(f"{s.dtype} {s.said}" for s in strips)
    return Histogram(len(strips) * (STRIP + 4) + AXIS, round(max(scale.slot - 1, 1), 1), strips, _ticks(scale), edge, label)


def _strip(dtype: str, y: int, table: dict[float, int], scale: _Scale, measure: Measure) -> Strip:
    bars: dict[bool, str] = {False: "", True: ""}
    for top, n in table.items():
        bars[measure == "margin" and top > 1] += f"M{scale.middle(top):.1f} {y + STRIP}v-{scale.height(n):.1f}"
    total = sum(table.values())
    whole = count(total, "case" if measure == "margin" else "element")
    said = f"median {_at(table, total, 0.5)}, 99 % {_at(table, total, 0.99)}, largest {_at(table, total, 1.0)}, {whole}"
    return Strip(dtype, y, bars[False], bars[True], said)


def _ticks(scale: _Scale) -> list[tuple[int, str]]:
    """Labels of the axis, each at the upper end of its bucket."""
    least, most = scale.axis
    step = max(1, math.ceil((most - least) / TICKS))
    ticks = [(scale.middle(0.0), "0")]
    ticks += [(scale.middle(2.0**k) + scale.slot / 2, _power(k)) for k in range(least, most + 1) if k % step == 0]
    if scale.infinite:
        ticks.append((scale.middle(math.inf), "∞"))
    return [(round(x), text) for x, text in ticks]


def _clean(table: Mapping[str, int]) -> dict[float, int]:
    """Upper end of a bucket -> how many, in ascending order. Names that are no bucket's are left out: a file may hold anything."""
    found: Counter[float] = Counter()
    for name, n in table.items():
        if (top := bucket_top(name)) is not None and top >= 0 and n:
            found[top] += n
    return dict(sorted(found.items()))


def _at(table: dict[float, int], total: int, part: float) -> str:
    """The end of the bucket below which `part` of all lies."""
    below = zip(table, accumulate(table.values()), strict=True)
    top = next(top for top, seen in below if seen >= part * total)
    return "0" if top == 0 else "∞" if math.isinf(top) else f"≤ {_power(round(math.log2(top)))}"


def _power(k: int) -> str:
    """2^k in a few characters: ``0.001``, ``0.25``, ``32``, ``1e6``."""
    if 0 <= k <= 13:
        return f"{2**k:,}"
    text = f"{2.0**k:.2g}" if -7 <= k < 0 else f"{2.0**k:.0e}"
    return text.replace("e+0", "e").replace("e+", "e").replace("e-0", "e-")


def scatter(extents: Mapping[str, int]) -> Scatter | None:
    """Rows and columns of the shapes tried, by how often; None where none was recorded."""
    found: Counter[tuple[int, int]] = Counter()
    for name, n in extents.items():
        sides = name.split(",")
        if n and len(sides) == 2 and all(side.isascii() and side.isdigit() and len(side) < 12 for side in sides):
            found[extent(int(sides[0])), extent(int(sides[1]))] += n
    if not found:
        return None
    most = max(found.values())
    used = max(EXTENTS.index(size) for pair in found for size in pair)
    slot = (SIDE - EDGE) / (max(used, EXTENTS.index(1024)) + 1)
    place = {size: (at + 0.5) * slot for at, size in enumerate(EXTENTS)}
    dots: dict[int, str] = {}
    for (rows, columns), n in sorted(found.items()):
        size = max(1, math.ceil(SIZES * math.sqrt(n / most)))
        dots[size] = dots.get(size, "") + f"M{EDGE + place[columns]:.0f} {SIDE - EDGE - place[rows]:.0f}h0"
    labels = [size for size in (0, 1, 4, 16, 64, 256, 1024, 4096, 65536) if place[size] < SIDE - EDGE]
    often = max(found, key=lambda pair: (found[pair], pair))
    label = f"Shapes tried, rows by columns: {len(found)} different sizes, most often {often[0]} × {often[1]} in {count(most, 'case')}"
    return Scatter(
        [(round(2 + 9 * size / SIZES, 1), path) for size, path in sorted(dots.items())],
        [(round(EDGE + place[size]), f"{size:,}") for size in labels],
        [(round(SIDE - EDGE - place[size]), f"{size:,}") for size in labels],
        label,
    )
