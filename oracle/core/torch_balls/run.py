"""Running a user's torch function: on tensors for the expected values, on balls for the allowed error."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from oracle.core.ball import Ball, Precision
from oracle.core.case import Array, Case
from oracle.core.torch_balls.tape import Mask, MissingRuleError, Tracked, ball_of, gradients
from oracle.core.torch_side import compiled

Function = Callable[..., Any]


class Prepared:
    """A torch function of arrays in order. A module is held once for every dtype, its parameters fixed; labels come as int64."""

    def __init__(self, function: Function) -> None:
        self._function = function
        self._modules: dict[torch.dtype, torch.nn.Module] = {}

    def __call__(self, *tensors: Any) -> Any:
        return self._of(tensors)(*[a.long() if _is_labels(a) else a for a in tensors])

    def _of(self, tensors: Sequence[Any]) -> Function:
        if not isinstance(self._function, torch.nn.Module):
            return self._function
        dtype = next(a.dtype for a in tensors if a.is_floating_point())
        if dtype not in self._modules:
            self._modules[dtype] = copy.deepcopy(self._function).to(dtype).requires_grad_(False)
        return self._modules[dtype]


def _is_labels(a: Any) -> bool:
    return isinstance(a, torch.Tensor) and not a.is_floating_point() and a.dtype != torch.bool


def prepared(function: Function | str, names: Sequence[str]) -> Function:
    """What is called with the tensors of `names`, in order: a torch function, a module, a function of tensors or an expression.

    Raises TypeError for anything else.
    """
    if isinstance(function, str):
        return Prepared(compiled(function, tuple(names)))
    if not callable(function) or (isinstance(function, type) and issubclass(function, torch.nn.Module)):
        raise TypeError(f"like: {function!r} is no torch function; give one, a module instance, or an expression such as 'F.silu(x)'")
    return Prepared(function)


def described(function: Any, names: Sequence[str]) -> str:
    """The function and its arguments, as one would write it."""
    if isinstance(function, str):
        return function
    if isinstance(function, torch.nn.Module):
        return f"{' '.join(repr(function).split())}({', '.join(names)})"
    name = torch.overrides.resolve_name(function) or getattr(function, "__qualname__", type(function).__name__)
    return f"{name}({', '.join(names)})"


def _tensors(arrays: Mapping[str, Array]) -> list[torch.Tensor]:
    return [torch.from_numpy(np.array(a)) for a in arrays.values()]


def _tuple(result: Any) -> tuple[Any, ...]:
    return tuple(result) if isinstance(result, tuple | list) else (result,)


def shapes_of(function: Function, arrays: Mapping[str, Array]) -> tuple[tuple[int, ...], ...]:
    """The shapes of the function's results. Raises TypeError where a result is no floating tensor."""
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        results = _tuple(function(*_tensors(arrays)))
    for y in results:
        if not isinstance(y, torch.Tensor) or not y.is_floating_point():
            raise TypeError(f"like: the torch function must return floating tensors, one or a tuple; it returned {type(y).__name__}")
    return tuple(tuple(y.shape) for y in results)


def unused(function: Function, arrays: Mapping[str, Array], wrt: Sequence[str]) -> tuple[str, ...]:
    """The names in `wrt` that no result depends on, so that torch has no gradient of them."""
    tensors = dict(zip(arrays, _tensors(arrays), strict=True))
    leaves = [tensors[name].requires_grad_() for name in wrt]
    roots = [y.sum() for y in _tuple(function(*tensors.values())) if y.requires_grad]
    if not roots:
        return tuple(wrt)
    grads = torch.autograd.grad(roots, leaves, allow_unused=True)
    return tuple(name for name, g in zip(wrt, grads, strict=True) if g is None)


class Propagated:
    """The bounds of a torch function: balls of its results, and of the gradients by the tape."""

    def __init__(self, function: Function, outputs: Sequence[str], wrt: Sequence[str]) -> None:
        self._function, self._outputs, self._wrt = function, tuple(outputs), tuple(wrt)

    def __call__(self, p: Precision, case: Case) -> dict[str, Ball]:
        try:
            return self._through(p, case)
        except MissingRuleError:
            # the probe went through, so it is a special case of its own: a largest of no numbers, for one
            return self._nothing(p, case)

    def probe(self, p: Precision, case: Case) -> None:
        """Raises MissingRuleError where an operation has no rule."""
        self._through(p, case)

    def _nothing(self, p: Precision, case: Case) -> dict[str, Ball]:
        arrays = {**case.inputs, **case.params}
        shapes = {f"forward.{n}": s for n, s in zip(self._outputs, shapes_of(self._function, arrays), strict=True)}
        shapes.update({f"backward.d{n}": arrays[n].shape for n in self._wrt})
        return {n: Ball(p, np.zeros(s, p.wide), np.full(s, np.inf, p.wide)) for n, s in shapes.items()}

    def _through(self, p: Precision, case: Case) -> dict[str, Ball]:
        arrays = {**case.inputs, **case.params}
        given = {name: Tracked(Ball.exact(p, a)) if name in self._wrt else _constant(a) for name, a in arrays.items()}
        with np.errstate(all="ignore"):
            results = [_result(y, p) for y in _tuple(self._function(*given.values()))]
            balls = {f"forward.{name}": y.ball for name, y in zip(self._outputs, results, strict=True)}
            roots = [(y, Ball.exact(p, case.cotangents[n])) for n, y in zip(self._outputs, results, strict=True) if n in case.cotangents]
            if roots:
                leaves = [leaf for leaf in given.values() if isinstance(leaf, Tracked)]
                for name, leaf, g in zip([n for n in given if n in self._wrt], leaves, gradients(roots, leaves), strict=True):
                    balls[f"backward.d{name}"] = Ball(p, np.zeros_like(leaf.ball.v)) if g is None else g
        return {name: _writable(ball) for name, ball in balls.items()}


def _constant(a: Array) -> torch.Tensor:
    return torch.from_numpy(np.array(a))


def _result(y: Any, p: Precision) -> Tracked:
    if isinstance(y, Tracked):
        return y
    if isinstance(y, Mask):
        raise MissingRuleError("a condition as the result")
    return Tracked(ball_of(y, p))


def _writable(ball: Ball) -> Ball:
    return Ball(ball.p, np.array(ball.v), None if ball.r is None else np.array(np.broadcast_to(ball.r, ball.v.shape)))
