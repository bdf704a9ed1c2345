"""Affine against torch: flattening, empty sizes, dtypes, refusals."""

from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

from reference import Affine

DTYPES = [np.float16, np.float32, np.float64]


def _torch(x: np.ndarray, W: np.ndarray, b: np.ndarray, dout: np.ndarray) -> list[np.ndarray]:
    tx, tW, tb = (torch.from_numpy(a.copy()).requires_grad_() for a in (x, W, b))
    ty = functional.linear(tx.flatten(1), tW.T, tb)
    grads = torch.autograd.grad(ty, (tx, tW, tb), torch.from_numpy(dout.copy()))
    return [ty.detach().numpy(), *(g.numpy() for g in grads)]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(4, 3), (3, 4), (4, 4), (1, 1), (5, 2, 3), (2, 1, 3, 2), (0, 3), (0, 2, 3), (3, 0), (3, 2, 0), (0, 0)])
@pytest.mark.parametrize("m", [0, 1, 4])
def test_values_and_gradients_as_torch(dtype: Any, shape: tuple[int, ...], m: int) -> None:
    # Small integers: every product and sum is exact, so the answers must be equal to the bit.
    rng = np.random.default_rng(0)
    d = int(np.prod(shape[1:]))
    x, W, b, dout = (rng.integers(-4, 5, size=s).astype(dtype) for s in (shape, (d, m), (m,), (shape[0], m)))
    affine = Affine(W, b)
    actual = [affine.forward(x), affine.backward(dout), affine.dW, affine.db]
    for a, e in zip(actual, _torch(x, W, b, dout), strict=True):
        assert a is not None and (a.shape, a.dtype) == (e.shape, e.dtype)
        np.testing.assert_array_equal(a, e)


@pytest.mark.parametrize("dtype", DTYPES)
def test_rounding_stays_within_the_bound_of_the_sum(dtype: Any) -> None:
    rng = np.random.default_rng(1)
    x, W, b, dout = (rng.normal(size=s).astype(dtype) for s in ((33, 65), (65, 17), (17,), (33, 17)))
    affine, u = Affine(W, b), float(np.finfo(dtype).eps) / 2
    y, dx = affine.forward(x), affine.backward(dout)
    X, V, c, d = (a.astype(np.longdouble) for a in (x, W, b, dout))
    assert affine.dW is not None and affine.db is not None
    for a, left, right, extra in (
        (y, X, V, np.broadcast_to(c, y.shape)),
        (dx, d, V.T, np.zeros(x.shape)),
        (affine.dW, X.T, d, np.zeros(W.shape)),
        (affine.db[None], np.ones((1, 33)), d, np.zeros((1, 17))),
    ):
        error = np.abs(a - (left @ right + extra))
        # k products and a bias: at most k + 1 roundings of each term (Higham 2002, section 3.1).
        assert (error <= (left.shape[1] + 1) * u * (np.abs(left) @ np.abs(right) + np.abs(extra))).all()


def test_float16_multiplies_in_float32() -> None:
    # 90000 is beyond float16; the bias or the next product brings the sum back, as in torch.
    x, W = np.array([[300, 300]], np.float16), np.array([[300, 300], [-300, 0]], np.float16)
    b = np.array([0, -40000], np.float16)
    np.testing.assert_array_equal(Affine(W, b).forward(x), _torch(x, W, b, np.ones((1, 2), np.float16))[0])


def test_an_infinite_bias_or_weight_travels_silently() -> None:
    affine = Affine(np.array([[np.inf, 1e308]]), np.array([np.nan, 1e308]))
    assert np.isnan(affine.forward([[0.0]])[0, 0])
    assert affine.forward([[10.0]])[0, 1] == np.inf


def test_dW_and_db_are_none_until_backward() -> None:
    affine = Affine(np.ones((2, 3)), np.ones(3))
    assert affine.dW is None and affine.db is None
    affine.forward(np.ones((1, 2)))
    assert affine.dW is None and affine.db is None
    affine.backward(np.ones((1, 3)))
    assert affine.dW is not None and affine.db is not None


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", [0, 1, 5])
def test_backward_parameters_sets_what_backward_sets(dtype: Any, n: int) -> None:
    rng = np.random.default_rng(2)
    x, W, b, dout = (rng.normal(size=s).astype(dtype) for s in ((n, 2, 3), (6, 4), (4,), (n, 4)))
    whole, parameters = Affine(W, b), Affine(W, b)
    for affine in (whole, parameters):
        affine.forward(x)
    whole.backward(dout)
    for given in (dout, dout.astype(np.float64)):
        parameters.backward_parameters(given)
        for a, e in ((parameters.dW, whole.dW), (parameters.db, whole.db)):
            assert a is not None and e is not None and a.dtype == dtype and not np.shares_memory(a, dout)
            assert a.tobytes() == e.tobytes()


