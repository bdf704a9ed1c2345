"""Three answers for one parameter, held against one another: which two agree, and who stands alone.

backprop and autograd are compared in all elements, within FACTOR radii of the gradient's ball. A difference may be off by its own error
besides, so it is held against either within FACTOR (error + radius). One that is not known to a given share of the gradient's scale says
nothing; where the kink is the larger part of what is not known, the element lies at a kink.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from oracle.core.ball import Array, Ball
from oracle.core.compare import FACTOR, Comparison, allowed_error, compare
from oracle.nets.gradcheck_differences import Tried
from oracle.results.gradcheck import Alone, Element, GradRow, State

LOOSEST = 1 / 16
"""Where difference and gradient together are known no better than to this share of the gradient's scale, one of half or of twice its size
would not be seen."""
CLEARLY = 100
"""Where no two agree, two that are closer to each other by this factor than either is to the third leave that one alone."""
RESOLVED = {"float64": 1e-4, "float32": LOOSEST, "float16": LOOSEST}
"""By the dtype of the loss: a difference that is not known to this share of the gradient's scale says nothing. In a narrow dtype there is
little to be had."""


class Sides(NamedTuple):
    """backprop's and autograd's gradient of one parameter, the ball of it, and how both compare."""

    name: str
    dtype: str
    backprop: Array
    autograd: Array
    ball: Ball
    compared: Comparison


class Held(NamedTuple):
    """Differences against both sides, for each element tried. ratio_*: over the allowed error, NaN where the difference cannot tell."""

    tried: Tried
    states: Array
    ratio_backprop: Array
    ratio_autograd: Array
    scale: float
    radius: Array

    @property
    def off(self) -> Array:
        """The flat indices of the elements that differ from either side."""
        return np.asarray(self.tried.at[(self.ratio_backprop > 1) | (self.ratio_autograd > 1)])


def sides(name: str, dtype: str, backprop: Array, autograd: Array, ball: Ball) -> Sides:
    """backprop against autograd."""
    with np.errstate(all="ignore"):
        return Sides(name, dtype, backprop, autograd, ball, compare(name, backprop, autograd, ball))


def worst_of(two: Sides) -> int:
    """The flat index of the element in which backprop and autograd are furthest apart, for what they may be."""
    with np.errstate(all="ignore"):
        off = np.abs(two.backprop.astype(np.float64) - two.autograd.astype(np.float64)) / allowed_error(two.ball)
    ranked = np.where(np.isnan(off), np.where(_wrong_numbers(two), np.inf, 0.0), off)
    return int(ranked.argmax()) if ranked.size else 0


def _wrong_numbers(two: Sides) -> Array:
    """Where one side is a number and the other is none."""
    return np.asarray(np.isfinite(two.backprop) != np.isfinite(two.autograd))


def held(two: Sides, tried: Tried, share: float) -> Held:
    """Differences against both sides, those that are known to within this share of the gradient's scale."""
    radius = np.broadcast_to(two.ball.radius, two.ball.v.shape).reshape(-1)[tried.at].astype(float)
    a, b = (side.reshape(-1)[tried.at].astype(float) for side in (two.autograd, two.backprop))
    sizes = np.abs(np.concatenate([two.autograd.reshape(-1).astype(float), tried.value]))
    scale = float(sizes[np.isfinite(sizes)].max(initial=0.0))
    told = share * scale if scale else 0.0
    known = (tried.error <= told) & (tried.error + radius <= max(share, LOOSEST) * scale if scale else False)
    states = np.where(tried.at_kink & (tried.kink > told), "kink", np.where(known, "resolved", "unresolved"))
    return _ratios(Held(tried, states, b, a, scale, radius), a, b)


def _ratios(found: Held, a: Array, b: Array) -> Held:
    resolved = found.states == "resolved"
    allowed = FACTOR * (found.tried.error + found.radius)
    with np.errstate(all="ignore"):
        ratios = [np.where(resolved, np.abs(side - found.tried.value) / allowed, np.nan) for side in (b, a)]
    # a NaN against a number is as far off as can be
    ratios = [np.where(resolved & np.isnan(ratio), np.inf, ratio) for ratio in ratios]
    return found._replace(ratio_backprop=ratios[0], ratio_autograd=ratios[1])


def silenced(two: Sides, found: Held, again: Held, share: float) -> Held:
    """`found` without what a smaller step does not confirm: what the larger crossed was a kink, or nothing can be told.

    What is off is confirmed where it is off for the smaller step as well, or where that gives about the same: it is known less well.
    """
    states, ratios = found.states.copy(), [found.ratio_backprop.copy(), found.ratio_autograd.copy()]
    place = {index: i for i, index in enumerate(again.tried.at.tolist())}
    still = set(again.off.tolist())
    for i, index in enumerate(found.tried.at.tolist()):
        off = [side for side, ratio in zip((two.backprop, two.autograd), ratios, strict=True) if ratio[i] > 1]
        if off and index not in still and not all(_persists(side, found, again, i, place) for side in off):
            known = index in place and again.tried.error[place[index]] + again.radius[place[index]] <= share * found.scale
            states[i] = "kink" if known else "unresolved"
            for ratio in ratios:
                ratio[i] = np.nan
    return found._replace(states=states, ratio_backprop=ratios[0], ratio_autograd=ratios[1])


