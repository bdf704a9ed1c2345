"""Balls of elementary functions, next to those of `oracle.core.bounds`: a midpoint, and a radius of at least K u of it.

The radius of the argument is multiplied by the steepest slope that the ball meets. `widest` joins several ways of writing one function:
its radius is the largest that any of them has.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from oracle.core.ball import Array, Ball, K, Precision, settled

Real = Callable[[Array], Array]
Steep = Callable[[Array, Array], Array]


def number(p: Precision, value: float) -> Ball:
    """A number that every evaluation has exactly."""
    return Ball.exact(p, np.asarray(value))


def rounded(p: Precision, value: float) -> Ball:
    """A number that no dtype holds: everybody's is off by a rounding."""
    return Ball(p, np.asarray(value, p.wide), np.asarray(abs(value) * p.u, p.wide))


def smooth(x: Ball, f: Real, steep: Steep, flushes: bool = False) -> Ball:
    """f(x) with a relative error of K u, + eta, + the radius of x times `steep(low, high)`, the largest slope between both.

    flushes: libraries make a subnormal result 0.
    """
    v = f(x.v)
    r = np.abs(v) * (K * x.p.u) + x.p.eta
    if flushes:
        r = r + np.where(np.abs(v) < 4 * x.p.tiny, x.p.tiny, 0.0)
    if x.r is not None:
        r = r + np.where(x.r > 0, x.r * steep(x.v - x.r, x.v + x.r), 0.0)
    # an infinity makes an infinity or a limit, a number beyond the domain makes NaN: everybody gets them
    found = settled(x.p, v, r, x)
    if x.r is None and (special := ~np.isfinite(v) & (~np.isfinite(x.v) | np.isnan(v))).any():
        found.r = np.where(special, 0.0, found.radius)
    return found


def nearest_0(low: Array, high: Array) -> Array:
    """The number between low and high that is nearest to 0."""
    return np.where((low <= 0) & (high >= 0), 0.0, np.minimum(np.abs(low), np.abs(high)))


def expm1(x: Ball) -> Ball:
    return smooth(x, np.expm1, lambda low, high: np.exp(high))


def log1p(x: Ball) -> Ball:
    """ln(1 + x); -inf at -1 exactly, where -1 is exact."""
    y = smooth(x, np.log1p, lambda low, high: np.where(low > -1, 1 / (1 + low), np.inf))
    if x.r is None:
        y.r = np.where(x.v == -1, 0.0, y.radius)
    return y


def sqrt(x: Ball, never_negative: bool = False) -> Ball:
    """The root; r / (sqrt a + sqrt(a - r)). not determined where the ball reaches below 0, unless it is known that nothing is there."""
    v = np.sqrt(x.v)
    r = np.abs(v) * (2 * x.p.u)
    if x.r is not None:
        low = np.maximum(x.v - x.r, 0)
        sides = v + np.sqrt(low)
        spread = np.where(x.v > 0, x.r / np.where(sides > 0, sides, 1), np.sqrt(x.r))
        reaches = (x.r > x.v) & ~np.isnan(x.v)
        r = r + np.where(reaches & (not never_negative), np.inf, np.where(x.r > 0, spread, 0.0))
    found = settled(x.p, v, r, x)
    if x.r is None and (x.v < 0).any():
        found.r = np.where(x.v < 0, 0.0, found.radius)
    return found


def cos(x: Ball) -> Ball:
    return smooth(x, np.cos, lambda low, high: np.ones_like(low))


def tanh(x: Ball) -> Ball:
    return smooth(x, np.tanh, lambda low, high: 1 / np.cosh(nearest_0(low, high)) ** 2)


def sech2(x: Ball, y: Ball) -> Ball:
    """1 - tanh(x)^2 from y = tanh x: 2 |y| r_y + 2 u y^2 + K u sech^2 x, as for the tanh of the design."""
    p = x.p
    e = np.exp(-2 * np.abs(x.v))
    v = 4 * e / (1 + e) ** 2
    r = 2 * np.abs(y.v) * y.radius + y.radius**2 + 2 * p.u * y.v**2 + K * p.u * v + p.eta
    return settled(p, v, np.where(np.isnan(v), 0.0, r), y)


