"""Functions with kinks: at a kink exactly, torch's own rule; where rounding may have crossed one, either side."""

from __future__ import annotations

from typing import Any

import numpy as np

from oracle.core import bounds
from oracle.core.ball import Array, Ball, Precision
from oracle.core.torch_balls.functions import expm1, number, rounded, widest
from oracle.core.torch_balls.moving import either, zero
from oracle.core.torch_balls.tape import RULES, MissingRuleError, Tracked, ball_of, node, precision_of


def near(x: Ball, edge: Ball | float) -> Array:
    """Where rounding may have taken x to the other side of `edge`."""
    at, r = (edge.v, edge.radius) if isinstance(edge, Ball) else (edge, 0.0)
    r = x.radius + r
    return np.asarray((r > 0) & ~(np.abs(x.v - at) > r))


def constant(p: Precision, value: float) -> Ball:
    """A number of the formula: exact where the dtype holds it."""
    return ball_of(value, p)


def relu(input: Any, inplace: bool = False) -> Tracked:
    return node(bounds.relu(input.ball), (input, lambda g: bounds.gated(g, input.ball)))


def absolute(input: Any) -> Tracked:
    """|x|; the gradient is g times the sign, 0 at 0 and at NaN."""
    x = input.ball
    sign = np.where(np.isnan(x.v), 0.0, np.sign(x.v))
    r = np.where(near(x, 0.0), 2.0, 0.0)
    return node(Ball(x.p, np.abs(x.v), x.r), (input, lambda g: _signed(g, sign, r)))


def _signed(g: Ball, sign: Array, r: Array) -> Ball:
    """g * sign without rounding."""
    v = g.v * sign
    radius = g.radius * np.abs(sign) + np.where(r > 0, r * (np.abs(g.v) + g.radius), 0.0)
    return Ball(g.p, v, np.where(np.isnan(radius) | np.isinf(g.radius), np.where(np.isinf(g.radius), np.inf, 0.0), radius))


def _between(x: Ball, low: float | None, high: float | None, open_: bool) -> tuple[Array, Array]:
    """(inside, unsure): whether x lies between the edges, which count as inside unless `open_`."""
    inside, unsure = np.ones(x.shape, bool), np.zeros(x.shape, bool)
    for edge, sign in ((low, 1), (high, -1)):
        if edge is not None:
            at = constant(x.p, edge)
            away = sign * (x.v - at.v.astype(x.p.dtype).astype(x.p.wide))
            inside &= (away > 0) if open_ else (away >= 0)
            unsure |= near(x, edge)
    return inside, unsure


def _held(x: Ball, low: float | None, high: float | None) -> Ball:
    """x held between two numbers; which bring their own rounding where they are reached."""
    p = x.p
    ball = x
    for edge, wins in ((low, np.less), (high, np.greater)):
        if edge is not None:
            at = constant(p, edge)
            at = Ball(p, np.broadcast_to(at.v.astype(p.dtype).astype(p.wide), x.shape), np.broadcast_to(at.radius, x.shape))
            ball = either(wins(ball.v, at.v), near(ball, at), at, ball)
    return ball


def clamp(input: Any, min: Any = None, max: Any = None) -> Tracked:
    """The gradient is g from edge to edge, both included; 0 outside."""
    if any(a is not None and not isinstance(a, int | float) for a in (min, max)):
        raise MissingRuleError("torch.clamp with tensors as edges")
    x = input.ball
    inside, unsure = _between(x, min, max, open_=False)
    return node(_held(x, min, max), (input, lambda g: either(inside, unsure, g, zero(g))))