def _persists(side: Array, found: Held, again: Held, i: int, place: dict[int, int]) -> bool:
    """Whether the smaller step finds the same distance from `side` as the larger, up to a quarter of it."""
    index = int(found.tried.at[i])
    if index not in place:
        return False
    value = found.tried.value[i]
    return bool(abs(value - again.tried.value[place[index]]) <= abs(value - float(side.flat[index])) / 4)


def who(two: Sides, found: Held) -> tuple[Alone, bool]:
    """Who stands alone, and whether differences have told: where backprop is not autograd's and they cannot, torch decides."""
    if two.compared.inconclusive:
        return "nobody", False
    beyond = _at(two, found)
    if not two.compared.ok:
        with_backprop, with_autograd = found.ratio_backprop[beyond] > 1, found.ratio_autograd[beyond] > 1
        told = bool((found.states[beyond] == "resolved").any() and (with_backprop | with_autograd).any())
        if not told or not with_autograd.any():
            return "backprop", told
        return (_furthest(two, found, beyond) if with_backprop.any() else "autograd"), True
    return ("numerical", True) if found.off.size else ("nobody", bool((found.states == "resolved").any()))


def _furthest(two: Sides, found: Held, which: Array) -> Alone:
    """Who is far from the other two where no two agree: a loss that is slightly off leaves a wrong backward as wrong as it is."""
    which = which & (found.states == "resolved")
    at, d = found.tried.at[which], found.tried.value[which]
    a, b = (side.reshape(-1)[at].astype(float) for side in (two.autograd, two.backprop))
    pairs: dict[Alone, float] = {"backprop": _most(a - d), "autograd": _most(b - d), "numerical": _most(b - a)}
    near, next_ = sorted(pairs.values())[:2]
    return min(pairs, key=pairs.__getitem__) if near * CLEARLY <= next_ else "all"


def _most(off: Array) -> float:
    return float(np.nan_to_num(np.abs(off), nan=math.inf).max())


def _at(two: Sides, found: Held) -> Array:
    """Which of the elements tried are those in which backprop is not autograd's."""
    with np.errstate(all="ignore"):
        off = ~(np.abs(two.backprop.astype(float) - two.autograd.astype(float)) <= allowed_error(two.ball))
    return np.asarray(off.reshape(-1)[found.tried.at])


def row(two: Sides, found: Held, alone: Alone, message: str, diagnosis: str) -> GradRow:
    """All of it as a record."""
    compared, resolved = two.compared, found.states == "resolved"
    status: State = "failed" if alone != "nobody" else "inconclusive" if compared.inconclusive else "passed" if resolved.any() else "open"
    allowed = FACTOR * (found.tried.error + found.radius)
    a, b = (side.reshape(-1)[found.tried.at].astype(float) for side in (two.autograd, two.backprop))
    return GradRow(
        parameter=two.name,
        dtype=two.dtype,
        shape=two.backprop.shape,
        n_elements=two.backprop.size,
        n_over=compared.n_mismatched,
        n_undetermined=compared.n_undetermined,
        n_tried=found.tried.at.size,
        n_resolved=int(resolved.sum()),
        n_kinks=int((found.states == "kink").sum()),
        n_unresolved=int((found.states == "unresolved").sum()),
        apart_backprop_autograd=_mean(two.backprop.astype(float) - two.autograd.astype(float)),
        apart_backprop_numerical=_mean(b - found.tried.value),
        apart_autograd_numerical=_mean(a - found.tried.value),
        margin_backprop_autograd=None if compared.n_elements == compared.n_undetermined else compared.margin,
        margin_backprop_numerical=_largest(found.ratio_backprop),
        margin_autograd_numerical=_largest(found.ratio_autograd),
        sees=float((allowed[resolved] / found.scale).max()) if resolved.any() and found.scale else None,
        scale=found.scale,
        worst=_element(two, found),
        alone=alone,
        status=status,
        message=message,
        diagnosis=diagnosis,
    )


def _mean(off: Array) -> float | None:
    """The mean absolute difference, over what are numbers."""
    off = np.abs(off[np.isfinite(off)])
    return float(off.mean()) if off.size else None


def _largest(ratios: Array) -> float | None:
    told = ratios[~np.isnan(ratios)]
    return float(told.max()) if told.size else None


def _element(two: Sides, found: Held) -> Element | None:
    """The element in which any two of the three are furthest apart, for what they may be."""
    if not two.backprop.size:
        return None
    at = worst_of(two)
    ratios = np.nan_to_num(np.maximum(found.ratio_backprop, found.ratio_autograd), nan=-1.0)
    if two.compared.ok and ratios.size and ratios.max() > max(two.compared.margin, 0.0):
        at = int(found.tried.at[int(ratios.argmax())])
    place = {index: i for i, index in enumerate(found.tried.at.tolist())}.get(at)
    value = math.nan if place is None else float(found.tried.value[place])
    radius = allowed_error(two.ball).reshape(-1)
    return Element(
        index=tuple(int(i) for i in np.unravel_index(at, two.backprop.shape)),
        backprop=float(two.backprop.flat[at]),
        autograd=float(two.autograd.flat[at]),
        numerical=value if math.isfinite(value) else None,
        allowed=float(radius[at]),
        error=float(found.tried.error[place]) if place is not None and math.isfinite(value) else None,
        state="not tried" if place is None else str(found.states[place]),  # type: ignore[arg-type]
    )
