"""Faults in the shapes and dtypes of results, whose numbers are right."""

from __future__ import annotations

import numpy as np

from oracle.core.case import Case
from oracle.search.planted.registry import fault
from oracle.search.planted.right import Results, Right, State
from oracle.search.planted.scope import Scope


@fault("shapes and dtypes", on="results.shape")
class OneAxisMore(Right):
    """Forward results have one axis more than they should."""

    def outputs(self, state: State, results: Results) -> Results:
        return tuple([a[..., None] for a in results])


@fault("shapes and dtypes", on="results.shape", where=lambda scope: bool(scope.spec.wrt))
class GradientWithAnAxisMore(Right):
    """Gradients have one axis more than they should."""

    def grads(self, state: State, results: Results) -> Results:
        return tuple([g[None] for g in results])


def _squeezable(scope: Scope) -> bool:
    def unit(case: Case) -> bool:
        return any(1 in {**case.inputs, **case.params}[name].shape for name in scope.spec.wrt)

    return scope.any_case(unit)


@fault("shapes and dtypes", on="results.shape", where=_squeezable)
class Squeezed(Right):
    """Axes of size 1 are dropped from the gradients."""

    def grads(self, state: State, results: Results) -> Results:
        return tuple([np.squeeze(g) for g in results])


@fault("shapes and dtypes", on="results.dtype", where=lambda scope: set(scope.dtypes) != {"float64"})
class Widened(Right):
    """Every result is float64, whatever the input is."""

    def outputs(self, state: State, results: Results) -> Results:
        return tuple([a.astype(np.float64) for a in results])

    grads = outputs


@fault("shapes and dtypes", on="results.dtype", where=lambda scope: set(scope.dtypes) != {"float32"})
class Narrowed(Right):
    """Every result is float32, whatever the input is."""

    def outputs(self, state: State, results: Results) -> Results:
        return tuple([a.astype(np.float32) for a in results])

    grads = outputs
