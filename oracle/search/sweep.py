"""The fast seeded sweep: draw, judge, count."""

from __future__ import annotations

from collections.abc import Sequence

from oracle.core.judge import judge
from oracle.core.observe import Runnable, watching
from oracle.core.spec import LayerSpec
from oracle.search.numbered import cases
from oracle.search.tally import Tally

MEASURED = 16
"""Balls are computed, and boundaries counted, for every MEASURED-th case also where all bits are equal; for all of the first ones."""
ALL_MEASURED = 512


def sweep(spec: LayerSpec, subject: Runnable, seed: int, dtypes: Sequence[str], start: int, stop: int) -> Tally:
    """Judge the cases start .. stop - 1 and count what came of them."""
    tally = Tally(spec)
    with watching():
        for index, case in cases(spec, seed, dtypes, start, stop):
            measured = index < ALL_MEASURED or index % MEASURED == 0
            tally.add(index, case, judge(spec, subject, case, measured), measured)
    return tally
