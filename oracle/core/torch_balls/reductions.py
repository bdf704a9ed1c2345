"""Sums and other reductions over axes: mean, variance, norm, largest, softmax."""

from __future__ import annotations

from typing import Any

import numpy as np

from oracle.core import bounds
from oracle.core.ball import Array, Ball
from oracle.core.torch_balls import smooth
from oracle.core.torch_balls.functions import sqrt, widest
from oracle.core.torch_balls.moving import picked
from oracle.core.torch_balls.products import divide, multiply, square, subtract
from oracle.core.torch_balls.tape import RULES, MissingRuleError, Tracked, node


def axes_of(dim: Any, ndim: int) -> tuple[int, ...]:
    """The axes that `dim` names, counted from the front; all of them for None."""
    if dim is None or dim == () or dim == []:
        return tuple(range(ndim))
    return tuple(sorted(d % ndim if ndim else 0 for d in ((dim,) if isinstance(dim, int) else dim)))[: ndim or 0]


def _spread(g: Ball, shape: tuple[int, ...], axes: tuple[int, ...]) -> Ball:
    """The gradient of a reduction, back on every element."""
    kept = [1 if i in axes else n for i, n in enumerate(shape)]
    r = None if g.r is None else np.broadcast_to(g.r.reshape(kept), shape)
    return Ball(g.p, np.broadcast_to(g.v.reshape(kept), shape), r)


def total(input: Any, dim: Any = None, keepdim: bool = False, dtype: Any = None) -> Tracked:
    x = input.ball
    axes = axes_of(dim, x.v.ndim)
    ball = x.sum(axis=axes, keepdims=keepdim) if axes else x
    return node(ball, (input, lambda g: _spread(g, x.shape, axes)))


def count(input: Any, dim: Any) -> int:
    return int(np.prod([input.shape[a] for a in axes_of(dim, input.ndim)], dtype=np.int64))


def mean(input: Any, dim: Any = None, keepdim: bool = False, dtype: Any = None) -> Tracked:
    n = count(input, dim)
    return divide(total(input, dim, keepdim), float(n)) if n != 1 else total(input, dim, keepdim)


def _vague(input: Tracked) -> Tracked:
    """The same; but where a gradient is NaN or infinite, the next way of writing it may have the other of both."""
    return node(input.ball, (input, lambda g: Ball(g.p, g.v, np.where(np.isfinite(g.v), g.radius, np.inf))))


def moments(input: Any, dim: Any, correction: float) -> tuple[Tracked, Tracked, Tracked]:
    """(x - mean, variance, mean), with the reduced axes kept."""
    input = _vague(input)
    centre = mean(input, dim, True)
    deviation = subtract(input, centre)
    return deviation, divide(total(square(deviation), dim, True), max(float(count(input, dim) - correction), 0.0)), centre


def variance(input: Any, dim: Any = None, unbiased: Any = None, correction: Any = None, keepdim: bool = False) -> Tracked:
    if isinstance(dim, bool):
        dim, unbiased = None, dim
    less = correction if correction is not None else (1 if unbiased in (None, True) else 0)
    _, spread, _ = moments(input, dim, float(less))
    return spread if keepdim else _dropped(spread, dim)


def _dropped(x: Tracked, dim: Any) -> Tracked:
    axes = axes_of(dim, x.ndim)
    shape = [n for i, n in enumerate(x.shape) if i not in axes]
    result: Tracked = RULES["reshape"](x, shape)
    return result


def deviation(input: Any, dim: Any = None, unbiased: Any = None, correction: Any = None, keepdim: bool = False) -> Tracked:
    return smooth.root(variance(input, dim, unbiased, correction, keepdim), never_negative=True)


def norm(input: Any, ord: Any = 2, dim: Any = None, keepdim: bool = False, dtype: Any = None) -> Tracked:
    """sqrt(sum x^2), also scaled by the largest; the gradient g x / y, 0 where y is 0. ord 1 is the sum of magnitudes."""
    if ord == 1:
        return total(RULES["abs"](input), dim, keepdim)
    if ord not in (2, 2.0, "fro", None):
        raise MissingRuleError(f"torch.linalg.vector_norm of order {ord}")
    x = input.ball
    axes = axes_of(dim, x.v.ndim)
    top = np.abs(x.v).max(axis=axes, keepdims=True, initial=0.0)
    y = sqrt((x * x).sum(axis=axes, keepdims=True), never_negative=True)
    y = Ball(y.p, y.v, np.where(top == 0, 0.0 if x.r is None else y.radius, y.radius))

    def back(g: Ball) -> Ball:
        g = _spread(g, x.shape, axes)
        slope = widest(g * (x / y), (g * x) / y, x * (g / y))
        nothing = np.broadcast_to((y.v == 0) & (y.radius == 0), x.shape)
        still = np.where(np.isfinite(g.v), 0.0, np.inf)
        return Ball(y.p, np.where(nothing, 0.0, slope.v), np.where(nothing, still, slope.radius))

    shown = y if keepdim else y.reshape(*[n for i, n in enumerate(x.shape) if i not in axes])
    return node(shown, (input, back))


