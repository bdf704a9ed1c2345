"""Balls of the functions that layers are made of; the arithmetic itself is in `ball`."""

from __future__ import annotations

import numpy as np

from oracle.core.ball import Array, Ball, K, settled


def relu(x: Ball) -> Ball:
    """max(x, 0): passes NaN; the radius of x."""
    return Ball(x.p, np.maximum(x.v, 0), x.r)


def gated(dout: Ball, x: Ball) -> Ball:
    """The gradient of relu: dout where not (x <= 0), else 0, exactly; either side where the ball of x straddles 0."""
    open_ = ~(x.v <= 0)
    v = np.where(open_, dout.v, 0)
    if x.r is None:
        return Ball(dout.p, v, None if dout.r is None else np.where(open_, dout.r, 0))
    unsure = (x.r > 0) & ~(np.abs(x.v) > x.r)
    r = np.where(open_ | unsure, dout.radius, 0) + np.where(unsure, np.abs(dout.v), 0)
    return Ball(dout.p, v, np.where(np.isnan(r) | np.isinf(x.r), np.inf, r))


def exp(x: Ball) -> Ball:
    """e^x: the ball of x propagated, + K u e^x, + tiny where the result is subnormal, for libraries flush there."""
    v = np.exp(x.v)
    r = v * (K * x.p.u) + np.where(v < 4 * x.p.tiny, x.p.tiny, 0.0)
    if x.r is not None:
        r = r + _grown(v, x.r, np.exp(x.v + x.r))
    return settled(x.p, v, r, x)


_VANISHING = 1e-290
"""An exponential below this has lost digits as a double, so its growth cannot be reckoned from it."""


def _grown(v: Array, r: Array, most: Array) -> Array:
    """How far v = e^a can grow with r added to a, where it stays below `most`."""
    return np.where(v > _VANISHING, np.fmin(v * np.expm1(r), most), most)


def log(x: Ball) -> Ball:
    """ln x: -log1p(-min(r/x, 1)) + K u |ln x| + eta. ln 0 is -inf exactly, where 0 is exact."""
    v = np.log(x.v)
    zero = x.v == 0
    r = np.where(zero, 0.0, np.abs(v) * (K * x.p.u) + x.p.eta)
    if x.r is not None:
        share = np.where(x.r > 0, np.minimum(x.r / np.where(zero, x.p.eta, np.abs(x.v)), 1), 0)
        r = r + -np.log1p(-share)
    y = settled(x.p, v, r, x)
    if x.r is None and (special := ~(x.v > 0)).any():
        # -inf of 0 and NaN of a negative number are no overflow: everybody gets them
        y.r = np.where(special, 0.0, y.radius)
    return y


def sin(x: Ball) -> Ball:
    """sin x: the radius of x, since |cos| <= 1, + K u |x| cos-side rounding of the argument's reduction, + K u |sin x| + eta."""
    v = np.sin(x.v)
    return settled(x.p, v, x.radius + np.abs(v) * (K * x.p.u) + x.p.eta, x)


def sigmoid(x: Ball) -> tuple[Ball, Ball]:
    """(y, 1 - y) for y = 1 / (1 + e^-x), both from an x of any radius.

    y: y (K+2) u + y (1-y) |x| u + tiny where subnormal. 1-y is formed from the rounded y, so it has the radius of y, plus u (1-y).
    """
    p = x.p
    y, rest = _logistic(x.v), _logistic(-x.v)
    r = y * ((K + 2) * p.u) + np.where(y < 4 * p.tiny, p.tiny, 0.0)
    r = r + np.where(np.isfinite(x.v), y * rest * np.abs(x.v) * p.u, 0.0)
    if x.r is not None:
        r = r + np.fmin(x.r * 0.25, 1.0)
        r = np.where(np.isnan(r) | np.isinf(x.r), np.inf, r)
    special = np.isnan(x.v)
    r = np.where(special, 0.0, r)
    return Ball(p, y, r), Ball(p, rest, np.where(special, 0.0, r + rest * p.u))


def _logistic(x: Array) -> Array:
    e = np.exp(-np.abs(x))
    return np.where(x >= 0, 1 / (1 + e), e / (1 + e))


def softmax(x: Ball) -> tuple[Ball, Ball, Ball]:
    """(y, d, log s) over the last axis: d = x - max x, s = sum of e^d, y = e^d / s.

    r_d = r_x + u |d| + u (|x| + |max|): the last term admits the log-sum-exp form, whose error grows with the offset of the scores. It
    is left out where u |max| > 1/4: there such forms are no longer reasonable, and all would be undetermined. A softmax is within
    [0, 1], so no radius on its way passes 1. d is not cut at the dtype's range: e^d is 0 on either side of it.
    """
    p = x.p
    top = x.v.max(axis=-1, keepdims=True, initial=-np.inf) if x.v.shape[-1] == 0 else x.v.max(axis=-1, keepdims=True)
    d = x.v - top
    size = np.abs(top)
    r = p.u * np.abs(d) + np.where(size * p.u <= 0.25, p.u * (np.abs(x.v) + size), 0.0)
    if x.r is not None:
        r = r + x.r
    r = np.where(np.isfinite(d), r, 0.0 if x.r is None else np.where(np.isinf(x.r), np.inf, 0.0))
    shifted = Ball(p, d, r)
    e = _exp_of_shifted(shifted, bounded=x.r is None)
    s = e.sum(axis=-1, keepdims=True)
    y = (e / s).capped(1.0)
    log_s = log(s).capped(np.log(max(x.v.shape[-1], 1)) + 1 + _spread_of_top(x, top))
    y, log_s = _nan_exact(y), _nan_exact(log_s)
    if x.r is not None and (lost := ~np.isfinite(x.r).all(axis=-1, keepdims=True)).any():
        # scores that may have overflowed: then NaN is a right answer too, and no cap holds
        for ball in (y, shifted, log_s):
            ball.r = np.where(lost, np.inf, ball.radius)
    return y, shifted, log_s


def _spread_of_top(x: Ball, top: Array) -> Array:
    """How far the maximum that an evaluation subtracts may be from `top`, the maximum of the midpoints."""
    if x.r is None:
        return np.zeros_like(top)
    above = (x.v + x.r).max(axis=-1, keepdims=True, initial=-np.inf) - top
    below = top - (x.v - x.r).max(axis=-1, keepdims=True, initial=-np.inf)
    return np.asarray(np.maximum(above, below))


def _exp_of_shifted(d: Ball, bounded: bool) -> Ball:
    """e^d for d <= 0, where an infinite d is as good as any other large one.

    bounded: the maximum was exact, so that e^d <= 1 in every evaluation. Where it was not, one may have subtracted another maximum.
    """
    p = d.p
    v = np.exp(d.v)
    assert d.r is not None
    most = np.exp(np.fmin(d.v + d.r, 0.0) if bounded else d.v + d.r)
    r = _grown(v, d.r, most) + v * (K * p.u) + np.where(v < 4 * p.tiny, p.tiny, 0.0)
    return Ball(p, v, np.where(np.isnan(v), 0.0, np.where(np.isneginf(d.v) & (d.r == 0), 0.0, r)))


def _nan_exact(x: Ball) -> Ball:
    """NaN that comes from NaN or infinite scores is what every evaluation gives; nothing on the way of a softmax can overflow."""
    return Ball(x.p, x.v, np.where(np.isnan(x.v), 0.0, x.radius))
