"""The balls of softmax hold its shifted and its log-sum-exp form, of exact and of inexact scores."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import mpmath
import numpy as np
import pytest

from oracle.core import bounds
from oracle.core.ball import PRECISIONS, Array, Ball
from tests.core.exactly import DIGITS, DTYPES, MAGNITUDES, blurred, inside, mp, outside, seeded, values

INF, NAN = np.inf, np.nan


@pytest.fixture(autouse=True)
def _silent() -> Iterator[None]:
    with np.errstate(all="ignore"), mpmath.workdps(DIGITS):
        yield


def exact(a: Array) -> Ball:
    return Ball.exact(PRECISIONS[str(a.dtype)], a)


def _evaluations(x: Array) -> list[tuple[Array, Array]]:
    """(y, log y) in the working dtype: shifted, summed backwards, and by log-sum-exp."""
    d = x - x.max(axis=-1, keepdims=True)
    e = np.exp(d)
    total = e.sum(axis=-1, keepdims=True, dtype=x.dtype)
    backwards = e[..., ::-1].cumsum(axis=-1, dtype=x.dtype)[..., -1:]
    lse = np.log(total) + x.max(axis=-1, keepdims=True)
    shifted = [(e / total, d - np.log(total)), (e / backwards, d - np.log(backwards))]
    return [*shifted, (np.exp(x - lse), x - lse)]


def _truth(x: Array) -> tuple[Any, Any]:
    e = np.frompyfunc(mpmath.exp, 1, 1)(mp(x) - mp(x.max(axis=-1, keepdims=True)))
    y = e / e.sum(axis=-1, keepdims=True)
    return y, np.frompyfunc(mpmath.log, 1, 1)(y)


def _scores(rng: np.random.Generator, kind: str, classes: int, dtype: str) -> Array:
    x = values(rng, "normal" if kind in ("offset", "saturating") else kind, (3, classes), dtype)
    if kind == "offset":
        x = x + x.dtype.type(100)
    elif kind == "saturating":
        x = x * x.dtype.type(60)
    return np.clip(x, -256, 256).astype(dtype) if dtype == "float16" else x


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", ["offset", "saturating", *MAGNITUDES])
def test_every_form_of_softmax_lies_in_its_ball(kind: str, dtype: str) -> None:
    rng = seeded("softmax", kind, dtype)
    for classes in (1, 2, 5, 16):
        x = _scores(rng, kind, classes, dtype)
        y, d, log_s = bounds.softmax(exact(x))
        true_y, true_log = _truth(x)
        forms = _evaluations(x)
        if kind in ("large", "huge", "scales") and dtype != "float16":
            forms = forms[:2]  # the log-sum-exp form has no digits left there
        for computed_y, computed_log in forms:
            assert not outside(y, computed_y, true_y)
            if np.abs(true_log).max() < PRECISIONS[dtype].limit:
                assert not outside(d - log_s, computed_log, true_log)
        assert not outside(y, y.v, true_y)
        assert (y.radius <= 1).all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("share", [1e-4, 1e-2, 0.3])
def test_softmax_of_inexact_scores_lies_in_its_ball(share: float, dtype: str) -> None:
    rng = seeded("soft softmax", share, dtype)
    for kind in ("normal", "saturating", "offset", "ints"):
        x = blurred(rng, _scores(rng, kind, 6, dtype), share)
        y, d, log_s = bounds.softmax(x)
        true_y, true_log = _truth(x.v)
        for sample in inside(rng, x):
            for computed_y, computed_log in _evaluations(sample):
                assert not outside(y, computed_y, true_y)
                assert not outside(d - log_s, computed_log, true_log)


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_radius_of_a_tame_softmax_is_a_few_roundings(dtype: str) -> None:
    x = exact(seeded("tame softmax", dtype).uniform(-1, 1, (20, 4)).astype(dtype))
    y, _, log_s = bounds.softmax(x)
    u = x.p.u
    assert (y.radius <= 40 * u * y.v + x.p.eta).all()
    assert (y.radius >= 8 * u * y.v).all()
    assert (log_s.radius <= 40 * u).all()


def test_the_radius_grows_with_the_offset_until_no_digit_is_left() -> None:
    p = PRECISIONS["float32"]
    radii = [bounds.softmax(Ball.exact(p, [[0.0 + s, 1.0 + s]]))[0].radius.max() for s in (0.0, 2.0**10, 2.0**16)]
    assert radii[0] < radii[1] < radii[2] < 0.1
    assert bounds.softmax(Ball.exact(p, [[2.0**24, 2.0**24 + 2]]))[0].radius.max() < 1e-4, "such forms are no longer reasonable"


def test_special_scores_are_nan_exactly_in_their_row_alone() -> None:
    p = PRECISIONS["float64"]
    x = Ball.exact(p, [[NAN, 1.0], [INF, 1.0], [-INF, 1.0], [-INF, -INF], [0.0, 1.0]])
    y, _, _ = bounds.softmax(x)
    assert np.isnan(y.v).all(axis=1).tolist() == [True, True, False, True, False]
    assert (y.radius[[0, 1, 3]] == 0).all()
    assert y.v[2].tolist() == [0, 1] and y.radius[2, 0] <= p.tiny and y.radius[2, 1] < 40 * p.u


def test_scores_that_may_have_overflowed_leave_their_row_undetermined() -> None:
    p = PRECISIONS["float32"]
    x = Ball(p, np.zeros((2, 3)), np.array([[0.0, INF, 0.0], [0.1, 0.1, 0.1]]))
    for ball in bounds.softmax(x):
        radius = np.broadcast_to(ball.radius, (2, ball.shape[-1]))
        assert np.isposinf(radius[0]).all() and np.isfinite(radius[1]).all()


@pytest.mark.parametrize("shape", [(0, 3), (3, 1), (2, 0), (4,), (2, 3, 4)], ids=str)
def test_every_shape_keeps_its_shape(shape: tuple[int, ...]) -> None:
    y, d, log_s = bounds.softmax(Ball.exact(PRECISIONS["float32"], np.zeros(shape)))
    assert y.shape == d.shape == shape and log_s.shape == (*shape[:-1], 1)
    if shape[-1:] == (1,):
        assert (y.v == 1).all()
