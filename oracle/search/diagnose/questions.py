"""The layer gives torch's answer to another question: to this case with one thing about it changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from oracle.core.case import Array, Case
from oracle.search.diagnose.evidence import Evidence, Trial
from oracle.search.diagnose.guess import Diagnosis, Guess, asked, with_cotangents, with_input

Change = Callable[[Case], "Case | None"]


class Question(NamedTuple):
    """A changed case, and what it says of a layer that answers it instead. {q} stands for the quantity."""

    cause: str
    sentence: str
    change: Change


def _cotangent(change: Callable[[Array], Array]) -> Change:
    return lambda case: with_cotangents(case, change) if case.cotangents else None


def _input(name: str, change: Callable[[Array], Array]) -> Change:
    def changed(case: Case) -> Case | None:
        a = {**case.inputs, **case.params}.get(name)
        return None if a is None or a.dtype.kind != "f" else with_input(case, name, np.asarray(change(a)).astype(a.dtype))

    return changed


def _exchanged(case: Case) -> Case | None:
    x, y = case.inputs.get("x"), case.inputs.get("y")
    if x is None or y is None or x.shape != y.shape:
        return None
    return case._replace(inputs={**case.inputs, "x": y, "y": x})


def _transposed(name: str) -> Change:
    def changed(case: Case) -> Case | None:
        a = {**case.inputs, **case.params}.get(name)
        return None if a is None or a.ndim != 2 or a.shape[0] != a.shape[1] else with_input(case, name, np.ascontiguousarray(a.T))

    return changed


def _labels(change: Callable[[Array, int], Array | None]) -> Change:
    """The labels changed; classes are those of the scores."""

    def changed(case: Case) -> Case | None:
        t = case.inputs.get("t")
        if t is None:
            return None
        new = change(t, classes_of(case))
        return None if new is None else with_input(case, "t", new)

    return changed


def classes_of(case: Case) -> int:
    """The number of classes of the scores."""
    return int(case.sizes.get("C", 0))


def _soft(change: Callable[[Array], Array]) -> Callable[[Array, int], Array | None]:
    def changed(t: Array, classes: int) -> Array | None:
        return (
            None if t.dtype.kind != "f" or t.ndim == 0 or t.shape[-1] != classes or not classes else np.asarray(change(t)).astype(t.dtype)
        )

    return changed


def _hard(change: Callable[[Array, int], Array]) -> Callable[[Array, int], Array | None]:
    def changed(t: Array, classes: int) -> Array | None:
        return None if t.dtype.kind not in "iu" or not classes else np.asarray(change(t.astype(np.int64), classes))

    return changed


def _one_hot_of_largest(t: Array) -> Array:
    return np.asarray(t.argmax(axis=-1)[..., None] == np.arange(t.shape[-1]))


def _smoothed(t: Array, amount: float) -> Array:
    return np.asarray((1 - amount) * t + amount / t.shape[-1])


QUESTIONS = (
    Question("dout-ignored", "{q} is the gradient for dout = 1, whatever dout is: dout is ignored.", _cotangent(np.ones_like)),
    Question("dout-squared", "{q} is the gradient for dout * dout: dout is multiplied in twice.", _cotangent(np.square)),
    Question("dout-absolute", "{q} is the gradient for |dout|: the sign of dout is lost.", _cotangent(np.abs)),
    Question("dout-sign", "{q} is the gradient for sign(dout): the size of dout is lost.", _cotangent(np.sign)),
    Question(
        "dout-summed",
        "{q} is the gradient for the sum of dout in the place of each of its elements.",
        _cotangent(lambda d: np.full_like(d, d.sum())),
    ),
    Question(
        "dout-averaged",
        "{q} is the gradient for the mean of dout in the place of each of its elements.",
        _cotangent(lambda d: np.full_like(d, d.mean() if d.size else 0)),
    ),
    Question(
        "dout-first",
        "{q} is the gradient for the first element of dout in the place of all others.",
        _cotangent(lambda d: np.full_like(d, d.flat[0] if d.size else 0)),
    ),
    Question("dout-clipped-1", "{q} is the gradient for dout clipped to -1 ... 1.", _cotangent(lambda d: np.clip(d, -1, 1))),
    Question(
        "dout-positive", "{q} is the gradient for max(dout, 0): negative elements of dout are lost.", _cotangent(lambda d: np.maximum(d, 0))
    ),
    Question(
        "operands-exchanged", "{q} is what torch gives for x and y exchanged: one operand stands where the other belongs.", _exchanged
    ),
    Question(
        "W-transposed",
        "{q} is what torch gives for W transposed: the transpose is forgotten or one too many, which only a square W lets pass.",
        _transposed("W"),
    ),
    Question("x-transposed", "{q} is what torch gives for x transposed.", _transposed("x")),
    Question("W1-transposed", "{q} is what torch gives for W1 transposed.", _transposed("W1")),
    Question("W2-transposed", "{q} is what torch gives for W2 transposed.", _transposed("W2")),
    Question("b-ignored", "{q} is what torch gives for b = 0: the bias is not added.", _input("b", np.zeros_like)),
    Question("b-twice", "{q} is what torch gives for 2 b: the bias is added twice.", _input("b", lambda b: 2 * b)),
    Question("b-negated", "{q} is what torch gives for -b: the bias is subtracted.", _input("b", np.negative)),
    Question(
        "b-first",
        "{q} is what torch gives for b[0] as the bias of every output.",
        _input("b", lambda b: np.full_like(b, b[0] if b.size else 0)),
    ),
    Question("b1-ignored", "{q} is what torch gives for b1 = 0: the bias b1 is not added.", _input("b1", np.zeros_like)),
    Question("b2-ignored", "{q} is what torch gives for b2 = 0: the bias b2 is not added.", _input("b2", np.zeros_like)),
    Question("x-negated", "{q} is what torch gives for -x.", _input("x", np.negative)),
    Question("x-absolute", "{q} is what torch gives for |x|: the sign of x is lost.", _input("x", np.abs)),
    Question("x-doubled", "{q} is what torch gives for 2 x.", _input("x", lambda x: 2 * x)),
    Question("x-halved", "{q} is what torch gives for x / 2.", _input("x", lambda x: x / 2)),
    Question("y-absolute", "{q} is what torch gives for |y|: the sign of y is lost.", _input("y", np.abs)),
    Question("x-whole", "{q} is what torch gives for x cut to whole numbers.", _input("x", np.trunc)),
    Question("x-rounded", "{q} is what torch gives for x rounded to whole numbers.", _input("x", np.round)),
    Question(
        "argmax-of-labels",
        "{q} is what torch gives for the one-hot of argmax(t): soft labels are taken for hard ones.",
        _labels(_soft(_one_hot_of_largest)),
    ),
    Question(
        "labels-normalised",
        "{q} is what torch gives for t divided by its sum: rows of t are made to sum to 1.",
        _labels(_soft(lambda t: t / t.sum(axis=-1, keepdims=True))),
    ),
    Question("labels-rounded", "{q} is what torch gives for t cut to whole numbers: soft labels are lost.", _labels(_soft(np.trunc))),
    Question("labels-ignored", "{q} is what torch gives for t = 0: the labels are not used.", _labels(_soft(np.zeros_like))),
    Question("label-smoothing-0.1", "{q} is what torch gives for labels smoothed by 0.1.", _labels(_soft(lambda t: _smoothed(t, 0.1)))),
    Question(
        "one-based-labels",
        "{q} is what torch gives for t - 1: labels are taken to begin at 1.",
        _labels(_hard(lambda t, c: np.where(t == -100, t, (t - 1) % c))),
    ),
    Question("labels-shifted", "{q} is what torch gives for t + 1.", _labels(_hard(lambda t, c: np.where(t == -100, t, (t + 1) % c)))),
    Question(
        "labels-reversed",
        "{q} is what torch gives for labels counted from the last class.",
        _labels(_hard(lambda t, c: np.where(t == -100, t, (-t - 1) % c))),
    ),
    Question(
        "ignored-label-wraps",
        "{q} is what torch gives for t modulo C: the ignored label -100 counts as the class that it wraps around to.",
        _labels(_hard(lambda t, c: t % c)),
    ),
    Question(
        "ignored-label-first",
        "{q} is what torch gives for the ignored label -100 taken for class 0.",
        _labels(_hard(lambda t, c: np.where(t == -100, 0, t))),
    ),
    Question(
        "ignored-label-last",
        "{q} is what torch gives for the ignored label -100 taken for the last class.",
        _labels(_hard(lambda t, c: np.where(t == -100, c - 1, t))),
    ),
)


def changed_question(evidence: Evidence) -> Iterator[Guess | Diagnosis]:
    """Every question of the list that is another one than the case itself."""
    name = evidence.quantity
    if name is not None:
        for q in QUESTIONS:
            if name.startswith("backward.") or not q.cause.startswith("dout-"):
                yield Guess(q.cause, q.sentence.format(q=name), _answered(evidence, name, q.change))


def _answered(evidence: Evidence, name: str, change: Change) -> Callable[[Trial], Array | None]:
    def predict(trial: Trial) -> Array | None:
        # where the change changes nothing to speak of, as a transposition where nothing is square, torch's own answer is the prediction
        changed = change(trial.case)
        return trial.expected.get(name) if changed is None else asked(evidence.bench.spec, name, changed)

    return predict


def smaller_question(evidence: Evidence) -> Iterator[Guess | Diagnosis]:
    """Only the first or the last of an axis counts for a result that is summed over it."""
    name = evidence.quantity
    if name is None:
        return
    for dim in evidence.failing[0].case.sizes:
        for which, keep in (
            ("the first", slice(0, 1)),
            ("the last", slice(-1, None)),
            ("all but the last", slice(0, -1)),
            ("all but the first", slice(1, None)),
        ):
            yield Guess(
                f"only-{which.removeprefix('the ').replace(' ', '-')}-of-{dim}",
                f"{name} is what torch gives for {which} along axis {dim} alone.",
                _cut(evidence, name, dim, keep),
            )


def _cut(evidence: Evidence, name: str, dim: str, keep: slice) -> Callable[[Trial], Array | None]:
    def predict(trial: Trial) -> Array | None:
        n = trial.case.sizes.get(dim, 0)
        if n < 2:
            return trial.expected.get(name)
        return asked(evidence.bench.spec, name, trial.case.cut(dim, list(range(n))[keep]))

    return predict
