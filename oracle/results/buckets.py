"""Buckets of the histograms in a results file: how their names are written by the judge, and read by everybody.

A margin m > 0 falls into the bucket named by the least whole k with m <= 2^k, from -40 to 40; "0" stands for no difference at all, and
"inf" for a NaN or infinity on one side only. An ULP distance falls into buckets of the same names: "0", "2^0", "2^1" ... "2^64". An
extent is rounded down to one of `EXTENTS`.
"""

from __future__ import annotations

import bisect
import math

LEAST, MOST = -40, 40
"""Exponents beyond which margins are not told apart."""
EXTENTS = (0, 1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 1024, 4096, 16384, 65536)
"""Sizes that are told apart; what lies between counts as the one below."""


def margin_bucket(margin: float) -> str:
    """The bucket of a margin: "0", "2^-3", "inf"."""
    if margin == 0:
        return "0"
    if not math.isfinite(margin):
        return "inf"
    mantissa, exponent = math.frexp(margin)
    exponent -= mantissa == 0.5
    return f"2^{min(max(exponent, LEAST), MOST)}"


def bucket_top(name: str) -> float | None:
    """The largest value of a bucket; None for a name that is no bucket's, as a damaged file may have it."""
    if name == "inf":
        return math.inf
    base, caret, exponent = name.partition("^")
    try:
        if caret:
            return 2.0 ** int(exponent) if base == "2" and abs(int(exponent)) <= 1000 else None
        return float(int(base)) if len(base) <= 20 else None
    except ValueError:
        return None


def extent(n: int) -> int:
    """`n` rounded down to one of the sizes that are told apart."""
    return EXTENTS[bisect.bisect_right(EXTENTS, n) - 1]
