"""Ball arithmetic holds every order of evaluation, and little more: checked against mpmath."""

from __future__ import annotations

import operator
from collections.abc import Iterator
from typing import Any

import mpmath
import numpy as np
import pytest

from oracle.core.ball import PRECISIONS, Array, Ball
from tests.core.exactly import DIGITS, DTYPES, MAGNITUDES, blurred, inside, mp, outside, seeded, share_determined, values

OPERATIONS = {"add": operator.add, "sub": operator.sub, "mul": operator.mul, "div": operator.truediv}
ROUNDS = 6


@pytest.fixture(autouse=True)
def _silent() -> Iterator[None]:
    with np.errstate(all="ignore"), mpmath.workdps(DIGITS):
        yield


def exact(a: Array) -> Ball:
    return Ball.exact(PRECISIONS[str(a.dtype)], a)


def _nonzero(a: Array) -> Array:
    return np.where(a == 0, a.dtype.type(1), a)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", MAGNITUDES)
@pytest.mark.parametrize("name", OPERATIONS)
def test_an_elementwise_result_lies_in_its_ball(name: str, kind: str, dtype: str) -> None:
    rng, apply = seeded(name, kind, dtype), OPERATIONS[name]
    for _ in range(ROUNDS):
        a, b = values(rng, kind, (12,), dtype), values(rng, kind, (12,), dtype)
        b = _nonzero(b) if name == "div" else b
        ball = apply(exact(a), exact(b))
        truth = apply(mp(a), mp(b))
        assert not outside(ball, apply(a, b), truth)
        assert not outside(ball, ball.v, truth), "the midpoint itself"
        assert kind == "huge" or share_determined(ball) > 0.6


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", MAGNITUDES)
@pytest.mark.parametrize("name", OPERATIONS)
def test_an_elementwise_result_of_inexact_operands_lies_in_its_ball(name: str, kind: str, dtype: str) -> None:
    rng, apply = seeded(name, kind, dtype, "blurred"), OPERATIONS[name]
    for share in (1e-3, 0.3, 2.0):
        a, b = (blurred(rng, values(rng, kind, (12,), dtype), share) for _ in range(2))
        if name == "div":
            b = Ball(b.p, np.asarray(_nonzero(b.v)), b.r)
        exact_b = Ball(b.p, b.v)
        truth = apply(mp(a.v), mp(b.v))
        for ball, others in ((apply(a, b), inside(rng, b)), (apply(a, exact_b), [b.v.astype(dtype)] * 4)):
            for x, y in zip(inside(rng, a), others, strict=True):
                assert not outside(ball, apply(x, y), truth)
        left = apply(exact_b, a) if name != "div" else apply(Ball(a.p, a.v), b)
        pairs = inside(rng, a) if name != "div" else inside(rng, b)
        for x in pairs:
            computed = apply(b.v.astype(dtype), x) if name != "div" else apply(a.v.astype(dtype), x)
            assert not outside(left, computed, apply(mp(b.v), mp(a.v)) if name != "div" else truth)


def _orders(rng: np.random.Generator, n: int) -> list[Any]:
    return [np.arange(n), np.arange(n)[::-1], rng.permutation(n)]


def _sequential(a: Array) -> Array:
    """The sum over the first axis, term by term in the working dtype."""
    total = np.zeros(a.shape[1:], a.dtype)
    for row in a:
        total = (total + row).astype(a.dtype)
    return total


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", MAGNITUDES)
def test_a_sum_in_any_order_lies_in_its_ball(kind: str, dtype: str) -> None:
    rng = seeded("sum", kind, dtype)
    for n in (1, 2, 3, 17, 40):
        a = values(rng, kind, (n, 3), dtype)
        soft = blurred(rng, a, 0.1)
        ball, soft_ball = exact(a).sum(axis=0), soft.sum(axis=0)
        truth = mp(a).sum(axis=0)
        for order in _orders(rng, n):
            assert not outside(ball, _sequential(a[order]), truth)
        assert not outside(ball, a.sum(axis=0, dtype=dtype), truth)
        assert not outside(ball, ball.v, truth)
        for sample in inside(rng, soft):
            assert not outside(soft_ball, _sequential(sample), truth)


