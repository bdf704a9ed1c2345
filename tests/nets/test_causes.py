"""Sentences of the diagnosis: said where the prediction fits and differs from what was expected, and nowhere else."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from oracle.core.ball import PRECISIONS
from oracle.core.compare import allowed_error
from oracle.nets.batches import batch
from oracle.nets.causes import Moment, cause
from oracle.nets.steps import LOSS, Side
from oracle.nets.twin import answer, case_of, twin_of
from tests.mutants.nets.textbook import TwoLayerNet
from tests.nets.small import SIZES, digits

DATA = digits()
NET = TwoLayerNet(*SIZES)
SPEC = twin_of(NET.params)
BATCHES = [batch(DATA, 0, number, 20, "float64") for number in range(4)]


def moved(by: float) -> dict[str, Any]:
    rng = np.random.default_rng(int(by * 100))
    return {name: a + by * rng.standard_normal(a.shape) for name, a in NET.params.items()}


START, EARLIER, BEFORE, AFTER = moved(0.0), moved(0.1), moved(0.2), moved(0.3)


def torch_says(quantity: str, b: Any, params: Any) -> tuple[Any, Any]:
    """Torch's answer, and the error allowed in it."""
    case = case_of(SPEC, b.x, b.t, params)
    spec = replace(SPEC, wrt=()) if quantity == LOSS else SPEC
    case = case._replace(cotangents={}) if quantity == LOSS else case
    found = answer(spec, case)
    value = dict(zip(spec.quantities, found.outputs + found.grads, strict=True))[quantity]
    return value, allowed_error(spec.bounds(PRECISIONS["float64"], case)[quantity])


def moment(**other: Any) -> Moment:
    return Moment(BATCHES[3], BEFORE, AFTER, START, (BATCHES[2], EARLIER), None)._replace(**other)


def told(quantity: str, actual: Any, when: Moment) -> str:
    expected, allowed = torch_says(quantity, when.batch, when.after if quantity == LOSS else when.before)
    return cause(SPEC, quantity, Side(np.asarray(actual), expected, allowed), when)


@pytest.mark.parametrize("quantity", ["backward.dW1", "backward.db2", LOSS])
@pytest.mark.parametrize(
    "b, params, sentence",
    [
        (3, START, "at the parameters that the net began with: an update does not reach its layers."),
        (2, None, "that of the batch before, at the present parameters."),
        (3, EARLIER, "at the parameters of the step before."),
        (2, EARLIER, "that of the step before, batch and parameters."),
        (1, EARLIER, ""),
        (3, moved(0.5), ""),
    ],
)
def test_torchs_answer_to_another_question_is_told(quantity: str, b: int, params: Any, sentence: str) -> None:
    now = AFTER if quantity == LOSS else BEFORE
    actual, _ = torch_says(quantity, BATCHES[b], now if params is None else params)
    said = told(quantity, actual, moment())
    assert said == (f"{'The loss' if quantity == LOSS else 'The gradient'} is {sentence}" if sentence else "")


def test_the_loss_before_the_update_is_told() -> None:
    actual, _ = torch_says(LOSS, BATCHES[3], BEFORE)
    assert told(LOSS, actual, moment()) == "The loss is that before the update."


def test_the_second_step_cannot_tell_a_copy_from_a_layer_that_lags_and_says_what_is_true_of_both() -> None:
    actual, _ = torch_says("backward.dW2", BATCHES[3], START)
    said = told("backward.dW2", actual, moment(earlier=(BATCHES[2], {name: a.copy() for name, a in START.items()})))
    assert said.startswith("The gradient is at the parameters before the last update, those that the net began with")


def test_the_first_step_has_nothing_before_it() -> None:
    actual, _ = torch_says("backward.dW1", BATCHES[2], BEFORE)
    assert told("backward.dW1", actual, moment(earlier=None)) == ""


def test_a_sum_of_all_gradients_is_told_while_it_is_known() -> None:
    parts = [torch_says("backward.dW1", b, p) for b, p in ((BATCHES[1], START), (BATCHES[2], EARLIER), (BATCHES[3], BEFORE))]
    total = {"W1": sum(p[0] for p in parts)}, {"W1": sum(p[1] for p in parts)}
    assert "added up" in told("backward.dW1", total[0]["W1"], moment(total=total))
    assert told("backward.dW1", total[0]["W1"], moment()) == ""
    assert told("backward.dW1", total[0]["W1"] * (1 + 1e-9), moment(total=total)) == ""


@pytest.mark.parametrize("quantity", ["backward.dW1", LOSS])
@pytest.mark.parametrize(
    "factor, name", [(0.0, "0."), (-1.0, "-1."), (2.0, "2."), (0.5, "1/2."), (20.0, "20, the batch."), (0.05, "1/20, one over the batch.")]
)
def test_a_factor_is_told_where_it_holds_for_every_element(quantity: str, factor: float, name: str) -> None:
    expected, _ = torch_says(quantity, BATCHES[3], AFTER if quantity == LOSS else BEFORE)
    what = "The loss" if quantity == LOSS else "The gradient"
    assert told(quantity, expected * factor, moment()) == f"{what} is torch's times {name}"
    if quantity != LOSS:
        spoilt = expected * factor
        spoilt[tuple(np.argwhere(np.abs(expected) < np.abs(expected).max() / 2)[0])] += 1e-3
        assert told(quantity, spoilt, moment()) == ""


@pytest.mark.parametrize("factor", [3.0, 1.001, -2.0, 1e-3])
def test_other_factors_have_no_sentence(factor: float) -> None:
    expected, _ = torch_says("backward.dW1", BATCHES[3], BEFORE)
    assert told("backward.dW1", expected * factor, moment()) == ""


def test_nan_and_nothing_at_all_have_no_sentence() -> None:
    expected, allowed = torch_says("backward.dW1", BATCHES[3], BEFORE)
    assert told("backward.dW1", np.full_like(expected, np.nan), moment()) == ""
    empty = np.zeros((0, 7))
    assert cause(SPEC, "backward.dW1", Side(empty, empty, empty), moment(earlier=None, start=BEFORE)) == ""
    nothing = np.zeros_like(expected)
    assert cause(SPEC, "backward.dW1", Side(nothing + 1, nothing, allowed), moment()) == ""


def test_an_answer_that_was_expected_as_well_is_no_cause() -> None:
    """Where nothing has moved, every question has the same answer: none of them explains a difference."""
    still = Moment(BATCHES[3], BEFORE, BEFORE, BEFORE, (BATCHES[3], BEFORE), None)
    expected, allowed = torch_says("backward.dW1", BATCHES[3], BEFORE)
    assert told("backward.dW1", expected + 0.9 * allowed, still) == ""
