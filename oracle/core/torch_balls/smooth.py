"""Functions without a kink, element by element. Where a derivative is written in several ways, all of them are in the bound."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from oracle.core import bounds
from oracle.core.ball import Ball, settled
from oracle.core.torch_balls.functions import (
    cos,
    erf,
    expm1,
    log1p,
    normal_density,
    normal_share,
    number,
    rounded,
    sech2,
    smooth,
    sqrt,
    tanh,
    widest,
)
from oracle.core.torch_balls.tape import RULES, MissingRuleError, Tracked, node, precision_of

Slope = Callable[[], Ball]


def times(g: Ball, slope: Ball, reach: Any = 0.0) -> Ball:
    """g * slope; `reach` bounds a factor of the slope that an evaluation may multiply by last, and with it an underflow."""
    found = g * slope
    return Ball(found.p, found.v, found.radius + np.where(np.isfinite(reach), reach, 0) * g.p.eta)


def _mapped(x: Tracked, y: Ball, slope: Slope, reach: Any = 0.0) -> Tracked:
    return node(y, (x, lambda g: times(g, slope(), reach)))


def exp(input: Any) -> Tracked:
    y = bounds.exp(input.ball)
    return _mapped(input, y, lambda: y)


def _expm1(input: Any) -> Tracked:
    y = expm1(input.ball)
    return _mapped(input, y, lambda: widest(bounds.exp(input.ball), y + number(y.p, 1)))


def _over(base: Ball, scale: float = 1.0) -> Callable[[Ball], Ball]:
    """The gradient g / base: by division, or by the reciprocal."""
    factor = number(base.p, scale) if scale in (1.0, 2.0) else rounded(base.p, scale)
    return lambda g: widest(g / (base * factor) if scale != 1.0 else g / base, (number(base.p, 1) / (base * factor)) * g)


def log(input: Any) -> Tracked:
    return node(bounds.log(input.ball), (input, _over(input.ball)))


def _log1p(input: Any) -> Tracked:
    x = input.ball
    return node(log1p(x), (input, _over(x + number(x.p, 1))))


def _log_to(base: float) -> Callable[[Any], Tracked]:
    def rule(input: Any) -> Tracked:
        scale = math.log(base)
        x = input.ball
        y = smooth(x, np.log2 if base == 2 else np.log10, lambda low, high: np.where(low > 0, 1 / (low * scale), np.inf))
        exact = (x.v == 0) & (x.radius == 0)
        return node(Ball(y.p, y.v, np.where(exact, 0.0, y.radius)), (input, _over(x, scale)))

    return rule


def _exp2(input: Any) -> Tracked:
    y = smooth(input.ball, np.exp2, lambda low, high: np.exp2(high), flushes=True)
    return _mapped(input, y, lambda: y * rounded(y.p, math.log(2)))


def root(input: Any, never_negative: bool = False) -> Tracked:
    """sqrt; the gradient g / (2 y)."""
    y = sqrt(input.ball, never_negative)
    return node(y, (input, _over(y, 2.0)))


def rsqrt(input: Any, never_negative: bool = False) -> Tracked:
    """1 / sqrt x; the gradient -g y^3 / 2, or -g / (2 x sqrt x)."""
    y = number(precision_of(input), 1) / sqrt(input.ball, never_negative)
    return _mapped(input, y, lambda: -(y * y * y).scaled(0.5), np.abs(y.v) ** 3)


def _sin(input: Any) -> Tracked:
    return _mapped(input, bounds.sin(input.ball), lambda: cos(input.ball))


def _cos(input: Any) -> Tracked:
    return _mapped(input, cos(input.ball), lambda: -bounds.sin(input.ball))


def _tan(input: Any) -> Tracked:
    y = smooth(input.ball, np.tan, lambda low, high: np.where(high - low < 0.1, 4 * (1 + np.tan(low) ** 2), np.inf))
    return _mapped(input, y, lambda: y * y + number(y.p, 1))


def _sinh(input: Any) -> Tracked:
    return _mapped(input, _hyperbolic(input.ball, np.sinh), lambda: _hyperbolic(input.ball, np.cosh))


def _cosh(input: Any) -> Tracked:
    return _mapped(input, _hyperbolic(input.ball, np.cosh), lambda: _hyperbolic(input.ball, np.sinh))


def _hyperbolic(x: Ball, f: Any) -> Ball:
    return smooth(x, f, lambda low, high: np.cosh(np.maximum(np.abs(low), np.abs(high))))


def _atan(input: Any) -> Tracked:
    x = input.ball
    y = smooth(x, np.arctan, lambda low, high: np.ones_like(low))
    return node(y, (input, _over(x * x + number(x.p, 1))))


def _tanh(input: Any) -> Tracked:
    y = tanh(input.ball)
    return _mapped(input, y, lambda: sech2(input.ball, y))


def _sigmoid(input: Any) -> Tracked:
    y, rest = bounds.sigmoid(input.ball)
    return _mapped(input, y, lambda: y * rest)


def _silu(input: Any, inplace: bool = False) -> Tracked:
    """x s; the derivative s (1 + x (1 - s)), y + s (1 - y), or s + x s (1 - s)."""
    x = input.ball
    one = number(x.p, 1)
    s, rest = bounds.sigmoid(x)
    y = x * s
    return _mapped(
        input, y, lambda: widest(s * (one + x * rest), y + s * (one - y), s + x * (s * rest), s + (one - s) * y), 1 + np.abs(x.v)
    )


def _erf(input: Any) -> Tracked:
    x = input.ball
    root_2 = number(x.p, math.sqrt(2.0))

    def slope() -> Ball:
        # 2 / sqrt(pi) e^(-x^2) is the normal density at x sqrt 2, up to its constant
        return normal_density(x * root_2) * rounded(x.p, 2 * math.sqrt(2.0))

    return _mapped(input, erf(x), slope)


def _gelu(input: Any, approximate: str = "none") -> Tracked:
    """x Phi(x) with the derivative Phi + x phi; or its approximation by tanh."""
    x: Ball = input.ball
    if approximate == "tanh":
        return _gelu_tanh(input)
    share = normal_share(x)

    def slope() -> Ball:
        return share + x * normal_density(x)

    return _mapped(input, _infinite_free(x, x * share), lambda: _infinite_free(x, slope()), 1 + np.abs(x.v))


def _infinite_free(x: Ball, y: Ball) -> Ball:
    """At an infinity torch's vector loop gives NaN and its scalar loop the limit: nothing is determined there."""
    return Ball(y.p, y.v, np.where(np.isinf(x.v), np.inf, y.radius))


