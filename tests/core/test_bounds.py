"""Balls of the elementary functions hold every reasonable way of computing them: checked against mpmath."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import mpmath
import numpy as np
import pytest

from oracle.core import bounds
from oracle.core.ball import PRECISIONS, Array, Ball
from tests.core.exactly import DIGITS, DTYPES, MAGNITUDES, blurred, each, inside, mp, outside, seeded, values

INF, NAN = np.inf, np.nan
# where exp runs out of the range of float16, float32 and float64
EDGES = np.array([0, -0.0, 1e-8, 9, 10.5, 11.1, 16.6, 17.3, 36.7, 37.5, 87.3, 88.5, 103, 104, 700, 709.5, 744, 746, 1e3])


@pytest.fixture(autouse=True)
def _silent() -> Iterator[None]:
    with np.errstate(all="ignore"), mpmath.workdps(DIGITS):
        yield


def exact(a: Array) -> Ball:
    return Ball.exact(PRECISIONS[str(a.dtype)], a)


def _sigmoids(x: Array) -> list[Array]:
    one = x.dtype.type(1)
    e = np.exp(-np.abs(x))
    return [one / (one + np.exp(-x)), np.where(x >= 0, one / (one + e), e / (one + e)).astype(x.dtype)]


def _true_sigmoid(x: Any) -> Any:
    return 1 / (1 + mpmath.exp(-x))


FUNCTIONS: dict[str, tuple[Callable[[Ball], Ball], Callable[[Any], Any], Callable[[Array], list[Array]]]] = {
    "exp": (bounds.exp, mpmath.exp, lambda x: [np.exp(x)]),
    "log": (bounds.log, mpmath.log, lambda x: [np.log(x)]),
    "sin": (bounds.sin, mpmath.sin, lambda x: [np.sin(x)]),
    "sigmoid": (lambda x: bounds.sigmoid(x)[0], _true_sigmoid, _sigmoids),
    "1 - sigmoid": (lambda x: bounds.sigmoid(x)[1], lambda x: _true_sigmoid(-x), lambda x: [x.dtype.type(1) - y for y in _sigmoids(x)]),
    "relu": (bounds.relu, lambda x: max(x, mpmath.mpf(0)), lambda x: [np.maximum(x, 0), np.where(x > 0, x, 0).astype(x.dtype)]),
}


def _arguments(name: str, kind: str, dtype: str) -> Array:
    rng = seeded(name, kind, dtype)
    x = np.concatenate([np.concatenate([EDGES, -EDGES]).astype(dtype), rng.uniform(-20, 20, 40).astype(dtype)])
    if kind != "edges":
        x = values(rng, kind, (40,), dtype)
    if name == "log":
        x = np.abs(x)
        return np.asarray(x[x > 0])
    # no library promises more than an absolute error for the sine of a huge number
    return np.fmod(x, x.dtype.type(1e4)) if name == "sin" else x


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", ["edges", *MAGNITUDES])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_lies_in_its_ball(name: str, kind: str, dtype: str) -> None:
    ball_of, truth_of, evaluations = FUNCTIONS[name]
    x = _arguments(name, kind, dtype)
    ball, truth = ball_of(exact(x)), each(truth_of, mp(x))
    for computed in evaluations(x):
        assert computed.dtype == dtype
        assert not outside(ball, computed, truth)
    # as long as the midpoint is a double itself it has the rounding of two operations
    assert not outside(Ball(ball.p, ball.v, 2 * ball.radius), ball.v, truth)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("share", [1e-3, 0.1, 1.5])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_of_an_inexact_argument_lies_in_its_ball(name: str, share: float, dtype: str) -> None:
    ball_of, truth_of, evaluations = FUNCTIONS[name]
    rng = seeded(name, share, dtype)
    arguments = _arguments(name, "edges", dtype)
    if name == "exp":
        arguments = arguments[arguments > -700]  # see test_an_exponential_that_vanishes_as_a_double
    x = blurred(rng, arguments, min(share, 0.5) if name == "log" else share)
    ball, truth = ball_of(x), each(truth_of, mp(x.v))
    for sample in inside(rng, x):
        for computed in evaluations(sample):
            assert not outside(ball, computed, truth)


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_radius_of_a_tame_function_is_a_few_roundings(dtype: str) -> None:
    x = exact(seeded("tame", dtype).uniform(1.5, 2.5, 50).astype(dtype))
    u, eta = x.p.u, x.p.eta
    for name, most in {"exp": 8.01, "log": 8.01, "sin": 8.01, "sigmoid": 12.6}.items():
        ball = FUNCTIONS[name][0](x)
        assert (ball.radius <= most * u * np.abs(ball.v) + eta).all(), name
        assert (ball.radius >= 4 * u * np.abs(ball.v)).all(), f"{name}: libraries may be 4 ulp off"
    y, rest = bounds.sigmoid(x)
    np.testing.assert_allclose(rest.radius, y.radius + rest.v * u, rtol=1e-12)
    assert FUNCTIONS["relu"][0](x).r is None


def test_the_radius_of_a_function_grows_with_that_of_its_argument() -> None:
    p = PRECISIONS["float32"]
    x = Ball(p, np.array([2.0]), np.array([0.5]))
    assert bounds.exp(x).radius == pytest.approx(np.exp(2.5) - np.exp(2), rel=1e-5)
    assert bounds.log(x).radius == pytest.approx(-np.log(0.75), rel=1e-5)
    assert bounds.sin(x).radius == pytest.approx(0.5, rel=1e-5)
    assert bounds.sigmoid(x)[0].radius == pytest.approx(0.125, rel=1e-4)
    assert bounds.relu(x).radius == 0.5


SPECIAL: dict[str, tuple[float, float]] = {
    "exp inf": (INF, INF), "exp -inf": (-INF, 0), "exp nan": (NAN, NAN), "log 0": (0, -INF), "log inf": (INF, INF), "log nan": (NAN, NAN),
    "sin inf": (INF, NAN), "sigmoid inf": (INF, 1), "sigmoid -inf": (-INF, 0), "sigmoid nan": (NAN, NAN),
    "relu nan": (NAN, NAN), "relu inf": (INF, INF), "relu -inf": (-INF, 0),
}  # fmt: skip


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("what", SPECIAL)
def test_special_arguments_give_what_every_evaluation_gives(what: str, dtype: str) -> None:
    argument, value = SPECIAL[what]
    ball = FUNCTIONS[what.split()[0]][0](exact(np.array([argument], dtype)))
    np.testing.assert_array_equal(ball.v, [value])
    assert (ball.radius <= (12 * ball.p.u if what.startswith("sigmoid") else ball.p.tiny)).all()
    if not np.isfinite(value):
        assert (ball.radius == 0).all()


def test_an_exponential_that_vanishes_as_a_double_keeps_its_radius() -> None:
    p = PRECISIONS["float64"]
    x = Ball(p, np.array([-750.0]), np.array([60.0]))
    assert bounds.exp(x).radius >= np.exp(-690)


def test_a_class_that_vanishes_as_a_double_keeps_its_radius() -> None:
    p = PRECISIONS["float64"]
    y, _, _ = bounds.softmax(Ball(p, np.array([[0.0, -750.0]]), np.array([[0.0, 60.0]])))
    assert y.radius[0, 1] >= np.exp(-690)


@pytest.mark.parametrize("dtype", DTYPES)
def test_an_exponential_beyond_the_range_is_not_determined(dtype: str) -> None:
    p = PRECISIONS[dtype]
    top = np.log(p.limit)
    assert np.isposinf(bounds.exp(Ball.exact(p, [top + 0.01])).radius).all()
    assert np.isfinite(bounds.exp(Ball.exact(p, [top - 0.01])).radius).all()


def test_a_logarithm_of_a_ball_that_holds_0_is_not_determined() -> None:
    p = PRECISIONS["float64"]
    for v, r in ((0.1, 0.1), (0.1, 0.2), (0.0, 0.1)):
        assert np.isposinf(bounds.log(Ball(p, np.array([v]), np.array([r]))).radius).all()
    both = bounds.log(Ball(p, np.array([0.0, 2.0]), np.array([0.0, 0.5]))).radius
    assert both[0] in (0.0, INF) and np.isfinite(both[1])


def test_a_radius_without_end_stays_without_end() -> None:
    p = PRECISIONS["float32"]
    x = Ball(p, np.array([0.5]), np.array([INF]))
    for ball in (bounds.exp(x), bounds.log(x), bounds.sin(x), *bounds.sigmoid(x), bounds.gated(Ball.exact(p, [1.0]), x)):
        assert np.isposinf(ball.radius).all()


def test_the_gate_of_an_exact_input_is_exact() -> None:
    p = PRECISIONS["float32"]
    x = Ball.exact(p, [-1.0, -0.0, 0.0, 1e-40, 2.0, NAN, INF, -INF])
    ball = bounds.gated(Ball.exact(p, np.full(8, 3.0)), x)
    assert ball.v.tolist() == [0, 0, 0, 3, 3, 3, 3, 0] and ball.r is None
    soft = bounds.gated(Ball(p, np.full(8, 3.0), np.full(8, 0.5)), x)
    assert soft.radius.tolist() == [0, 0, 0, 0.5, 0.5, 0.5, 0.5, 0]
    assert bounds.gated(Ball.exact(p, [NAN]), Ball.exact(p, [-1.0])).v == 0, "a mask, not a product"


def test_the_gate_of_an_input_that_straddles_0_allows_either_side() -> None:
    p = PRECISIONS["float32"]
    x = Ball(p, np.array([-0.1, 0.1, -0.1, 0.1, 0.2, -0.2]), np.array([0.2, 0.2, 0.05, 0.05, 0.2, 0.2]))
    ball = bounds.gated(Ball(p, np.full(6, 3.0), np.full(6, 0.5)), x)
    for i, both in enumerate((True, True, False, False, True, True)):
        low, high = ball.v[i] - ball.radius[i], ball.v[i] + ball.radius[i]
        assert (low <= 0 <= high) == (both or i == 2), i
        assert (low <= 2.5 and high >= 3.5) == (both or i == 3), i
