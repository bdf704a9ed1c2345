"""A layer that is right by construction, for it answers with torch's own results; planted faults spoil it in one way each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from oracle.core.case import Array, Arrays, Case
from oracle.core.evaluation import Evaluation
from oracle.core.spec import LayerSpec

Results = tuple[Array, ...]
BRANCH = "branch"
"""The entry of a case's configuration that tells the layer which torch expression it stands for."""


def told(case: Case) -> Case:
    """The case with its branch in its configuration: a right layer must know which question it is asked."""
    return case._replace(config={**case.config, BRANCH: case.branch})


def told_spec(spec: LayerSpec) -> LayerSpec:
    """`spec` with other forms of a case that tell their branch as well."""

    def telling(form: Callable[[Case], Case | None]) -> Callable[[Case], Case | None]:
        def other(case: Case) -> Case | None:
            found = form(case)
            return None if found is None else told(found)

        return other

    return replace(spec, other_form={branch: telling(form) for branch, form in spec.other_form.items()})


@dataclass
class State:
    """One object of the layer. given: what the last forward was handed; inputs: private copies of it, by name.

    n_backward: calls of backward since the last forward. kept: whatever a fault remembers.
    """

    params: Arrays
    branch: str
    given: Arrays = field(default_factory=dict)
    inputs: Arrays = field(default_factory=dict)
    n_backward: int = 0
    kept: dict[str, Any] = field(default_factory=dict)

    @property
    def arrays(self) -> Arrays:
        """Everything that the results depend on."""
        return {**self.inputs, **self.params}


class Right:
    """Answers with torch's results in arrays of its own; refuses what torch refuses, and backward before forward.

    The hooks `before`, `outputs`, `cotangents` and `grads` change nothing here; a fault is a subclass that does in one of them.
    """

    reached = True
    """Whether a case has touched what the fault waits for, where it waits for something."""

    def __init__(self, spec: LayerSpec) -> None:
        self.spec = spec
        self._forward_only = replace(spec, wrt=())

    def start(self, params: Arrays, config: Mapping[str, Any]) -> State:
        return State(params, config[BRANCH])

    def forward(self, state: State, inputs: Arrays) -> Results:
        with np.errstate(all="ignore"):
            state.given, state.n_backward = inputs, 0
            state.inputs = {name: np.array(a, order="C") for name, a in inputs.items()}
            self.before(state)
            return self.outputs(state, self.torch(self._forward_only, state, {}).outputs)

    def backward(self, state: State, cotangents: Arrays) -> Results:
        if not self.spec.wrt:
            return ()
        if not state.inputs:
            return self.too_early(state, cotangents)
        with np.errstate(all="ignore"):
            state.n_backward += 1
            douts = self.cotangents(state, {name: np.array(a, order="C") for name, a in cotangents.items()})
            grads = self.grads(state, self.torch(self.spec, state, douts).grads)
            self.after(state, cotangents)
            return grads

    def torch(self, spec: LayerSpec, state: State, cotangents: Arrays) -> Evaluation:
        """Torch's answer in fresh arrays. Raises RuntimeError where torch raises."""
        from oracle.core import torch_side

        params = {name: np.array(a, order="C") for name, a in state.params.items()}
        case = Case(spec.name, state.branch, "", state.inputs, params, cotangents, {}, {})
        found = torch_side.evaluate(spec, case)
        if found.error is not None:
            raise RuntimeError(found.error)
        return Evaluation(tuple([np.array(y) for y in found.outputs]), tuple([np.array(g) for g in found.grads]), None)

    def too_early(self, state: State, cotangents: Arrays) -> Results:
        """Backward before any forward."""
        raise RuntimeError("forward comes first")

    def before(self, state: State) -> None:
        """Called by forward when the inputs are known."""

    def outputs(self, state: State, results: Results) -> Results:
        """The forward results, from the right ones."""
        return results

    def cotangents(self, state: State, douts: Arrays) -> Arrays:
        """The upstream gradients that are reckoned with."""
        return douts

    def grads(self, state: State, results: Results) -> Results:
        """The gradients, from the right ones."""
        return results

    def after(self, state: State, handed: Arrays) -> None:
        """Called by backward with the very cotangents that it was handed, when its results are known."""
