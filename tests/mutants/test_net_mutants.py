"""Nets that are wrong although each of their layers is right: `train` convicts each where and when it goes wrong, with a true sentence."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import pytest

from oracle.results.training import training_verdict
from tests.mutants.nets import layers, parameters, right, stale, textbook
from tests.nets.small import SIZES, digits, failing, net_of, planned, rows, said, trained

GRADIENTS = ("backward.dW1", "backward.db1", "backward.dW2", "backward.db2")
LOSS = "forward.loss"


class Wrong(NamedTuple):
    """rows: those that fail, with the step. says: by row, a part of the diagnosis; rows without one must have none."""

    net: Any
    rows: dict[str, int]
    says: dict[str, str] = {}
    dtypes: tuple[str, ...] = ("float64", "float32")


def on_gradients(step: int) -> dict[str, int]:
    return dict.fromkeys(GRADIENTS, step)


def of_gradients(text: str) -> dict[str, str]:
    return dict.fromkeys(GRADIENTS, text)


EVERYWHERE = {LOSS: 1, **on_gradients(1)}
AT_THE_START = "at the parameters before the last update, those that the net began with"
NOT_UPDATED = {LOSS: "that before the update", **of_gradients(AT_THE_START)}
WRONG = [
    Wrong(stale.Accumulated, on_gradients(2), of_gradients("of all steps so far are added up")),
    Wrong(stale.BatchOfTheLastLoss, on_gradients(2), of_gradients("that of the batch before, at the present parameters")),
    Wrong(stale.FirstBatch, on_gradients(2), of_gradients("that of the batch before, at the present parameters")),
    Wrong(stale.NoForward, {"call.answers": 1}),
    Wrong(stale.LossOfTheBatchBefore, {LOSS: 2}, {LOSS: "The loss is that of the batch before"}),
    Wrong(stale.Momentum, on_gradients(2)),
    Wrong(stale.Dropout, EVERYWHERE),
    Wrong(parameters.Copied, {LOSS: 1, **on_gradients(2)}, NOT_UPDATED),
    Wrong(parameters.Rebound, {LOSS: 1, **on_gradients(2)}, NOT_UPDATED),
    Wrong(parameters.OneLate, {LOSS: 1, **on_gradients(2)}, NOT_UPDATED),
    Wrong(parameters.CopiedBias, {LOSS: 1, **on_gradients(2)}),
    Wrong(parameters.UpdatesItself, {LOSS: 1, "params.unchanged": 1}),
    Wrong(parameters.GradsAreParams, {LOSS: 1, "params.unchanged": 1, **on_gradients(2)}, NOT_UPDATED),
    Wrong(parameters.BiasForgotten, {"backward.db1": 1}, {"backward.db1": "torch's times 0."}),
    Wrong(parameters.Decay, {"backward.dW1": 1, "backward.dW2": 1, "backward.db1": 2, "backward.db2": 2}),
    Wrong(parameters.Tied, {LOSS: 1, "params.updated": 10, **on_gradients(2)}),
    Wrong(parameters.TrainsWhileMeasured, {"params.unchanged": 0}),
    Wrong(layers.WrongOrder, EVERYWHERE),
    Wrong(layers.BackwardInForwardOrder, {"call.answers": 1}),
    Wrong(layers.NoRelu, EVERYWHERE),
    Wrong(layers.LabelsShifted, EVERYWHERE),
    Wrong(layers.Summed, on_gradients(1), of_gradients("torch's times 20, the batch.")),
    Wrong(layers.SummedLoss, {LOSS: 1}, {LOSS: "torch's times 20, the batch."}),
    Wrong(layers.AHundred, on_gradients(1)),
    Wrong(layers.Widened, {"results.dtype": 1}, dtypes=("float32",)),
    Wrong(layers.Narrowed, EVERYWHERE, dtypes=("float64",)),
    Wrong(layers.WritesIntoTheBatch, {"inputs.unchanged": 0, **EVERYWHERE}),
]
RIGHT = [
    textbook.TwoLayerNet,
    right.Plain,
    right.Einsum,
    right.Reversed,
    right.Blocks,
    right.RowByRow,
    right.ScaledAfter,
    right.ThroughFloat64,
    right.ThroughLongDouble,
    right.Buffers,
    right.Unmeasured,
]


@pytest.mark.parametrize("wrong", [pytest.param(w, id=w.net.__name__) for w in WRONG])
def test_a_wrong_net_is_convicted_on_its_rows_with_a_true_sentence(wrong: Wrong, tmp_path: Path) -> None:
    found = trained(planned(net_of(wrong.net), 12), tmp_path)
    assert training_verdict(found).exit_code == 1
    for dtype in ("float64", "float32"):
        failed = failing(found, dtype)
        # where each step is right but the net has changed its parameters, both sides part as well
        failed.pop("trajectory", None)
        assert failed == (wrong.rows if dtype in wrong.dtypes else {})
        told = said(found, dtype)
        assert set(told) == (set(wrong.says) if dtype in wrong.dtypes else set()), told
        assert all(part in told[row] for row, part in wrong.says.items() if row in told)


@pytest.mark.parametrize("net", [pytest.param(net, id=net.__name__) for net in RIGHT])
def test_a_right_net_conforms_whatever_its_style(net: Any, tmp_path: Path) -> None:
    found = trained(planned(net_of(net), 60), tmp_path)
    verdict = training_verdict(found)
    assert verdict.exit_code == 0, verdict.sentence
    for dtype in ("float64", "float32"):
        row = rows(found, dtype)["trajectory"]
        assert row.n_judged == 60 and row.margin is not None and 0 < row.margin < 0.5


def test_a_size_of_the_batch_in_the_code_is_right_for_that_batch_alone(tmp_path: Path) -> None:
    plan = planned(net_of(layers.AHundred), 12, digits(400), batch=100)
    assert training_verdict(trained(plan, tmp_path)).exit_code == 0


def test_a_backward_in_forward_order_is_convicted_where_all_shapes_fit(tmp_path: Path) -> None:
    data = digits(inputs=4)
    found = trained(planned(net_of(_Square, (4, 4, 4)), 12, data), tmp_path)
    assert failing(found)["backward.dW1"] == 1 and said(found) == {}


class _Square(textbook.TwoLayerNet):
    """backward goes through the layers from the first to the last, all of which have one shape."""

    def gradient(self, x: Any, t: Any) -> dict[str, Any]:
        self.lastLayer.forward(self.predict(x), t)
        dout = self.lastLayer.backward(1)
        for layer in self.layers.values():
            dout = layer.backward(dout)
        first, second = self.layers["Affine1"], self.layers["Affine2"]
        return {"W1": first.dW, "b1": first.db, "W2": second.dW, "b2": second.db}


def test_every_net_in_the_files_is_tried() -> None:
    there = {
        thing.__name__
        for module in (stale, parameters, layers, right)
        for thing in vars(module).values()
        if isinstance(thing, type) and thing.__module__ == module.__name__ and not thing.__name__.startswith("_")
    }
    assert there == {w.net.__name__ for w in WRONG} | {net.__name__ for net in RIGHT} - {"TwoLayerNet"}
    assert SIZES[0] != SIZES[1] != SIZES[2]
