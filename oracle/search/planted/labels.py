"""Faults in how integer labels are read; planted where a spec has any."""

from __future__ import annotations

import numpy as np

from oracle.core.case import Array, Arrays
from oracle.search.planted.registry import fault
from oracle.search.planted.right import Results, Right, State
from oracle.search.planted.scope import Scope


def _is_label(a: Array) -> bool:
    return a.dtype.kind in "iub"


def _labelled(scope: Scope) -> bool:
    return scope.reaches(lambda arrays: any(_is_label(a) for a in arrays.values()))


def _ignoring(arrays: Arrays) -> bool:
    return any(_is_label(a) and a.dtype.kind == "i" and bool((a < 0).any()) for a in arrays.values())


@fault(
    "labels",
    on="forward",
    where=lambda scope: scope.reaches(lambda arrays: any(_is_label(a) and len(np.atleast_1d(a)) > 1 for a in arrays.values())),
)
class LabelsOfTheNextRow(Right):
    """Every row is held against the label of the row before it."""

    def before(self, state: State) -> None:
        state.inputs = {name: np.roll(a, 1, axis=0) if _is_label(a) and a.ndim else a for name, a in state.inputs.items()}


@fault("labels", on="forward", where=_labelled)
class LabelsUnread(Right):
    """Integer labels are taken for 0."""

    def before(self, state: State) -> None:
        state.inputs = {name: np.zeros_like(a) if _is_label(a) else a for name, a in state.inputs.items()}


@fault("labels", on="forward", where=lambda scope: scope.reaches(_ignoring))
class IgnoredCounted(Right):
    """A row with the ignored label -100 is counted, as class 0."""

    def before(self, state: State) -> None:
        state.inputs = {name: np.maximum(a, 0) if _is_label(a) and a.dtype.kind == "i" else a for name, a in state.inputs.items()}


@fault("labels", on="labels.forms-agree")
class FormsDisagree(Right):
    """One-hot labels get another answer than the same labels as indices."""

    def outputs(self, state: State, results: Results) -> Results:
        return tuple([np.asarray(2 * a + 1) for a in results]) if state.branch == "one-hot" else results
