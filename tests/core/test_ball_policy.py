"""NaN, infinities and overflow: exact where every evaluation agrees, not determined where two right ones may differ."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest

from oracle.core.ball import PRECISIONS, Ball
from tests.core.exactly import DTYPES

INF, NAN = np.inf, np.nan
P = PRECISIONS["float32"]


@pytest.fixture(autouse=True)
def _silent() -> Iterator[None]:
    with np.errstate(all="ignore"):
        yield


def sharp(*values: float) -> Ball:
    return Ball.exact(P, np.array(values))


def soft(value: float, radius: float) -> Ball:
    return Ball(P, np.array([value]), np.array([radius]))


EXACT: dict[str, tuple[Callable[[], Ball], float]] = {
    "nan + 1": (lambda: sharp(NAN) + sharp(1), NAN),
    "inf + 1": (lambda: sharp(INF) + sharp(1), INF),
    "inf - inf": (lambda: sharp(INF) - sharp(INF), NAN),
    "inf + soft": (lambda: sharp(INF) + soft(1, 5), INF),
    "inf * 2": (lambda: sharp(-INF) * sharp(2), -INF),
    "inf * 0": (lambda: sharp(INF) * sharp(0), NAN),
    "nan * soft": (lambda: sharp(NAN) * soft(3, 1), NAN),
    "inf * soft away from 0": (lambda: sharp(INF) * soft(3, 1), INF),
    "inf / 2": (lambda: sharp(INF) / sharp(2), INF),
    "1 / 0": (lambda: sharp(1) / sharp(0), INF),
    "0 / 0": (lambda: sharp(0) / sharp(0), NAN),
    "soft away from 0 / 0": (lambda: soft(-1, 0.1) / sharp(0), -INF),
    "1 / inf": (lambda: sharp(1) / sharp(INF), 0),
    "sum with inf": (lambda: sharp(1, INF, 2).sum(), INF),
    "sum of both infs": (lambda: sharp(INF, -INF).sum(), NAN),
    "sum with nan": (lambda: sharp(1, NAN).sum(), NAN),
    "matmul with inf": (lambda: sharp(INF, 1).reshape(1, 2) @ sharp(2, 1).reshape(2, 1), INF),
    "matmul with inf * 0": (lambda: sharp(INF, 1).reshape(1, 2) @ sharp(0, 1).reshape(2, 1), NAN),
    "matmul with nan": (lambda: sharp(1, 1).reshape(1, 2) @ sharp(NAN, 1).reshape(2, 1), NAN),
    "matmul with inf and soft away from 0": (lambda: sharp(INF).reshape(1, 1) @ soft(3, 1).reshape(1, 1), INF),
}
UNDETERMINED: dict[str, Callable[[], Ball]] = {
    "sum of two beyond the range": lambda: sharp(3e38) + sharp(3e38),
    "difference beyond the range": lambda: sharp(3e38) - sharp(-3e38),
    "product beyond the range": lambda: sharp(1e30) * sharp(1e30),
    "quotient beyond the range": lambda: sharp(1e30) / sharp(1e-30),
    "straddling / 0": lambda: soft(0.1, 1) / sharp(0),
    "divisor straddling 0": lambda: sharp(1) / soft(0.1, 0.2),
    "divisor touching 0": lambda: sharp(1) / soft(0.2, 0.2),
    "inf * straddling": lambda: sharp(INF) * soft(0.1, 1),
    "inf * soft 0": lambda: soft(0, 1) * sharp(-INF),
    "terms that overflow on the way": lambda: sharp(3e38, 3e38, -3e38).sum(),
    "terms whose magnitudes overflow": lambda: sharp(1.5e38, -1.5e38, 1e38).sum(),
    "a soft term without end": lambda: Ball(P, np.array([1.0, 2.0]), np.array([0.0, INF])).sum(),
    "matmul beyond the range": lambda: sharp(1e30).reshape(1, 1) @ sharp(1e30).reshape(1, 1),
    "matmul with cancelling overflow": lambda: sharp(1e30, 1e30).reshape(1, 2) @ sharp(1e30, -1e30).reshape(2, 1),
    "matmul of inf and straddling": lambda: sharp(INF).reshape(1, 1) @ soft(0.1, 1).reshape(1, 1),
    "matmul of straddling and inf": lambda: soft(0.1, 1).reshape(1, 1) @ sharp(INF).reshape(1, 1),
    "matmul of a radius without end": lambda: soft(1, INF).reshape(1, 1) @ sharp(0).reshape(1, 1),
    "matmul onto a radius without end": lambda: sharp(0).reshape(1, 1) @ soft(1, INF).reshape(1, 1),
    "radius without end + 1": lambda: soft(1, INF) + sharp(1),
    "radius without end * 0": lambda: soft(1, INF) * sharp(0),
    "radius without end, bias": lambda: soft(1, INF).plus_bias(sharp(1), 3),
}


@pytest.mark.parametrize("what", EXACT)
def test_what_every_evaluation_gives_is_exact(what: str) -> None:
    make, value = EXACT[what]
    ball = make()
    np.testing.assert_array_equal(np.ravel(ball.v), [value])
    assert np.ravel(ball.radius) <= 2 * P.eta, "nothing else is a right answer"


@pytest.mark.parametrize("what", UNDETERMINED)
def test_what_may_go_either_way_is_not_determined(what: str) -> None:
    assert np.isposinf(np.ravel(UNDETERMINED[what]().radius)).all()


def test_only_the_elements_concerned_are_lost() -> None:
    a, b = sharp(1, 3e38, INF, 2), sharp(1, 3e38, 1, -2)
    assert np.isposinf((a + b).radius).tolist() == [False, True, False, False]
    assert (a + b).radius[2] == 0 and (a + b).radius[0] == pytest.approx(2 * P.u)
    left = Ball.exact(P, np.array([[1.0, 2.0], [1e30, 1.0], [INF, 1.0]]))
    product = left @ Ball.exact(P, np.array([[1.0, 1e30], [1.0, 1.0]]))
    assert np.isposinf(product.radius).tolist() == [[False, False], [False, True], [False, False]]
    assert product.radius[2].tolist() == [0, 0] and 0 < product.radius[0, 0] < 1e-5


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_edge_of_the_range_is_half_the_largest_number(dtype: str) -> None:
    p = PRECISIONS[dtype]
    below, above = p.limit * 0.99, p.limit * 1.01
    assert np.isfinite((Ball.exact(p, [below]) + Ball.exact(p, [0.0])).radius).all()
    assert np.isposinf((Ball.exact(p, [above]) + Ball.exact(p, [0.0])).radius).all()
    assert np.isfinite(Ball.exact(p, [below / 2, below / 2]).sum().radius)
    assert np.isposinf(Ball.exact(p, [above / 2, above / 2]).sum().radius)
    column = Ball.exact(p, [[1.0]])
    assert np.isfinite((Ball.exact(p, [[below]]) @ column).radius).all()
    assert np.isposinf((Ball.exact(p, [[above]]) @ column).radius).all()


def test_an_input_at_the_edge_is_itself_known() -> None:
    assert sharp(3.4e38).r is None and (-sharp(3.4e38)).r is None


BEYOND: dict[str, Callable[[], Ball]] = {
    "sum": lambda: soft(0, 3e38) + soft(0, 3e38),
    "product": lambda: sharp(1e20) * soft(0, 1e24),
    "quotient": lambda: soft(0, 1e24) / sharp(1e-20),
    "matmul": lambda: sharp(1e20).reshape(1, 1) @ soft(0, 1e24).reshape(1, 1),
    "sum over an axis": lambda: Ball(P, np.zeros(2), np.full(2, 3e38)).sum(),
}


@pytest.mark.parametrize("what", BEYOND)
def test_a_radius_beyond_the_range_is_not_determined(what: str) -> None:
    assert np.isposinf(np.ravel(BEYOND[what]().radius)).all()
