"""Planted faults that only a net shows: each layer of it is right. They are trained for a few steps, and have to be convicted.

Each answers with torch's own loss and gradients, of a question that is not the one that was asked. Adding one touches one place: a class
here, whose docstring says the fault.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import NamedTuple, TypeVar

import numpy as np

from oracle.core.case import Array, Arrays
from oracle.core.evaluation import Breach
from oracle.core.spec import LayerSpec
from oracle.nets.batches import Batch
from oracle.nets.steps import StepJudge, updated
from oracle.nets.twin import answer, case_of
from oracle.results.model import Planted

STEPS = 20
"""So many steps a planted fault may go unnoticed."""
FAMILY = "net"


class Answered(NamedTuple):
    """A step of a planted net."""

    grads: Mapping[str, Array]
    loss: Array
    breaches: tuple[Breach, ...] = ()


class RightNet:
    """A net that is right, for it answers with torch's results. A fault overrides `gradient` or `loss`.

    wrong_order: the twin of a net whose layers are in another order; None where the net is no chain of layers.
    """

    def __init__(self, spec: LayerSpec, wrong_order: LayerSpec | None, params: Mapping[str, Array]) -> None:
        self.spec, self.wrong_order = spec, wrong_order
        self.params: Arrays = {name: a.copy() for name, a in params.items()}
        self.start: Arrays = {name: a.copy() for name, a in params.items()}
        self.earlier: tuple[Batch, Arrays] | None = None

    def step(self, batch: Batch, lr: float) -> Answered:
        """The gradient at the parameters, their update, and the loss after it."""
        before = self.params
        grads = self.gradient(batch)
        self.params = updated(before, grads, lr)
        loss = self.loss(batch)
        self.earlier = (batch, before)
        return Answered(grads, loss)

    def gradient(self, batch: Batch) -> Mapping[str, Array]:
        """The gradient of the loss of `batch`, by parameter."""
        return self.torch_gradient(self.spec, batch, self.params)

    def loss(self, batch: Batch) -> Array:
        """The loss of `batch`."""
        return self.torch_loss(batch, self.params)

    def torch_gradient(self, spec: LayerSpec, batch: Batch, params: Mapping[str, Array]) -> Mapping[str, Array]:
        """Torch's gradient."""
        found = answer(spec, case_of(spec, batch.x, batch.t, params)).grads
        return {name: g.copy() for name, g in zip(spec.wrt, found, strict=True)}

    def torch_loss(self, batch: Batch, params: Mapping[str, Array], spec: LayerSpec | None = None) -> Array:
        """Torch's loss."""
        asked = replace(spec or self.spec, wrt=())
        return answer(asked, case_of(self.spec, batch.x, batch.t, params)._replace(cotangents={})).outputs[0]


T = TypeVar("T", bound=type[RightNet])
FAULTS: list[type[RightNet]] = []
"""Every planted fault, in the order in which they are told."""


def _planted(made: T) -> T:
    FAULTS.append(made)
    return made


@_planted
class Accumulated(RightNet):
    """The gradients of all steps are added up: they are not set back"""

    def gradient(self, batch: Batch) -> Mapping[str, Array]:
        found = super().gradient(batch)
        self._total = {name: g + getattr(self, "_total", {}).get(name, np.zeros_like(g)) for name, g in found.items()}
        return self._total


@_planted
class CopiedParameters(RightNet):
    """The layers hold copies of the parameters, made at construction, so that updates are lost"""

    def gradient(self, batch: Batch) -> Mapping[str, Array]:
        return self.torch_gradient(self.spec, batch, self.start)

    def loss(self, batch: Batch) -> Array:
        return self.torch_loss(batch, self.start)


@_planted
class WrongOrder(RightNet):
    """The activation comes after the last layer instead of between the layers"""

    def gradient(self, batch: Batch) -> Mapping[str, Array]:
        assert self.wrong_order is not None
        return self.torch_gradient(self.wrong_order, batch, self.params)

    def loss(self, batch: Batch) -> Array:
        return self.torch_loss(batch, self.params, self.wrong_order)


@_planted
class StaleBatch(RightNet):
    """The gradient is that of the batch before"""

    def gradient(self, batch: Batch) -> Mapping[str, Array]:
        return super().gradient(batch if self.earlier is None else self.earlier[0])


@_planted
class LossOfAnotherBatch(RightNet):
    """The loss is that of the batch before"""

    def loss(self, batch: Batch) -> Array:
        return super().loss(batch if self.earlier is None else self.earlier[0])


@_planted
class StaleParameters(RightNet):
    """The gradient is at the parameters of the step before: a layer keeps those of the last forward"""

    def gradient(self, batch: Batch) -> Mapping[str, Array]:
        return self.torch_gradient(self.spec, batch, self.params if self.earlier is None else self.earlier[1])


def faults_for(wrong_order: LayerSpec | None) -> list[type[RightNet]]:
    """The faults that can be planted in a net."""
    return [fault for fault in FAULTS if fault is not WrongOrder or wrong_order is not None]


def planted_in(
    spec: LayerSpec, wrong_order: LayerSpec | None, params: Mapping[str, Array], batch_of: Callable[[int], Batch], lr: float, label: str
) -> Iterator[Planted]:
    """Train every planted fault on the first batches of the training, and tell at which step it was convicted.

    A conviction counts only on rows that the right net passes at every step of its own training.
    """
    judge = StepJudge(spec)
    innocent = set[str]().union(*_failures(judge, RightNet(spec, wrong_order, params), batch_of, lr))
    for made in faults_for(wrong_order):
        name = re.sub(r"(?<=[a-z])(?=[A-Z])", "-", made.__name__).lower()
        fault = " ".join((made.__doc__ or "").split())
        steps = 0
        rows: tuple[str, ...] = ()
        for failed in _failures(judge, made(spec, wrong_order, params), batch_of, lr):
            steps += 1
            if failed - innocent:
                rows = tuple(sorted(failed - innocent))
                break
        yield Planted(layer=label, family=FAMILY, name=name, fault=fault, n_cases=steps, rows=rows)


def _failures(judge: StepJudge, net: RightNet, batch_of: Callable[[int], Batch], lr: float) -> Iterator[set[str]]:
    """The rows that each step fails."""
    for number in range(1, STEPS + 1):
        batch, before = batch_of(number), net.params
        yield judge.judge(number, batch, before, lr, net.step(batch, lr)).failed
