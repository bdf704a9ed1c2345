"""A cause as a prediction: what the layer would answer if it had this fault, held against every trial there is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain, islice
from typing import NamedTuple

import numpy as np

from oracle.core import torch_side
from oracle.core.case import Array, Case
from oracle.core.spec import LayerSpec
from oracle.search.diagnose.evidence import Evidence, Trial, agrees, differing

ENOUGH = 2
"""Elements in which a prediction must differ from torch's answer and be right all the same."""
_WORDS = {
    "N": "the batch size",
    "C": "the number of classes",
    "D": "the number of inputs",
    "M": "the number of outputs",
    "H": "the number of hidden units",
}


class Diagnosis(NamedTuple):
    """A cause's id, and one or two sentences that say what it is."""

    cause: str
    sentence: str


class Guess(NamedTuple):
    """A diagnosis that stands if `predict` gives the layer's answer in every trial; None means that it says nothing of that trial."""

    cause: str
    sentence: str
    predict: Callable[[Trial], Array | None]

    @property
    def diagnosis(self) -> Diagnosis:
        return Diagnosis(self.cause, self.sentence)


Find = Callable[[Evidence], Iterator["Guess | Diagnosis"]]
"""A family of causes: guesses still to be held against the trials, and diagnoses that an experiment has shown already."""


def answer(evidence: Evidence, trial: Trial) -> Array | None:
    """What the layer answered for the quantity in question; None where it raised."""
    name = evidence.quantity or ""
    if evidence.bench.row[0] == "backward.repeatable":
        return trial.again.get(name)
    return trial.actual.get(name)


def holds(evidence: Evidence, guess: Guess) -> bool:
    """Whether the prediction is the layer's answer in every failing and every passing trial, and not only torch's."""
    name = evidence.quantity
    if name is None:
        return False
    told = 0
    for trial in evidence.failing:
        predicted = _right(evidence, trial, name, guess)
        if predicted is None:
            return False
        told += differing(trial, name, predicted)
    if told < ENOUGH:
        return False
    passing = [t for t in evidence.passing if t.actual]
    return all(_unopposed(evidence, t, name, guess) for t in [evidence.first, *passing])


def _right(evidence: Evidence, trial: Trial, name: str, guess: Guess) -> Array | None:
    """The prediction where it is the layer's answer."""
    mine, predicted = answer(evidence, trial), _predicted(guess, trial)
    if mine is None or predicted is None or name not in trial.expected:
        return None
    return predicted if agrees(mine, np.asarray(predicted), trial.allowed[name], trial.case.dtype) else None


def _unopposed(evidence: Evidence, trial: Trial, name: str, guess: Guess) -> bool:
    mine, predicted = answer(evidence, trial), _predicted(guess, trial)
    if mine is None or predicted is None:
        return True
    return agrees(mine, np.asarray(predicted), trial.allowed[name], trial.case.dtype)


MORE = 40
"""Cases that are tried to tell several guesses apart, all of which hold so far."""


def settled(evidence: Evidence, guesses: list[Guess]) -> list[Guess]:
    """Those that also hold on other cases, calm and mixed; of two that predict the same to the last bit everywhere, the first."""
    bench, left = evidence.bench, guesses
    name = evidence.quantity or ""
    tried = list(evidence.trials)
    cases = chain((bench.calm(evidence.first.case.dtype) for _ in range(MORE // 4)), bench.mixed(evidence.first.case.dtype))
    for case in islice(cases, MORE):
        if len(left) < 2 or bench.left <= 0:
            break
        trial = bench.tried(case)
        if trial is not None and trial.actual and name in trial.expected:
            tried.append(trial)
            left = [g for g in left if _unopposed(evidence, trial, name, g)] or left
    apart: list[Guess] = []
    for guess in left:
        if not any(_same_everywhere(tried, guess, other) for other in apart):
            apart.append(guess)
    return apart


def _same_everywhere(trials: list[Trial], one: Guess, other: Guess) -> bool:
    for trial in trials:
        a, b = _predicted(one, trial), _predicted(other, trial)
        # one that says nothing of a trial says less than the other, but nothing else
        if a is not None and b is not None and not (a.shape == b.shape and np.allclose(a, b, rtol=1e-12, atol=0, equal_nan=True)):
            return False
    return True


def _predicted(guess: Guess, trial: Trial) -> Array | None:
    try:
        return guess.predict(trial)
    except (ValueError, IndexError):
        # the change makes no case of this layer, or shapes that do not fit: then nothing is said
        return None


def asked(spec: LayerSpec, name: str, case: Case | None) -> Array | None:
    """Torch's answer for the quantity `name` on `case`; None where there is none."""
    if case is None:
        return None
    answers = torch_side.evaluate(spec, case)
    return None if answers.error is not None else dict(zip(spec.quantities, answers.outputs + answers.grads, strict=True)).get(name)


def word(dim: str) -> str:
    """What the size of an axis is called in a sentence."""
    return _WORDS.get(dim, f"the size of axis {dim}")


def dout_of(case: Case) -> Array | None:
    """The only cotangent there is."""
    return next(iter(case.cotangents.values())) if len(case.cotangents) == 1 else None


def with_cotangents(case: Case, change: Callable[[Array], Array]) -> Case:
    """The case with every cotangent changed."""
    return case._replace(cotangents={n: np.asarray(change(a)).astype(a.dtype) for n, a in case.cotangents.items()})


def with_input(case: Case, name: str, a: Array) -> Case:
    """The case with another array for the input or parameter `name`."""
    if name in case.params:
        return case._replace(params={**case.params, name: a})
    return case._replace(inputs={**case.inputs, name: a})
