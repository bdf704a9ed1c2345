"""SoftmaxWithLoss against torch.nn.functional.cross_entropy: label forms, ignored rows, nasty scores."""

import itertools
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

from reference import SoftmaxWithLoss, softmax

DTYPES = [np.float16, np.float32, np.float64]
INF, NAN = np.inf, np.nan


def _torch(x: np.ndarray, t: Any, dout: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    tx = torch.tensor(x, requires_grad=True)
    loss = functional.cross_entropy(tx, torch.tensor(t))
    (dx,) = torch.autograd.grad(loss, tx, torch.tensor(dout, dtype=loss.dtype))
    return loss.detach().numpy(), dx.numpy()


def _check(x: np.ndarray, t: Any, dout: float = 1.0, t_torch: Any = None) -> None:
    """Ours against torch: NaN, inf, shape and dtype alike, finite values to a few roundings."""
    loss, dx = _torch(x, t if t_torch is None else t_torch, dout)
    layer = SoftmaxWithLoss()
    actual = layer.forward(x, t)
    gradient = layer.backward(dout)
    assert (actual.dtype, np.shape(actual)) == (x.dtype, ())
    assert (gradient.dtype, gradient.shape) == (x.dtype, x.shape)
    # A score's rounding enters with the size of the scores; the gradient is a difference of terms of size dout.
    eps = float(np.finfo(x.dtype).eps)
    finite = np.abs(x[np.isfinite(x)].astype(float))
    scale = float(finite.max(initial=1))
    np.testing.assert_allclose(actual, loss, rtol=16 * eps, atol=8 * eps * scale)
    size = abs(dout) if np.isfinite(dout) else 1.0
    np.testing.assert_allclose(gradient, dx, rtol=16 * eps, atol=size * eps * min(8 + scale, 1 / eps))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("n", "c"), [(1, 1), (5, 1), (1, 4), (3, 3), (4, 2), (17, 33)])
@pytest.mark.parametrize("dout", [1.0, -0.375, 3.0])
def test_every_label_form_as_torch(dtype: Any, n: int, c: int, dout: float) -> None:
    rng = np.random.default_rng(n * 100 + c)
    x, t = (rng.normal(size=(n, c)) * 3).astype(dtype), rng.integers(0, c, n)
    one_hot = np.eye(c, dtype=dtype)[t]
    _check(x, t, dout)
    _check(x, one_hot, dout)
    _check(x, rng.dirichlet(np.ones(c), n).astype(dtype), dout)
    _check(x, rng.uniform(0, 2, (n, c)).astype(dtype), dout)
    for other in (bool, np.uint8, np.int64, np.float16, np.float32, np.float64):
        _check(x, one_hot.astype(other), dout, t_torch=one_hot)
    ignored = np.where(np.arange(n) % 2, -100, t)
    _check(x, ignored, dout)
    _check(x[0], t[0], dout)
    _check(x[0], one_hot[0], dout)


SPECIAL = [-INF, INF, NAN, 0.0, 1.0]


@pytest.mark.parametrize("row", list(itertools.product(SPECIAL, SPECIAL, [2.0, -INF])))
def test_nan_and_inf_land_where_torch_has_them(row: tuple[float, ...]) -> None:
    x = np.array([[0.5, 1.0, -1.0], row])
    for dtype, dout in itertools.product(DTYPES, (1.0, 0.0, INF, NAN)):
        scores = x.astype(dtype)
        for t in ([0, 0], [1, 1], [2, 2], [0, -100], [-100, 1], [-100, -100]):
            _check(scores, np.array(t), dout)
        for p in ([1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 0, 0], [0.5, 0.25, 0.25], [NAN, 0, 0], [INF, 0, 0]):
            _check(scores, np.array([[0.25, 0.5, 0.25], p], dtype), dout)


@pytest.mark.parametrize(("dtype", "big"), [(np.float16, 6e4), (np.float32, 3e38), (np.float64, 1.7e308)])
def test_the_largest_scores(dtype: Any, big: float) -> None:
    x = np.array([[big, -big, 0.0]], dtype)
    for t in (0, 1, 2):
        _check(x, np.array([t]))
        _check(x, np.eye(3, dtype=dtype)[[t]])
    _check(np.repeat(x, 3, axis=0), np.array([0, 2, 2]))


@pytest.mark.parametrize("dtype", DTYPES)
def test_scores_of_1e4_are_exact(dtype: Any) -> None:
    x = np.array([[1e4, 0.0, -1e4]], dtype)
    layer = SoftmaxWithLoss()
    assert [float(layer.forward(x, [t])) for t in range(3)] == [0, 1e4, 2e4]
    np.testing.assert_array_equal(layer.backward(), [[1, 0, -1]])


def test_the_loss_keeps_its_digits_where_a_probability_is_all_but_one() -> None:
    # log(softmax) would round to 0; 1e-300 and 2e-16 away the loss is log1p(exp(-d)) rounded in the last place of d.
    layer = SoftmaxWithLoss()
    assert layer.forward([[0.0, -30.0]], [1]) == pytest.approx(30 + np.exp(-30.0), abs=4e-15)
    assert layer.forward([[0.0, -800.0]], [1]) == 800


