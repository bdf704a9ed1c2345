"""The numerical side of a gradient check: differences of the loss that the net itself gives; see `oracle.core.differences`.

**Step.** The loss is off by at most the radius E of its ball, so the difference by E / h, and by the truncation, which grows with h^2: both
balance at about the cube root of E (Press et al., Numerical Recipes, 3rd ed., section 5.7). h is the power of two at or above it, times
the power of two at or above the element where that is larger than 1. The ball at the net's own parameters stands for those at the five
points: one element is moved by h alone.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, Protocol

import numpy as np

from oracle.core.ball import PRECISIONS
from oracle.core.case import Array
from oracle.core.differences import OFFSETS, Difference, Points, difference, points

CHUNK = 64
"""Elements that are asked for at once: a net in another process answers in one go."""
LARGEST_STEP = 0.25
_NOTHING = Difference(math.nan, math.inf, 0.0, math.inf)


class Loss(Protocol):
    """A net whose loss can be asked for with one element moved; see `oracle.subjects.nets`."""

    def losses(self, name: str, indices: Sequence[int], offsets: Sequence[float], x: Array, t: Array) -> Array: ...


class Differing(NamedTuple):
    """How differences are taken: of which net, on which batch, in which dtype, with which step, and how far a loss may be off."""

    net: Loss
    x: Array
    t: Array
    dtype: str
    step: float
    rounding: float


def step_for(rounding: float, dtype: str) -> float:
    """The step for a loss that may be off by `rounding`."""
    error = max(rounding, PRECISIONS[dtype].u)
    return min(2.0 ** math.ceil(math.log2(error) / 3), LARGEST_STEP) if math.isfinite(error) else LARGEST_STEP


def differences(how: Differing, name: str, values: Array, indices: Sequence[int]) -> Iterator[tuple[int, Difference]]:
    """The derivative with respect to each element `indices` of the parameter `name`, whose flat values are `values`.

    In an order of its own: elements with the same step are asked for together. One whose losses are no numbers is known to within infinity.
    """
    by_step: dict[float, list[tuple[int, Points]]] = {}
    for index in indices:
        where = points(float(values[index]), how.step, how.dtype)
        by_step.setdefault(where.h, []).append((index, where))
    if not by_step:
        return
    centre = how.net.losses(name, indices[:1], [0.0], how.x, how.t)[0, 0]
    for h, group in by_step.items():
        for start in range(0, len(group), CHUNK):
            some = group[start : start + CHUNK]
            moved = how.net.losses(name, [index for index, _ in some], [k * h for k in OFFSETS if k], how.x, how.t)
            for (index, where), (low, below, above, high) in zip(some, moved.astype(np.float64), strict=True):
                yield index, _of(how, where, (low, below, float(centre), above, high))


def _of(how: Differing, where: Points, losses: Sequence[float]) -> Difference:
    if not all(math.isfinite(loss) for loss in (*losses, how.rounding)):
        return _NOTHING
    y = [np.array([loss]) for loss in losses]
    return difference(where, y, np.ones(1), np.array([how.rounding]), how.dtype)


def chosen(name: str, backprop: Array, autograd: Array, worst: int, samples: int | None, seed: int) -> list[int]:
    """The elements to try, in order: all, or `samples` of them.

    The largest of both gradients and the `worst` element always; of the others half from where there is a gradient, as under images most
    of a first layer has none.
    """
    size = backprop.size
    if samples is None or samples >= size:
        return list(range(size))
    a, b = np.nan_to_num(np.abs(autograd.reshape(-1))), np.nan_to_num(np.abs(backprop.reshape(-1)))
    taken = list(dict.fromkeys([worst, int(a.argmax()), int(b.argmax())]))[:samples]
    rng = np.random.default_rng((seed, zlib.crc32(name.encode())))
    with_gradient = np.setdiff1d(np.flatnonzero((a > 0) | (b > 0)), taken)
    n = min((samples - len(taken) + 1) // 2, with_gradient.size)
    taken += rng.choice(with_gradient, n, replace=False).tolist()
    rest = np.setdiff1d(np.arange(size), taken)
    taken += rng.choice(rest, samples - len(taken), replace=False).tolist()
    return sorted(taken)


class Tried(NamedTuple):
    """Differences of some elements of a parameter: flat indices, the values, what each can be off by, and what of that is a kink.

    at_kink: the kink is the largest part.
    """

    at: Array
    value: Array
    error: Array
    kink: Array
    at_kink: Array


def tried(found: dict[int, Difference]) -> Tried:
    """`found` as arrays, by index."""
    at = sorted(found)
    each = [found[index] for index in at]
    return Tried(
        np.array(at, int),
        np.array([d.value for d in each], float),
        np.array([d.error for d in each], float),
        np.array([d.kink for d in each], float),
        np.array([d.at_kink(0.0) for d in each], bool),
    )


def measured(
    how: Differing, name: str, values: Array, indices: Sequence[int], into: dict[int, Difference], advance: Callable[[str], None]
) -> None:
    """Put the difference of each element into `into` as soon as it is known, so that an interrupt loses nothing."""
    for index, found in differences(how, name, values, indices):
        into[index] = found
        advance(name)
