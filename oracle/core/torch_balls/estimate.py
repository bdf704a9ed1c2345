"""The weak mode: an allowed error estimated from torch itself, for a function with an operation that has no ball rule.

How far torch's answer moves when every input moves by two units roundoff is a scale, not a bound: right layers may be convicted where a
function saturates, and wrong ones pass where it is steep.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from oracle.core.ball import Array, Ball, Precision
from oracle.core.case import Arrays, Case

DRAWS = 8
LIMIT = 32
"""The allowed error is LIMIT times the largest movement seen; a ball's radius is a quarter of it."""


class Estimated:
    """Bounds by perturbation. `missing` names the operation for which there is no rule.

    The midpoint is torch in float64 for the smaller dtypes; for float64, where there is nothing wider, torch itself.
    """

    def __init__(self, function: Callable[..., Any], outputs: Sequence[str], wrt: Sequence[str], missing: str) -> None:
        self._function, self._outputs, self._wrt = function, tuple(outputs), tuple(wrt)
        self.missing = missing

    def __call__(self, p: Precision, case: Case) -> dict[str, Ball]:
        rng = np.random.default_rng(case.digest())
        arrays = {**case.inputs, **case.params}
        plain = self._answers(arrays, case.cotangents)
        middle = plain if p.dtype == "float64" else self._answers(_wider(arrays), _wider(case.cotangents))
        moved = [self._answers(_moved(rng, arrays, p), case.cotangents) for _ in range(DRAWS)]
        balls = {}
        for i, name in enumerate([f"forward.{n}" for n in self._outputs] + [f"backward.d{n}" for n in self._wrt]):
            v = middle[i].astype(p.wide)
            off = np.max([np.abs(m[i].astype(p.wide) - plain[i]) for m in moved], axis=0)
            r = (off + p.u * np.abs(v) + p.eta) * (LIMIT / 4)
            odd = ~np.isfinite(v) | ~np.isfinite(plain[i])
            balls[name] = Ball(p, v, np.where(odd | ~np.isfinite(r) | (np.abs(v) > p.limit), np.inf, r))
        return balls

    def _answers(self, arrays: Arrays, cotangents: Arrays) -> list[Array]:
        given = {name: torch.from_numpy(np.array(a)) for name, a in arrays.items()}
        leaves = [given[name].requires_grad_() for name in self._wrt]
        found = self._function(*given.values())
        results = found if isinstance(found, tuple) else (found,)
        roots = [y for n, y in zip(self._outputs, results, strict=True) if n in cotangents]
        grads = torch.autograd.grad(roots, leaves, [torch.from_numpy(np.array(g)) for g in cotangents.values()]) if roots else ()
        return [y.detach().numpy() for y in results] + [g.numpy() for g in grads]


def _wider(arrays: Arrays) -> Arrays:
    return {name: a.astype(np.float64) if a.dtype.kind == "f" else a for name, a in arrays.items()}


def _moved(rng: np.random.Generator, arrays: Arrays, p: Precision) -> Arrays:
    def nudged(a: Array) -> Array:
        return np.asarray(a * (1 + 2 * p.u * rng.choice([-1, 1], a.shape))).astype(a.dtype) if a.dtype.kind == "f" else a

    with np.errstate(all="ignore"):
        # in float64 a product with 1 +- 2 u is right to the last place
        return {name: nudged(a.astype(np.float64)).astype(a.dtype) if a.dtype.kind == "f" else a for name, a in arrays.items()}
