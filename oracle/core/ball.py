"""Ball arithmetic: what rounding in a working dtype can do to any reasonable evaluation of a formula.

A `Ball` is a midpoint `v` and a radius `r`, both arrays in a wider dtype. Each operation below propagates the radii of its operands
and adds what its own rounding in the *working* dtype can cost, so that the balls of the textbook formula give, for every element of
every result, the error that any honest implementation may make on these very inputs. Nothing here is tuned.

u = unit roundoff of the working dtype, eta = its smallest subnormal, tiny = its smallest normal, F = half its largest finite number
(half, so that a value within F stays finite when its radius is added); K = 8 for elementary functions, which is up to 4 ulp (the
worst measured is NumPy's float32 log: 3.3 ulp).
Sums carry n*u: the classic bound that holds for every order of summation (Higham, Accuracy and Stability of Numerical Algorithms,
2nd ed., section 4.2), not sqrt(n)*u, which fails on structured data.

An infinite radius says *not determined*: the result may overflow, or hangs on which of two roundings happened. Where `v` itself is
NaN or infinite and `r` is 0, every evaluation gives just that. `r` is None for exact values.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
K = 8.0


class Precision(NamedTuple):
    """A working dtype's constants, and the wider dtype that balls are computed in."""

    dtype: str
    wide: Any
    u: float
    eta: float
    tiny: float
    limit: float


def precision(dtype: str, wide: Any = np.float64) -> Precision:
    """The constants of `dtype`: float16, float32 or float64; balls are held in `wide`."""
    info = np.finfo(dtype)
    return Precision(dtype, wide, float(info.eps) / 2, float(info.smallest_subnormal), float(info.tiny), float(info.max) / 2)


PRECISIONS = {name: precision(name) for name in ("float16", "float32", "float64")}
EXTENDED = {name: precision(name, np.longdouble if name == "float64" else np.float64) for name in PRECISIONS}
"""Balls for the referee: float64 cases get an extended midpoint where the platform has one (x86); elsewhere longdouble is double."""


class Ball:
    """Midpoint `v`, radius `r` (None: exact) of a quantity computed in the working dtype `p`."""

    __slots__ = ("p", "r", "v")

    def __init__(self, p: Precision, v: Array, r: Array | None = None) -> None:
        self.p = p
        self.v = v
        self.r = r

    @classmethod
    def exact(cls, p: Precision, value: npt.ArrayLike) -> Ball:
        """An input: known without error."""
        return cls(p, np.asarray(value).astype(p.wide, copy=False))

    @property
    def radius(self) -> Array:
        """`r`, as an array of v's shape also where the ball is exact."""
        return np.zeros_like(self.v) if self.r is None else self.r

    @property
    def shape(self) -> tuple[int, ...]:
        return self.v.shape

    @property
    def T(self) -> Ball:  # noqa: N802 - NumPy's own name
        return Ball(self.p, self.v.T, None if self.r is None else self.r.T)

    def reshape(self, *shape: int) -> Ball:
        return Ball(self.p, self.v.reshape(shape), None if self.r is None else self.r.reshape(shape))

    def __neg__(self) -> Ball:
        return Ball(self.p, -self.v, self.r)

    def __add__(self, other: Ball) -> Ball:
        v = self.v + other.v
        r = np.abs(v) * self.p.u
        for part in (self.r, other.r):
            if part is not None:
                r = r + part
        return settled(self.p, v, r, self, other)

    def __sub__(self, other: Ball) -> Ball:
        return self + -other

    def __mul__(self, other: Ball) -> Ball:
        v = self.v * other.v
        r = np.abs(v) * self.p.u
        # times an exact 0 nothing underflows; whatever else is 0 here may be an underflow already
        exact = self.r is None and other.r is None
        r += (((self.v != 0) & (other.v != 0)) * self.p.eta) if exact else self.p.eta
        if other.r is not None:
            r += np.abs(self.v) * other.r
        if self.r is not None:
            r += self.r * (np.abs(other.v) if other.r is None else np.abs(other.v) + other.r)
        return settled(self.p, v, r, self, other, product=True)

    def __truediv__(self, other: Ball) -> Ball:
        v = self.v / other.v
        r = np.abs(v) * self.p.u + self.p.eta
        size = np.abs(other.v)
        if self.r is not None or other.r is not None:
            gap = size - other.radius
            spread = (self.radius + np.abs(v) * other.radius) / np.where(gap > 0, gap, np.nan)
            r = r + np.where(gap > 0, spread, np.inf)
        quotient = settled(self.p, v, r, self, other, product=True)
        if other.r is None and (other.v == 0).any():
            # division by an exact 0 is no overflow: it gives NaN or an infinity whoever divides, if the dividend's sign is known
            certain = (self.radius == 0) | (np.abs(self.v) > self.radius)
            quotient.r = np.where((other.v == 0) & certain, 0.0, quotient.radius)
        return quotient

    def __matmul__(self, other: Ball) -> Ball:
        """Inner size k: |A| rB + rA (|B| + rB) + k u |A||B| + k eta."""
        k = self.v.shape[-1]
        v = self.v @ other.v
        size_a, size_b = np.abs(self.v), np.abs(other.v)
        r = size_a @ size_b
        largest = r.max(initial=0.0)
        # where all products are 0 there is nothing to round
        underflow = (r > 0) * (k * self.p.eta)
        r *= k * self.p.u
        r += underflow
        if other.r is not None:
            r += size_a @ other.r
        if self.r is not None:
            r += self.r @ (size_b if other.r is None else size_b + other.r)
        if largest <= self.p.limit and ((self.r is None and other.r is None) or r.max(initial=0.0) <= self.p.limit):
            return Ball(self.p, v, r)
        return _settled_matmul(self, other, v, r)

    def plus_bias(self, bias: Ball, k: int) -> Ball:
        """A product of inner size k plus a bias: as addition, plus k u |bias|, for the bias may be added first."""
        total = self + bias
        assert total.r is not None
        total.r = total.r + np.abs(bias.v) * (k * self.p.u)
        return total

    def sum(self, axis: int | tuple[int, ...] | None = None, keepdims: bool = False) -> Ball:
        """Sum r + n u Sum |a| over n terms; one term is passed on as it is."""
        v = self.v.sum(axis=axis, keepdims=keepdims)
        n = self.v.size // max(v.size, 1)
        if n == 1:
            return Ball(self.p, v, None if self.r is None else self.r.sum(axis=axis, keepdims=keepdims))
        size = np.abs(self.v).sum(axis=axis, keepdims=keepdims)
        r = size * (n * self.p.u)
        if self.r is not None:
            r = r + self.r.sum(axis=axis, keepdims=keepdims)
        if size.max(initial=0.0) <= self.p.limit and (self.r is None or r.max(initial=0.0) <= self.p.limit):
            return Ball(self.p, v, r)
        finite = np.isfinite(self.v)
        bounded = np.where(finite, np.abs(self.v), 0).sum(axis=axis, keepdims=keepdims) <= self.p.limit
        lost = ~bounded | (False if self.r is None else ~np.isfinite(self.r).all(axis=axis, keepdims=keepdims))
        special = ~finite.all(axis=axis, keepdims=keepdims)
        lost |= ~special & ~(r <= self.p.limit)
        return Ball(self.p, v, np.where(lost, np.inf, np.where(special, 0.0, r)))

    def summed_to(self, shape: tuple[int, ...]) -> Ball:
        """The gradient of broadcasting: summed over every axis that `shape` lacks or has with size 1."""
        if self.v.shape == shape:
            return self
        lead = self.v.ndim - len(shape)
        stretched = (i + lead for i, n in enumerate(shape) if n == 1 and self.v.shape[i + lead] != 1)
        axes = (*range(lead), *stretched)
        return self.sum(axis=axes, keepdims=True).reshape(*shape) if axes else self.reshape(*shape)

    def scaled(self, factor: float) -> Ball:
        """Times an exactly known number."""
        return self * Ball.exact(self.p, np.asarray(factor))

    def capped(self, cap: Array | float) -> Ball:
        """The radius cut at `cap`, for results that are known to be bounded whatever happened before."""
        return self if self.r is None else Ball(self.p, self.v, np.where(np.isnan(self.r), cap, np.minimum(self.r, cap)))


