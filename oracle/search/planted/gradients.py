"""Faults in backward that forward does not show."""

from __future__ import annotations

import numpy as np

from oracle.core.case import Array, Arrays, Case
from oracle.search.planted.registry import fault
from oracle.search.planted.right import Results, Right, State
from oracle.search.planted.scope import Scope


def _many_in_dout(scope: Scope) -> bool:
    return scope.any_case(lambda case: any(a.size > 1 for a in case.cotangents.values()))


def _square(a: Array) -> bool:
    return a.ndim >= 2 and a.shape[0] == a.shape[1] > 1


def _free_square(scope: Scope) -> bool:
    """Whether some array with a gradient can be square: its first two axes have a size of their own each."""

    def square(case: Case) -> bool:
        dims = [case.dims.get(name, ())[:2] for name in scope.spec.wrt]
        return any(len(d) == 2 and all(isinstance(part, str) and "*" not in part for part in d) for d in dims)

    return scope.any_case(square)


@fault("gradients", on="cotangent.honoured")
class DoutIgnored(Right):
    """Backward takes dout for ones."""

    def cotangents(self, state: State, douts: Arrays) -> Arrays:
        return {name: np.ones_like(a) for name, a in douts.items()}


@fault("gradients", on="backward", where=lambda scope: "cotangent.honoured" not in scope.spec.claims.rows and _many_in_dout(scope))
class DoutAveraged(Right):
    """Backward uses the mean of dout for all of its elements."""

    def cotangents(self, state: State, douts: Arrays) -> Arrays:
        return {name: np.full_like(a, a.mean()) if a.size else a for name, a in douts.items()}


@fault("gradients", on="backward", where=_many_in_dout)
class FirstRowOnly(Right):
    """Only the first row of dout reaches the gradients: the sum over the others is missing."""

    def cotangents(self, state: State, douts: Arrays) -> Arrays:
        for a in douts.values():
            if a.ndim:
                a[1:] = 0
        return douts


@fault("gradients", on="backward")
class Doubled(Right):
    """Every gradient is twice what it should be."""

    def grads(self, state: State, results: Results) -> Results:
        return tuple([np.asarray(g * g.dtype.type(2)) for g in results])


@fault("gradients", on="backward")
class Descending(Right):
    """Every gradient has the other sign."""

    def grads(self, state: State, results: Results) -> Results:
        return tuple([np.asarray(-g) for g in results])


@fault("gradients", on="backward", where=lambda scope: scope.any_case(lambda case: len(_first(case.inputs)) > 1))
class BatchFactor(Right):
    """Every gradient is multiplied by the number of rows: a mean that was never taken."""

    def grads(self, state: State, results: Results) -> Results:
        n = len(_first(state.inputs))
        return tuple([np.asarray(g * g.dtype.type(n)) for g in results])


def _first(inputs: Arrays) -> Array:
    return np.atleast_1d(next(iter(inputs.values())))


@fault("gradients", on="backward", where=lambda scope: len(scope.spec.wrt) > 1)
class LastForgotten(Right):
    """The last array with a gradient gets none: zeros."""

    def grads(self, state: State, results: Results) -> Results:
        results[-1][...] = 0
        return results


@fault("gradients", on="backward", where=_free_square)
class Transposed(Right):
    """The gradient of a square array is transposed, where no shape gives it away."""

    def grads(self, state: State, results: Results) -> Results:
        return tuple([np.array(np.swapaxes(g, 0, 1)) if _square(g) else g for g in results])


@fault("gradients", on="backward")
class FirstElement(Right):
    """The first element of every gradient is twice what it should be."""

    def grads(self, state: State, results: Results) -> Results:
        for g in results:
            g[(0,) * g.ndim if g.size else ...] *= 2
        return results