def _old_norm(input: Any, p: Any = 2, dim: Any = None, keepdim: bool = False) -> Tracked:
    return norm(input, p, dim, keepdim)


def _extreme(sign: int, spread: bool) -> Any:
    def rule(input: Any, dim: Any = None, keepdim: bool = False) -> Any:
        """The largest along axes. One place has the whole gradient, or all equal ones share it, as torch does by the function."""
        if isinstance(dim, Tracked):
            return RULES["maximum" if sign > 0 else "minimum"](input, dim)
        if dim is None or spread:
            return _shared_extreme(input, dim, keepdim, sign)
        return _at(input, dim, keepdim, sign)

    return rule


def _top(x: Ball, axes: tuple[int, ...], sign: int) -> tuple[Array, Array, Array]:
    """(the extreme, its radius, which places may have it)."""
    if 0 in [x.shape[a] for a in axes]:
        raise MissingRuleError("the largest of no numbers")
    v = sign * (sign * x.v).max(axis=axes, keepdims=True)
    r = x.radius.max(axis=axes, keepdims=True)
    return v, r, sign * x.v + x.radius >= sign * v - r


def _shared_extreme(input: Any, dim: Any, keepdim: bool, sign: int) -> Tracked:
    x = input.ball
    axes = axes_of(dim, x.v.ndim)
    v, r, maybe = _top(x, axes, sign)
    has = (x.v == v) | np.isnan(x.v)
    share = has / np.maximum(has.sum(axis=axes, keepdims=True), 1)
    unsure = (maybe & (x.radius > 0)) & (maybe.sum(axis=axes, keepdims=True) > 1)

    def back(g: Ball) -> Ball:
        g = _spread(g, x.shape, axes)
        found = g * Ball(x.p, share.astype(x.p.wide))
        odd = np.isnan(v) | np.isinf(g.v)
        r = np.where(unsure, np.abs(g.v) + g.radius, np.where(has | ~np.isfinite(found.v), found.radius, 0.0))
        return Ball(x.p, found.v, np.where(odd, np.inf, r))

    ball = Ball(x.p, v, None if x.r is None else r)
    return node(ball if keepdim else ball.reshape(*[n for i, n in enumerate(x.shape) if i not in axes]), (input, back))


def _at(input: Any, dim: int, keepdim: bool, sign: int) -> tuple[Tracked, Any]:
    x = input.ball
    axis = dim % max(x.v.ndim, 1)
    _, r, maybe = _top(x, (axis,), sign)
    where = np.expand_dims(np.argmax(sign * x.v, axis=axis), axis)
    flat = np.take_along_axis(np.arange(x.v.size).reshape(x.shape), where, axis)
    one = picked(input, flat if keepdim else flat.squeeze(axis))
    unsure = maybe & (x.radius > 0) & (maybe.sum(axis=axis, keepdims=True) > 1)
    if unsure.any():
        plain = one.edges[0].vjp

        def back(g: Ball) -> Ball:
            found, wide = plain(g), _spread(g, x.shape, (axis,))
            return Ball(x.p, found.v, np.where(unsure, np.abs(wide.v) + wide.radius, found.radius))

        one = node(Ball(x.p, one.ball.v, r if keepdim else r.squeeze(axis)), (input, back))
    return one, None


def _over_last(x: Ball, dim: int) -> Ball:
    return Ball(x.p, np.moveaxis(x.v, dim, -1), None if x.r is None else np.moveaxis(x.r, dim, -1))


def _back_to(x: Ball, dim: int) -> Ball:
    return Ball(x.p, np.moveaxis(x.v, -1, dim), None if x.r is None else np.moveaxis(x.r, -1, dim))


def softmax(input: Any, dim: Any = None, dtype: Any = None, _stacklevel: int = 3) -> Tracked:
    """The gradient y (g - sum g y), or g y - y sum g y, or by the Jacobian, C terms for each."""
    if not isinstance(dim, int) or input.ndim == 0:
        raise MissingRuleError("torch.softmax without dim")
    y, _, _ = bounds.softmax(_over_last(input.ball, dim))

    def back(g: Ball) -> Ball:
        g = _over_last(g, dim)
        p, classes = g.p, max(g.shape[-1], 1)
        product = g * y
        inner = product.sum(axis=-1, keepdims=True)
        found = widest(y * (g - inner), product - y * inner)
        size = np.abs(g.v)
        weighed = np.abs(product.v).sum(axis=-1, keepdims=True)
        extra = classes * p.u * y.v * (size + weighed) + p.eta * (classes + size.sum(axis=-1, keepdims=True))
        return _back_to(Ball(p, found.v, found.radius + np.where(np.isfinite(extra), extra, 0.0)), dim)

    return node(_back_to(y, dim), (input, back))


