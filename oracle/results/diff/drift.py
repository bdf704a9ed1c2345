"""Whether a margin has really changed, or only the luck of the draw."""

from __future__ import annotations

import math

from oracle.results.buckets import bucket_top
from oracle.results.model import Result

FACTOR = 4.0
"""A margin that changed by more than this has drifted."""
LEAST = 0.01
"""Margins below this are all the same: far from the edge."""
SHARE = 0.95
"""Of the cases, whose margin has to have moved as well where the two runs did not try the same ones."""
ENOUGH = 100
"""Cases behind that share; of fewer it is the luck of a case or two."""


def drift(before: Result, after: Result, factor: float, same_cases: bool) -> float:
    """By which factor the margin of a row that passes in both runs has grown; 1 where it has not drifted.

    The largest margin of many cases depends on the cases. Where those are not the same, the bulk of them has to have moved as well, as
    far as whole powers of 2 tell; without histograms nothing can be said.
    """
    grown = _ratio(before.margin, after.margin)
    if 1 / factor <= grown <= factor:
        return 1.0
    bulk = grown if same_cases else _ratio(_bulk(before.margins), _bulk(after.margins))
    moved = bulk >= factor if grown > 1 else bulk <= 1 / factor
    return grown if moved else 1.0


def _ratio(before: float | None, after: float | None) -> float:
    """Both raised to what counts; 1 where either is none or no finite number."""
    if before is None or after is None or not (math.isfinite(before) and math.isfinite(after)):
        return 1.0
    return max(after, LEAST) / max(before, LEAST)


def _bulk(margins: dict[str, int]) -> float | None:
    """The bucket below which all but a few of the cases lie; None where there are too few, no histogram, or a damaged one."""
    tops = sorted((top, n) for name, n in margins.items() if n and (top := bucket_top(name)) is not None)
    total = sum(n for _, n in tops)
    if total < ENOUGH:
        return None
    wanted = SHARE * total
    reached = 0
    for top, n in tops:
        reached += n
        if reached >= wanted:
            return top
    return None
