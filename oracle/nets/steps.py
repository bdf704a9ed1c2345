"""One step of a training, judged: the net's gradient and loss against torch's from equal parameters on the same batch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple, Protocol

import numpy as np

from oracle.core.ball import PRECISIONS
from oracle.core.case import Array, Arrays, Case
from oracle.core.compare import Comparison, allowed_error, compare
from oracle.core.evaluation import Breach
from oracle.core.spec import LayerSpec
from oracle.nets.batches import Batch
from oracle.nets.twin import answer, case_of

LOSS = "forward.loss"
UPDATED = "params.updated"
"""After an update the parameters are what they were, less lr times the gradient: nobody else has changed them."""
CONTRACTS = ("call.answers", "inputs.unchanged", "params.unchanged", "results.shape", "results.dtype", UPDATED)
"""The contracts of a net that is trained."""


class Step(Protocol):
    """What a net answers to a step: its gradient by parameter before the update, its loss on the same batch after it."""

    @property
    def grads(self) -> Mapping[str, Array]: ...
    @property
    def loss(self) -> Array: ...
    @property
    def breaches(self) -> tuple[Breach, ...]: ...


class Trainee(Protocol):
    """A net as the trainer sees it; `oracle.subjects.nets.NetSubject` is one."""

    @property
    def names(self) -> tuple[str, ...]: ...
    def params(self) -> Arrays: ...
    def assign(self, params: Mapping[str, Array]) -> None: ...
    def step(self, x: Array, t: Array, lr: float) -> Step: ...
    @property
    def breaches(self) -> tuple[Breach, ...]: ...
    def accuracy(self, x: Array, t: Array) -> float: ...


class Side(NamedTuple):
    """One quantity of a step on both sides, and the error it is allowed."""

    actual: Array
    expected: Array
    allowed: Array


class JudgedStep(NamedTuple):
    """What came of a step. comparisons: of each quantity that has torch's shape. sides: by quantity, to explain a failure by.

    allowed: allowed error of every gradient, by parameter. after: the parameters after the update.
    """

    comparisons: tuple[Comparison, ...]
    breaches: tuple[Breach, ...]
    sides: dict[str, Side]
    allowed: Arrays
    after: Arrays

    @property
    def expected(self) -> Arrays:
        """Torch's gradients, by parameter; of those that have torch's shape."""
        return {name: self.sides[key].expected for name in self.allowed if (key := f"backward.d{name}") in self.sides}

    @property
    def determined(self) -> bool:
        """Whether every element of every gradient was bounded, and torch within its own bound."""
        return all(np.isfinite(a).all() for a in self.allowed.values()) and not any(c.inconclusive for c in self.comparisons)

    @property
    def failed(self) -> set[str]:
        """The rows that this step fails."""
        wrong = {c.quantity for c in self.comparisons if not (c.ok or c.inconclusive)}
        return wrong | {b.contract for b in self.breaches}


class StepJudge:
    """Judges steps of a net by its twin `spec`. A failure is measured closely at once; without one, every MEASURED-th step."""

    MEASURED = 16

    def __init__(self, spec: LayerSpec) -> None:
        self.spec = spec
        self._forward = replace(spec, wrt=())

    def judge(self, number: int, batch: Batch, before: Mapping[str, Array], lr: float, seen: Step) -> JudgedStep:
        """Judge step `number` from the parameters `before`. Raises TwinError where torch does not compute."""
        measure = number % self.MEASURED == 1
        p = PRECISIONS[next(iter(before.values())).dtype.name]
        case = case_of(self.spec, batch.x, batch.t, before)
        expected = dict(zip(self.spec.wrt, answer(self.spec, case).grads, strict=True))
        with np.errstate(all="ignore"):
            balls = self.spec.bounds(p, case)
            allowed = {name: allowed_error(balls[f"backward.d{name}"]) for name in self.spec.wrt}
            breaches = [*seen.breaches, *_forms(seen.grads, expected)]
            after = updated(before, seen.grads, lr)
            pairs = {name: (seen.grads[name], expected[name]) for name in self.spec.wrt if seen.grads[name].shape == expected[name].shape}
            comparisons = [compare(f"backward.d{n}", a, e, balls[f"backward.d{n}"], measure) for n, (a, e) in pairs.items()]
            sides = {f"backward.d{n}": Side(_kept(a), e, allowed[n]) for n, (a, e) in pairs.items()}
            found, side = self._loss(case, after, seen.loss, measure)
        return JudgedStep((found, *comparisons), tuple(dict.fromkeys(breaches)), {LOSS: side, **sides}, allowed, after)

    def _loss(self, case: Case, after: Arrays, loss: Array, measure: bool) -> tuple[Comparison, Side]:
        later = case._replace(params={name: after[name] for name in case.params}, cotangents={})
        (expected,) = answer(self._forward, later).outputs
        ball = self.spec.bounds(PRECISIONS[case.dtype], later)[LOSS]
        actual = np.asarray(loss)
        return compare(LOSS, actual, expected, ball, measure), Side(_kept(actual), expected, allowed_error(ball))


def updated(params: Mapping[str, Array], grads: Mapping[str, Array], lr: float) -> Arrays:
    """The parameters after `params[name] -= lr * grads[name]`, as new arrays. A gradient of another shape leaves them as they were."""
    found = {}
    for name, p in params.items():
        after = p.copy()
        if grads[name].shape == p.shape:
            after -= lr * grads[name]
        found[name] = after
    return found


def _kept(a: Array) -> Array:
    """`a` as it can be stored: what is wider than float64 cannot."""
    return a.astype(np.float64) if a.dtype.kind == "f" and a.itemsize > 8 else a


def _forms(grads: Mapping[str, Array], expected: Mapping[str, Array]) -> list[Breach]:
    breaches = []
    for name, e in expected.items():
        a = grads[name]
        if a.shape != e.shape:
            breaches.append(Breach("results.shape", f"the gradient of {name} has shape {a.shape}, torch's has {e.shape}"))
        if a.dtype != e.dtype:
            breaches.append(Breach("results.dtype", f"the gradient of {name} is {a.dtype}, torch's is {e.dtype}"))
    return breaches