def _gelu_tanh(input: Any) -> Tracked:
    """x (1 + t) / 2, t = tanh(c (x + 0.044715 x^3)); the derivative (1 + t) / 2 + x (1 - t^2) c (1 + 3 * 0.044715 x^2) / 2."""
    x: Ball = input.ball
    p = x.p
    c, k, one = rounded(p, math.sqrt(2 / math.pi)), rounded(p, 0.044715), number(p, 1)
    square = x * x
    inner = c * (x + k * (square * x))
    t = tanh(inner)
    # 1 + t where t is near -1, without the midpoint losing its digits
    share = one + t
    share = Ball(p, np.where(t.v < -0.5, 2 / (1 + np.exp(-2 * inner.v)), share.v), share.r).scaled(0.5)

    def slope() -> Ball:
        steep = c * (one + (k * square).scaled(3))
        return share + (x * sech2(inner, t)).scaled(0.5) * steep

    return _mapped(input, x * share, slope, 1 + np.abs(x.v))


def softplus_of(x: Ball) -> Ball:
    """ln(1 + e^x): max(x, 0) + log1p(e^-|x|), or with ln(1 + e^-|x|), which has no digits left where that is small."""
    p = x.p
    top = bounds.relu(x)
    small = bounds.exp(Ball(p, -np.abs(x.v), x.r))
    return widest(top + log1p(small), top + bounds.log(number(p, 1) + small))


def _softplus(input: Any, beta: float = 1.0, threshold: float = 20.0) -> Tracked:
    """softplus(beta x) / beta. torch takes x itself beyond the threshold; the function is there as well, and allowed."""
    x = input.ball
    p = x.p
    b = number(p, beta)
    inner = x if beta == 1 else x * b
    y, (s, _) = softplus_of(inner), bounds.sigmoid(inner)
    if beta != 1:
        y = y / b
    linear = inner.v > threshold
    left = np.exp(-np.abs(inner.v)) * linear
    y = Ball(p, np.where(linear, x.v, y.v), y.radius + left / beta)
    return _mapped(input, y, lambda: Ball(p, np.where(linear, 1.0, s.v), s.radius + left))


