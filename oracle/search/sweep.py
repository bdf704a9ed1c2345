"""The fast seeded sweep: draw, judge, count."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from oracle.core.judge import judge
from oracle.core.observe import Runnable, watching
from oracle.core.spec import LayerSpec
from oracle.search.numbered import cases
from oracle.search.tally import Tally

MEASURED = 8
"""Balls are computed, and boundaries counted, for every MEASURED-th case also where all bits are equal; for all of the first ones."""
ALL_MEASURED = 512


def sweep(spec: LayerSpec, subject: Runnable, seed: int, dtypes: Sequence[str], start: int, stop: int) -> Tally:
    """Judge the cases start .. stop - 1 and count what came of them."""
    tally = Tally(spec)
    with watching():
        drawn = cases(spec, seed, dtypes, start, stop)
        while True:
            with np.errstate(all="ignore"):
                index, case = next(drawn, (None, None))
            if index is None or case is None:
                return tally
            measured = index < ALL_MEASURED or index % MEASURED == 0
            tally.add(index, case, judge(spec, subject, case, measured), measured)
