"""Faults in what a layer remembers: a fresh object is right the first time."""

from __future__ import annotations

import numpy as np

from oracle.search.planted.registry import fault
from oracle.search.planted.right import Results, Right, State
from oracle.search.planted.scope import Scope


def _reused(scope: Scope) -> bool:
    return scope.has("reused")


@fault("state", on="state.fresh", where=_reused)
class FirstInput(Right):
    """The input of the first call is used for ever, as long as the shape is the same."""

    def before(self, state: State) -> None:
        first = state.kept.setdefault("inputs", state.inputs)
        if all(a.shape == state.inputs[name].shape for name, a in first.items()):
            state.inputs = first


@fault("state", on="state.fresh", where=lambda scope: scope.reshapes)
class FirstShape(Right):
    """A second call with another shape than that of the first raises."""

    def before(self, state: State) -> None:
        shapes = [a.shape for a in state.inputs.values()]
        if shapes != state.kept.setdefault("shapes", shapes):
            raise ValueError(f"operands could not be broadcast together: {shapes}")


@fault("state", on="state.fresh", where=lambda scope: bool(scope.spec.wrt) and _reused(scope))
class Accumulated(Right):
    """Gradients add up over all calls of the object, as torch's .grad does."""

    def grads(self, state: State, results: Results) -> Results:
        total = state.kept.get("total", ())
        if state.n_backward == 1 and [a.shape for a in total] == [a.shape for a in results]:
            results = tuple([np.asarray(a + b) for a, b in zip(total, results, strict=True)])
        state.kept["total"] = tuple([a.copy() for a in results])
        return results


@fault("state", on="backward.repeatable")
class Repeated(Right):
    """A second backward doubles the gradients of the first."""

    def grads(self, state: State, results: Results) -> Results:
        return tuple([np.asarray(g * g.dtype.type(state.n_backward)) for g in results])


@fault("state", on="backward.repeatable")
class Forgotten(Right):
    """Backward drops what forward kept, so that a second one gives zeros."""

    def grads(self, state: State, results: Results) -> Results:
        return results if state.n_backward == 1 else tuple([np.zeros_like(g) for g in results])
