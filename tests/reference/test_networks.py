"""TwoLayerNet against the same net in torch."""

import logging
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

from reference import Affine, Relu, SoftmaxWithLoss, TwoLayerNet

KEYS = ("W1", "b1", "W2", "b2")


def _net(dtype: Any = np.float64) -> TwoLayerNet:
    np.random.seed(0)
    return TwoLayerNet(6, 5, 4, weight_init_std=0.7, dtype=dtype)


def _torch(net: TwoLayerNet, x: np.ndarray, t: np.ndarray) -> tuple[float, dict[str, np.ndarray]]:
    tensors = {key: torch.tensor(net.params[key], requires_grad=True) for key in KEYS}
    hidden = torch.relu(torch.tensor(x) @ tensors["W1"] + tensors["b1"])
    loss = functional.cross_entropy(hidden @ tensors["W2"] + tensors["b2"], torch.tensor(t))
    grads = torch.autograd.grad(loss, [tensors[key] for key in KEYS])
    return loss.item(), {key: g.numpy() for key, g in zip(KEYS, grads, strict=True)}


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float32, 3e-6), (np.float64, 1e-14)])
@pytest.mark.parametrize("n", [0, 1, 7])
def test_loss_and_gradients_as_torch(dtype: Any, tolerance: float, n: int) -> None:
    net, rng = _net(dtype), np.random.default_rng(1)
    x, t = rng.normal(size=(n, 6)).astype(dtype), rng.integers(0, 4, n)
    loss, expected = _torch(net, x, t)
    assert net.loss(x, t).dtype == dtype
    np.testing.assert_allclose(net.loss(x, t), loss, rtol=tolerance)
    grads = net.gradient(x, t)
    assert tuple(grads) == KEYS
    for key in KEYS:
        assert (grads[key].dtype, grads[key].shape) == (dtype, net.params[key].shape)
        np.testing.assert_allclose(grads[key], expected[key], rtol=0, atol=tolerance)


def test_the_shape_of_the_book() -> None:
    net = TwoLayerNet(3, 4, 2)
    assert list(net.layers) == ["Affine1", "Relu1", "Affine2"]
    assert [type(layer) for layer in net.layers.values()] == [Affine, Relu, Affine]
    assert isinstance(net.lastLayer, SoftmaxWithLoss)
    assert {key: value.shape for key, value in net.params.items()} == {
        "W1": (3, 4),
        "b1": (4,),
        "W2": (4, 2),
        "b2": (2,),
    }


def test_weights_come_from_numpys_global_generator() -> None:
    np.random.seed(3)
    first = 0.01 * np.random.randn(3, 4)
    second = 0.01 * np.random.randn(4, 2)
    np.random.seed(3)
    net = TwoLayerNet(3, 4, 2)
    np.testing.assert_array_equal(net.params["W1"], first)
    np.testing.assert_array_equal(net.params["W2"], second)
    assert not net.params["b1"].any() and not net.params["b2"].any()


def test_params_are_read_in_place_and_rebound() -> None:
    net, x = _net(), np.ones((1, 6))
    net.predict(x)
    for key in KEYS:
        net.params[key] -= net.params[key]
    assert not net.predict(x).any()
    net.params["b2"] = np.arange(4.0)
    np.testing.assert_array_equal(net.predict(x), [[0, 1, 2, 3]])


def test_gradients_own_their_memory() -> None:
    net, rng = _net(), np.random.default_rng(2)
    x, t = rng.normal(size=(3, 6)), np.array([0, 1, 2])
    grads = net.gradient(x, t)
    kept = {key: value.copy() for key, value in grads.items()}
    affine = net.layers["Affine1"]
    assert all(value.flags.owndata for value in grads.values())
    assert not np.shares_memory(grads["W1"], affine.dW) and not np.shares_memory(grads["W1"], net.params["W1"])
    net.gradient(2 * x, t)
    for key in KEYS:
        np.testing.assert_array_equal(grads[key], kept[key])


def test_the_gradient_of_the_images_is_left_out_and_the_others_are_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    net, rng = _net(), np.random.default_rng(6)
    x, t = rng.normal(size=(3, 6)), np.array([0, 1, 2])
    net.loss(x, t)
    dout = net.lastLayer.backward(1)
    for layer in reversed(net.layers.values()):
        dout = layer.backward(dout)
    expected = {key: getattr(net.layers["Affine" + key[1]], "d" + key[0]).tobytes() for key in KEYS}
    backwards, whole = [], Affine.backward
    monkeypatch.setattr(Affine, "backward", lambda self, dout: backwards.append(self) or whole(self, dout))
    grads = net.gradient(x, t)
    assert backwards == [net.layers["Affine2"]]
    assert {key: grads[key].tobytes() for key in KEYS} == expected


def test_another_float_dtype_and_integers_are_converted_to_the_nets() -> None:
    x = np.random.default_rng(3).integers(0, 5, (2, 6))
    expected = _net().predict(x.astype(np.float64))
    for dtype in (np.float32, np.uint8, np.int64):
        np.testing.assert_array_equal(_net().predict(x.astype(dtype)), expected)
    assert _net(np.float32).predict(np.full((1, 6), 1e300)).dtype == np.float32
    with pytest.raises(TypeError, match="^x must"):
        _net().predict(np.full((1, 6), "a"))


def test_images_are_flattened() -> None:
    x = np.random.default_rng(4).normal(size=(2, 3, 2))
    np.testing.assert_array_equal(_net().predict(x), _net().predict(x.reshape(2, 6)))


def test_accuracy_takes_either_label_form() -> None:
    net, x = _net(), np.random.default_rng(5).normal(size=(8, 6))
    t = net.predict(x).argmax(axis=1)
    t[:2] = (t[:2] + 1) % 4
    assert net.accuracy(x, t) == net.accuracy(x, np.eye(4)[t]) == net.accuracy(x, t.astype(np.uint8)) == 0.75
    assert np.isnan(net.accuracy(x[:0], t[:0]))
    with pytest.raises(ValueError, match=r"\(3,\).*8"):
        net.accuracy(x, t[:3])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_numerical_gradient_leaves_the_params(dtype: Any) -> None:
    net, x, t = _net(dtype), np.ones((2, 6), dtype), np.array([0, 3])
    kept = {key: value.tobytes() for key, value in net.params.items()}
    slow, fast = net.numerical_gradient(x, t), net.gradient(x, t)
    assert {key: value.tobytes() for key, value in net.params.items()} == kept
    for key in KEYS:
        assert np.abs(slow[key] - fast[key]).mean() < (1e-7 if dtype == np.float64 else 1e-3)


def test_shapes_are_logged_at_debug_only(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        _net().predict(np.ones((2, 6)))
    assert not caplog.records
    with caplog.at_level(logging.DEBUG, logger="reference.affine"):
        _net().predict(np.ones((2, 6)))
    assert ["x (2, 6), W (6, 5)" in r.getMessage() for r in caplog.records] == [True, False]
