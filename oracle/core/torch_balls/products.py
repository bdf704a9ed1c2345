"""Sums, products and quotients of two operands, with broadcasting, and matrix products."""

from __future__ import annotations

from typing import Any

import numpy as np

from oracle.core.ball import Ball, K, settled
from oracle.core.torch_balls.functions import number, widest
from oracle.core.torch_balls.tape import RULES, MissingRuleError, Tracked, ball_of, node, precision_of

_MOST_ADDENDS = 8


def add(input: Any, other: Any, alpha: float = 1) -> Tracked:
    """a + b. A sum of more terms allows every order of addition; so does a bias after a matrix product."""
    if alpha != 1:
        other = multiply(other, alpha) if isinstance(other, Tracked) else other * alpha
    p = precision_of(input, other)
    a, b = ball_of(input, p), ball_of(other, p)
    addends = _addends(input, a) + _addends(other, b)
    ball = _ordered(a + b, addends)
    for product, bias in ((input, b), (other, a)):
        if isinstance(product, Tracked) and product.inner:
            ball = Ball(p, ball.v, ball.radius + np.abs(bias.v) * (product.inner * p.u))
    kept = addends if len(addends) <= _MOST_ADDENDS else ()
    return node(ball, (input, lambda g: g.summed_to(a.shape)), (other, lambda g: g.summed_to(b.shape)), addends=kept)


def _addends(value: Any, ball: Ball) -> tuple[Ball, ...]:
    return value.addends if isinstance(value, Tracked) and value.addends else (ball,)


def _ordered(total: Ball, addends: tuple[Ball, ...]) -> Ball:
    """Three terms or more: n u times the sum of their magnitudes, as for every sum."""
    if len(addends) < 3 or total.r is None:
        return total
    mass = sum(np.abs(a.v) for a in addends)
    spread = sum(a.radius for a in addends)
    every_order = spread + len(addends) * total.p.u * mass
    return Ball(total.p, total.v, np.where(np.isfinite(total.v) & np.isfinite(every_order), np.fmax(total.r, every_order), total.r))


def subtract(input: Any, other: Any, alpha: float = 1) -> Tracked:
    p = precision_of(input, other)
    return add(input, negative(other) if isinstance(other, Tracked) else node(-ball_of(other, p)), alpha)


def negative(input: Any) -> Tracked:
    return node(-input.ball, (input, lambda g: -g), addends=tuple([-a for a in input.addends]))


def multiply(input: Any, other: Any) -> Tracked:
    p = precision_of(input, other)
    a, b = ball_of(input, p), ball_of(other, p)
    return node(a * b, (input, lambda g: _weighed(g, b).summed_to(a.shape)), (other, lambda g: _weighed(g, a).summed_to(b.shape)))


def _weighed(g: Ball, factor: Ball) -> Ball:
    """g * factor, where the factor may have been multiplied by others first, and have lost an underflow there."""
    found = g * factor
    return found if found.r is None else Ball(g.p, found.v, found.r + np.where(np.isfinite(g.v), np.abs(g.v), 0) * g.p.eta)


def divide(input: Any, other: Any, rounding_mode: str | None = None) -> Tracked:
    """a / b; the gradients g / b and -g a / b^2, in the orders (g y) / b and g (y / b)."""
    if rounding_mode is not None:
        raise MissingRuleError("torch.div with rounding")
    p = precision_of(input, other)
    a, b = ball_of(input, p), ball_of(other, p)
    y = a / b
    if not isinstance(other, Tracked):
        # a constant is often divided by as a multiplication with its reciprocal
        y = Ball(p, y.v, np.where(np.isfinite(y.radius), y.radius + p.u * np.abs(y.v), y.radius)) if np.isfinite(b.v).all() else y

    def lower(g: Ball) -> Ball:
        return -widest(g * (y / b), (g * y) / b, (g * a) / (b * b)).summed_to(b.shape)

    return node(y, (input, lambda g: (g / b).summed_to(a.shape)), (other, lower))


