"""The gradient check of a net: backprop, torch.autograd and differences of the net's own loss, for every parameter.

The net is used as in a training: on another batch first, then on the one that is judged, so that what it keeps of a batch shows. In a
dtype narrower than float64 the differences are taken of the same net in float64, where the net can be made so: differences of a narrow
loss can tell little.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

import numpy as np

from oracle.core.ball import PRECISIONS, Array, Ball
from oracle.core.case import Arrays, Case
from oracle.core.compare import FACTOR, compare
from oracle.core.differences import Difference
from oracle.core.evaluation import Breach, Evaluation
from oracle.core.spec import LayerSpec
from oracle.nets.gradcheck_causes import Evidence, loss_cause, told
from oracle.nets.gradcheck_differences import Differing, Loss, chosen, measured, step_for, tried
from oracle.nets.gradcheck_rows import RESOLVED, Held, Sides, held, row, sides, silenced, who, worst_of
from oracle.nets.twin import answer, case_of
from oracle.results.gradcheck import Broken, GradRow, LossRow, Step
from oracle.subjects.nets import Gradients

SAMPLES = 64
"""Elements of each parameter that differences are taken of, where not all are asked for."""
TINY_STEP = 2.0**-30
CLOSER = 4
"""What differs is confirmed with a step smaller by this: where several kinks were crossed, their jumps can hide one another."""


class Net(Loss, Protocol):
    """A net as a subject; see `oracle.subjects.nets`. breaches: the contracts that the last call broke."""

    names: tuple[str, ...]
    breaches: tuple[Breach, ...]

    def params(self) -> Arrays: ...
    def gradient(self, x: Array, t: Array) -> Gradients: ...
    def loss(self, x: Array, t: Array) -> Array: ...


class Batch(NamedTuple):
    """Inputs and labels."""

    x: Array
    t: Array


class Question(NamedTuple):
    """What is asked of a net: on which batch, with which one before it, and how many elements of each parameter are tried (None: all).

    scores: the torch expression of the net's scores, where it is known.
    """

    batch: Batch
    before: Batch
    samples: int | None = SAMPLES
    seed: int = 0
    scores: str = ""


class Part(NamedTuple):
    """What was found in one dtype. interrupted: by whoever waits for it; what is missing then was not tried."""

    step: Step
    loss: LossRow
    rows: tuple[GradRow, ...]
    broken: tuple[Broken, ...]
    interrupted: bool


def gradcheck(
    net: Net, spec: LayerSpec, question: Question, wide: Net | None = None, advance: Callable[[str], None] = lambda _: None
) -> Part:
    """The gradient check of `net` against its twin `spec`, in the dtype of its parameters.

    wide: the same net with the same parameters in float64, to take the differences of. advance: called with the parameter's name after each
    element that was tried. Raises TwinError, NetError.
    """
    params = net.params()
    dtype = next(iter(params.values())).dtype.name
    breaches: list[Breach] = []
    given = question.before._replace(x=question.before.x.astype(dtype)), question.batch._replace(x=question.batch.x.astype(dtype))
    breaches += net.gradient(*given[0]).breaches
    # the other batch before either: a loss that lags behind by a call is seen, and a gradient that goes by the last loss
    net.loss(*given[0])
    breaches += net.breaches
    actual = net.loss(*given[1])
    breaches += net.breaches
    net.loss(*given[0])
    grads = net.gradient(*given[1])
    breaches += grads.breaches
    case = case_of(spec, *given[1], params)
    expected, balls = answer(spec, case), spec.bounds(PRECISIONS[dtype], case)
    evidence = Evidence(spec, case, case_of(spec, *given[0], params), question.scores)
    how = _how(net, wide, spec, case, *given, balls)
    each = [sides(n, dtype, grads.grads[n], e, balls[f"backward.d{n}"]) for n, e in zip(spec.wrt, expected.grads, strict=True)]
    rows, interrupted = _rows(each, params, how, question, evidence, advance)
    step = Step(dtype=dtype, of=how.dtype, step=how.step, rounding=how.rounding, resolved=RESOLVED[how.dtype])
    broken = tuple(Broken(dtype=dtype, contract=b.contract, message=b.message) for b in dict.fromkeys([*breaches, *net.breaches]))
    return Part(step, _loss(dtype, actual, expected, balls["forward.loss"], evidence), rows, broken, interrupted)


def _how(net: Net, wide: Net | None, spec: LayerSpec, case: Case, before: Batch, batch: Batch, balls: dict[str, Ball]) -> Differing:
    """How differences are taken: of the net in float64 where there is one that computes in float64."""
    rounding = _radius(balls)
    if wide is not None:
        before, wider = (b._replace(x=b.x.astype("float64")) for b in (before, batch))
        for used in (wide.gradient, wide.loss):
            used(*before)
        other = case_of(spec, *wider, wide.params())
        error, expected = _radius(spec.bounds(PRECISIONS["float64"], other)), answer(spec, other)
        off = abs(float(wide.loss(*wider)) - float(expected.outputs[0]))
        narrow = FACTOR * error < off <= FACTOR * rounding and _stands_still(wide, expected, spec.wrt, wider)
        if not narrow:
            return Differing(wide, *wider, "float64", step_for(error, "float64"), error)
    return Differing(net, *batch, case.dtype, step_for(rounding, case.dtype), rounding)


def _stands_still(net: Net, expected: Evaluation, names: Sequence[str], batch: Batch) -> bool:
    """Whether the loss does not move with any parameter by a step that is lost in a narrow dtype, and only there."""
    losses = [net.losses(n, [int(np.abs(g).argmax())], [0.0, TINY_STEP], *batch) for n, g in zip(names, expected.grads, strict=True)]
    return all(found[0, 0] == found[0, 1] for found in losses)


def _radius(balls: dict[str, Ball]) -> float:
    """How far the loss may be off."""
    radius = float(balls["forward.loss"].radius)
    return math.inf if math.isnan(radius) else radius


def _rows(
    each: Sequence[Sides], params: Arrays, how: Differing, question: Question, evidence: Evidence, advance: Callable[[str], None]
) -> tuple[tuple[GradRow, ...], bool]:
    """A row for each parameter. An interrupt ends the differences; what was found is told."""
    rows, interrupted, share = [], False, RESOLVED[how.dtype]
    for two in each:
        found: dict[int, Difference] = {}
        closer: dict[int, Difference] = {}
        values = params[two.name].reshape(-1)
        try:
            if not interrupted:
                indices = chosen(two.name, two.backprop, two.autograd, worst_of(two), question.samples, question.seed)
                measured(how, two.name, values, indices, found, advance)
                off = held(two, tried(found), share).off.tolist()
                measured(how._replace(step=how.step / CLOSER), two.name, values, off, closer, lambda _: None)
        except KeyboardInterrupt:
            interrupted = True
        kept = silenced(two, held(two, tried(found), share), held(two, tried(closer), math.inf), share)
        rows.append(_row(two, kept, evidence))
    return tuple(rows), interrupted


def _row(two: Sides, found: Held, evidence: Evidence) -> GradRow:
    alone, by_differences = who(two, found)
    message, diagnosis = told(two, found, alone, by_differences, evidence)
    return row(two, found, alone, message, diagnosis)


def _loss(dtype: str, actual: Array, expected: Evaluation, ball: Ball, evidence: Evidence) -> LossRow:
    """The loss itself against torch's."""
    with np.errstate(all="ignore"):
        found = compare("loss", np.asarray(actual), expected.outputs[0], ball)
    allowed = FACTOR * float(ball.radius)
    return LossRow(
        dtype=dtype,
        actual=float(actual),
        expected=float(expected.outputs[0]),
        allowed=math.inf if math.isnan(allowed) else allowed,
        margin=None if found.n_undetermined else found.margin,
        status="inconclusive" if found.inconclusive else "passed" if found.ok else "failed",
        diagnosis="" if found.ok else loss_cause(float(actual), float(expected.outputs[0]), float(allowed), evidence),
    )
