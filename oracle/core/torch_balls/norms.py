"""Normalisation layers, composed of means, variances and products; and dropout that drops nothing."""

from __future__ import annotations

from typing import Any

import numpy as np

from oracle.core.ball import Ball
from oracle.core.torch_balls import smooth
from oracle.core.torch_balls.products import add, divide, multiply, square, subtract
from oracle.core.torch_balls.reductions import mean, moments
from oracle.core.torch_balls.tape import RULES, MissingRuleError, Tracked, node


def _scaled(x: Tracked, weight: Any, bias: Any, shape: list[int] | None = None) -> Tracked:
    def fitted(a: Any) -> Any:
        return a if shape is None else RULES["reshape"](a, shape) if isinstance(a, Tracked) else a.reshape(shape)

    if weight is not None:
        x = multiply(x, fitted(weight))
    if bias is None:
        return x
    found = add(x, fitted(bias))
    # the bias may be added to a part of the product first: x * scale + (b - mean * scale)
    size = np.abs(found.ball.v - x.ball.v)
    found.ball = Ball(found.ball.p, found.ball.v, found.ball.radius + 2 * found.ball.p.u * np.where(np.isfinite(size), size, 0))
    # and beside an infinity that gives another one, or NaN
    found.ball.r = np.where(np.isinf(found.ball.v), np.inf, found.ball.radius)
    return found


def _standardised(x: Tracked, dims: tuple[int, ...], eps: float) -> Tracked:
    deviation, variance, centre = moments(x, dims, 0)
    scale = smooth.rsqrt(add(variance, eps), never_negative=True)
    y = multiply(deviation, scale)
    # x * scale - mean * scale: the rounding is that of the larger terms
    terms = (np.abs(x.ball.v) + np.abs(centre.ball.v)) * np.abs(scale.ball.v) * (2 * y.ball.p.u)
    y.ball = Ball(y.ball.p, y.ball.v, y.ball.radius + np.where(np.isfinite(terms), terms, 0))
    return y


def layer_norm(input: Any, normalized_shape: Any, weight: Any = None, bias: Any = None, eps: float = 1e-5) -> Tracked:
    dims = tuple(range(-len(normalized_shape), 0))
    return _scaled(_standardised(input, dims, eps), weight, bias)


def rms_norm(input: Any, normalized_shape: Any, weight: Any = None, eps: Any = None) -> Tracked:
    dims = tuple(range(-len(normalized_shape), 0))
    least = float(np.finfo(input.ball.p.dtype).eps) if eps is None else eps
    scale = smooth.rsqrt(add(mean(square(input), dims, True), least), never_negative=True)
    return _scaled(multiply(input, scale), weight, None)


def batch_norm(
    input: Any, running_mean: Any, running_var: Any, weight: Any = None, bias: Any = None,
    training: bool = False, momentum: float = 0.1, eps: float = 1e-5,
) -> Tracked:  # fmt: skip
    """By the batch's own moments when training, by the running ones when not."""
    column = [1, -1] + [1] * (input.ndim - 2)
    if training:
        y = _standardised(input, (0, *range(2, input.ndim)), eps)
    else:
        deviation = subtract(input, running_mean.reshape(column))
        y = divide(deviation, smooth.root(add(node(Ball.exact(input.ball.p, running_var.reshape(column).numpy())), eps)))
    return _scaled(y, weight, bias, column)


def group_norm(input: Any, num_groups: int, weight: Any = None, bias: Any = None, eps: float = 1e-5) -> Tracked:
    grouped = RULES["reshape"](input, (input.shape[0], num_groups, -1))
    y = RULES["reshape"](_standardised(grouped, (2,), eps), tuple(input.shape))
    return _scaled(y, weight, bias, [1, -1] + [1] * (input.ndim - 2))


def instance_norm(
    input: Any, running_mean: Any = None, running_var: Any = None, weight: Any = None, bias: Any = None,
    use_input_stats: bool = True, momentum: float = 0.1, eps: float = 1e-5,
) -> Tracked:  # fmt: skip
    if not use_input_stats:
        raise MissingRuleError("torch.nn.functional.instance_norm with running statistics")
    return group_norm(input, input.shape[1], weight, bias, eps)


def dropout(input: Any, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tracked:
    if training and p > 0:
        raise MissingRuleError("torch.nn.functional.dropout, which is random,")
    return node(input.ball, (input, lambda g: g))


RULES.update(
    layer_norm=layer_norm, rms_norm=rms_norm, batch_norm=batch_norm, group_norm=group_norm, instance_norm=instance_norm, dropout=dropout
)