def settled(p: Precision, v: Array, r: Array, *operands: Ball, product: bool = False) -> Ball:
    """The ball of an elementwise result, with the radius made infinite where nothing is determined.

    r >= u |v| here, so one sum tells whether everything is finite and in range; the rest is for the few arrays that are not.
    """
    if r.sum() <= p.u * p.limit:
        return Ball(p, v, r)
    finite_in = np.ones(v.shape, bool)
    lost = np.zeros(v.shape, bool)
    for a in operands:
        finite_in &= np.isfinite(a.v)
        if a.r is not None:
            lost |= ~np.isfinite(a.r)
            if product:
                # an infinity or a 0 beside a value of unknown sign: both inf and NaN are right answers
                lost |= (a.r > 0) & ~(np.abs(a.v) > a.r) & ~np.isfinite(v)
    # also where the value is within range and its radius reaches beyond: another evaluation may overflow
    lost |= finite_in & ~((np.abs(v) <= p.limit) & (r <= p.limit))
    lost |= np.isfinite(v) & ~np.isfinite(r)
    return Ball(p, v, np.where(lost, np.inf, np.where(np.isfinite(v), r, 0.0)))


def _settled_matmul(a: Ball, b: Ball, v: Array, r: Array) -> Ball:
    """A matrix product with overflow, NaN or infinities in it: what is still determined, and what is not."""
    finite_a, finite_b = np.isfinite(a.v), np.isfinite(b.v)
    size = np.where(finite_a, np.abs(a.v), 0) @ np.where(finite_b, np.abs(b.v), 0)
    lost = ~(size <= a.p.limit)
    # an infinity that meets a value of unknown sign, or a radius that is infinite itself
    for x, y_special, left in ((a, ~finite_b, True), (b, ~finite_a, False)):
        if x.r is not None:
            unsure = ((x.r > 0) & ~(np.abs(x.v) > x.r)).astype(x.p.wide)
            endless = (~np.isfinite(x.r)).astype(x.p.wide)
            special = y_special.astype(x.p.wide)
            ones = np.ones_like(special)
            hit = (unsure @ special + endless @ ones) if left else (special @ unsure + ones @ endless)
            lost |= hit > 0
    special = ((~finite_a).astype(a.p.wide) @ np.ones_like(b.v) + np.ones_like(a.v) @ (~finite_b).astype(a.p.wide)) > 0
    lost |= ~special & ~(np.isfinite(v) & (r <= a.p.limit))
    lost |= np.isfinite(v) & ~np.isfinite(r)
    return Ball(a.p, v, np.where(lost, np.inf, np.where(special, 0.0, r)))
