"""Faults in the numbers that forward returns."""

from __future__ import annotations

import numpy as np

from oracle.search.planted.registry import fault
from oracle.search.planted.right import Results, Right, State


@fault("values", on="forward")
class Negated(Right):
    """Every forward result has the other sign."""

    def outputs(self, state: State, results: Results) -> Results:
        return tuple([np.asarray(-a) for a in results])


@fault("values", on="forward")
class LastElement(Right):
    """The last element of every forward result is left at 0: a loop that ends one too early."""

    def outputs(self, state: State, results: Results) -> Results:
        for a in results:
            a[(-1,) * a.ndim if a.size else ...] = 0
        return results


@fault("values", on="forward")
class Constant(Right):
    """The forward result has nothing to do with the input: 1 throughout."""

    def outputs(self, state: State, results: Results) -> Results:
        return tuple([np.ones_like(a) for a in results])


@fault("values", on="forward")
class Magnitude(Right):
    """The forward result is 1/16 too large."""

    def outputs(self, state: State, results: Results) -> Results:
        return tuple([np.asarray(a * a.dtype.type(1.0625)) for a in results])
