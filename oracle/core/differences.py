"""Derivatives by differences, each with what it can be off by: what torch.autograd is held against. Needs no torch.

L(x) = sum of c * y(x) is the function whose gradient autograd gives for the cotangents c. For one element x of an input, y is taken at
x, x +- h and x +- 2h, and

    D(h) = (L(x+h) - L(x-h)) / 2h      the central difference
    G(h) = (L(x+h) - 2 L(x) + L(x-h)) / h      the gap between the two one-sided ones

**Step.** h = 2^-17 times the power of two at or above max(|x|, 1): about the cube root of the unit roundoff u = 2^-53, where truncation
h^2 and rounding u / h balance (Press et al., Numerical Recipes, 3rd ed., section 5.7). h is a multiple of the spacing of x where
|x| >= 1, so x + h loses a bit at most; the quotient is taken over the distance of the two points as they are, which is exact up to u.
Another step, and a narrower dtype of x, may be given.

**Truncation.** D(h) - L' = h^2 L'''/6 + ..., and D(2h) - D(h) = h^2 L'''/2 + ...: three times as much, so |D(2h) - D(h)| bounds it
wherever L is smooth on the scale of h.

**Kinks.** A jump J of the slope at x + t h, 0 <= t <= 1, makes D(h) wrong by J (1-t)/2, which is J/2 right at the kink, where
D(2h) - D(h) = -J t/4 is silent. But for a smooth L, G(h) = h L'' + O(h^3), so that K = |G(2h) - 2 G(h)| is O(h^3); with the jump it is
J |1 - 3t/2|, and K + |D(2h) - D(h)| = J (|1 - 3t/2| + t/4) >= J (1-t)/2 for every t. So K is added to the truncation, and where it is
the larger part of what cannot be told, the element lies at a kink.

**Rounding.** Torch's y is off by at most the radius r of the spec's own ball of the forward, so L(x+h) - L(x-h) by 2 E, E = sum |c| r,
with r the largest of those at x and x +- 2h, and D(h) by E / h. The y are subtracted first, element by element, and then summed by
math.fsum: u for each difference, each product, the quotient and the step, together 4 u sum |c dy| / 2h, and the smallest subnormal for
each product that underflows. Where x +- h is rounded, the points are not quite symmetric: by 2 u (|x| + h), which costs half of
that times L'', and h L'' = G(h).

**Autograd** itself may round: by the radius of the spec's ball of that gradient.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from oracle.core.ball import PRECISIONS
from oracle.core.case import Array

_P = PRECISIONS["float64"]
OFFSETS = (-2, -1, 0, 1, 2)
STEP = 2.0**-17
"""h where no element is larger than 1."""


class Points(NamedTuple):
    """Where a function of one element is evaluated: h, and x + k h for k in OFFSETS, as they are after rounding."""

    h: float
    at: tuple[float, ...]


class Difference(NamedTuple):
    """A derivative, what of it is truncation, kink and rounding: an upper bound of each."""

    value: float
    truncation: float
    kink: float
    rounding: float

    @property
    def error(self) -> float:
        """How far the derivative can be off."""
        return self.truncation + self.kink + self.rounding

    def at_kink(self, told: float) -> bool:
        """Whether it is a kink that keeps the derivative from being known to within `told`."""
        return self.kink > told and self.kink >= max(self.truncation, self.rounding)


def points(x: float, step: float = STEP, dtype: str = "float64") -> Points:
    """The five points around x, rounded to `dtype`."""
    h = step * 2.0 ** math.ceil(math.log2(max(abs(x), 1.0)))
    return Points(h, tuple(float(np.asarray(x + k * h).astype(dtype)) for k in OFFSETS))


def difference(where: Points, y: list[Array], c: Array, r: Array, dtype: str = "float64") -> Difference:
    """The derivative of sum(c * y) from y at the five points, all flat and of one size; r: the radius of y, the largest of them.

    dtype: of x. y is subtracted in float64 whatever it is.
    """
    h = where.h
    far, near = _slope(where, y, c, 0, 4), _slope(where, y, c, 1, 3)
    gaps = [_slope(where, y, c, 2, 2 + k) - _slope(where, y, c, 2 - k, 2) for k in (1, 2)]
    moved = math.fsum(np.abs(c) * np.abs(y[3] - y[1]))
    spread = math.fsum(np.abs(c) * r) + c.size * _P.eta
    skew = 2 * PRECISIONS[dtype].u * (abs(where.at[2]) + h) * abs(gaps[0]) / h
    return Difference(
        value=near,
        truncation=abs(far - near),
        kink=abs(gaps[1] - 2 * gaps[0]),
        rounding=spread / h + 4 * _P.u * moved / (2 * h) + skew,
    )


def _slope(where: Points, y: list[Array], c: Array, low: int, high: int) -> float:
    """(L at `high` - L at `low`) over their distance."""
    return math.fsum(c * (y[high] - y[low])) / (where.at[high] - where.at[low])
