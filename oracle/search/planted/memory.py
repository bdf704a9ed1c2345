"""Faults in what is done to other people's memory, and to results that have been returned."""

from __future__ import annotations

from typing import Any

import numpy as np

from oracle.core.case import Array, Arrays
from oracle.search.planted.registry import fault
from oracle.search.planted.right import Results, Right, State


def _nudge(arrays: Arrays) -> None:
    """The last bit of one element of one array of floats changed, where it may be written."""
    for a in arrays.values():
        if a.dtype.kind == "f" and a.size and a.flags.writeable and all(a.strides):
            at = (0,) * a.ndim
            a[at] = np.nextafter(a[at], a.dtype.type(1))


@fault("memory", on="inputs.unchanged")
class WritesInput(Right):
    """Forward changes the last bit of one element of its input."""

    def outputs(self, state: State, results: Results) -> Results:
        _nudge(state.given)
        return results


@fault("memory", on="params.unchanged", where=lambda scope: bool(scope.spec.params))
class WritesParameter(Right):
    """Forward changes the last bit of one element of a parameter."""

    def outputs(self, state: State, results: Results) -> Results:
        _nudge(state.params)
        return results


@fault("memory", on="inputs.unchanged", where=lambda scope: bool(scope.spec.wrt))
class BackwardWritesInput(Right):
    """Backward changes the last bit of one element of the input of forward."""

    def after(self, state: State, handed: Arrays) -> None:
        _nudge(state.given)


@fault("memory", on="cotangent.unchanged")
class WritesDout(Right):
    """Backward writes into dout."""

    def after(self, state: State, handed: Arrays) -> None:
        for a in handed.values():
            if a.flags.writeable and all(a.strides):
                a[...] = 7


@fault("memory", on="results.own-memory")
class HandsBackInput(Right):
    """Forward hands back an array that it was given."""

    def outputs(self, state: State, results: Results) -> Results:
        own = next(a for a in (*state.given.values(), *state.params.values()) if a.dtype.kind == "f")
        return (own, *results[1:])


@fault("memory", on="results.own-memory", where=lambda scope: bool(scope.spec.wrt))
class ResultOverwritten(Right):
    """Backward uses the array that forward returned as its scratch."""

    def outputs(self, state: State, results: Results) -> Results:
        state.kept["returned"] = results
        return results

    def after(self, state: State, handed: Arrays) -> None:
        for a in state.kept["returned"]:
            a[...] = 0.5


@fault("memory", on="results.own-memory", where=lambda scope: bool(scope.spec.wrt) and scope.has("reused"))
class GradientBuffer(Right):
    """Gradients are written into the same arrays at every call."""

    def grads(self, state: State, results: Results) -> Results:
        kept: Any = state.kept.get("buffers", ())
        return tuple([_into(b, g) for b, g in zip(kept, results, strict=True)]) if _fit(kept, results) else self._first(state, results)

    def _first(self, state: State, results: Results) -> Results:
        state.kept["buffers"] = results
        return results


def _fit(kept: Results, results: Results) -> bool:
    return [a.shape for a in kept] == [a.shape for a in results]


def _into(buffer: Array, values: Array) -> Array:
    buffer[...] = values
    return buffer
