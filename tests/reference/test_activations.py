"""Relu and Sigmoid against torch, and Sigmoid against a wider evaluation."""

from typing import Any

import numpy as np
import pytest
import torch

from reference import Relu, Sigmoid

DTYPES = [np.float16, np.float32, np.float64]
NASTY = [0.0, -0.0, 1.0, -1.0, 5e-324, -5e-324, 17.0, 36.8, 37.5, 88.8, -88.8, -103.5, -745.5, 1e3, -1e3, 1e4, -1e4]


def _nasty(dtype: Any) -> np.ndarray:
    with np.errstate(all="ignore"):
        return np.array([*NASTY, np.inf, -np.inf, np.nan]).astype(dtype)


def _torch(function: Any, x: np.ndarray, dout: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    tx = torch.tensor(x, requires_grad=True)
    ty = function(tx)
    return ty.detach().numpy(), torch.autograd.grad(ty, tx, torch.tensor(dout))[0].numpy()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(), (20,), (4, 5), (0, 3)])
def test_relu_is_torchs_to_the_bit(dtype: Any, shape: tuple[int, ...]) -> None:
    x = np.resize(_nasty(dtype), shape)
    for fill in (2.0, np.nan, np.inf, -np.inf):
        dout = np.full(shape, fill, dtype)
        y, dx = _torch(torch.relu, x, dout)
        relu = Relu()
        actual = relu.forward(x)
        assert (actual.dtype, actual.shape) == (y.dtype, y.shape)
        np.testing.assert_array_equal(actual, y)
        numbers = ~np.isnan(y)
        np.testing.assert_array_equal(np.signbit(actual)[numbers], np.signbit(y)[numbers])
        np.testing.assert_array_equal(relu.backward(dout), dx)


@pytest.mark.parametrize("dtype", [np.int8, np.int32, np.int64, np.uint8])
def test_relu_keeps_integers(dtype: Any) -> None:
    x = np.array([0, 3, -2]).astype(dtype)
    relu = Relu()
    y = relu.forward(x)
    assert y.dtype == dtype
    np.testing.assert_array_equal(y, torch.relu(torch.tensor(x)).numpy())
    np.testing.assert_array_equal(relu.backward([0.5, 0.5, 0.5]), np.where(x > 0, 0.5, 0))


def test_relu_refuses_bool_as_torch_does() -> None:
    with pytest.raises(TypeError, match="bool"):
        Relu().forward(np.array([True]))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_sigmoid_is_accurate_everywhere(dtype: Any) -> None:
    # Evaluated two formats up (float64 for float32, long double for float64) by the form that keeps its digits.
    wide = np.float64 if dtype == np.float32 else np.longdouble
    low = -87.0 if dtype == np.float32 else -708.0
    x = np.concatenate([np.linspace(low, 40, 20001), np.linspace(-1, 1, 2001)]).astype(dtype)
    e = np.exp(-np.abs(x.astype(wide)))
    exact = np.where(x < 0, e, 1) / (1 + e)
    y = Sigmoid().forward(x)
    assert y.dtype == dtype
    # Three roundings and an exp of at most 2.5 ulp.
    assert (np.abs(y - exact) <= 4 * np.finfo(dtype).eps * exact).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_sigmoid_saturates_as_torch(dtype: Any) -> None:
    x = _nasty(dtype)
    dout = np.full(x.shape, 0.75, dtype)
    y, dx = _torch(torch.sigmoid, x, dout)
    sigmoid = Sigmoid()
    actual, info = sigmoid.forward(x), np.finfo(dtype)
    assert actual.dtype == dtype
    # torch flushes a result below the smallest normal to 0, where ours is the subnormal.
    np.testing.assert_allclose(actual, y, rtol=4 * float(info.eps), atol=float(info.smallest_normal))
    exact = np.abs(x.astype(float)) >= 1e3
    np.testing.assert_array_equal(actual[exact], y[exact])
    gradient = sigmoid.backward(dout)
    assert gradient.dtype == dtype
    np.testing.assert_allclose(gradient, dx, rtol=0, atol=4 * float(info.eps))
    np.testing.assert_array_equal(gradient[exact], dx[exact])


def test_sigmoid_gradient_comes_from_the_rounded_y() -> None:
    sigmoid = Sigmoid()
    sigmoid.forward(np.array([17.0], np.float32))
    assert sigmoid.backward(np.array([1.0], np.float32)) == 0
    sigmoid.forward(np.array([17.0]))
    assert sigmoid.backward(np.array([1.0])) == pytest.approx(4.1399375e-8, rel=1e-7)


@pytest.mark.parametrize("fill", [np.inf, -np.inf, np.nan])
def test_sigmoid_passes_infinite_cotangents_as_torch(fill: float) -> None:
    x = np.array([0.0, 1.0, -1.0, 1e3, -1e3])
    sigmoid = Sigmoid()
    sigmoid.forward(x)
    np.testing.assert_array_equal(sigmoid.backward(np.full(5, fill)), _torch(torch.sigmoid, x, np.full(5, fill))[1])


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int16, np.int64])
def test_sigmoid_of_integers_is_float32(dtype: Any) -> None:
    x = np.array([0, 1, 100]).astype(dtype)
    y = Sigmoid().forward(x)
    assert y.dtype == np.float32
    np.testing.assert_allclose(y, torch.sigmoid(torch.tensor(x)).numpy(), rtol=4e-7)


@pytest.mark.parametrize("layer", [Relu, Sigmoid])
def test_0d_gives_0d(layer: Any) -> None:
    ours = layer()
    assert np.shape(ours.forward(1.5)) == np.shape(ours.backward(1.0)) == ()