@pytest.mark.parametrize("keepdims", [True, False], ids=["keepdims", "dropped"])
@pytest.mark.parametrize("axis", [None, 0, 1, -1, (0, 2), (1, 2), (0, 1, 2)], ids=str)
def test_a_sum_over_axes_has_numpys_shape_and_values(axis: Any, keepdims: bool) -> None:
    a = values(seeded("axes"), "normal", (3, 4, 5), "float32")
    ball, soft = exact(a).sum(axis, keepdims), blurred(seeded("soft"), a, 0.5)
    wanted = a.astype(np.float64).sum(axis=axis, keepdims=keepdims)
    n = a.size // wanted.size
    size = np.abs(a.astype(np.float64)).sum(axis=axis, keepdims=keepdims)
    assert ball.shape == wanted.shape == np.shape(ball.r)
    np.testing.assert_allclose(ball.v, wanted, rtol=1e-12)
    np.testing.assert_allclose(ball.r, n * ball.p.u * size, rtol=1e-12)
    np.testing.assert_allclose(
        soft.sum(axis, keepdims).r, ball.r + soft.radius.sum(axis=axis, keepdims=keepdims), rtol=1e-12, err_msg="radii add up"
    )


def test_one_term_is_passed_on_as_it_is() -> None:
    a = values(seeded("one"), "huge", (4, 1), "float32")
    assert exact(a).sum(axis=1).r is None
    soft = Ball(PRECISIONS["float32"], a.astype(np.float64), np.full(a.shape, 0.25))
    assert (soft.sum(axis=1).r == 0.25).all()


def test_an_empty_sum_is_zero_without_error() -> None:
    ball = exact(np.zeros((0, 3), "float32")).sum(axis=0)
    assert (ball.v == 0).all() and (ball.radius == 0).all() and ball.shape == (3,)


@pytest.mark.parametrize("shape", [(2, 3, 4), (3, 4), (4,), (), (1, 3, 4), (2, 1, 4), (3, 1), (1, 1, 1), (1,)], ids=str)
def test_summed_to_undoes_broadcasting(shape: tuple[int, ...]) -> None:
    a = values(seeded("to", shape), "normal", (2, 3, 4), "float64")
    ball = exact(a).summed_to(shape)
    pieces = [np.zeros(shape) for _ in range(1)]
    for index in np.ndindex(a.shape):
        at = tuple(0 if n == 1 else i for i, n in zip(index[3 - len(shape) :], shape, strict=True))
        pieces[0][at] += a[index]
    assert ball.shape == shape
    np.testing.assert_allclose(ball.v, pieces[0], rtol=1e-13, atol=1e-15)
    n = a.size // max(int(np.prod(shape)), 1)
    assert (ball.radius > 0).all() if n > 1 else ball.r is None


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", MAGNITUDES)
def test_a_product_of_matrices_in_any_order_lies_in_its_ball(kind: str, dtype: str) -> None:
    rng = seeded("matmul", kind, dtype)
    for k in (1, 2, 9, 20):
        a, w, b = values(rng, kind, (3, k), dtype), values(rng, kind, (k, 2), dtype), values(rng, kind, (2,), dtype)
        ball, biased = exact(a) @ exact(w), (exact(a) @ exact(w)).plus_bias(exact(b), k)
        truth = mp(a) @ mp(w)
        assert not outside(ball, a @ w, truth)
        for order in _orders(rng, k):
            terms = (a[:, order].T[:, :, None] * w[order][:, None, :]).astype(dtype)
            assert not outside(ball, _sequential(terms), truth)
            assert not outside(biased, (_sequential(terms) + b).astype(dtype), truth + mp(b))
            first = np.concatenate([np.broadcast_to(b, (1, 3, 2)), terms])
            assert not outside(biased, _sequential(first), truth + mp(b)), "bias first"


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", ["normal", "scales", "cancelling", "subnormal", "small"])
def test_a_product_of_inexact_matrices_lies_in_its_ball(kind: str, dtype: str) -> None:
    rng = seeded("matmul", kind, dtype, "blurred")
    for share in (1e-3, 0.3, 2.0):
        a, w = blurred(rng, values(rng, kind, (3, 5), dtype), share), blurred(rng, values(rng, kind, (5, 2), dtype), share)
        truth = mp(a.v) @ mp(w.v)
        xs, ys = inside(rng, a), inside(rng, w)
        sharp_a, sharp_w = Ball(a.p, a.v), Ball(w.p, w.v)
        for x, y in zip(xs, ys, strict=True):
            assert not outside(a @ w, x @ y, truth)
            assert not outside(a @ sharp_w, x @ w.v.astype(dtype), truth)
            assert not outside(sharp_a @ w, a.v.astype(dtype) @ y, truth)


