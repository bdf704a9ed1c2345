"""A stand-in for a tensor that carries a ball, and the tape that its gradient is taken from.

`Tracked` answers torch's functions, methods and operators by the table RULES: from the name of an operation to a function of tracked
values, with torch's own argument names. What has no rule raises MissingRuleError, and so does whatever would need the numbers themselves.
"""

from __future__ import annotations

import functools
import inspect
import itertools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch

from oracle.core.ball import Array, Ball, Precision

Vjp = Callable[[Ball], Ball]
Rule = Callable[..., Any]
RULES: dict[str, Rule] = {}
_ORDER = itertools.count()
_REFLECTED = {"radd": "add", "rmul": "mul", "rsub": "sub", "rtruediv": "div", "rpow": "pow", "rmatmul": "matmul", "rdiv": "div"}
_SAME = {
    "truediv": "div", "true_divide": "div", "divide": "div", "multiply": "mul", "subtract": "sub", "negative": "neg", "absolute": "abs",
    "greater": "gt", "greater_equal": "ge", "less": "lt", "less_equal": "le", "clip": "clamp", "mT": "adjoint", "T": "t",
    "special_expit": "sigmoid", "expit": "sigmoid", "special_erf": "erf", "special_expm1": "expm1", "special_log1p": "log1p",
    "special_softmax": "softmax", "special_log_softmax": "log_softmax", "special_logsumexp": "logsumexp", "concat": "cat",
    "concatenate": "cat", "logsigmoid": "log_sigmoid", "linalg_norm": "linalg_vector_norm", "and": "logical_and", "or": "logical_or",
    "invert": "logical_not", "bitwise_and": "logical_and", "bitwise_or": "logical_or", "bitwise_not": "logical_not", "float_power": "pow",
    "mm": "matmul", "bmm": "matmul", "mv": "matmul", "dot": "matmul", "linalg_matmul": "matmul",
}  # fmt: skip


class MissingRuleError(Exception):
    """An operation that balls do not go through; its name is the message."""


class Edge(NamedTuple):
    """Where a value came from, and what its gradient makes of that one's."""

    parent: Tracked
    vjp: Vjp


def _named(function: Any) -> str:
    return str(torch.overrides.resolve_name(function) or getattr(function, "__name__", function))


