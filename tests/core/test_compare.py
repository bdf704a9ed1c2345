"""Actual against expected within the allowed error: the margin and every special case."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from oracle.core.ball import PRECISIONS, Ball
from oracle.core.compare import FACTOR, ULP_BUCKETS, Comparison, compare, same_bits, ulp_counts, ulp_distance

INF, NAN = np.inf, np.nan


@pytest.fixture(autouse=True)
def _silent() -> Iterator[None]:
    with np.errstate(all="ignore"):
        yield


def ball(v: Any, r: Any = None) -> Ball:
    v = np.asarray(v, float)
    return Ball(PRECISIONS["float64"], v, None if r is None else np.broadcast_to(np.asarray(r, float), v.shape).copy())


def compared(actual: Any, expected: Any, b: Ball) -> Comparison:
    a, e = np.asarray(actual, float), np.asarray(expected, float)
    found = compare("q", a, e, b)
    quick = compare("q", a, e, b, measure=False)
    assert quick.ok == found.ok and quick.margin == found.margin, "measuring makes no difference"
    return found


@pytest.mark.parametrize(("share", "ok"), [(0.0, True), (0.5, True), (1.0, True), (1.001, False), (20.0, False)])
def test_the_margin_is_the_share_of_the_allowed_error(share: float, ok: bool) -> None:
    found = compared([1.0, 1.0, 1.0 + share * FACTOR / 8], [1.0, 1.0, 1.0], ball([1.0, 1.0, 1.0], 1 / 8))
    assert found.margin == pytest.approx(share) and found.ok is ok and found.n_elements == 3
    assert found.n_mismatched == (not ok) and found.reason == "value" and not found.inconclusive
    assert ok or found.worst_index == (2,)


def test_the_worst_element_is_named() -> None:
    a = np.zeros((2, 3, 4))
    a[1, 0, 2], a[0, 1, 3] = -3, 2
    found = compared(a, np.zeros_like(a), ball(np.zeros_like(a), 0.25))
    assert found.worst_index == (1, 0, 2) and found.margin == 3 and found.n_mismatched == 2


@pytest.mark.parametrize(("a", "e"), [(NAN, 1.0), (INF, 1.0), (-INF, 1.0)], ids=str)
def test_a_special_value_against_a_number_is_wrong_both_ways(a: float, e: float) -> None:
    found = compared([a, 1.0], [e, 1.0], ball([e, 1.0], 0.1))
    assert not found.ok and found.margin == INF and found.reason == "nan" and found.worst_index == (0,) and found.n_mismatched == 1
    found = compared([e, 1.0], [a, 1.0], ball([a, 1.0], [0.0, 0.1]))
    assert not found.ok and found.margin == INF and found.reason == "nan"
    assert not compared([INF], [-INF], ball([-INF], 0.0)).ok


@pytest.mark.parametrize("value", [NAN, INF, -INF, 0.0], ids=str)
def test_equal_special_values_are_right(value: float) -> None:
    found = compared([value], [value], ball([value], 0.0))
    assert found.ok and found.margin == 0 and not found.inconclusive
    assert compared([0.0], [-0.0], ball([0.0])).ok, "the sign of zero is not judged"


def test_an_undetermined_element_never_fails() -> None:
    for wrong in (NAN, INF, -1e300, 5.0):
        found = compare("q", np.array([wrong, 1.0]), np.array([2.0, 1.0]), ball([2.0, 1.0], [INF, 0.1]))
        assert found.ok and found.margin == 0 and found.n_undetermined == 1
    assert compare("q", np.array([7.0]), np.array([2.0]), ball([2.0], [NAN])).ok
    beside = compared([NAN, 9.0], [2.0, 1.0], ball([2.0, 1.0], [INF, 0.1]))
    assert not beside.ok and beside.worst_index == (1,) and beside.n_mismatched == 1


def test_an_exact_ball_allows_no_error() -> None:
    found = compared([1.0, np.nextafter(2.0, 3)], [1.0, 2.0], ball([1.0, 2.0]))
    assert not found.ok and found.margin == INF and found.worst_index == (1,)
    assert compared([1.0], [1.0], ball([1.0])).ok


@pytest.mark.parametrize("shape", [(0,), (0, 3), (2, 0)], ids=str)
def test_nothing_to_compare_is_right(shape: tuple[int, ...]) -> None:
    for r in (None, 0.1):
        found = compare("q", np.zeros(shape), np.zeros(shape), ball(np.zeros(shape), r))
        assert found.ok and found.margin == 0 and found.n_elements == 0 and found.worst_index == ()
        assert compare("q", np.zeros(shape), np.zeros(shape), ball(np.zeros(shape), r), measure=False).ok


def test_a_scalar_has_the_empty_index() -> None:
    found = compared(3.0, 1.0, ball(1.0, 0.25))
    assert found.worst_index == () and found.margin == 2 and found.n_elements == 1 and not found.ok


def test_torch_outside_its_bound_is_inconclusive() -> None:
    off = np.array([1.5, 2.0])
    found = compare("q", np.array([1.0, 2.0]), off, ball([1.0, 2.0], 0.1))
    assert found.inconclusive and not found.ok
    assert compare("q", off, off, ball([1.0, 2.0], 0.1)).inconclusive, "also where the layer agrees with it"
    assert not compare("q", off, off, ball([1.0, 2.0], INF)).inconclusive
    assert compare("q", np.array([NAN]), np.array([NAN]), ball([1.0], 0.1)).inconclusive


def test_same_bits_means_dtype_shape_and_every_bit() -> None:
    a = np.array([1.0, NAN, -0.0])
    assert same_bits(a, a.copy())
    for other in (a.astype(np.float32), a.reshape(3, 1), np.array([1.0, NAN, 0.0]), np.array([1.0, -NAN, -0.0])):
        assert not same_bits(a, other)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_ulp_distance(dtype: str) -> None:
    one = np.array([1.0, 4.0], dtype)
    assert ulp_distance(one, one) == 0
    moved = one.copy()
    for _ in range(3):
        moved[1] = np.nextafter(moved[1], np.array(10, dtype))
    assert ulp_distance(moved, one) == 3
    for a, e, wanted in ((NAN, 1, INF), (INF, 1, INF), (1, INF, INF), (NAN, NAN, 0), (INF, INF, 0), (-INF, INF, INF), (0.0, -0.0, 0)):
        assert ulp_distance(np.array([a], dtype), np.array([e], dtype)) == wanted, (a, e)
    assert ulp_distance(np.zeros(0, dtype), np.zeros(0, dtype)) == 0


def _in_order(a: np.ndarray) -> list[int | None]:
    """By brute force: each float's place among all float16, both zeros at one place; None for NaN."""
    finite = sorted({float(v) for v in np.arange(2**16, dtype=np.uint16).view(np.float16) if not np.isnan(v)})
    places = {v: i for i, v in enumerate(finite)}
    return [None if np.isnan(v) else places[float(v)] for v in a]