def test_backward_parameters_refuses_what_backward_refuses() -> None:
    affine = Affine(np.ones((2, 3)), np.ones(3))
    with pytest.raises(RuntimeError, match="forward first"):
        affine.backward_parameters(np.ones((1, 3)))
    affine.forward(np.ones((1, 2)))
    with pytest.raises(ValueError, match=r"\(3,\).*\(1, 3\)"):
        affine.backward_parameters(np.ones(3))
    assert affine.dW is None and affine.db is None


def test_W_and_b_are_the_callers() -> None:
    W, b = np.ones((2, 3)), np.zeros(3)
    affine = Affine(W, b)
    assert affine.W is W and affine.b is b
    W *= 2
    assert (affine.forward([[1.0, 1.0]]) == 4).all()
    affine.W = 3 * np.ones((2, 3))
    assert (affine.forward([[1.0, 1.0]]) == 6).all()


@pytest.mark.parametrize("which", ["x", "W", "b"])
def test_different_float_dtypes_widen_where_torch_refuses(which: str) -> None:
    # the notebook feeds float32 images to float64 weights, so this is a stated extension
    arrays = {"x": np.ones((2, 3)), "W": np.full((3, 4), 0.1), "b": np.ones(4)}
    arrays[which] = arrays[which].astype(np.float32)
    with pytest.raises(RuntimeError):
        functional.linear(torch.from_numpy(arrays["x"]), torch.from_numpy(arrays["W"]).T, torch.from_numpy(arrays["b"]))
    affine = Affine(arrays["W"], arrays["b"])
    y = affine.forward(arrays["x"])
    assert y.dtype == affine.backward(np.ones_like(y)).dtype == np.float64
    wide = {name: array.astype(np.float64) for name, array in arrays.items()}
    assert (y == wide["x"] @ wide["W"] + wide["b"]).all()


def test_integers_join_the_one_float_dtype() -> None:
    W, b = np.ones((3, 2), np.float32), np.ones(2, np.float32)
    for dtype in (np.uint8, np.int64, bool):
        y = Affine(W, b).forward(np.ones((1, 3), dtype))
        assert y.dtype == np.float32 and (y == 4).all()
    affine = Affine(np.ones((3, 2), int), np.ones(2, int))
    assert affine.forward(np.ones((1, 3), np.int32)).dtype == np.int64
    np.testing.assert_array_equal(affine.backward([[0.5, 0.25]]), [[0.75] * 3])


@pytest.mark.parametrize(
    ("x", "W", "b", "words"),
    [
        ((3,), (3, 2), (2,), [r"x ", r"(3,)"]),
        ((), (3, 2), (2,), [r"x ", r"()"]),
        ((4, 5), (3, 2), (2,), [r"x ", "(4, 5)", "W ", "(3, 2)"]),
        ((4, 3, 2), (3, 2), (2,), ["(4, 3, 2)", "6", "(3, 2)"]),
        ((4, 3), (3,), (2,), ["W ", "(3,)"]),
        ((4, 3), (3, 2, 1), (2,), ["W ", "(3, 2, 1)"]),
        ((4, 3), (3, 2), (3,), ["b ", "(2,)", "(3,)"]),
        ((4, 3), (3, 2), (1, 2), ["b ", "(1, 2)"]),
        ((4, 3), (3, 2), (), ["b ", "()"]),
    ],
)
def test_shapes_that_do_not_fit_are_named(x: Any, W: Any, b: Any, words: list[str]) -> None:
    with pytest.raises(ValueError) as error:
        Affine(np.ones(W), np.ones(b)).forward(np.ones(x))
    assert all(word in str(error.value) for word in words), error.value


def test_a_rebound_parameter_is_checked_at_forward() -> None:
    affine = Affine(np.ones((3, 2)), np.ones(2))
    affine.b = np.ones(3)
    with pytest.raises(ValueError, match="b must have shape"):
        affine.forward(np.ones((1, 3)))
    with pytest.raises(TypeError, match="^W must"):
        Affine([["a"]], [1.0])
