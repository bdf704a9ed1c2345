"""How much of the data both sides classify as its labels say."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from oracle.core.case import Array
from oracle.core.evaluation import Breach
from oracle.core.torch_twin import Twin
from oracle.nets.steps import Trainee
from oracle.subjects.nets import NetError

ROWS_AT_ONCE = 10_000


class Shares(NamedTuple):
    """The share of rows that each side classifies as the labels say; None of a side that cannot tell. breaches: the net's meanwhile."""

    actual: float | None
    expected: float | None
    breaches: tuple[Breach, ...] = ()


def shares(net: Trainee, twin: Twin, x: Array, t: Array, dtype: str) -> Shares:
    """Of the rows x with labels t."""
    if not len(x):
        return Shares(None, None)
    own, hits = 0.0, 0
    blind = [False, False]
    breaches: dict[Breach, None] = {}
    for at in range(0, len(x), ROWS_AT_ONCE):
        rows, labels = x[at : at + ROWS_AT_ONCE].astype(dtype, copy=False), t[at : at + ROWS_AT_ONCE].astype(np.int64)
        try:
            own += net.accuracy(rows, labels) * len(rows)
            breaches.update(dict.fromkeys(net.breaches))
        except NetError:
            blind[0] = True
        found = twin.hits(rows, labels)
        blind[1] |= found is None
        hits += found or 0
    actual = None if blind[0] or not 0 <= own <= len(x) else own / len(x)
    return Shares(actual, None if blind[1] else hits / len(x), tuple(breaches))
