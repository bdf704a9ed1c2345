"""Operations that move numbers and compute nothing, and cat, stack, where and the comparisons.

A moving operation runs in torch itself on the numbers of the places: what comes out says where every element comes from.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from oracle.core.ball import Array, Ball
from oracle.core.torch_balls.tape import RULES, Mask, MissingRuleError, Tracked, ball_of, node, precision_of

MOVING = (
    "reshape", "view", "flatten", "ravel", "transpose", "swapaxes", "swapdims", "permute", "t", "adjoint", "squeeze", "unsqueeze",
    "expand", "broadcast_to", "repeat", "tile", "flip", "roll", "select", "narrow", "split", "chunk", "unbind", "movedim", "moveaxis",
    "unflatten", "diagonal", "diag", "gather", "index_select", "take", "unfold", "repeat_interleave", "rot90", "fliplr", "flipud",
    "tensor_split", "hsplit", "vsplit",
)  # fmt: skip
_UNCHANGED = ("contiguous", "clone", "to", "type_as", "float", "double", "half", "requires_grad_", "identity")


def picked(x: Tracked, index: Array) -> Tracked:
    """The elements of x at flat places `index`; a gradient goes back to its place, where several meet as a sum."""
    shape, size = x.ball.shape, x.ball.v.size
    ball = Ball(x.ball.p, x.ball.v.reshape(-1)[index], None if x.ball.r is None else x.ball.r.reshape(-1)[index])
    return node(ball, (x, lambda g: _put_back(g, index, size).reshape(*shape)))


def _put_back(g: Ball, index: Array, size: int) -> Ball:
    p, flat = g.p, index.reshape(-1)
    v = np.zeros(size, p.wide)
    times = np.bincount(flat, minlength=size)
    if times.max(initial=0) <= 1:
        v[flat] = g.v.reshape(-1)
        if g.r is None:
            return Ball(p, v)
        r = np.zeros(size, p.wide)
        r[flat] = g.r.reshape(-1)
        return Ball(p, v, r)
    mass, r = np.zeros(size, p.wide), np.zeros(size, p.wide)
    for into, of in ((v, g.v), (mass, np.abs(g.v)), (r, g.radius)):
        np.add.at(into, flat, of.reshape(-1))
    r = r + np.where(times > 1, times * p.u * mass, 0.0)
    return Ball(p, v, np.where(np.isfinite(v) & ~((mass <= p.limit) & (r <= p.limit)), np.inf, np.where(np.isfinite(v), r, 0.0)))


def _moving(name: str) -> Callable[..., Any]:
    function = getattr(torch.Tensor, name)

    def rule(input: Any, *args: Any, **kwargs: Any) -> Any:
        if isinstance(input, Mask):
            truth, unsure = (function(torch.from_numpy(a), *args, **kwargs) for a in (input.truth, input.unsure))
            return Mask(input.p, truth.numpy(), unsure.numpy())
        if not isinstance(input, Tracked):
            raise MissingRuleError(f"torch.{name} of places that depend on the numbers")
        places = function(torch.arange(input.ball.v.size).reshape(input.ball.shape), *args, **kwargs)
        return tuple([picked(input, i.numpy()) for i in places]) if isinstance(places, tuple | list) else picked(input, places.numpy())

    return rule


RULES.update({name: _moving(name) for name in (*MOVING, "__getitem__")})
RULES["getitem"] = RULES["__getitem__"]


def _unchanged(input: Any, *args: Any, **kwargs: Any) -> Any:
    asked = [a for a in (*args, *kwargs.values()) if isinstance(a, torch.dtype)]
    p = precision_of(input)
    if isinstance(input, Mask):
        return node(input.ball)
    if any(str(a) != f"torch.{p.dtype}" for a in asked):
        raise MissingRuleError("a change of dtype")
    return input


def _cast(name: str) -> Callable[[Any], Any]:
    def rule(input: Any) -> Any:
        return _unchanged(input, getattr(torch, name))

    return rule


RULES.update({name: _unchanged for name in _UNCHANGED if name not in ("float", "double", "half")})
RULES.update({name: _cast(kind) for name, kind in {"float": "float32", "double": "float64", "half": "float16"}.items()})


def _detach(input: Any) -> Any:
    return node(precision_of(input) and input.ball)


def _filled(value: float) -> Callable[..., Any]:
    def rule(input: Any, *shape: Any, **kwargs: Any) -> Any:
        return torch.full(tuple(input.shape), value, dtype=getattr(torch, precision_of(input).dtype))

    return rule


RULES.update({"detach": _detach, "zeros_like": _filled(0.0), "ones_like": _filled(1.0)})
RULES["expand_as"] = lambda input, other: RULES["expand"](input, other.shape)
RULES["view_as"] = RULES["reshape_as"] = lambda input, other: RULES["reshape"](input, other.shape)


def _cat(tensors: Any, dim: int = 0) -> Tracked:
    p = precision_of(*tensors)
    balls = [ball_of(a, p) for a in tensors]
    ends = np.cumsum([b.shape[dim] for b in balls])

    def back(start: int, end: int) -> Callable[[Ball], Ball]:
        at = [slice(None)] * balls[0].v.ndim
        at[dim] = slice(start, end)
        return lambda g: Ball(p, g.v[tuple(at)], None if g.r is None else g.r[tuple(at)])

    ball = Ball(p, np.concatenate([b.v for b in balls], axis=dim), np.concatenate([b.radius for b in balls], axis=dim))
    return node(ball, *[(a, back(e - b.shape[dim], e)) for a, b, e in zip(tensors, balls, ends.tolist(), strict=True)])


def _stack(tensors: Any, dim: int = 0) -> Tracked:
    return _cat([a.unsqueeze(dim) for a in tensors], dim)


def either(sure: Array, unsure: Array, chosen: Ball, other: Ball) -> Ball:
    """`chosen` where sure, `other` where not; where unsure, whatever either would give."""
    v = np.where(sure, chosen.v, other.v)
    if not unsure.any():
        if chosen.r is None and other.r is None:
            return Ball(chosen.p, v)
        return Ball(chosen.p, v, np.where(sure, chosen.radius, other.radius))
    r, far = np.where(sure, chosen.radius, other.radius), np.where(sure, other.radius, chosen.radius)
    gap = np.abs(chosen.v - other.v)
    r = np.where(unsure, np.fmax(r, gap + far), r)
    return Ball(chosen.p, v, np.where(np.isnan(r) | (unsure & np.isnan(gap)), np.inf, r))


def zero(g: Ball) -> Ball:
    return Ball(g.p, np.zeros_like(g.v))


def _where(condition: Any, input: Any, other: Any) -> Tracked:
    p = precision_of(condition, input, other)
    truth, unsure = _condition(condition)
    a, b = ball_of(input, p), ball_of(other, p)
    ball = either(truth, unsure, a, b)
    return node(
        ball,
        (input, lambda g: either(truth, unsure, g, zero(g)).summed_to(a.shape)),
        (other, lambda g: either(truth, unsure, zero(g), g).summed_to(b.shape)),
    )


def _condition(condition: Any) -> tuple[Array, Array]:
    if isinstance(condition, Mask):
        return condition.truth, condition.unsure
    if isinstance(condition, torch.Tensor) and condition.dtype == torch.bool:
        truth = condition.numpy()
        return truth, np.zeros_like(truth)
    raise MissingRuleError("torch.where on a condition that is not bool")


def _masked_fill(input: Any, mask: Any, value: Any) -> Tracked:
    return _where(mask, value, input)


RULES.update({"cat": _cat, "stack": _stack, "where": _where, "masked_fill": _masked_fill})


def _comparison(compare: Any) -> Callable[[Any, Any], Mask]:
    def rule(input: Any, other: Any) -> Mask:
        p = precision_of(input, other)
        a, b = ball_of(input, p), ball_of(other, p)
        r = a.radius + b.radius
        # equal midpoints of exact values are a tie; of others, they may be anything
        unsure = (r > 0) & ~(np.abs(a.v - b.v) > r) & ~np.isnan(a.v - b.v)
        return Mask(p, compare(a.v, b.v), np.broadcast_to(unsure, np.broadcast_shapes(a.shape, b.shape)))

    return rule


RULES.update(
    gt=_comparison(np.greater),
    ge=_comparison(np.greater_equal),
    lt=_comparison(np.less),
    le=_comparison(np.less_equal),
    eq=_comparison(np.equal),
    ne=_comparison(np.not_equal),
)


def _logical(function: Any) -> Callable[..., Mask]:
    def rule(*operands: Any) -> Mask:
        p = precision_of(*operands)
        pairs = [_condition(o) for o in operands]
        truth = function(*[t for t, _ in pairs])
        unsure = np.zeros_like(truth)
        for _, u in pairs:
            unsure = unsure | u
        return Mask(p, truth, unsure)

    return rule


RULES.update(
    logical_and=_logical(np.logical_and),
    logical_or=_logical(np.logical_or),
    logical_not=_logical(np.logical_not),
    logical_xor=_logical(np.logical_xor),
)


def _isnan(input: Any) -> Mask:
    v = input.ball.v
    return Mask(precision_of(input), np.isnan(v), np.isinf(input.ball.radius))


RULES["isnan"] = _isnan