def test_ulp_distances_are_counted_as_by_hand() -> None:
    rng = np.random.default_rng(0)
    a, e = (rng.integers(0, 2**16, 4000, dtype=np.uint16).view(np.float16) for _ in range(2))
    e[:2000] = (a[:2000].view(np.uint16) + rng.integers(0, 9, 2000, dtype=np.uint16)).view(np.float16)
    wanted = [0] * ULP_BUCKETS
    for i, j, x, y in zip(_in_order(a), _in_order(e), a, e, strict=True):
        if i is None or j is None:
            wanted[0 if i is j else -1] += 1
        elif i != j and (np.isinf(x) or np.isinf(y)):
            wanted[-1] += 1
        else:
            wanted[0 if i == j else 1 + math.ceil(math.log2(abs(i - j)))] += 1
    assert ulp_counts(a, e) == tuple(wanted)
    assert wanted[0] > 100 and wanted[1] > 100 and wanted[-1] > 100 and sum(wanted) == 4000


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_neighbours_and_zeros_of_every_dtype(dtype: str) -> None:
    one, zero = np.array([1.0], dtype), np.array([0.0], dtype)
    assert ulp_counts(one, np.nextafter(one, one + one))[1] == 1
    assert ulp_counts(zero, -zero)[0] == 1
    assert ulp_counts(np.nextafter(zero, one), np.nextafter(zero, -one))[2] == 1
    assert ulp_counts(np.full(3, np.finfo(dtype).max), np.full(3, np.finfo(dtype).min))[np.dtype(dtype).itemsize * 8 + 1] == 3


def test_elements_of_which_nothing_is_known_have_no_ulp_distance() -> None:
    p = PRECISIONS["float32"]
    ball = Ball(p, np.array([1.0, 2.0]), np.array([np.inf, 1.0]))
    found = compare("y", np.array([np.inf, 2.0], np.float32), np.array([1.0, 2.0], np.float32), ball)
    assert found.ok and found.ulps[0] == 1 and sum(found.ulps) == 1