def _log_sigmoid(input: Any) -> Tracked:
    x = input.ball
    s, rest = bounds.sigmoid(-x)
    return _mapped(input, -softplus_of(-x), lambda: widest(s, Ball(x.p, s.v, rest.radius + x.p.u)))


def _mish(input: Any, inplace: bool = False) -> Tracked:
    """x t, t = tanh(softplus x); the derivative t + x s (1 - t^2)."""
    x = input.ball
    inner = softplus_of(x)
    t = tanh(inner)
    s, _ = bounds.sigmoid(x)
    return _mapped(input, x * t, lambda: t + x * (s * sech2(inner, t)), 1 + np.abs(x.v))


def power(input: Any, exponent: Any) -> Tracked:
    """x ** c: (K + |c|) u, for repeated multiplication; the derivative c x ** (c - 1). c ** x: its gradient is y ln c."""
    if isinstance(exponent, Tracked):
        return _exponential(input, exponent)
    x, c = input.ball, exponent
    if not isinstance(c, int | float):
        raise MissingRuleError("torch.pow with a tensor as exponent")
    if c == 0:
        return node(Ball(x.p, np.ones_like(x.v)), (input, lambda g: Ball(g.p, np.zeros_like(g.v))))
    y = _powered(x, float(c))

    def slope() -> Ball:
        factor = number(x.p, c)
        return widest(_powered(x, c - 1.0) * factor, (y * factor) / x) if c != 1 else number(x.p, 1) + number(x.p, 0) * x

    return _mapped(input, y, slope, abs(c))


def _powered(x: Ball, c: float) -> Ball:
    v = x.v ** np.asarray(c, x.p.wide)
    off = abs(c - float(np.asarray(c).astype(x.p.dtype)))
    r = np.abs(v) * (8 + abs(c)) * x.p.u + x.p.eta
    if off:
        r = r + np.where(x.v > 0, np.abs(v * np.log(np.abs(x.v))) * off, 0.0)
    if x.r is not None:
        low, high = np.abs(x.v) - x.r, np.abs(x.v) + x.r
        steep = abs(c) * (high ** (c - 1) if c >= 1 else np.where(low > 0, low ** (c - 1), np.inf))
        negative = (x.v - x.r < 0) if c != int(c) else np.zeros(x.shape, bool)
        r = r + np.where(negative, np.inf, np.where(x.r > 0, x.r * steep, 0.0))
    found = settled(x.p, v, r, x)
    if x.r is None and (special := ~np.isfinite(v) & (~np.isfinite(x.v) | np.isnan(v) | (x.v == 0))).any():
        found.r = np.where(special, 0.0, found.radius)
    return found


def _exponential(base: Any, exponent: Tracked) -> Tracked:
    if not isinstance(base, int | float) or base <= 0:
        raise MissingRuleError("torch.pow with a tensor as exponent")
    scale, x = math.log(base), exponent.ball
    y = smooth(x, lambda v: np.power(np.asarray(base, v.dtype), v), lambda a, b: abs(scale) * np.exp(np.maximum(a * scale, b * scale)))
    # libraries go through e^(x ln base)
    y = Ball(y.p, y.v, y.radius + np.abs(y.v * x.v * scale) * x.p.u)
    return _mapped(exponent, y, lambda: y * rounded(x.p, scale))


def _tanhshrink(input: Any) -> Tracked:
    found: Tracked = RULES["sub"](input, _tanh(input))
    return found


def _softsign(input: Any) -> Tracked:
    found: Tracked = RULES["div"](input, RULES["add"](RULES["abs"](input), 1))
    return found


RULES.update(
    exp=exp, expm1=_expm1, exp2=_exp2, log=log, log1p=_log1p, log2=_log_to(2), log10=_log_to(10), sqrt=lambda input: root(input),
    rsqrt=lambda input: rsqrt(input), sin=_sin, cos=_cos, tan=_tan, sinh=_sinh, cosh=_cosh, atan=_atan, arctan=_atan, tanh=_tanh,
    sigmoid=_sigmoid, silu=_silu, erf=_erf, gelu=_gelu, softplus=_softplus, log_sigmoid=_log_sigmoid, mish=_mish, pow=power,
    tanhshrink=_tanhshrink, softsign=_softsign,
)  # fmt: skip