def square(input: Any) -> Tracked:
    x = input.ball
    return node(x * x, (input, lambda g: widest(g * x.scaled(2), (g * x).scaled(2), g.scaled(2) * x)))


def reciprocal(input: Any) -> Tracked:
    """1 / x; the gradient -g y^2 or -g / x^2."""
    x = input.ball
    y = number(x.p, 1) / x
    return node(y, (input, lambda g: -widest(g * (y * y), (g * y) * y, g / (x * x))))


def _swapped(a: Ball) -> Ball:
    return Ball(a.p, np.swapaxes(a.v, -1, -2), None if a.r is None else np.swapaxes(a.r, -1, -2))


def matmul(input: Any, other: Any) -> Tracked:
    """A @ B of any ranks, as torch has them."""
    p = precision_of(input, other)
    a, b = ball_of(input, p), ball_of(other, p)
    rows = a.reshape(1, *a.shape) if a.v.ndim == 1 else a
    columns = b.reshape(*b.shape, 1) if b.v.ndim == 1 else b
    whole = rows @ columns
    kept = whole.shape[:-2] + (() if a.v.ndim == 1 else whole.shape[-2:-1]) + (() if b.v.ndim == 1 else whole.shape[-1:])

    def left(g: Ball) -> Ball:
        return (g.reshape(*whole.shape) @ _swapped(columns)).summed_to(rows.shape).reshape(*a.shape)

    def right(g: Ball) -> Ball:
        g = g.reshape(*whole.shape)
        if columns.v.ndim == 2 and rows.v.ndim > 2:
            # many matrices against one: summed over all rows at once
            count = int(np.prod(rows.shape[:-1], dtype=np.int64))
            return (rows.reshape(count, rows.shape[-1]).T @ g.reshape(count, whole.shape[-1])).reshape(*b.shape)
        return (_swapped(rows) @ g).summed_to(columns.shape).reshape(*b.shape)

    return node(whole.reshape(*kept), (input, left), (other, right), inner=max(a.shape[-1], 1))


def linear(input: Any, weight: Any, bias: Any = None) -> Tracked:
    """x W^T + b."""
    turned = RULES["t"](weight) if isinstance(weight, Tracked) else weight.t()
    product = matmul(input, turned)
    return product if bias is None else add(product, bias)


def addmm(input: Any, mat1: Any, mat2: Any, beta: float = 1, alpha: float = 1) -> Tracked:
    if beta != 1 or alpha != 1:
        raise MissingRuleError("torch.addmm with factors")
    return add(matmul(mat1, mat2), input)


def hypot(input: Any, other: Any) -> Tracked:
    """sqrt(a^2 + b^2) without overflow on the way; the gradients g a / y and g b / y."""
    p = precision_of(input, other)
    a, b = ball_of(input, p), ball_of(other, p)
    v = np.hypot(a.v, b.v)
    y = settled(p, v, v * (K * p.u) + a.radius + b.radius + p.eta, a, b)
    return node(y, (input, lambda g: (g * (a / y)).summed_to(a.shape)), (other, lambda g: (g * (b / y)).summed_to(b.shape)))


def addcmul(input: Any, tensor1: Any, tensor2: Any, value: float = 1) -> Tracked:
    return add(input, multiply(tensor1, tensor2), value)


RULES.update(
    add=add, sub=subtract, rsub=lambda input, other: subtract(other, input), neg=negative, mul=multiply, div=divide, square=square,
    reciprocal=reciprocal, matmul=matmul, linear=linear, addmm=addmm, addcmul=addcmul, hypot=hypot,
    lerp=lambda input, end, weight: add(input, multiply(subtract(end, input), weight)),
    outer=lambda input, vec2: multiply(RULES["unsqueeze"](input, 1), vec2),
)  # fmt: skip