def log_softmax(input: Any, dim: Any = None, dtype: Any = None, _stacklevel: int = 3) -> Tracked:
    """d - ln s; the gradient g - y sum g."""
    if not isinstance(dim, int) or input.ndim == 0:
        raise MissingRuleError("torch.log_softmax without dim")
    y, d, log_s = bounds.softmax(_over_last(input.ball, dim))

    def back(g: Ball) -> Ball:
        g = _over_last(g, dim)
        return _back_to(g - y * g.sum(axis=-1, keepdims=True), dim)

    return node(_back_to(d - log_s, dim), (input, back))


def logsumexp(input: Any, dim: Any, keepdim: bool = False) -> Tracked:
    """max + ln sum e^(x - max); the gradient g softmax(x), also as g e^(x - y)."""
    axes = axes_of(dim, input.ndim)
    if len(axes) != 1:
        raise MissingRuleError("torch.logsumexp over several axes")
    x = _over_last(input.ball, axes[0])
    if x.shape[-1] == 0:
        raise MissingRuleError("torch.logsumexp of no numbers")
    y, _, log_s = bounds.softmax(x)
    top = Ball(x.p, x.v.max(axis=-1, keepdims=True), None if x.r is None else x.r.max(axis=-1, keepdims=True))
    found = top + log_s
    # all of them infinite: whether that is an infinity or NaN depends on how it is written
    found = Ball(x.p, found.v, np.where(np.isinf(top.v), np.inf, found.radius))

    def back(g: Ball) -> Ball:
        g = _over_last(g if keepdim else g.reshape(*g.shape[: axes[0]], 1, *g.shape[axes[0] :]), axes[0])
        share = bounds.exp(x - found)
        grad = widest(g * y, g * share)
        # scores so large that their difference to y has no digits: torch's own form is anything then
        lost = np.isinf(top.v) | (np.isfinite(x.v) & np.isinf(share.radius))
        return _back_to(Ball(x.p, grad.v, np.where(lost, np.inf, grad.radius)), axes[0])

    whole = _back_to(found, axes[0])
    return node(whole if keepdim else whole.reshape(*[n for i, n in enumerate(whole.shape) if i != axes[0]]), (input, back))


def cumsum(input: Any, dim: int) -> Tracked:
    """Sums of the first 1, 2 ... n."""
    y = _running(_over_last(input.ball, dim))

    def back(g: Ball) -> Ball:
        return _back_to(_flipped(_running(_flipped(_over_last(g, dim)))), dim)

    return node(_back_to(y, dim), (input, back))


def _running(x: Ball) -> Ball:
    """Running sums over the last axis: n u times the sum of the magnitudes so far."""
    n = np.arange(x.shape[-1])
    v, mass = np.cumsum(x.v, axis=-1), np.cumsum(np.abs(x.v), axis=-1)
    r = np.cumsum(x.radius, axis=-1) + np.where(n > 0, (n + 1) * x.p.u * mass, 0.0)
    lost = np.isfinite(mass) & ~((mass <= x.p.limit) & (r <= x.p.limit))
    return Ball(x.p, v, np.where(lost | np.isinf(np.cumsum(x.radius, axis=-1)), np.inf, np.where(np.isfinite(v), r, 0.0)))


def _flipped(x: Ball) -> Ball:
    return Ball(x.p, x.v[..., ::-1], x.radius[..., ::-1])


RULES.update(
    sum=total, mean=mean, var=variance, std=deviation, linalg_vector_norm=norm, norm=_old_norm, max=_extreme(1, False),
    min=_extreme(-1, False), amax=_extreme(1, True), amin=_extreme(-1, True), softmax=softmax, log_softmax=log_softmax, cumsum=cumsum,
    logsumexp=logsumexp, softmin=lambda input, dim=None, dtype=None, _stacklevel=3: softmax(RULES["neg"](input), dim),
)  # fmt: skip


def normalise(input: Any, p: float = 2.0, dim: int = 1, eps: float = 1e-12, out: Any = None) -> Tracked:
    input = _vague(input)
    return divide(input, RULES["clamp"](norm(input, p, dim, True), eps))


def glu(input: Any, dim: int = -1) -> Tracked:
    a, b = RULES["chunk"](input, 2, dim)
    return multiply(a, RULES["sigmoid"](b))


RULES.update(normalize=normalise, glu=glu)
