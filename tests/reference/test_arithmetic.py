"""AddLayer and MulLayer against torch: broadcasting, promotion, numbers."""

from typing import Any

import numpy as np
import pytest
import torch

from reference import AddLayer, MulLayer

LAYERS = [(AddLayer, torch.add), (MulLayer, torch.mul)]
SHAPES = [
    ((), ()),
    ((), (3, 2)),
    ((3, 2), ()),
    ((2,), (3, 2)),
    ((3, 1), (1, 4)),
    ((2, 3, 4), (3, 1)),
    ((1, 1), (4,)),
    ((0, 3), (1, 3)),
    ((1, 3), (0, 3)),
    ((2, 1, 3), (2, 5, 1)),
    ((1,), ()),
    ((1, 2), (1, 2)),
]


def _draw(rng: np.random.Generator, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    return np.asarray(rng.integers(-4, 5, size=shape)).astype(dtype)


@pytest.mark.parametrize(("layer", "function"), LAYERS)
@pytest.mark.parametrize(("left", "right"), SHAPES)
@pytest.mark.parametrize("dtypes", [("f8", "f8"), ("f4", "f4"), ("f2", "f2"), ("f4", "f8"), ("f8", "f4"), ("f2", "f4")])
def test_values_and_gradients_as_torch(layer: Any, function: Any, left: Any, right: Any, dtypes: Any) -> None:
    # Small integers: every product and sum is exact, so the answers must be equal to the bit.
    rng = np.random.default_rng(0)
    x, y = _draw(rng, left, dtypes[0]), _draw(rng, right, dtypes[1])
    tx, ty = (torch.from_numpy(a.copy()).requires_grad_() for a in (x, y))
    tz = function(tx, ty)
    dout = np.asarray(rng.integers(-4, 5, size=tuple(tz.shape))).astype(str(tz.dtype).removeprefix("torch."))
    expected = torch.autograd.grad(tz, (tx, ty), torch.from_numpy(dout.copy()))
    ours = layer()
    z = ours.forward(x, y)
    actual = (z, *ours.backward(dout))
    for a, e in zip(actual, (tz.detach(), *expected), strict=True):
        assert (a.shape, a.dtype) == (tuple(e.shape), e.numpy().dtype)
        np.testing.assert_array_equal(a, e.numpy())


@pytest.mark.parametrize(("layer", "function"), LAYERS)
@pytest.mark.parametrize("number", [2, 2.5, True, np.float64(2.5)])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_a_number_never_widens_an_array(layer: Any, function: Any, number: Any, dtype: Any) -> None:
    ours = layer()
    x = np.ones((2, 3), dtype)
    for z in (ours.forward(x, number), ours.forward(number, x)):
        assert z.dtype == dtype
        np.testing.assert_array_equal(z, function(torch.from_numpy(x), float(number)).numpy())
    assert ours.backward(np.ones((2, 3)))[1].dtype == dtype


@pytest.mark.parametrize(("layer", "function"), LAYERS)
@pytest.mark.parametrize("pair", [("i8", "f4"), ("i4", "i8"), ("u1", "i1"), ("?", "f2"), ("?", "i2"), ("u1", "f8"), ("?", "?")])
@pytest.mark.parametrize("shapes", [((3,), (3,)), ((3,), ()), ((), (3,))])
def test_integers_promote_as_in_torch(layer: Any, function: Any, pair: Any, shapes: Any) -> None:
    x, y = np.ones(shapes[0], pair[0]), np.ones(shapes[1], pair[1])
    e = function(torch.from_numpy(x), torch.from_numpy(y)).numpy()
    z = layer().forward(x, y)
    assert z.dtype == e.dtype
    np.testing.assert_array_equal(z, e)


@pytest.mark.parametrize("layer", [AddLayer, MulLayer])
def test_an_integer_result_keeps_a_fractional_cotangent(layer: Any) -> None:
    ours = layer()
    ours.forward(np.array([1, 1]), 1)
    dx, dy = ours.backward(np.array([0.5, 0.25]))
    np.testing.assert_array_equal(dx, [0.5, 0.25])
    assert dy == 0.75


def test_x_added_to_itself_gives_both_gradients_apart() -> None:
    x, add = np.ones((2, 2)), AddLayer()
    add.forward(x, x)
    dx, dy = add.backward(x)
    dx += 1
    assert (dy == 1).all() and (x == 1).all()


def test_nan_and_inf_travel_silently() -> None:
    x, y = np.array([np.inf, np.nan, 1e308, 0.0]), np.array([-np.inf, 1.0, 1e308, np.inf])
    for layer, function in LAYERS:
        ours = layer()
        np.testing.assert_array_equal(ours.forward(x, y), function(torch.tensor(x), torch.tensor(y)).numpy())
        ours.backward(x)


def test_float16_gradients_add_up_in_float32() -> None:
    # 4096 + 1 is lost in float16, so adding one by one would stop at 2048.
    add = AddLayer()
    add.forward(np.zeros((4096, 1), np.float16), np.float16(0))
    _, dy = add.backward(np.ones((4096, 1), np.float16))
    assert dy == 4096 and dy.dtype == np.float16
    # The partial sum 80000 is beyond float16 and comes back.
    add.forward(np.zeros((3, 2), np.float16), np.zeros(2, np.float16))
    column = np.array([[40000], [40000], [-40000]], np.float16)
    assert add.backward(np.repeat(column, 2, axis=1))[1].tolist() == [40000, 40000]


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("wide", [np.float32, np.float64])
def test_a_factor_beyond_float16_is_treated_as_in_torch(first: bool, wide: Any) -> None:
    x, factor, dout = np.array([1e-5, 2, 0], np.float16), np.array(1e5, wide), np.ones(3, np.float16)
    pair = (factor, x) if first else (x, factor)
    tensors = [torch.tensor(a, requires_grad=True) for a in pair]
    tz = torch.mul(*tensors)
    mul = MulLayer()
    np.testing.assert_array_equal(mul.forward(*pair), tz.detach().numpy())
    for a, e in zip(mul.backward(dout), torch.autograd.grad(tz, tensors, torch.tensor(dout)), strict=True):
        assert a.dtype == e.numpy().dtype
        np.testing.assert_array_equal(a, e.numpy())


def test_shapes_that_do_not_broadcast_are_named() -> None:
    for layer in (AddLayer, MulLayer):
        with pytest.raises(ValueError, match=r"\(2,\) ?.*\(3,\)"):
            layer().forward(np.ones(2), np.ones(3))
