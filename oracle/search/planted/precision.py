"""Faults that are small: each is planted once for every dtype, and the smallest also for every quantity."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from oracle.core.ball import PRECISIONS
from oracle.core.case import Array
from oracle.core.spec import LayerSpec
from oracle.search.planted.registry import Fault, several
from oracle.search.planted.right import Results, Right, State
from oracle.search.planted.scope import Scope

UNITS = 8
"""The small error is 2**UNITS units roundoff of the largest element: a bound that does not see it is no bound."""
HALF = {"float64": "float32", "float32": "float16"}
"""A dtype with about half the digits."""


class _Spoiled(Right):
    """One quantity, or all of them, changed by `change` where the case is of one dtype."""

    def __init__(self, spec: LayerSpec, dtype: str, change: Callable[[Array], Array], only: str = "") -> None:
        super().__init__(spec)
        self._dtype, self._change, self._only = np.dtype(dtype), change, only

    def outputs(self, state: State, results: Results) -> Results:
        return self._changed(state, self.spec.forward_names, results)

    def grads(self, state: State, results: Results) -> Results:
        return self._changed(state, self.spec.backward_names, results)

    def _changed(self, state: State, names: Sequence[str], results: Results) -> Results:
        floats = [a.dtype for a in state.arrays.values() if a.dtype.kind == "f"]
        # the parameters' dtype is that of the case; labels may be floats of another one
        if self._dtype != (floats[0] if not state.params else next(iter(state.params.values())).dtype):
            return results
        return tuple([self._change(a) if self._only in ("", name) else a for name, a in zip(names, results, strict=True)])


def _off_by(relative: float) -> Callable[[Array], Array]:
    def change(a: Array) -> Array:
        size = np.where(np.isfinite(a), np.abs(a), 0)
        if size.any():
            at = np.unravel_index(int(size.argmax()), a.shape)
            a[at] *= a.dtype.type(1 + relative)
        return a

    return change


def _is_share(name: str) -> bool:
    # an accuracy is a share of rows: it is right, or wrong by a whole row
    return name == "forward.accuracy"


@several
def one_element(scope: Scope) -> list[Fault]:
    """The largest element of one quantity off by a little, for every quantity and dtype."""
    found = []
    for name in scope.spec.quantities:
        for dtype in scope.telling:
            # central differences are approximate by nature: there the small error is a large one
            relative = 0.5 if scope.rough or _is_share(name) else PRECISIONS[dtype].u * 2**UNITS
            text = f"The largest element of {name} is off by a relative 2^{round(np.log2(relative))} in {dtype}"
            found.append(_fault(f"one-element-{name}-{dtype}", text, scope.rows(name), dtype, _off_by(relative), name))
    return [f for f in found if f.on]


@several
def half_the_digits(scope: Scope) -> list[Fault]:
    """All results rounded to a dtype with half the digits."""
    found = []
    for dtype in scope.dtypes:
        # differences of float32 functions have no more than half of their digits
        if dtype in HALF and not (scope.rough and dtype == "float32"):
            rows = scope.rows("forward") + scope.rows("backward")
            text = f"Results of {dtype} input have the digits of {HALF[dtype]} only"
            found.append(_fault(f"half-the-digits-{dtype}", text, rows, dtype, _rounded_to(HALF[dtype])))
    return [f for f in found if f.on]


def _rounded_to(half: str) -> Callable[[Array], Array]:
    return lambda a: a.astype(half).astype(a.dtype)


def _fault(name: str, text: str, on: tuple[str, ...], dtype: str, change: Callable[[Array], Array], only: str = "") -> Fault:
    return Fault("precision", name, text, on, lambda spec: _Spoiled(spec, dtype, change, only))
