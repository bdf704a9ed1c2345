"""Why a net leaves its twin: what torch answers to a changed question, held against what the net has answered.

A cause is a prediction. It is named only where the net's answer is within the allowed error of the prediction, and the prediction is not
what was expected. Where no cause fits there is no sentence.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from oracle.core.ball import PRECISIONS
from oracle.core.case import Array
from oracle.core.compare import FACTOR
from oracle.core.spec import LayerSpec
from oracle.nets.batches import Batch
from oracle.nets.steps import LOSS, Side
from oracle.nets.twin import answer, case_of
from oracle.search.diagnose.ratio import ratio_of

Arrays = Mapping[str, Array]


class Moment(NamedTuple):
    """A step, and what came before it. start: the parameters at the beginning; earlier: those of the step before, with its batch.

    total: the sum of torch's gradients of all steps so far, this one included, and of the errors allowed in them; None where some of them
    are not known any more.
    """

    batch: Batch
    before: Arrays
    after: Arrays
    start: Arrays
    earlier: tuple[Batch, Arrays] | None
    total: tuple[Arrays, Arrays] | None


def cause(spec: LayerSpec, quantity: str, side: Side, moment: Moment) -> str:
    """Why `quantity` is off, in one sentence; empty where nothing explains it."""
    with np.errstate(all="ignore"):
        for sentence, batch, params in _questions(quantity, moment):
            if _is_answer(spec, quantity, side, batch, params):
                return sentence
        return _accumulated(quantity, side, moment) or _ratio(quantity, side, len(moment.batch.t))


def _questions(quantity: str, moment: Moment) -> Iterator[tuple[str, Batch, Arrays]]:
    """Other batches and other parameters, at which torch may answer what the net does."""
    what = "The loss" if quantity == LOSS else "The gradient"
    now = moment.after if quantity == LOSS else moment.before
    if quantity == LOSS:
        yield f"{what} is that before the update.", moment.batch, moment.before
    if moment.earlier is not None and all(np.array_equal(a, moment.start[name]) for name, a in moment.earlier[1].items()):
        told = "those that the net began with: it does not reach the layers, or too late"
        yield f"{what} is at the parameters before the last update, {told}.", moment.batch, moment.start
    else:
        yield f"{what} is at the parameters that the net began with: an update does not reach its layers.", moment.batch, moment.start
    if moment.earlier is None:
        return
    batch, params = moment.earlier
    yield f"{what} is that of the batch before, at the present parameters.", batch, now
    yield f"{what} is at the parameters of the step before.", moment.batch, params
    yield f"{what} is that of the step before, batch and parameters.", batch, params


def _is_answer(spec: LayerSpec, quantity: str, side: Side, batch: Batch, params: Arrays) -> bool:
    asked = spec if quantity != LOSS else replace(spec, wrt=())
    case = case_of(spec, batch.x, batch.t, params)
    case = case if quantity != LOSS else case._replace(cotangents={})
    found = answer(asked, case)
    other = dict(zip(asked.quantities, found.outputs + found.grads, strict=True))[quantity]
    return _within(side.actual, other, spec.bounds(PRECISIONS[case.dtype], case)[quantity].radius * FACTOR) and _told_apart(side, other)


def _accumulated(quantity: str, side: Side, moment: Moment) -> str:
    name = quantity.removeprefix("backward.d")
    if quantity == LOSS or moment.total is None or name not in moment.total[0]:
        return ""
    total, allowed = moment.total[0][name], moment.total[1][name]
    fits = _within(side.actual, total, allowed) and _told_apart(side, total)
    return "The gradients of all steps so far are added up: they are not set back before a new one." if fits else ""


def _ratio(quantity: str, side: Side, n: int) -> str:
    """A constant factor, told by one element and tried on all."""
    found = ratio_of(side.actual, side.expected, side.allowed)
    if found is None:
        return ""
    for factor, name in (
        (0.0, "0"),
        (-1.0, "-1"),
        (2.0, "2"),
        (0.5, "1/2"),
        (float(n), f"{n}, the batch"),
        (1.0 / n, f"1/{n}, one over the batch"),
    ):
        if abs(found - factor) <= 1e-3 * max(abs(factor), 1e-3) and _within(
            side.actual, factor * side.expected, side.allowed * max(abs(factor), 1.0)
        ):
            return f"{'The loss' if quantity == LOSS else 'The gradient'} is torch's times {name}."
    return ""


def _within(a: Array, b: Array, allowed: Array) -> bool:
    return a.shape == b.shape and bool((np.abs(a.astype(np.float64) - b) <= allowed).all())


def _told_apart(side: Side, other: Array) -> bool:
    """Whether the other answer is not the expected one as well."""
    return not _within(other, side.expected, side.allowed)