def apply(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """The rule of a torch function, called with its arguments. Raises MissingRuleError."""
    name = _named(function)
    return named_rule(function.__name__ if hasattr(function, "__name__") else name.rsplit(".", 1)[-1], name)(*args, **kwargs)


@functools.cache
def named_rule(name: str, shown: str) -> Rule:
    """The rule called `name`, with arguments in torch's spelling or NumPy's."""
    short = name.strip("_") if name.startswith("__") else name
    swapped = short in _REFLECTED
    short = _REFLECTED.get(short, short)
    rule = RULES.get(_SAME.get(short, short))
    if rule is None:
        raise MissingRuleError(shown)
    signature = inspect.signature(rule)

    def called(*args: Any, **kwargs: Any) -> Any:
        spelled = {{"axis": "dim", "keepdims": "keepdim"}.get(key, key): value for key, value in kwargs.items()}
        if swapped:
            args = (args[1], args[0])
        try:
            signature.bind(*args, **spelled)
        except TypeError:
            raise MissingRuleError(f"{shown} with these arguments") from None
        return rule(*args, **spelled)

    return called


class _Operators:
    """Python's operators and torch's methods, each by its rule."""

    __slots__ = ()

    @classmethod
    def __torch_function__(cls, function: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None) -> Any:
        return apply(function, args, kwargs or {})

    def __getattr__(self, name: str) -> Any:
        # Python looks here only for what is no attribute of ours
        if name.startswith("__") or not hasattr(torch.Tensor, name):
            raise AttributeError(name)
        if name in ("T", "mT"):
            return named_rule(name, f"torch.Tensor.{name}")(self)
        return functools.partial(named_rule(name, f"torch.Tensor.{name}"), self)

    def __bool__(self) -> bool:
        raise MissingRuleError("a branch that depends on the numbers")

    def __float__(self) -> float:
        raise MissingRuleError("a Python number made of a tensor")

    def __iter__(self) -> Any:
        return iter(named_rule("unbind", "torch.Tensor.unbind")(self))


def _binary(name: str, swapped: bool = False) -> Callable[[Any, Any], Any]:
    def operator(a: Any, b: Any) -> Any:
        rule = named_rule(name, f"torch.{name}")
        return rule(b, a) if swapped else rule(a, b)

    return operator


for _name, _rule in {
    "add": "add", "sub": "sub", "mul": "mul", "truediv": "div", "pow": "pow", "matmul": "matmul", "and": "logical_and", "or": "logical_or"
}.items():  # fmt: skip
    setattr(_Operators, f"__{_name}__", _binary(_rule))
    setattr(_Operators, f"__r{_name}__", _binary(_rule, swapped=True))
for _name in ("lt", "le", "gt", "ge", "eq", "ne", "getitem"):
    setattr(_Operators, f"__{_name}__", _binary(_name if _name != "getitem" else "__getitem__"))
for _name, _rule in {"neg": "neg", "abs": "abs", "invert": "logical_not"}.items():
    setattr(_Operators, f"__{_name}__", lambda a, _rule=_rule: named_rule(_rule, f"torch.{_rule}")(a))


class Mask(_Operators):
    """A condition: what it is at the midpoints, and where rounding may have made it the other way round."""

    __slots__ = ("p", "truth", "unsure")
    __hash__ = object.__hash__

    def __init__(self, p: Precision, truth: Array, unsure: Array) -> None:
        self.p, self.truth, self.unsure = p, truth, unsure

    @property
    def ball(self) -> Ball:
        """1 where true, 0 where not; either where unsure."""
        return Ball(self.p, self.truth.astype(self.p.wide), self.unsure.astype(self.p.wide) if self.unsure.any() else None)

    @property
    def shape(self) -> torch.Size:
        return torch.Size(self.truth.shape)


class Tracked(_Operators):
    """A ball and where it came from.

    inner: the inner size of the matrix product that it is, else 0. addends: the terms of the sum that it is, so that adding one more
    allows every order of addition.
    """

    __slots__ = ("addends", "ball", "edges", "inner", "order")
    __hash__ = object.__hash__

    def __init__(self, ball: Ball, edges: tuple[Edge, ...] = (), inner: int = 0, addends: tuple[Ball, ...] = ()) -> None:
        self.ball, self.edges, self.inner, self.addends = ball, edges, inner, addends
        self.order = next(_ORDER)

    @property
    def shape(self) -> torch.Size:
        return torch.Size(self.ball.shape)

    @property
    def ndim(self) -> int:
        return len(self.ball.shape)

    @property
    def dtype(self) -> torch.dtype:
        found: torch.dtype = getattr(torch, self.ball.p.dtype)
        return found

    @property
    def device(self) -> torch.device:
        return torch.device("cpu")

    @property
    def requires_grad(self) -> bool:
        return True

    def __len__(self) -> int:
        return self.ball.shape[0]

    def size(self, dim: int | None = None) -> Any:
        return self.shape if dim is None else self.shape[dim]

    def dim(self) -> int:
        return self.ndim

    def numel(self) -> int:
        return self.ball.v.size

    nelement = numel

    def is_floating_point(self) -> bool:
        return True


def node(ball: Ball, *edges: tuple[Any, Vjp], inner: int = 0, addends: tuple[Ball, ...] = ()) -> Tracked:
    """A result with the edges that lead to tracked operands; constants and conditions have no gradient."""
    return Tracked(ball, tuple([Edge(parent, vjp) for parent, vjp in edges if isinstance(parent, Tracked)]), inner, addends)


def precision_of(*values: Any) -> Precision:
    """The precision that the tracked one of `values` is held in."""
    for value in values:
        if isinstance(value, Tracked):
            return value.ball.p
        if isinstance(value, Mask):
            return value.p
    raise MissingRuleError("an operation without a tracked operand")


def ball_of(value: Any, p: Precision) -> Ball:
    """The ball of a tracked value, a condition, a tensor or a number; a constant that the dtype does not hold is rounded to it."""
    if isinstance(value, Tracked | Mask):
        return value.ball
    if isinstance(value, torch.Tensor):
        value = value.detach().numpy()
    v = np.asarray(value)
    if v.dtype.kind not in "fiub":
        raise MissingRuleError(f"arithmetic with a {type(value).__name__}")
    v = v.astype(p.wide)
    with np.errstate(all="ignore"):
        off = (v.astype(p.dtype).astype(p.wide) != v) & np.isfinite(v)
    return Ball(p, v, np.where(off, np.abs(v) * p.u + p.eta, 0.0) if off.any() else None)


def together(arrived: Sequence[Ball]) -> Ball:
    """The sum of the gradients that arrive at one place, in whichever order."""
    if len(arrived) == 1:
        return arrived[0]
    if len(arrived) == 2:
        return arrived[0] + arrived[1]
    p = arrived[0].p
    return Ball(p, np.stack([g.v for g in arrived]), np.stack([g.radius for g in arrived])).sum(axis=0)


def gradients(roots: Sequence[tuple[Tracked, Ball]], leaves: Sequence[Tracked]) -> list[Ball | None]:
    """The gradient of every leaf, backwards over the tape; None where no path leads to it."""
    arrived: dict[int, list[Ball]] = {}
    waiting: dict[int, Tracked] = {}
    done: dict[int, Ball] = {}
    for root, cotangent in roots:
        waiting[root.order] = root
        arrived.setdefault(root.order, []).append(cotangent)
    while waiting:
        order = max(waiting)
        value = waiting.pop(order)
        total = done[order] = together(arrived.pop(order))
        for parent, vjp in value.edges:
            waiting[parent.order] = parent
            arrived.setdefault(parent.order, []).append(vjp(total))
    return [done.get(leaf.order) for leaf in leaves]
