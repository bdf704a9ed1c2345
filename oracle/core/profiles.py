"""Which numbers an array holds. Each profile was the only one to expose some fault.

A profile fills an array of a shape and dtype from a generator. Its share is its weight in the table: cotangents are normal half of
the time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from oracle.core.case import Array

Rng = np.random.Generator
Shape = tuple[int, ...]


class Profile(NamedTuple):
    """A named way to fill an array."""

    name: str
    fill: Callable[[Rng, Shape, str], Array]


# around these exp, tanh and sigmoid switch from one regime to the next in some dtype
THRESHOLDS = np.array(
    [
        15,
        16.6,
        17.3,
        36.7,
        37.5,
        40,
        87.3,
        88.5,
        88.8,
        89,
        103,
        104,
        110,
        300,
        600,
        700,
        708.5,
        709.5,
        710,
        740,
        745,
        746,
        760,
        1e3,
        5e3,
        1e4,
    ]
)
THRESHOLDS = np.concatenate([THRESHOLDS, -THRESHOLDS])
TIES = np.array([0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 2.0, 0.0])
SPECIAL = np.array([np.nan, np.inf, -np.inf])
SATURATING = np.array([30.0, 100.0, 1e3, 1e4])
# decades that a single operation stays within
DECADES = {"float16": 3.0, "float32": 30.0, "float64": 30.0}


def _normal(rng: Rng, shape: Shape, dtype: str) -> Array:
    if dtype == "float16":
        return np.asarray(rng.standard_normal(shape)).astype(dtype)
    return np.asarray(rng.standard_normal(shape, dtype=dtype))  # type: ignore[call-overload]


def _ints(rng: Rng, shape: Shape, dtype: str) -> Array:
    return np.asarray(rng.integers(-3, 4, shape)).astype(dtype)


def _uniform(rng: Rng, shape: Shape, dtype: str) -> Array:
    return np.asarray(rng.random(shape)).astype(dtype, copy=False)


def _scaled(rng: Rng, shape: Shape, dtype: str) -> Array:
    return np.asarray(rng.standard_normal(shape) * 10 ** rng.uniform(-DECADES[dtype], DECADES[dtype])).astype(dtype)


def _scales(rng: Rng, shape: Shape, dtype: str) -> Array:
    decades = DECADES[dtype] / 4
    return np.asarray(rng.standard_normal(shape) * 10 ** rng.uniform(-decades, decades, shape)).astype(dtype)


def _scale(rng: Rng, dtype: str) -> float:
    """1 for the most part, else up to a third of the decades there are."""
    return 1.0 if rng.random() < 0.7 else float(10 ** rng.uniform(-1, DECADES[dtype] / 3))


def _ties(rng: Rng, shape: Shape, dtype: str) -> Array:
    return np.asarray(TIES[rng.integers(0, len(TIES), shape)] * _scale(rng, dtype)).astype(dtype)


def _outlier(rng: Rng, shape: Shape, dtype: str) -> Array:
    a = _normal(rng, shape, dtype)
    if a.size:
        a.reshape(-1)[rng.integers(a.size)] *= 1e3 if dtype == "float16" else 10 ** rng.uniform(2, 12)
    return a


def _cancelling(rng: Rng, shape: Shape, dtype: str) -> Array:
    """Neighbours along the last axis are negatives of each other, up to a small rest."""
    a = rng.standard_normal(shape)
    if a.ndim and a.shape[-1] > 1:
        half = a.shape[-1] // 2
        a[..., half : 2 * half] = -a[..., :half] * (1 + 10.0 ** -rng.integers(3, 16) if rng.random() < 0.5 else 1)
    return np.asarray(a).astype(dtype)


def _subnormal(rng: Rng, shape: Shape, dtype: str) -> Array:
    tiny = float(np.finfo(dtype).tiny)
    return np.asarray(rng.standard_normal(shape) * tiny).astype(dtype)


def _saturating(rng: Rng, shape: Shape, dtype: str) -> Array:
    return np.asarray(rng.standard_normal(shape) * SATURATING[rng.integers(len(SATURATING))]).astype(dtype)


def _thresholds(rng: Rng, shape: Shape, dtype: str) -> Array:
    at = THRESHOLDS[rng.integers(0, len(THRESHOLDS), shape)]
    return np.asarray(at + 0.1 * rng.standard_normal(shape)).astype(dtype)


def _offset(rng: Rng, shape: Shape, dtype: str) -> Array:
    offset = 10 ** rng.uniform(1, 2 if dtype == "float16" else 4)
    return np.asarray(offset * (1 if rng.random() < 0.7 else -1) + rng.standard_normal(shape)).astype(dtype)


def _rows(rng: Rng, shape: Shape, dtype: str) -> Array:
    """Every row the same, at any scale: sums of equal terms round the same way each time."""
    row = rng.standard_normal(shape[1:] if shape else ()) * _scale(rng, dtype)
    return np.broadcast_to(row, shape).astype(dtype)


def _small(rng: Rng, shape: Shape, dtype: str) -> Array:
    return np.asarray(rng.standard_normal(shape) * 10 ** rng.uniform(-9, -3)).astype(dtype)


def _mixed(rng: Rng, shape: Shape, dtype: str) -> Array:
    """Ordinary numbers with ties and thresholds among them."""
    a = rng.standard_normal(shape)
    pick = rng.random(shape)
    a = np.where(pick < 0.25, TIES[rng.integers(0, len(TIES), shape)], a)
    return np.asarray(np.where(pick > 0.85, THRESHOLDS[rng.integers(0, len(THRESHOLDS), shape)], a)).astype(dtype)


def _table(**shares: int) -> tuple[Profile, ...]:
    """The profiles, each as many times as its share."""
    return tuple(Profile(name.replace("_", "-"), globals()[f"_{name}"]) for name, share in shares.items() for _ in range(share))


ARRAY = _table(
    ints=4, normal=14, uniform=2, ties=4, mixed=4, scaled=3, scales=3, outlier=2, cancelling=3, subnormal=1, saturating=3, thresholds=3,
    offset=3, rows=2, small=3,
)  # fmt: skip
COTANGENT = _table(ints=3, normal=16, uniform=2, ties=2, scaled=2, scales=2, outlier=1, cancelling=2, subnormal=1, rows=1, small=1)


def sprinkled(rng: Rng, a: Array) -> Array:
    """`a` with NaN and infinities in some places; in half of the arrays at the first one, where those of others are too."""
    out = a.copy()
    flat = out.reshape(-1)
    n = 1 + int(rng.integers(0, max(a.size // 4, 1)))
    places = rng.integers(0, a.size, n)
    places[0] *= rng.integers(0, 2)
    flat[places] = SPECIAL[rng.integers(0, 3 if rng.random() < 0.7 else 1, n)]
    return out


BOUNDARIES = (
    "zero", "negative-zero", "ties", "nan", "inf", "subnormal", "saturation", "size-0", "size-1", "batch-1", "one-class",
)  # fmt: skip
"""Every boundary that is looked for. ties: the largest value of the last axis stands there more than once. saturation: 15 and beyond."""


def boundaries(a: Array) -> tuple[str, ...]:
    """The boundaries that `a` touches: its sizes, and the kinds of numbers it holds."""
    hit = []
    if a.size == 0:
        return ("size-0",)
    if a.size == 1 or 1 in a.shape:
        hit.append("size-1")
    if a.dtype.kind != "f":
        return tuple(hit)
    size = np.abs(a)
    least, most = float(size.min()), float(size.max())
    if not most < np.inf:
        hit.append("inf" if most == np.inf else "nan")
        if np.isinf(a).any() and "inf" not in hit:
            hit.append("inf")
        least = float(np.fmin.reduce(size, axis=None))
    if least == 0:
        hit.append("zero")
        if (np.signbit(a) & (a == 0)).any():
            hit.append("negative-zero")
        positive = size[size > 0]
        least = float(positive.min()) if positive.size else 1.0
    if least < np.finfo(a.dtype).tiny:
        hit.append("subnormal")
    if most >= 15:
        hit.append("saturation")
    if a.ndim and a.shape[-1] > 1 and (np.add.reduce(a == a.max(axis=-1, keepdims=True), axis=-1) > 1).any():
        hit.append("ties")
    return tuple(hit)