def normal_density(x: Ball) -> Ball:
    """e^(-x^2/2) / sqrt(2 pi): the square's rounding grows with x^2."""
    p = x.p
    v = np.exp(-x.v * x.v / 2) / math.sqrt(2 * math.pi)
    r = np.where(v > 0, v * (K + 2 + x.v * x.v), 0.0) * p.u + np.where(v < 4 * p.tiny, p.tiny, 0.0)
    if x.r is not None:
        r = r + np.where(x.r > 0, 0.25 * x.r, 0.0)
    return settled(p, v, np.where(np.isnan(v), 0.0, r), x)


def normal_share(x: Ball) -> Ball:
    """(1 + erf(x / sqrt 2)) / 2, formed like that: K u (1 + |erf|) / 2, whatever is left of it in the lower tail."""
    p = x.p
    e = erf_of(x.v / np.sqrt(np.asarray(2, p.wide)))
    v = np.where(x.v < -3, 0.5 * _erfc(np.abs(x.v) / np.sqrt(np.asarray(2, p.wide))), 0.5 * (1 + e))
    r = K * p.u * (1 + np.abs(e)) / 2 + p.eta
    if x.r is not None:
        r = r + 0.4 * x.r
    return settled(p, v, np.where(np.isnan(v), 0.0, r), x)


def erf(x: Ball) -> Ball:
    return smooth(x, erf_of, lambda low, high: 1.1284 * np.exp(-(nearest_0(low, high) ** 2)))


_SERIES_TERMS = 90
_TAIL_TERMS = 120


def erf_of(x: Array) -> Array:
    """erf in whatever dtype x has: below 3 the series of positive terms, above 1 - erfc."""
    size = np.abs(x)
    near = np.minimum(size, 3)
    square = 2 * near * near
    term = near.copy()
    total = near.copy()
    for n in range(1, _SERIES_TERMS):
        term = term * square / (2 * n + 1)
        total = total + term
    # 2 / sqrt(pi), with as many digits as x has
    scale = 2 / np.sqrt(4 * np.arctan(np.ones((), x.dtype)))
    inner = scale * total * np.exp(-near * near)
    return np.asarray(np.copysign(np.where(size < 3, inner, 1 - _erfc(np.maximum(size, 3))), x))


def _erfc(x: Array) -> Array:
    """1 - erf x for x > 0.3: the continued fraction, backwards; a smaller x gets few digits."""
    x = np.asarray(x)
    size = np.clip(x, 0.3, 1e6)
    fraction = np.zeros_like(size)
    for n in range(_TAIL_TERMS, 0, -1):
        fraction = (n / 2) / (size + fraction)
    root = np.sqrt(4 * np.arctan(np.ones((), x.dtype)))
    return np.asarray(np.where(np.isnan(x), x, np.exp(-size * size) / (root * (size + fraction))))


def widest(first: Ball, *others: Ball) -> Ball:
    """The midpoint of the first form, and at every element the largest radius of any.

    A form that overflows where the first does not is no reasonable one there. Where an infinity or NaN is exact by one form and another
    thing by the next, nothing is determined.
    """
    r = first.radius
    shape = np.broadcast_shapes(first.shape, *[o.shape for o in others])
    for other in others:
        agree = (first.v == other.v) | (np.isnan(first.v) & np.isnan(other.v))
        tame = np.isfinite(first.v) & np.isfinite(r) & np.isfinite(other.v) & np.isfinite(other.radius)
        r = np.where(tame, np.fmax(r, other.radius), np.where(agree | np.isfinite(first.v), r, np.inf))
    return Ball(first.p, np.broadcast_to(first.v, shape), np.broadcast_to(r, shape))
