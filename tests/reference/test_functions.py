"""softmax and cross_entropy_error against torch."""

from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

from reference import cross_entropy_error, softmax

DTYPES = [np.float16, np.float32, np.float64]
ROWS = [
    [1.0, 2.0, 3.0],
    [1e4, 0.0, -1e4],
    [6e4, -6e4, 0.0],
    [0.0, 0.0, 0.0],
    [-np.inf, 0.0, 1.0],
    [-np.inf, -np.inf, -np.inf],
    [np.inf, 0.0, 1.0],
    [np.inf, np.inf, -np.inf],
    [np.nan, 0.0, 1.0],
    [1000.0, 1000.25, 999.0],
]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("row", ROWS)
def test_softmax_as_torch(dtype: Any, row: list[float]) -> None:
    x = np.array(row, dtype)
    e = torch.softmax(torch.tensor(x), -1).numpy()
    for shaped in (x, x[None], np.stack([x, x])[:, None]):
        y = softmax(shaped)
        assert (y.dtype, y.shape) == (dtype, shaped.shape)
        np.testing.assert_allclose(y, np.broadcast_to(e, y.shape), rtol=8 * float(np.finfo(dtype).eps), atol=1e-38)


@pytest.mark.parametrize("limit", [3e38, 1e308])
def test_softmax_of_the_largest_floats(limit: float) -> None:
    x = np.array([[limit, -limit, 0]], np.float64 if limit > 1e300 else np.float32)
    assert softmax(x).tolist() == [[1, 0, 0]]


@pytest.mark.parametrize("shape", [(0,), (0, 3), (3, 0), (2, 0, 3)])
def test_softmax_of_nothing(shape: tuple[int, ...]) -> None:
    x = np.ones(shape, np.float32)
    y = softmax(x)
    assert (y.shape, y.dtype) == (shape, np.float32) and not np.shares_memory(x, y)


def test_softmax_is_accurate() -> None:
    x = np.random.default_rng(0).normal(size=(200, 30)).astype(np.float32) * 10
    e = np.exp(x.astype(float) - x.max(axis=1, keepdims=True))
    exact = e / e.sum(axis=1, keepdims=True)
    # The exponent's own rounding grows with its size; 16 covers exp, the sum of 30 and the quotient.
    spread = np.abs(x.astype(float) - x.max(axis=1, keepdims=True))
    assert (np.abs(softmax(x) - exact) <= np.finfo(np.float32).eps * exact * (16 + spread)).all()


def test_softmax_refuses_integers_and_numbers() -> None:
    with pytest.raises(TypeError, match="^x must be floating point, not int64"):
        softmax(np.array([1, 2], np.int64))
    with pytest.raises(ValueError, match="rank 1"):
        softmax(1.0)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("eps", [0.0, 1e-7])
def test_cross_entropy_error_is_nll_of_the_log(dtype: Any, eps: float) -> None:
    rng = np.random.default_rng(1)
    y, t = rng.dirichlet(np.ones(5), 7).astype(dtype), rng.integers(0, 5, 7)
    e = functional.nll_loss((torch.tensor(y) + eps).log(), torch.tensor(t)).item()
    one_hot = np.eye(5, dtype=int)[t]
    for labels in (t, t.tolist(), one_hot, one_hot.astype(bool), one_hot.astype(np.float64)):
        loss = cross_entropy_error(y, labels, eps=eps)
        assert loss.dtype == dtype and loss.shape == ()
        assert loss == pytest.approx(e, rel=8 * float(np.finfo(dtype).eps))
    assert cross_entropy_error(y[0], t[0], eps=eps) == pytest.approx(-np.log(float(y[0, t[0]]) + eps), rel=2e-3)


def test_cross_entropy_error_of_zero_probabilities() -> None:
    y = np.array([[0.0, 1.0]])
    assert cross_entropy_error(y, [1]) == 0
    assert cross_entropy_error(y, [0]) == np.inf
    assert cross_entropy_error(y, [[0, 1]]) == 0  # torch.special.xlogy(0, 0) is 0: what never happens costs nothing
    assert cross_entropy_error(y, [[1.0, 0.0]]) == np.inf
    assert np.isnan(cross_entropy_error(np.array([[np.nan, 1.0]]), [[0, 1]]))
    assert cross_entropy_error(y, [[0, 1]], eps=1e-7) == pytest.approx(-1e-7, rel=1e-6)


def test_cross_entropy_error_over_no_rows_and_ignored_rows() -> None:
    y = np.array([[0.25, 0.75], [0.5, 0.5]], np.float32)
    assert np.isnan(cross_entropy_error(y[:0], np.zeros(0, int)))
    assert np.isnan(cross_entropy_error(y, [-100, -100]))
    assert cross_entropy_error(y, [-100, 0]) == pytest.approx(np.log(2), rel=1e-6)


def test_cross_entropy_error_refuses() -> None:
    y = np.full((2, 3), 1 / 3)
    for t, error, words in (
        ([0, 3], IndexError, "class 3 at position 1"),
        ([0.0, 1.0], TypeError, "float64"),
        ([0], ValueError, r"\(1,\).*\(2, 3\)"),
        (0, ValueError, r"\(2, 3\)"),
    ):
        with pytest.raises(error, match=words):
            cross_entropy_error(y, t)
    with pytest.raises(TypeError, match="^y must be floating"):
        cross_entropy_error([[0, 1]], [1])
    with pytest.raises(ValueError, match=r"\(1, 2, 3\)"):
        cross_entropy_error(np.ones((1, 2, 3)), [[1, 1]])
