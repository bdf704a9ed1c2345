"""Losses, written with the rules of their parts."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from oracle.core import bounds
from oracle.core.ball import Ball
from oracle.core.torch_balls.functions import log1p, number, widest
from oracle.core.torch_balls.kinked import near
from oracle.core.torch_balls.moving import either, picked
from oracle.core.torch_balls.products import divide, multiply, negative, square, subtract
from oracle.core.torch_balls.reductions import log_softmax, mean, total
from oracle.core.torch_balls.smooth import softplus_of
from oracle.core.torch_balls.tape import RULES, MissingRuleError, Tracked, ball_of, node, precision_of


def reduced(terms: Tracked, reduction: str) -> Tracked:
    """mean, sum or none of the terms."""
    if reduction not in ("mean", "sum", "none"):
        raise MissingRuleError(f"the reduction {reduction!r}")
    return mean(terms) if reduction == "mean" else total(terms) if reduction == "sum" else terms


def _plain(*unused: Any) -> None:
    if any(a is not None for a in unused):
        raise MissingRuleError("a loss with weights, or with size_average or reduce")


def _mean_last(found: Ball, x: Ball, n: int) -> Ball:
    """The gradient where the division by n may come last: what overflows before it is not determined."""
    lost = (np.abs(found.v) * n > found.p.limit) & np.isfinite(x.v)
    return Ball(found.p, found.v, np.where(lost, np.inf, found.radius))


def _divided_first(found: Ball, g: Ball, n: int) -> Ball:
    """The gradient where the difference may have been divided by n, and have lost an underflow, before dout multiplied it."""
    return Ball(found.p, found.v, found.radius + np.where(np.isfinite(g.v), np.abs(g.v), 0) * (n * found.p.eta))


def mse_loss(input: Any, target: Any, size_average: Any = None, reduce: Any = None, reduction: str = "mean", weight: Any = None) -> Tracked:
    _plain(size_average, reduce, weight)
    terms = square(subtract(input, target))
    (edge,) = terms.edges
    n = terms.numel() if reduction == "mean" else 1
    return reduced(node(terms.ball, (edge.parent, lambda g: _divided_first(edge.vjp(g), g, n))), reduction)


def l1_loss(input: Any, target: Any, size_average: Any = None, reduce: Any = None, reduction: str = "mean", weight: Any = None) -> Tracked:
    _plain(size_average, reduce, weight)
    return reduced(RULES["abs"](subtract(input, target)), reduction)


def _huber(difference: Tracked, edge: float, divisor: float, scale: float) -> Tracked:
    """scale * (d^2 / (2 divisor) up to `edge`, |d| - edge / 2 beyond); the derivative d / divisor, held between -1 and 1, times scale."""
    d = difference.ball
    p = d.p
    size = Ball(p, np.abs(d.v), d.r)
    by, half, factor = ball_of(divisor, p), ball_of(edge * 0.5, p), ball_of(scale, p)
    inside, unsure = size.v < edge, near(size, ball_of(edge, p))
    y = either(inside, unsure, (d * d).scaled(0.5) / by, size - half) * factor

    def back(g: Ball) -> Ball:
        sign = Ball(p, np.sign(d.v))
        found = either(inside | np.isnan(d.v), unsure, widest((g * d) / by, g * (d / by)), g * sign) * factor
        # an infinity times a difference that may have become 0
        return Ball(p, found.v, np.where(np.isinf(g.v), np.inf, _divided_first(found, g, d.v.size).radius))

    return node(y, (difference, back))


def smooth_l1_loss(
    input: Any, target: Any, size_average: Any = None, reduce: Any = None, reduction: str = "mean", beta: float = 1.0
) -> Tracked:
    _plain(size_average, reduce)
    if beta == 0:
        return l1_loss(input, target, reduction=reduction)
    return reduced(_huber(subtract(input, target), beta, beta, 1.0), reduction)


def huber_loss(input: Any, target: Any, reduction: str = "mean", delta: float = 1.0, weight: Any = None) -> Tracked:
    _plain(weight)
    return reduced(_huber(subtract(input, target), delta, delta, delta), reduction)


_LOG_FLOOR = -100.0


def _floored_log(x: Ball) -> Ball:
    """ln x, not below -100, where torch stops."""
    y = bounds.log(x)
    floor = Ball(y.p, np.full(y.shape, _LOG_FLOOR))
    return either(y.v < _LOG_FLOOR, near(y, _LOG_FLOOR), floor, y)


def binary_cross_entropy(
    input: Any, target: Any, weight: Any = None, size_average: Any = None, reduce: Any = None, reduction: str = "mean"
) -> Tracked:
    """-(t ln x + (1 - t) ln(1 - x)), logarithms not below -100; the gradient (x - t) / (x (1 - x)), divisor not below 1e-12."""
    _plain(weight, size_average, reduce)
    p = precision_of(input, target)
    x, t, one = ball_of(input, p), ball_of(target, p), number(p, 1)
    rest = one - x
    ln_x, ln_rest = _floored_log(x), widest(_floored_log(rest), _lower_log1p(-x))
    terms = -(t * ln_x + (one - t) * ln_rest)

    def back(g: Ball) -> Ball:
        both = rest * x
        # torch's own 1e-12 went through float32
        floor = float(np.float32(1e-12).astype(p.dtype))
        held = Ball(p, np.maximum(both.v, floor), np.where(both.v > floor, both.radius, (1e-12 - floor) * (floor > 0) + floor * p.u))
        slope = (x - t) / held
        parts = (one - t) / rest - t / x
        usual = both.v > floor
        slope = Ball(p, slope.v, np.where(usual & np.isfinite(parts.radius), np.fmax(slope.radius, parts.radius), slope.radius))
        found = widest(g * slope, (g * (x - t)) / held)
        return _mean_last(found, x, max(terms.v.size, 1) if reduction == "mean" else 1)

    return reduced(node(terms, (input, back), (target, lambda g: g * (ln_rest - ln_x))), reduction)


def _lower_log1p(x: Ball) -> Ball:
    y = log1p(x)
    return either(y.v < _LOG_FLOOR, near(y, _LOG_FLOOR), Ball(y.p, np.full(y.shape, _LOG_FLOOR)), y)


def binary_cross_entropy_with_logits(
    input: Any,
    target: Any,
    weight: Any = None,
    size_average: Any = None,
    reduce: Any = None,
    reduction: str = "mean",
    pos_weight: Any = None,
) -> Tracked:
    """max(x, 0) - x t + ln(1 + e^-|x|), or (1 - t) x - ln sigmoid(x); the gradient sigmoid(x) - t."""
    _plain(weight, size_average, reduce, pos_weight)
    p = precision_of(input, target)
    x, t, one = ball_of(input, p), ball_of(target, p), number(p, 1)
    s, _ = bounds.sigmoid(x)
    n = x.v.size if reduction == "mean" else 1
    terms = widest((one - t) * x + softplus_of(-x), softplus_of(x) - x * t)
    return reduced(
        node(terms, (input, lambda g: widest(g * (s - t), (g * s) - g * t)), (target, lambda g: _mean_last(-(g * x), x, n))), reduction
    )


def nll_loss(
    input: Any,
    target: Any,
    weight: Any = None,
    size_average: Any = None,
    ignore_index: int = -100,
    reduce: Any = None,
    reduction: str = "mean",
) -> Tracked:
    _plain(weight, size_average, reduce)
    if isinstance(target, Tracked) or not isinstance(target, torch.Tensor):
        raise MissingRuleError("torch.nn.functional.nll_loss without index labels")
    classes_last = RULES["movedim"](input, 1 if input.ndim > 1 else 0, -1)
    shape = classes_last.shape
    labels = target.numpy()
    counted = labels != ignore_index
    flat = np.arange(labels.size).reshape(labels.shape) * shape[-1] + np.where(counted, labels, 0)
    taken = RULES["where"](torch.from_numpy(np.asarray(counted)), negative(picked(classes_last, np.asarray(flat))), 0.0)
    if reduction == "mean":
        return divide(total(taken), float(counted.sum()))
    return reduced(taken, reduction)


def cross_entropy(
    input: Any, target: Any, weight: Any = None, size_average: Any = None, ignore_index: int = -100, reduce: Any = None,
    reduction: str = "mean", label_smoothing: float = 0.0,
) -> Tracked:  # fmt: skip
    """The negative logarithm of softmax at the label; or its mean weighted by class probabilities."""
    _plain(weight, size_average, reduce)
    if label_smoothing:
        raise MissingRuleError("torch.nn.functional.cross_entropy with label smoothing")
    axis = 1 if input.ndim > 1 else 0
    logs = log_softmax(input, axis)
    if isinstance(target, torch.Tensor) and not target.is_floating_point():
        return nll_loss(logs, target, ignore_index=ignore_index, reduction=reduction)
    rows = negative(total(multiply(logs, target), axis))
    if input.shape[axis] == 0:
        raise MissingRuleError("torch.nn.functional.cross_entropy of no classes")
    if reduction == "mean":
        return divide(total(rows), float(max(rows.numel(), 0)))
    return reduced(rows, reduction)


def kl_div(
    input: Any, target: Any, size_average: Any = None, reduce: Any = None, reduction: str = "mean", log_target: bool = False
) -> Tracked:
    """t (ln t - x), 0 where t is 0."""
    _plain(size_average, reduce)
    if log_target or isinstance(target, Tracked):
        raise MissingRuleError("torch.nn.functional.kl_div with a gradient of its target")
    p = precision_of(input)
    t = ball_of(target, p)
    own = t * bounds.log(t)
    own = Ball(p, np.where(t.v == 0, 0.0, own.v), np.where(t.v == 0, 0.0, own.radius))
    terms = subtract(node(own), multiply(input, target))
    if reduction == "batchmean":
        return divide(total(terms), float(input.shape[0]))
    return reduced(terms, reduction)


RULES.update(
    mse_loss=mse_loss, l1_loss=l1_loss, smooth_l1_loss=smooth_l1_loss, huber_loss=huber_loss, binary_cross_entropy=binary_cross_entropy,
    binary_cross_entropy_with_logits=binary_cross_entropy_with_logits, nll_loss=nll_loss, cross_entropy=cross_entropy, kl_div=kl_div,
)  # fmt: skip