def hardtanh(input: Any, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> Tracked:
    """The gradient is g between the edges, 0 at them."""
    x = input.ball
    inside, unsure = _between(x, min_val, max_val, open_=True)
    return node(_held(x, min_val, max_val), (input, lambda g: _kinds_of_nan(x, either(inside, unsure, g, zero(g)))))


def relu6(input: Any, inplace: bool = False) -> Tracked:
    return hardtanh(input, 0.0, 6.0)


def leaky_relu(input: Any, negative_slope: float = 0.01, inplace: bool = False) -> Tracked:
    x = input.ball
    slope = constant(x.p, negative_slope)
    above, unsure = x.v > 0, near(x, 0.0)
    return node(either(above, unsure, x, x * slope), (input, lambda g: either(above, unsure, g, g * slope)))


def _kinds_of_nan(x: Ball, g: Ball) -> Ball:
    """At NaN torch's vector loop and its scalar loop give different gradients, so none is determined there."""
    return Ball(g.p, g.v, np.where(np.isnan(x.v), np.inf, g.radius))


def prelu(input: Any, weight: Any) -> Tracked:
    p = precision_of(input, weight)
    if not isinstance(weight, Tracked):
        weight = node(ball_of(weight, p))
    wide = RULES["reshape"](weight, [-1] + [1] * (len(input.shape) - 2)) if len(input.shape) > 1 else weight
    found: Tracked = RULES["where"](RULES["gt"](input, 0), input, RULES["mul"](input, wide))
    return found


def hardsigmoid(input: Any, inplace: bool = False) -> Tracked:
    """min(max(x + 3, 0), 6) / 6, also written x / 6 + 1/2; the gradient g / 6 between -3 and 3.

    torch writes 1 / 6 as a float32 number also in float64, which is 3e-8 off: that much is allowed there.
    """
    x = input.ball
    p = x.p
    six = number(p, 6)
    y = _held(x + number(p, 3), 0.0, 6.0) / six
    y = Ball(p, y.v, y.radius + 2 * p.u * (np.abs(y.v) + (y.v > 0) * (y.v < 1)))
    inside, unsure = _between(x, -3.0, 3.0, open_=True)
    return node(y, (input, lambda g: either(inside, unsure, _blurred(g / six), zero(g))))


def _blurred(g: Ball) -> Ball:
    off = abs(float(np.float32(1 / 6)) * 6 - 1) if g.p.dtype == "float64" else 0.0
    return Ball(g.p, g.v, g.radius + off * np.where(np.isfinite(g.v), np.abs(g.v), 0))


def hardswish(input: Any, inplace: bool = False) -> Tracked:
    """x min(max(x + 3, 0), 6) / 6; the gradient g (x / 3 + 1/2) between -3 and 3, g above."""
    x = input.ball
    p = x.p
    six = number(p, 6)
    y = x * _held(x + number(p, 3), 0.0, 6.0) / six
    y = Ball(p, y.v, y.radius + 2 * p.u * np.abs(y.v) + p.eta * (1 + np.where(np.isfinite(x.v), np.abs(x.v), 0)))
    above, below = x.v >= 3, x.v <= -3

    def back(g: Ball) -> Ball:
        middle = g * (x / number(p, 3) + rounded(p, 0.5))
        return _kinds_of_nan(x, either(below, near(x, -3.0), zero(g), either(above, near(x, 3.0), g, middle)))

    return node(y, (input, back))


def threshold(input: Any, threshold: float, value: float, inplace: bool = False) -> Tracked:
    x = input.ball
    above, unsure = ~(x.v <= threshold), near(x, threshold)
    filled = Ball(x.p, np.broadcast_to(constant(x.p, value).v, x.shape))
    return node(either(above, unsure, x, filled), (input, lambda g: either(above, unsure, g, zero(g))))


def _larger(sign: int) -> Any:
    def rule(input: Any, other: Any) -> Tracked:
        """The larger of two, or the smaller: the gradient goes to whose it is, half to each of two that are equal."""
        p = precision_of(input, other)
        a, b = ball_of(input, p), ball_of(other, p)
        gap = sign * (a.v - b.v)
        r = a.radius + b.radius
        unsure = (r > 0) & ~(np.abs(gap) > r)
        first = (gap > 0) | np.isnan(a.v) | ((a.v == b.v) & (a.r is None))
        ball = either(first, unsure, a, b)

        def share(lost: Array, tie: Array) -> Any:
            weight = np.where(lost, 0.0, np.where(tie, 0.5, 1.0))
            return lambda g: _shared(g, weight, unsure)

        tie = a.v == b.v
        lost_a, lost_b = sign * a.v < sign * b.v, sign * b.v < sign * a.v
        return node(
            ball,
            (input, lambda g: share(lost_a, tie)(g).summed_to(a.shape)),
            (other, lambda g: share(lost_b, tie)(g).summed_to(b.shape)),
        )

    return rule


def _shared(g: Ball, weight: Array, unsure: Array) -> Ball:
    """The part of g that each element gets: nothing, half or all; anything between where unsure."""
    v = np.where(weight == 0, 0.0, g.v * weight)
    r = np.where(weight == 0, 0.0, g.radius * weight + (weight == 0.5) * g.p.eta)
    r = np.where(unsure, np.abs(g.v) + g.radius, r)
    return Ball(g.p, v, np.where(np.isnan(r), np.inf, r))


def _elu(input: Any, alpha: float = 1.0, inplace: bool = False, scale: float = 1.0, inner: float = 1.0) -> Tracked:
    """scale x above 0, scale alpha (e^(inner x) - 1) below; the derivative (y + scale alpha) inner, by y or by e^(inner x)."""
    x = input.ball
    p = x.p
    upper, lower = _constant(p, scale), _constant(p, scale * alpha)
    held = Ball(p, np.minimum(x.v, 0), x.r)
    deep = held if inner == 1 else held * _constant(p, inner)
    e = bounds.exp(deep)
    below = widest(lower * expm1(deep), lower * (e - number(p, 1)))
    open_ = ~(x.v <= 0)
    unsure = (x.radius > 0) & ~(np.abs(x.v) > x.radius)
    straight = x if scale == 1 else x * upper
    factor = lower if inner == 1 else lower * _constant(p, inner)

    def slope(g: Ball) -> Ball:
        low = g * widest(factor * e, (below if inner == 1 else below * _constant(p, inner)) + factor)
        found = either(open_, unsure, g if scale == 1 else g * upper, low)
        # at NaN torch gives g in its scalar loop and NaN in its vector loop
        return Ball(p, found.v, np.where(np.isnan(x.v), np.inf, found.radius))

    return node(either(open_, unsure, straight, below), (input, slope))


def _constant(p: Any, value: float) -> Ball:
    return number(p, value) if value == int(value) else rounded(p, value)


def _selu(input: Any, inplace: bool = False) -> Tracked:
    return _elu(input, 1.6732632423543772, scale=1.0507009873554805)


def _celu(input: Any, alpha: float = 1.0, inplace: bool = False) -> Tracked:
    return _elu(input, alpha, inner=1 / alpha)


RULES.update(
    elu=lambda input, alpha=1.0, inplace=False: _elu(input, alpha), selu=_selu, celu=_celu,
    relu=relu, abs=absolute, clamp=clamp, hardtanh=hardtanh, relu6=relu6, leaky_relu=leaky_relu, prelu=prelu, hardsigmoid=hardsigmoid,
    hardswish=hardswish, threshold=threshold, maximum=_larger(1), minimum=_larger(-1), clamp_min=lambda input, min: clamp(input, min),
    clamp_max=lambda input, max: clamp(input, None, max),
    sign=lambda input: node(Ball(input.ball.p, np.where(np.isnan(input.ball.v), 0.0, np.sign(input.ball.v)), 2.0 * near(input.ball, 0.0)),
                            (input, zero)),
)  # fmt: skip
