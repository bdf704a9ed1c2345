"""The gradient check: right nets are left alone, and of a wrong one the right side is said to stand alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from oracle.core.differences import difference, points
from oracle.nets.gradcheck import Batch, Part, Question, gradcheck
from oracle.nets.gradcheck_differences import chosen, step_for
from oracle.nets.twin import scores_of, twin_of
from oracle.results.gradcheck import GradRow
from oracle.subjects.nets import NetSubject, made
from reference import TwoLayerNet
from tests.nets import broken_nets as nets


def batches(seed: int, n: int = 4, regression: bool = False) -> tuple[Batch, Batch]:
    """A batch and the one before it."""
    rng = np.random.default_rng(seed + 100)
    x = rng.normal(size=(2 * n, 6))
    t = rng.normal(size=(2 * n, 2)) if regression else rng.integers(0, 4, 2 * n)
    return Batch(x[n:], t[n:]), Batch(x[:n], t[:n])


def widened(thing: Any, seed: int, net: NetSubject) -> NetSubject:
    """The same net in float64."""
    wide = made(thing, (seed,), "float64")
    wide.assign({name: a.astype(float) for name, a in net.params().items()})
    return wide


def checked(
    thing: Any, seed: int = 0, dtype: str = "float64", wide: bool = True, activation: str = "relu", samples: int | None = None
) -> Part:
    """The gradient check of the net that `thing` makes."""
    net = made(thing, (seed,), dtype)
    torch = getattr(thing, "torch", None)
    batch, before = batches(seed, regression=torch is not None)
    other = widened(thing, seed, net) if wide and dtype != "float64" else None
    described = (net.params(), torch, activation)
    return gradcheck(net, twin_of(*described), Question(batch, before, samples, seed, scores_of(*described)), other)


def alone(part: Part) -> set[str]:
    return {row.alone for row in part.rows}


def sound(part: Part) -> bool:
    return alone(part) == {"nobody"} and part.loss.status == "passed" and not part.broken and not part.interrupted


@pytest.mark.parametrize("dtype, wide", [("float64", False), ("float32", True), ("float32", False), ("float16", True)])
@pytest.mark.parametrize("thing, activation", [(nets.Net, "relu"), (nets.Sigmoid, "sigmoid"), (nets.Regression, "relu")])
def test_a_right_net_is_left_alone(thing: Any, activation: str, dtype: str, wide: bool) -> None:
    for seed in range(5):
        part = checked(thing, seed, dtype, wide, activation)
        assert sound(part), (seed, part)
        assert part.step.of == ("float64" if wide else dtype)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_differences_tell_nearly_everything_of_a_net_in_float64(dtype: str) -> None:
    part = checked(nets.Net, 3, dtype)
    assert all(row.status == "passed" and row.n_resolved >= 0.8 * row.n_tried for row in part.rows)
    assert all(row.sees is not None and row.sees < (1e-6 if dtype == "float64" else 1e-2) for row in part.rows)


def test_a_net_that_computes_in_float32_whatever_it_is_given_is_right_in_float32_alone() -> None:
    narrow = checked(nets.Narrow, 0, "float32")
    assert sound(narrow) and narrow.step.of == "float32"
    assert not sound(checked(nets.Narrow, 0, "float64"))


BACKPROP = [nets.Unaveraged, nets.WrongOrder, nets.StaleBatch, nets.Accumulating]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("samples", [None, 4])
@pytest.mark.parametrize("thing", BACKPROP)
def test_a_wrong_backward_stands_alone(thing: Any, samples: int | None, dtype: str) -> None:
    part = checked(thing, 0, dtype, samples=samples)
    assert alone(part) - {"nobody"} == {"backprop"} and part.loss.status == "passed"
    assert all("stands alone" in row.message for row in part.rows if row.alone == "backprop")


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("thing, parameter, cause", [(nets.Twice, "W2", "twice torch's"), (nets.Sign, "b1", "minus torch's")])
def test_one_wrong_parameter_is_named_and_no_other(thing: Any, parameter: str, cause: str, dtype: str) -> None:
    part = checked(thing, 0, dtype)
    assert [(row.parameter, row.alone) for row in part.rows if row.status == "failed"] == [(parameter, "backprop")]
    assert cause in next(row for row in part.rows if row.status == "failed").diagnosis


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("thing", [nets.TwiceTheLoss, nets.SummedLoss, nets.EpsInLog, nets.StaleLoss])
def test_a_wrong_loss_with_the_right_gradient_stands_alone(thing: Any, dtype: str) -> None:
    part = checked(thing, 0, dtype)
    assert alone(part) == {"numerical"} and part.loss.status == "failed"


def test_a_net_that_works_with_a_copy_of_its_parameters_is_told_so() -> None:
    part = checked(nets.Copied)
    assert alone(part) == {"numerical"} and part.loss.status == "passed"
    assert all("copy of params" in row.diagnosis for row in part.rows)


@pytest.mark.parametrize(
    "thing, cause",
    [
        (nets.Unaveraged, "4 times (the size of the batch)"),
        (nets.StaleBatch, "the batch that the net was given before"),
        (nets.BatchOfTheLastLoss, "the batch that the net was given before"),
        (nets.Accumulating, "added up"),
        (nets.WrongOrder, ""),
        (nets.SummedLoss, "The loss moves by 4 times (the size of the batch)"),
        (nets.StaleLoss, "the loss of the batch that the net was given before"),
        (nets.EpsInLog, ""),
    ],
)
def test_the_cause_is_said_where_one_explains_it_and_nothing_where_none_does(thing: Any, cause: str) -> None:
    told = [row.diagnosis for row in checked(thing).rows if row.status == "failed"]
    assert told and all(cause in text if cause else text == "" for text in told)


class ZeroIsAnswered(nets.Net):
    """A gradient for weights of an input that is always 0."""

    def back(self, d: np.ndarray) -> nets.Arrays:
        grads = super().back(d)
        grads["W1"][0] = 1
        return grads


def test_where_torch_allows_nothing_that_is_said() -> None:
    net, (batch, before) = made(ZeroIsAnswered, (0,), "float64"), batches(0)
    batch.x[:, 0] = before.x[:, 0] = 0
    failed = [row for row in gradcheck(net, twin_of(net.params()), Question(batch, before, None)).rows if row.status == "failed"]
    assert [row.parameter for row in failed] == ["W1"] and "where nothing is allowed" in failed[0].message


def at_a_kink(thing: Any, dtype: str) -> Part:
    """A net whose first bias is 0, given a row of zeros."""
    net = made(thing, (0,), dtype)
    params = net.params()
    params["b1"][:] = 0
    net.assign(params)
    batch, before = batches(0)
    batch.x[0] = 0
    return gradcheck(net, twin_of(params), Question(batch, before, None), None if dtype == "float64" else widened(thing, 0, net))


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_kink_of_relu_is_recognised_and_no_error(dtype: str) -> None:
    part = at_a_kink(nets.Net, dtype)
    row = next(row for row in part.rows if row.parameter == "b1")
    assert sound(part) and row.n_kinks > 0 and row.n_resolved + row.n_kinks == row.n_tried


def hat(width: float) -> Part:
    """The check of w + 0.15 (relu(w + d) - relu(w - d)) at 0 in float32: between its two kinks the slope is another than around them."""
    d = float(np.float32(width))

    class Hat:
        def __init__(self) -> None:
            self.params = {"w": np.zeros(1, np.float32)}

        def loss(self, x: np.ndarray, t: np.ndarray) -> Any:
            w = self.params["w"][0]
            return w + np.float32(0.15) * (np.maximum(w + np.float32(d), 0) - np.maximum(w - np.float32(d), 0))

        def gradient(self, x: np.ndarray, t: np.ndarray) -> nets.Arrays:
            return {"w": np.array([1.15], np.float32)}

    net = NetSubject(Hat())
    return gradcheck(net, twin_of(net.params(), f"(w + 0.15 * (F.relu(w + {d}) - F.relu(w - {d}))).sum()"), Question(*batches(0), None))


def test_kinks_that_hide_one_another_are_recognised_by_a_smaller_step() -> None:
    step = hat(1e-3).step.step
    part = hat(0.28 * step)
    row = part.rows[0]
    assert part.step.step == step and row.apart_backprop_numerical == pytest.approx(0.15 * 0.72, rel=0.01)
    assert sound(part) and row.n_kinks == 1


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_wrong_slope_at_the_kink_is_charged_to_backprop_by_torch(dtype: str) -> None:
    failed = [row for row in at_a_kink(nets.LeakyMask, dtype).rows if row.status == "failed"]
    assert [(row.parameter, row.alone) for row in failed] == [("b1", "backprop")]
    assert "Differences cannot tell" in failed[0].message and "torch decides" in failed[0].message


def test_torch_stands_alone_where_its_side_is_another_net() -> None:
    part = checked(nets.Sigmoid, activation="tanh")
    assert "autograd" in alone(part) and "backprop" not in alone(part) and part.loss.status == "failed"
    assert any("--activation" in row.diagnosis for row in part.rows)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_loss_with_something_added_inside_the_logarithm_is_explained(dtype: str) -> None:
    assert checked(nets.EpsInLog, dtype=dtype).loss.diagnosis.startswith("It adds 1e-07 to each probability")


class Slightly(nets.EpsInLog, nets.Sign):
    """A loss that is slightly off, and a backward that is wrong."""

    def __init__(self, seed: int, dtype: Any = np.float64) -> None:
        super().__init__(seed, dtype)
        self.params = {name: a / 2 for name, a in self.params.items()}


def test_a_wrong_backward_stands_alone_also_beside_a_loss_that_is_slightly_off() -> None:
    found = {row.parameter: row for row in checked(Slightly).rows}
    assert found["b1"].alone == "backprop" and "far closer to each other" in found["b1"].message and found["b1"].diagnosis
    assert found["W2"].alone == "numerical" and found["W2"].n_kinks == 0
    assert checked(Slightly, dtype="float32").step.of == "float64"


class Both(nets.TwiceTheLoss, nets.Sign):
    """Two faults at once."""


def test_all_three_differ_where_backward_and_loss_are_wrong_in_other_ways() -> None:
    found = {row.parameter: row.alone for row in checked(Both).rows}
    assert found["b1"] == "all" and found["W2"] == "numerical"


class WritesOnce(nets.Net):
    written = False

    def loss(self, x: np.ndarray, t: np.ndarray) -> Any:
        found, x[0], self.written = super().loss(x, t), x[0] * self.written, True
        return found


@pytest.mark.parametrize("thing", [nets.WritesIntoItsInput, WritesOnce])
def test_a_net_that_writes_into_its_batch_is_told(thing: Any) -> None:
    assert [b.contract for b in checked(thing).broken] == ["inputs.unchanged"]


def test_a_gradient_of_zeros_is_not_passed_by_differences() -> None:
    class Dead(nets.Net):
        def __init__(self, seed: int) -> None:
            super().__init__(seed)
            self.params["b1"][:] = -100

    rows = {row.parameter: row for row in checked(Dead).rows}
    assert rows["W1"].status == "open" and rows["W1"].n_resolved == 0 and "torch's gradient is 0" in rows["W1"].message
    assert rows["W3"].status == "passed"


def test_the_parameters_are_as_they_were() -> None:
    net = made(nets.Net, (0,))
    before = net.params()
    batch, other = batches(0)
    gradcheck(net, twin_of(before), Question(batch, other, None))
    assert all(np.array_equal(before[name], a) for name, a in net.params().items())


def test_an_interrupt_keeps_what_was_done() -> None:
    net = made(nets.Net, (0,))
    batch, other = batches(0)
    done = []

    def advance(name: str) -> None:
        done.append(name)
        if len(done) == 40:
            raise KeyboardInterrupt

    part = gradcheck(net, twin_of(net.params()), Question(batch, other, None), advance=advance)
    tried = {row.parameter: row.n_tried for row in part.rows}
    assert part.interrupted and tried == {"W1": 30, "b1": 5, "W2": 5, "b2": 0, "W3": 0, "b3": 0}
    assert all(row.margin_backprop_autograd is not None for row in part.rows)


def test_the_table_is_the_notebooks() -> None:
    """Mean absolute differences between backprop and differences, as the notebook prints them."""
    np.random.seed(0)
    net = TwoLayerNet(6, 5, 4, 0.5)
    batch, other = batches(1)
    part = gradcheck(NetSubject(net), twin_of(net.params), Question(batch, other, None))
    numerical, grads = net.numerical_gradient(*batch), net.gradient(*batch)
    for row in part.rows:
        notebook = np.abs(grads[row.parameter] - numerical[row.parameter]).mean()
        assert row.apart_backprop_numerical is not None and row.apart_backprop_numerical < 1e-9 and notebook < 1e-7
        assert row.apart_backprop_autograd is not None and row.apart_backprop_autograd < 1e-15


def test_sampling_takes_what_matters_and_the_same_for_the_same_seed() -> None:
    backprop, autograd = np.zeros((50, 40)), np.zeros((50, 40))
    backprop[7, 3], autograd[9, 1] = 5.0, -6.0
    autograd[:, 20] = 0.1
    took = chosen("W", backprop, autograd, 11, 30, 4)
    assert {7 * 40 + 3, 9 * 40 + 1, 11} <= set(took) and len(set(took)) == 30 and took == sorted(took)
    assert sum(autograd.flat[i] != 0 for i in took) >= 14
    assert took == chosen("W", backprop, autograd, 11, 30, 4) and took != chosen("W", backprop, autograd, 11, 30, 5)
    assert chosen("W", backprop, autograd, 11, None, 4) == list(range(2000)) and chosen("W", backprop[:1], autograd[:1], 0, 99, 0) == list(
        range(40)
    )
    assert chosen("W", backprop, autograd, 11, 1, 0) == [11]


@pytest.mark.parametrize("dtype, error, exponent", [("float64", 2.0**-45, -15), ("float64", 0.0, -17), ("float32", 2.0**-15, -5)])
def test_the_step_is_about_the_cube_root_of_what_rounding_does(dtype: str, error: float, exponent: int) -> None:
    assert step_for(error, dtype) == 2.0**exponent


def test_points_of_a_narrow_dtype_are_numbers_of_it() -> None:
    where = points(float(np.float32(0.1)), 2.0**-6, "float32")
    assert all(float(np.float32(x)) == x for x in where.at) and where.h == 2.0**-6
    assert points(3.0, 2.0**-6).h == 2.0**-4
    y = [np.array([x**2]) for x in where.at]
    found = difference(where, y, np.ones(1), np.array([1e-7]), "float32")
    assert found.value == pytest.approx(0.2, rel=1e-5) and abs(found.value - 2 * float(np.float32(0.1))) <= found.error


def test_a_row_that_contradicts_itself_is_refused() -> None:
    row = checked(nets.Net).rows[0].model_dump()
    for wrong in ({"n_tried": 3}, {"alone": "backprop"}, {"status": "failed"}):
        with pytest.raises(ValueError):
            GradRow(**{**row, **wrong})
