"""Faults that show in how a case is handed over: memory layout, bad input, the order of calls, warnings."""

from __future__ import annotations

import warnings

import numpy as np

from oracle.core.case import Arrays
from oracle.search.planted.registry import fault
from oracle.search.planted.right import Results, Right, State
from oracle.search.planted.scope import Scope


def _contiguous(arrays: Arrays) -> bool:
    return all(a.flags.c_contiguous for a in arrays.values())


def _laid_out(scope: Scope) -> bool:
    return bool({"strided", "negative-stride"} & set(scope.spec.layouts)) and scope.any_case(
        lambda case: any(a.ndim and a.shape[-1] > 1 for a in case.inputs.values())
    )


@fault("handling", on="inputs.layout", where=_laid_out)
class NeedsContiguous(Right):
    """Only inputs in C order are read rightly."""

    def outputs(self, state: State, results: Results) -> Results:
        return results if _contiguous(state.given) else tuple([np.asarray(2 * a + 1) for a in results])


@fault("handling", on="inputs.layout", where=lambda scope: "read-only" in scope.spec.layouts)
class NeedsWriteable(Right):
    """Read-only inputs raise."""

    def before(self, state: State) -> None:
        if not all(a.flags.writeable for a in state.given.values()):
            raise ValueError("assignment destination is read-only")


@fault("handling", on="inputs.refused")
class AnswersBadInput(Right):
    """Bad input is answered instead of refused."""

    def forward(self, state: State, inputs: Arrays) -> Results:
        try:
            return super().forward(state, inputs)
        except RuntimeError:
            return tuple([np.zeros(()) for _ in self.spec.outputs])

    def backward(self, state: State, cotangents: Arrays) -> Results:
        if not state.inputs:
            return super().backward(state, cotangents)
        try:
            return super().backward(state, cotangents)
        except RuntimeError:
            arrays = state.arrays
            return tuple([np.zeros_like(arrays[name]) for name in self.spec.wrt])


@fault("handling", on="call.forward-first")
class AnswersTooEarly(Right):
    """Backward before forward gives zeros instead of raising."""

    def too_early(self, state: State, cotangents: Arrays) -> Results:
        return tuple([np.zeros(()) for _ in self.spec.wrt])


@fault("handling", on="call.forward-first")
class SpoiledTooEarly(Right):
    """Backward before forward raises, and leaves the object unusable."""

    def too_early(self, state: State, cotangents: Arrays) -> Results:
        state.kept["spoiled"] = True
        return super().too_early(state, cotangents)

    def outputs(self, state: State, results: Results) -> Results:
        return tuple([np.asarray(2 * a + 1) for a in results]) if "spoiled" in state.kept else results


@fault("handling", on="call.no-warnings")
class Warns(Right):
    """Forward emits a RuntimeWarning."""

    def before(self, state: State) -> None:
        warnings.warn("overflow encountered in exp", RuntimeWarning, stacklevel=2)
