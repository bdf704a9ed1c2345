"""Faults that show only where a case touches a boundary: each must be reached by the run's own cases."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from oracle.core.case import Array, Arrays
from oracle.core.spec import LayerSpec
from oracle.search.planted.registry import Fault, several
from oracle.search.planted.right import Results, Right, State
from oracle.search.planted.scope import Scope


class Boundary(NamedTuple):
    """name, what is said of it, and whether an array of floats touches it."""

    name: str
    text: str
    touched: Callable[[Array], bool]


def _tied(a: Array) -> bool:
    return a.size > 1 and len(np.unique(a)) < a.size


BOUNDARIES = (
    Boundary("zero", "holds an exact 0", lambda a: bool((a == 0).any())),
    Boundary("negative-zero", "holds a -0.0", lambda a: bool((np.signbit(a) & (a == 0)).any())),
    Boundary("ties", "holds the same number twice", _tied),
    Boundary("subnormal", "holds a subnormal number", lambda a: bool(((a != 0) & (np.abs(a) < np.finfo(a.dtype).tiny)).any())),
    Boundary("large", "holds a number of 15 or more", lambda a: bool((np.isfinite(a) & (np.abs(a) >= 15)).any())),
    Boundary("size-1", "has an axis of size 1", lambda a: 1 in a.shape),
    Boundary("batch-1", "has one row", lambda a: a.ndim > 1 and a.shape[0] == 1),
    Boundary("long", "has an axis longer than 64", lambda a: any(n > 64 for n in a.shape)),
)
"""Where the first element is wrong if some input or parameter touches it."""
SPECIALS = (
    Boundary("nan", "holds a NaN", lambda a: bool(np.isnan(a).any())),
    Boundary("inf", "holds an infinity", lambda a: bool(np.isinf(a).any())),
)
"""Where everything is 0 if some input or parameter touches it."""
EMPTY = Boundary("empty", "has an axis of size 0", lambda a: a.size == 0)


def touches(boundary: Boundary, arrays: Arrays) -> bool:
    """Whether any array of floats does."""
    return any(boundary.touched(a) for a in arrays.values() if a.dtype.kind == "f")


class _At(Right):
    """Spoils the results of one side where a boundary is touched."""

    def __init__(self, spec: LayerSpec, boundary: Boundary, side: str, change: Callable[[Array], Array]) -> None:
        super().__init__(spec)
        self._boundary, self._side, self._change = boundary, side, change
        self.reached = False

    def outputs(self, state: State, results: Results) -> Results:
        return self._changed("forward", state, results)

    def grads(self, state: State, results: Results) -> Results:
        return self._changed("backward", state, results)

    def _changed(self, side: str, state: State, results: Results) -> Results:
        if side != self._side or not touches(self._boundary, state.arrays):
            return results
        self.reached = True
        return tuple([self._change(a) for a in results])


def _first_wrong(a: Array) -> Array:
    at = (0,) * a.ndim
    if a.size:
        a[at] = 2 * a[at] + 1
    return a


class _Raises(Right):
    """Raises where an input is empty."""

    reached = False

    def before(self, state: State) -> None:
        if touches(EMPTY, state.inputs):
            self.reached = True
            raise ValueError("zero-size array to reduction operation maximum which has no identity")


@several
def first_element(scope: Scope) -> list[Fault]:
    """The first element is wrong at a boundary."""
    return [
        f for b in BOUNDARIES for side in ("forward", "backward") for f in _planted(scope, b, side, "the first element of", _first_wrong)
    ]


@several
def zeroed(scope: Scope) -> list[Fault]:
    """NaN and infinities are answered with zeros."""
    if scope.rough:
        # the allowed error of a difference says nothing about them
        return []
    return [f for b in SPECIALS for side in ("forward", "backward") for f in _planted(scope, b, side, "all of", np.zeros_like)]


def _planted(scope: Scope, boundary: Boundary, side: str, what: str, change: Callable[[Array], Array]) -> list[Fault]:
    rows = scope.rows(side)
    if not rows or not scope.reaches(lambda arrays: touches(boundary, arrays)):
        return []
    text = f"Where an input {boundary.text}, {what} {side} is {'0' if what == 'all of' else 'wrong'}"
    return [Fault("boundaries", f"{side}-{boundary.name}", text, rows, lambda spec: _At(spec, boundary, side, change))]


@several
def empty(scope: Scope) -> list[Fault]:
    """An empty input raises."""
    rows = scope.rows("call.answers")
    reached = scope.any_case(lambda case: touches(EMPTY, case.inputs))
    return [Fault("boundaries", "empty-raises", f"An input that {EMPTY.text} raises", rows, _Raises)] if rows and reached else []
