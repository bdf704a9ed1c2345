"""How far `actual` is from `expected`, held against the allowed error: numbers, no text."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from oracle.core.ball import Array, Ball

FACTOR = 4.0
"""allowed error = FACTOR * radius: two evaluations, each within its radius, and twice that for second-order terms left out."""
IMPRECISE = 16.0
"""A margin from 1 up to here is an unlucky algorithm rather than another function."""


class Comparison(NamedTuple):
    """One quantity of one case. `margin` is the worst of abs(actual - expected) / allowed; 1 is the edge, inf a wrong NaN.

    `inconclusive`: torch itself is outside its bound, so nothing is charged to the layer.
    `worst_index` and `n_mismatched` tell of failures; where all is well they may be left empty. `ulps`: of a measured comparison, how
    many of the determined elements are which ULP distance apart, see `ulp_counts`.
    """

    quantity: str
    ok: bool
    margin: float
    inconclusive: bool
    n_elements: int
    n_undetermined: int
    reason: str = "value"
    worst_index: tuple[int, ...] = ()
    n_mismatched: int = 0
    ulps: tuple[int, ...] = ()


ULP_BUCKETS = 67
"""0, then up to 2^0, 2^1 ... 2^64, then those where a NaN or infinity stands on one side only."""
_SIGNED = {2: np.int16, 4: np.int32, 8: np.int64}


def same_bits(actual: Array, expected: Array) -> bool:
    """Whether both are equal to the last bit: then nothing else needs to be known."""
    return actual.dtype == expected.dtype and actual.shape == expected.shape and actual.tobytes() == expected.tobytes()


def compare(quantity: str, actual: Array, expected: Array, ball: Ball, measure: bool = True) -> Comparison:
    """`actual` against `expected`, element by element, within FACTOR radii of the ball. All have one shape.

    Without `measure`, torch's own error is not looked at and undetermined elements are not counted where everything is within its
    allowed error anyway.
    """
    if not measure:
        return (
            Comparison(quantity, True, 0.0, False, 0, 0)
            if same_bits(actual, expected)
            else _compare(quantity, actual, expected, ball, False)
        )
    found = _compare(quantity, actual, expected, ball, True)
    if actual.dtype != expected.dtype or actual.dtype.kind != "f":
        return found
    if found.n_undetermined:
        determined = np.isfinite(ball.radius)
        actual, expected = actual[determined], expected[determined]
    return found._replace(ulps=ulp_counts(actual, expected))


def _compare(quantity: str, actual: Array, expected: Array, ball: Ball, measure: bool) -> Comparison:
    wide = ball.p.wide
    a, e = actual.astype(wide, copy=False), expected.astype(wide, copy=False)
    off = np.abs(a - e)
    if ball.r is not None and off.size:
        # a NaN anywhere, also that of 0 / 0, makes the largest ratio NaN, and so falls through
        worst = float(np.maximum.reduce(off / ball.r, axis=None))
        if worst <= FACTOR:
            if not measure:
                return Comparison(quantity, True, worst / FACTOR, False, 0, 0)
            own = float(np.maximum.reduce(np.abs(e - ball.v) / ball.r, axis=None))
            if own <= FACTOR and np.add.reduce(ball.r, axis=None) < np.inf:
                return Comparison(quantity, True, worst / FACTOR, False, off.size, 0)
    elif not off.any() and same_bits(e, ball.v.astype(e.dtype)):
        return Comparison(quantity, True, 0.0, False, off.size, 0)
    return _compare_closely(quantity, a, e, ball, off)


def _compare_closely(quantity: str, a: Array, e: Array, ball: Ball, off: Array) -> Comparison:
    """The whole rule, with NaN, infinities, undetermined elements and torch's own error."""
    own = np.abs(e - ball.v)
    allowed = allowed_error(ball)
    determined = np.isfinite(allowed)
    same = (a == e) | (np.isnan(a) & np.isnan(e))
    held = (ball.v == e) | (np.isnan(ball.v) & np.isnan(e)) | (own <= allowed)
    bad = determined & ~same & ~(off <= allowed)
    inconclusive = bool((determined & ~held).any())
    # 0 / 0 is no error where none is allowed, and x / 0 an infinite one
    ratio = np.where(determined & ~same, off / allowed, 0.0)
    ratio = np.where(np.isnan(ratio), np.inf, ratio)
    n_bad = int(bad.sum())
    if ratio.size == 0:
        return Comparison(quantity, True, 0.0, inconclusive, 0, 0)
    index = np.unravel_index(int(ratio.argmax()), ratio.shape)
    special = bool((bad & ~(np.isfinite(a) & np.isfinite(e))).any())
    return Comparison(
        quantity=quantity,
        ok=n_bad == 0,
        margin=float(ratio[index]),
        inconclusive=inconclusive,
        n_elements=a.size,
        n_undetermined=int((~determined).sum()),
        reason="nan" if special else "value",
        worst_index=tuple(int(i) for i in index),
        n_mismatched=n_bad,
    )


def ulp_counts(actual: Array, expected: Array) -> tuple[int, ...]:
    """How many elements of two float arrays of one shape and dtype are 0, up to 2^0, 2^1 ... 2^64 floats apart; last, a NaN or infinity
    on one side only. Zeros of either sign are the same, and so are two NaN."""
    if same_bits(actual, expected):
        return (actual.size, *[0] * (ULP_BUCKETS - 1))
    signed = _SIGNED[actual.itemsize]
    a, e = (_ordered(np.ascontiguousarray(x).view(signed)) for x in (actual, expected))
    apart = np.maximum(a, e).astype(np.uint64) - np.minimum(a, e).astype(np.uint64)
    # 2^(k-1) < d <= 2^k: the exponent of d - 1, which float64 rounds only where buckets are wide anyway
    bucket = np.where(apart == 0, 0, np.frexp((apart - (apart > 0)).astype(np.float64))[1] + 1)
    nan, other_nan = np.isnan(actual), np.isnan(expected)
    bucket = np.where(nan & other_nan, 0, bucket)
    bucket = np.where((nan != other_nan) | ((np.isinf(actual) | np.isinf(expected)) & (apart > 0) & ~nan), ULP_BUCKETS - 1, bucket)
    return tuple(np.bincount(bucket.reshape(-1), minlength=ULP_BUCKETS).tolist())


def _ordered(bits: Array) -> Array:
    """The bit patterns of floats as whole numbers in the order of the floats, both zeros at 0."""
    wide = bits.astype(np.int64)
    return np.where(wide < 0, np.int64(np.iinfo(bits.dtype).min) - wide, wide)


def allowed_error(ball: Ball) -> Array:
    """The allowed error of every element; infinite where nothing is determined."""
    r = ball.radius * FACTOR
    return np.where(np.isnan(r), np.inf, r)


def ulp_distance(actual: Array, expected: Array) -> float:
    """The largest distance in units in the last place of `expected`; inf where a NaN or infinity stands against a number."""
    a, e = actual.astype(np.longdouble), expected.astype(np.longdouble)
    spacing = np.spacing(np.abs(expected)).astype(np.longdouble)
    same = (a == e) | (np.isnan(a) & np.isnan(e))
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        ulps = np.where(same, 0, np.abs(a - e) / spacing)
    ulps = np.where(np.isnan(ulps), np.inf, ulps)
    return float(ulps.max(initial=0.0))