@pytest.mark.parametrize("dtype", [f"{kind}{size}" for kind in "iu" for size in (1, 2, 4, 8)])
def test_every_integer_dtype_is_an_index(dtype: str) -> None:
    x = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)
    _check(x, np.array([2, 0, 1, 1], dtype), t_torch=np.array([2, 0, 1, 1]))
    if dtype[0] == "i":
        _check(x, np.array([2, -100, 1, 1], dtype), t_torch=np.array([2, -100, 1, 1]))
    wide = np.zeros((1, 200), np.float32)
    assert SoftmaxWithLoss().forward(wide, np.array([100], dtype)) == pytest.approx(np.log(200), rel=1e-6)


@pytest.mark.parametrize(
    ("x", "t"),
    [
        (np.zeros((0, 3)), np.zeros(0, np.int64)),
        (np.zeros((0, 3)), np.zeros((0, 3))),
        (np.zeros((2, 0)), np.zeros((2, 0))),
        (np.zeros((2, 0)), np.array([-100, -100])),
        (np.zeros((0, 0)), np.zeros(0, np.int64)),
        (np.zeros((0, 0)), np.zeros((0, 0))),
        (np.zeros(0), np.zeros(0)),
        (np.zeros(0), np.array(-100)),
        (np.array([1.0, 2.0]), np.array(-100)),
    ],
)
def test_nothing_to_average_is_nan_as_torch(x: np.ndarray, t: np.ndarray) -> None:
    _check(x, t)
    assert np.isnan(SoftmaxWithLoss().forward(x, t))


def test_one_class_costs_nothing() -> None:
    layer = SoftmaxWithLoss()
    for t in ([0, 0], [[1], [0.5]], [[1], [1]]):
        assert layer.forward([[5.0], [-3.0]], t) == 0
        np.testing.assert_array_equal(layer.backward(), [[0], [0]])


def test_rank_and_dtype_tell_the_form_not_the_size() -> None:
    # As many labels as scores, yet indices: a test by size would take them for probabilities.
    x = np.zeros((3, 1))
    assert SoftmaxWithLoss().forward(x, np.zeros(3, int)) == 0
    # The one row's probabilities of an unbatched score, though integers.
    _check(np.array([1.0, 2.0]), np.array([0, 1]), t_torch=np.array([0.0, 1.0]))


@pytest.mark.parametrize(
    ("x", "t", "error", "words"),
    [
        ([[1.0, 2.0]], [2], IndexError, ["class 2", "position 0", "0 to 1"]),
        ([[1.0, 2.0], [1.0, 2.0]], [0, -1], IndexError, ["class -1", "position 1"]),
        ([[1.0, 2.0], [1.0, 2.0]], [-100, -99], IndexError, ["class -99", "position 1"]),
        ([[1.0, 2.0]], np.array([2**64 - 100], np.uint64), IndexError, ["18446744073709551516"]),
        ([[1.0, 2.0]], np.array([2**63], np.uint64), IndexError, ["9223372036854775808"]),
        ([1.0, 2.0], 5, IndexError, ["class 5"]),
        (np.zeros((1, 0)), [0], IndexError, ["class 0"]),
        ([[1.0, 2.0]], [0.0], TypeError, ["integers", "float64"]),
        ([[1.0, 2.0]], [True], TypeError, ["integers", "bool"]),
        ([1.0, 2.0], 1.0, TypeError, ["integers", "float64"]),
        ([[1.0, 2.0]], [0, 1], ValueError, ["(2,)", "(1, 2)"]),
        ([[1.0, 2.0]], [[0, 1, 0]], ValueError, ["(1, 3)", "(1, 2)"]),
        ([[1.0, 2.0]], [[0], [1]], ValueError, ["(2, 1)", "(1, 2)"]),
        ([[1.0, 2.0]], 0, ValueError, ["()", "(1, 2)"]),
        ([[1.0, 2.0]], [[[1]]], ValueError, ["(1, 1, 1)", "(1, 2)"]),
        ([[1.0, 2.0]], ["a"], TypeError, ["t must"]),
        ([[1, 2]], [0], TypeError, ["x must be floating", "int64"]),
        (1.0, 0, ValueError, ["x must", "()"]),
        (np.zeros((1, 2, 3)), [[0, 0]], ValueError, ["x must", "(1, 2, 3)"]),
    ],
)
def test_refusals_name_the_offender(x: Any, t: Any, error: type[Exception], words: list[str]) -> None:
    with pytest.raises(error) as caught:
        SoftmaxWithLoss().forward(x, t)
    assert all(word in str(caught.value) for word in words), caught.value


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_attributes_of_the_book(dtype: Any) -> None:
    x, t = np.array([[1.0, 2.0, 4.0], [3.0, -10.0, 0.5]], dtype), np.array([2, 0])
    layer = SoftmaxWithLoss()
    assert layer.loss is None and layer.y is None and layer.t is None
    assert layer.forward(x, t) == layer.loss
    assert layer.y is not None and layer.y.dtype == dtype
    np.testing.assert_allclose(layer.y, softmax(x), rtol=8 * float(np.finfo(dtype).eps))
    np.testing.assert_array_equal(layer.t, t)
