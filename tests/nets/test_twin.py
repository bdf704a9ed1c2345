"""Torch's twin of a net: the right loss and gradients, bounds that hold and see, and clear words for a net that has none."""

from __future__ import annotations

import numpy as np
import pytest

from oracle.core.ball import PRECISIONS, Ball
from oracle.core.compare import Comparison
from oracle.core.compare import compare as compare_within
from oracle.nets.twin import TwinError, answer, case_of, estimated, twin_of
from oracle.specs.networks import TWO_LAYER_NET
from reference import TwoLayerNet

USERS = "F.cross_entropy(F.linear(F.relu(F.linear(x, W1.T, b1)), W2.T, b2), t)"


def compare(quantity: str, actual: np.ndarray, expected: np.ndarray, ball: Ball) -> Comparison:
    with np.errstate(all="ignore"):
        return compare_within(quantity, actual, expected, ball)


def _batch(labels: str, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    t = rng.integers(0, 3, 5)
    return rng.normal(size=(5, 4)), t.astype(np.uint8) if labels == "index" else np.eye(3)[t]


def _net(dtype: str, seed: int = 0) -> TwoLayerNet:
    np.random.seed(seed)
    return TwoLayerNet(4, 6, 3, 0.5, dtype=dtype)


@pytest.mark.parametrize("labels", ["index", "one-hot"])
@pytest.mark.parametrize("dtype", ["float64", "float32", "float16"])
@pytest.mark.parametrize("torch", [None, USERS])
def test_a_right_net_agrees_with_its_twin_and_a_wrong_one_does_not(torch: str | None, dtype: str, labels: str) -> None:
    net, (x, t) = _net(dtype), _batch(labels)
    x = x.astype(dtype)
    spec = twin_of(net.params, torch)
    case = case_of(spec, x, t, net.params)
    found, balls, grads = answer(spec, case), spec.bounds(PRECISIONS[dtype], case), net.gradient(x, t)
    assert compare("loss", np.asarray(net.loss(x, t)), found.outputs[0], balls["forward.loss"]).ok
    assert spec.wrt == ("W1", "b1", "W2", "b2") and not estimated(spec)
    for name, expected in zip(spec.wrt, found.grads, strict=True):
        ball = balls[f"backward.d{name}"]
        assert compare(name, grads[name], expected, ball).ok
        wrong = np.asarray(grads[name] * (1 + 2**12 * PRECISIONS[dtype].u)).astype(dtype)
        assert not compare(name, wrong, expected, ball).ok


def test_the_twin_of_two_layers_allows_what_the_spec_of_the_layer_allows() -> None:
    net, (x, t) = _net("float64"), _batch("index")
    spec = twin_of(net.params)
    case = case_of(spec, x, t, net.params)
    ours, theirs = spec.bounds(PRECISIONS["float64"], case), TWO_LAYER_NET.bounds(PRECISIONS["float64"], case)
    for name, ball in ours.items():
        assert np.array_equal(ball.radius, theirs[name].radius) and np.array_equal(ball.v, theirs[name].v)


@pytest.mark.parametrize("activation", ["sigmoid", "tanh"])
def test_three_layers_with_another_activation_have_a_twin(activation: str) -> None:
    rng = np.random.default_rng(1)
    sizes = (4, 5, 6, 3)
    params = {f"W{i}": rng.normal(size=sizes[i - 1 : i + 1]) for i in (1, 2, 3)} | {f"b{i}": rng.normal(size=sizes[i]) for i in (1, 2, 3)}
    spec = twin_of(params, activation=activation)
    x, t = _batch("index")
    h = x
    for i in (1, 2, 3):
        h = h @ params[f"W{i}"] + params[f"b{i}"]
        h = h if i == 3 else np.tanh(h) if activation == "tanh" else 1 / (1 + np.exp(-h))
    loss = np.log(np.exp(h).sum(1)).mean() - h[np.arange(5), t].mean()
    case = case_of(spec, x, t, params)
    ball = spec.bounds(PRECISIONS["float64"], case)["forward.loss"]
    assert answer(spec, case).outputs[0] == pytest.approx(loss, rel=1e-12)
    assert compare("loss", np.asarray(loss), answer(spec, case).outputs[0], ball).ok and ball.radius < 1e-12
    assert spec.wrt == tuple(params)


def test_a_parameter_that_is_one_number_stays_one() -> None:
    params = {"a": np.array(2.0), "W": np.ones((2, 3))}
    spec = twin_of(params, "(F.linear(x, W.T) * a).square().mean()")
    case = case_of(spec, np.ones((4, 2)), np.zeros(4, np.int64), params)
    assert case.params["a"].shape == () and [g.shape for g in answer(spec, case).grads] == [(), (2, 3)]


def test_a_tensor_input_is_flattened() -> None:
    net, (x, t) = _net("float64"), _batch("index")
    spec = twin_of(net.params)
    flat, tensor = (answer(spec, case_of(spec, each, t, net.params)) for each in (x, x.reshape(5, 2, 2)))
    assert flat.outputs[0] == tensor.outputs[0] and np.array_equal(flat.grads[0], tensor.grads[0])


def test_an_operation_without_a_rule_leaves_an_estimate_that_is_told() -> None:
    params = {"w": np.linspace(0.1, 1, 4)}
    spec = twin_of(params, "torch.special.i0(x * w).mean()")
    x, t = _batch("index")
    case = case_of(spec, x, t, params)
    ball = spec.bounds(PRECISIONS["float64"], case)["backward.dw"]
    assert "i0" in estimated(spec)
    assert compare("w", *[np.asarray(a) for a in answer(spec, case).grads * 2], ball).ok


@pytest.mark.parametrize(
    "shapes, message",
    [
        ({}, "no parameters"),
        ({"W1": (4, 3)}, "no twin is known for a net with the parameters W1.*--torch EXPR"),
        ({"W1": (4, 3), "b1": (3,), "W2": (3, 3), "gamma": (3,)}, "no twin is known"),
        ({"W1": (4, 6), "b1": (6,), "W2": (5, 3), "b2": (3,)}, r"W2 of shape \(5, 3\).*behind W1 of shape \(4, 6\).*--torch"),
        ({"W1": (4, 6), "b1": (1, 6)}, r"b1 of shape \(1, 6\) make no layer"),
        ({"x": (4, 6)}, "neither x, t, F nor torch"),
        ({"W-1": (4, 6)}, "Python names"),
        ({"lambda": (4, 6)}, "Python names"),
    ],
)
def test_parameters_without_a_twin_are_told_what_to_do(shapes: dict[str, tuple[int, ...]], message: str) -> None:
    with pytest.raises(TwinError, match=message):
        twin_of({name: np.zeros(shape) for name, shape in shapes.items()})


@pytest.mark.parametrize(
    "torch, message",
    [
        ("F.linear(x, W1.T", "no Python expression"),
        ("import os", "no Python expression"),
        ("F.nothing(x) * W1", "does not compute: AttributeError"),
        ("missing * W1", "does not compute: NameError.*missing"),
        ("F.linear(x, W1)", "does not compute: RuntimeError"),
        ("F.linear(x, W1.T, b1)", r"gives a tensor of shape \(5, 6\)"),
        ("3.0", "gives a float"),
        ("F.linear(x, W1.T).sum()", "does not compute.*not.*used"),
    ],
)
def test_an_expression_that_does_not_compute_is_told(torch: str, message: str) -> None:
    params = {"W1": np.ones((4, 6)), "b1": np.ones(6)}
    with pytest.raises(TwinError, match=message):
        spec = twin_of(params, torch)
        answer(spec, case_of(spec, *_batch("index"), params))


def test_parameters_of_several_dtypes_or_of_none_that_can_be_judged_are_told() -> None:
    with pytest.raises(TwinError, match="W1 is float64, b1 is float32"):
        twin_of({"W1": np.ones((4, 6)), "b1": np.ones(6, np.float32)})
    with pytest.raises(TwinError, match="int64"):
        twin_of({"W1": np.ones((4, 6), int), "b1": np.ones(6, int)})
    with pytest.raises(TwinError, match="--activation"):
        twin_of({"W1": np.ones((4, 6)), "b1": np.ones(6)}, activation="gelu")
