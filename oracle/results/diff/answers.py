"""The same inputs in two runs: whether the layer's answer moved, and whether the oracle's did."""

from __future__ import annotations

from collections import defaultdict
from typing import Literal, NamedTuple

from oracle.results.diff.changes import Moved
from oracle.results.model import ArrayData, Run, Sample
from oracle.results.ulp import ulp_distances

Side = Literal["actual", "expected"]


class _Count(NamedTuple):
    n_compared: int = 0
    n_moved: int = 0
    ulp: int | None = 0
    digest: str = ""


def moved(before: Run, after: Run) -> tuple[Moved, ...]:
    """What answers differ between samples of equal inputs: the oracle's first, then those that moved furthest."""
    known = {(s.layer, s.digest): s for s in before.samples}
    counts: dict[tuple[str, str, Side], _Count] = defaultdict(_Count)
    for sample in after.samples:
        if (same := known.get((sample.layer, sample.digest))) is not None:
            _compare(same, sample, counts)
    found = [Moved(layer, quantity, side, *count) for (layer, quantity, side), count in counts.items() if count.n_moved]
    return tuple(sorted(found, key=lambda m: (m.side == "actual", -_far(m.ulp))))


def _compare(before: Sample, after: Sample, counts: dict[tuple[str, str, Side], _Count]) -> None:
    sides: tuple[Side, ...] = ("actual", "expected")
    for side in sides:
        old: dict[str, ArrayData] = getattr(before, side)
        new: dict[str, ArrayData] = getattr(after, side)
        for quantity in old.keys() & new.keys():
            key = (after.layer, quantity, side)
            counts[key] = _counted(counts[key], distance(old[quantity], new[quantity]), after.digest)


def _counted(count: _Count, ulp: int | None, digest: str) -> _Count:
    if ulp == 0:
        return count._replace(n_compared=count.n_compared + 1)
    further = _far(ulp) > _far(count.ulp)
    largest = (ulp, digest) if further else (count.ulp, count.digest)
    return _Count(count.n_compared + 1, count.n_moved + 1, *largest)


def distance(a: ArrayData, b: ArrayData) -> int | None:
    """The largest ULP distance of two answers; None where they are of another shape or dtype, or one is no finite number."""
    if (a.dtype, a.shape) != (b.dtype, b.shape):
        return None
    found = ulp_distances(a, b)
    return None if None in found else max((d for d in found if d is not None), default=0)


def _far(ulp: int | None) -> float:
    return float("inf") if ulp is None else float(ulp)