def _tame(rng: np.random.Generator, shape: tuple[int, ...], dtype: str) -> Array:
    return rng.uniform(0.5, 2, shape).astype(dtype)


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_radius_of_tame_numbers_is_a_few_roundings(dtype: str) -> None:
    rng = seeded("tame", dtype)
    a, b = _tame(rng, (6, 10), dtype), _tame(rng, (10, 4), dtype)
    x, y = exact(a), exact(a[::-1])
    u = x.p.u
    for ball in (x + y, x * y, x / y):
        assert (ball.radius <= 1.01 * u * np.abs(ball.v) + x.p.eta).all()
        assert (ball.radius >= u * np.abs(ball.v)).all()
    product = x @ exact(b)
    assert (product.radius <= 10.01 * u * product.v + 10 * x.p.eta).all() and (product.radius >= 9.99 * u * product.v).all()
    biased = product.plus_bias(exact(b[0]), 10)
    assert (biased.radius <= 21.1 * u * biased.v).all()
    assert (biased.radius >= product.radius + 10.9 * u * b[0]).all(), "bias first costs k roundings of it"
    total = x.sum(axis=1)
    assert (total.radius <= 10.01 * u * total.v).all() and (total.radius >= 9.99 * u * total.v).all()


def test_propagation_is_exactly_the_documented_formula() -> None:
    p = PRECISIONS["float32"]
    a, b = Ball(p, np.array([3.0]), np.array([0.5])), Ball(p, np.array([-4.0]), np.array([0.25]))
    assert (a + b).radius == 0.75 + p.u and (a - b).radius == 0.75 + 7 * p.u
    assert (a * b).radius == pytest.approx(3 * 0.25 + 4 * 0.5 + 0.5 * 0.25 + 12 * p.u)
    assert (a / b).radius == pytest.approx((0.5 + 0.75 * 0.25) / 3.75 + 0.75 * p.u)
    assert (-a).v == -3 and (-a).radius == 0.5


def test_views_of_a_ball_carry_its_radius_along() -> None:
    p = PRECISIONS["float64"]
    ball = Ball(p, np.arange(6.0).reshape(2, 3), np.arange(6.0).reshape(2, 3) / 8)
    assert (ball.T.v == ball.v.T).all() and (ball.T.radius == ball.radius.T).all()
    assert (ball.reshape(3, 2).radius == ball.radius.reshape(3, 2)).all()
    assert ball.scaled(-2.0).v[1, 2] == -10 and ball.scaled(-2.0).radius[1, 2] == pytest.approx(1.25)
    assert ball.capped(0.25).radius.max() == 0.25 and ball.capped(0.25).radius[0, 1] == 0.125
    exact_ball = Ball.exact(p, [1.0])
    assert exact_ball.capped(1.0).r is None and exact_ball.T.r is None and exact_ball.reshape(1, 1).r is None
    assert exact_ball.radius.tolist() == [0.0]


def test_a_nan_radius_is_capped_too() -> None:
    p = PRECISIONS["float64"]
    assert Ball(p, np.array([1.0]), np.array([np.nan])).capped(1.0).radius == 1.0


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_constants_are_those_of_the_dtype(dtype: str) -> None:
    p = PRECISIONS[dtype]
    one = np.dtype(dtype).type(1)
    assert one + np.dtype(dtype).type(p.u) == one and one + np.dtype(dtype).type(2.1 * p.u) > one
    assert np.dtype(dtype).type(p.eta) > 0 and np.dtype(dtype).type(p.eta / 2.01) == 0
    assert np.isfinite(np.dtype(dtype).type(p.limit * 2 * (1 - 2 * p.u)))
