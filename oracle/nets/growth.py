"""How far rounding may drive two trainings apart that take the same steps: shadows of the twin, and the distance of parameters.

Net and twin start from equal parameters and see the same batches. Let S and T be the maps of one step of the net and of torch, and d the
difference of their parameters. Then exactly

    d(k+1) = [T(net(k)) - T(twin(k))] + [S(net(k)) - T(net(k))]

The second bracket is what a step from *equal* parameters is off by: each step is judged on it, element by element. The first is torch
against torch: how this very training makes of a difference a larger or smaller one, whoever made it. A bound of it that holds for every
training, the product of 1 + lr L over all steps, says nothing after a few hundred of them. So it is measured, step by step and by torch
alone: t(k) = |T(net(k)) - T(twin(k))| is what became of |d(k)|. With most(k) for the second bracket, and allowed(0) = 0,

    allowed(k+1) = allowed(k) + (t(k) - |d(k)|) + most(k)    where torch has made the distance larger
    allowed(k+1) = allowed(k) t(k) / |d(k)| + most(k)        where torch has made it smaller

|d(k)| <= allowed(k) follows by induction wherever the steps conform and nobody else moves the parameters, also where a relu opens on one
side alone and throws the two apart. The most that a step theta' = theta - lr g can have been off by: with m the worst margin of this
parameter's gradient so far, at most 1, and a the allowed error of g,

    m lr a + 2 (2 u |lr g| + u |theta'|)

for both sides round lr to the dtype, the product and the difference.

How the same training treats other differences is shown beside it, as Monte Carlo arithmetic does (Parker, Monte Carlo Arithmetic, UCLA
CSD-970002, 1997): a *shadow* is a twin each of whose steps is pushed, up or down in every element, by that most. One shadow has its signs
drawn once: a bias that adds up. The others have them drawn anew at each step: noise.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from oracle.core.ball import PRECISIONS
from oracle.core.case import Array, Arrays
from oracle.core.torch_twin import Twin

DRIFT = 0
"""The shadow whose signs are drawn once."""


def most(
    params: Mapping[str, Array], grads: Mapping[str, Array], allowed: Mapping[str, Array], margins: Mapping[str, float], lr: float
) -> Arrays:
    """By how much the parameters after a step can have differed. params: those after it. allowed: of the gradients. margins: the worst of
    each gradient so far. 0 where nothing is determined, or the net has gone to infinity: nothing can be said there, and shadows go on."""
    found = {}
    for name, p in params.items():
        u = PRECISIONS[p.dtype.name].u
        a = np.where(np.isfinite(allowed[name]), allowed[name], 0.0)
        g = grads[name] if grads[name].shape == p.shape else np.zeros_like(p)
        pushed = min(margins[name], 1.0) * lr * a + 2 * u * (2 * np.abs(lr * g) + np.abs(p))
        found[name] = np.where(np.isfinite(pushed), pushed, 0.0)
    return found


class Allowed:
    """How far net and twin may be apart, in the 2-norm. apart: how far they are."""

    def __init__(self, allowed: float, apart: float) -> None:
        self.allowed, self._apart = allowed, apart

    def step(self, torch_apart: float, most: float, apart: float) -> None:
        """One step on: torch_apart: how far apart torch's own steps from both sides' parameters lead; most: that of this step."""
        if torch_apart < self._apart:
            self.allowed *= torch_apart / self._apart
        else:
            self.allowed += torch_apart - self._apart
        self.allowed += most
        self._apart = apart


class Shadows:
    """Twins that are pushed. shadows: the trainings themselves, the first of them the drift."""

    def __init__(self, shadows: Sequence[Twin], seed: int) -> None:
        self.shadows = list(shadows)
        self._seed = seed
        self._fixed: Arrays = {}

    def step(self, number: int, x: Array, t: Array, lr: float, pushed: Mapping[str, Array]) -> None:
        """Step `number` of every shadow, each pushed by `pushed` afterwards."""
        for k, shadow in enumerate(self.shadows):
            shadow.update(x, t, lr)
            signs = self._drift(pushed) if k == DRIFT else _signs(pushed, (self._seed, k, number))
            shadow.push({name: np.asarray(signs[name] * pushed[name], p.dtype) for name, p in shadow.params.items()})

    def distance(self, params: Mapping[str, Array]) -> float:
        """That of the shadow which is furthest from `params`; 0 where there is none."""
        return max((distance(shadow.params, params)[0] for shadow in self.shadows), default=0.0)

    def _drift(self, pushed: Mapping[str, Array]) -> Arrays:
        if not self._fixed:
            self._fixed = _signs(pushed, (self._seed, DRIFT, 0))
        return self._fixed


def _signs(like: Mapping[str, Array], seed: tuple[int, ...]) -> Arrays:
    """1 or -1 for every element."""
    draw = np.random.default_rng(seed)
    return {name: draw.integers(0, 2, a.shape, np.int8) * np.int8(2) - np.int8(1) for name, a in like.items()}


def distance(a: Mapping[str, Array], b: Mapping[str, Array]) -> tuple[float, dict[str, float]]:
    """The 2-norm of a - b over that of b, all together and by name; 0 / 0 is 0.

    The same infinity on both sides, or NaN on both, is no distance; on one side alone it is an infinite one.
    """
    with np.errstate(all="ignore"):
        apart = {name: _apart(a[name], b[name]) for name in b}
        whole = {name: norm(b[name]) for name in b}
        return _ratio(together(apart.values()), together(whole.values())), {name: _ratio(apart[name], whole[name]) for name in b}


def together(norms: Iterable[float]) -> float:
    """The norm of several arrays from that of each."""
    return math.hypot(*norms)


def apart(a: Mapping[str, Array], b: Mapping[str, Array]) -> float:
    """The 2-norm of a - b, all together; see `distance`."""
    with np.errstate(all="ignore"):
        return together(_apart(a[name], b[name]) for name in b)


def norm(a: Array) -> float:
    """The 2-norm of all finite elements, in float64. Without BLAS, whose threads cost more than they bring for so few elements."""
    with np.errstate(over="ignore"):
        found = float(np.sqrt(np.square(a, dtype=np.float64).sum()))
    if math.isfinite(found):
        return found
    finite = a[np.isfinite(a)].astype(np.float64)
    largest = np.abs(finite).max(initial=0.0)
    return float(largest * np.sqrt(np.square(finite / largest).sum())) if largest else 0.0


def _apart(a: Array, b: Array) -> float:
    """The 2-norm of a - b, which is never NaN."""
    off = a.astype(np.float64) - b
    found = float(np.sqrt(np.square(off).sum()))
    if math.isfinite(found):
        return found
    off = np.where((a == b) | (np.isnan(a) & np.isnan(b)), 0.0, off)
    return norm(off) if np.isfinite(off).all() else math.inf


def _ratio(a: float, b: float) -> float:
    if a == 0 or b == 0:
        return 0.0 if a == 0 else math.inf
    return a / b if math.isfinite(a) else math.inf
