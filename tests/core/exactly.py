"""Exact values by mpmath, and the arrays that the ball library is tried on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np

from oracle.core.ball import PRECISIONS, Array, Ball

DTYPES = ("float64", "float32", "float16")
DIGITS = 60
# second-order terms (products of u and r) are left out of the radii on purpose
SLACK = {"float64": 1 + 1e-9, "float32": 1 + 1e-4, "float16": 1.05}
MAGNITUDES = ("normal", "ints", "large", "small", "scales", "cancelling", "subnormal", "huge")
_LARGEST = {"float64": 1e290, "float32": 1e30, "float16": 1e3}


def values(rng: np.random.Generator, kind: str, shape: tuple[int, ...], dtype: str) -> Array:
    """An array of one kind of magnitudes."""
    a = np.asarray(rng.standard_normal(shape))
    info = np.finfo(dtype)
    top = _LARGEST[dtype]
    with np.errstate(all="ignore"):
        if kind == "ints":
            a = np.round(3 * a)
        elif kind == "large":
            a = a * np.sqrt(top)
        elif kind == "small":
            a = a / np.sqrt(top)
        elif kind == "scales":
            a = a * np.sqrt(top) ** rng.uniform(-1, 1, shape)
        elif kind == "cancelling" and shape and shape[-1] > 1:
            half = shape[-1] // 2
            a[..., half : 2 * half] = -a[..., :half] * (1 + 4 * float(info.eps))
        elif kind == "subnormal":
            a = a * float(info.tiny)
        elif kind == "huge":
            a = a * (float(info.max) / 2)
        return np.clip(a, -float(info.max), float(info.max)).astype(dtype)


def mp(a: Any) -> Any:
    """The array with every element as an mpmath number."""
    return np.frompyfunc(lambda x: mpmath.mpf(float(x)), 1, 1)(np.asarray(a))


def each(function: Callable[[Any], Any], a: Any) -> Any:
    """An mpmath function of every element."""
    return np.frompyfunc(function, 1, 1)(a)


def seeded(*names: object) -> np.random.Generator:
    """A generator that depends on the names alone."""
    return np.random.default_rng([ord(c) for c in "/".join(map(str, names))])


def blurred(rng: np.random.Generator, a: Array, share: float) -> Ball:
    """A ball around `a` whose radius is up to `share` of each element."""
    p = PRECISIONS[str(a.dtype)]
    v = a.astype(p.wide)
    return Ball(p, v, np.abs(v) * share * rng.random(a.shape) + p.eta)


def inside(rng: np.random.Generator, ball: Ball) -> list[Array]:
    """Arrays of the working dtype within the ball: both corners, mixed corners, and somewhere between."""
    found = []
    with np.errstate(over="ignore"):
        for side in (np.ones(ball.shape), -np.ones(ball.shape), rng.choice([-1.0, 1.0], ball.shape), rng.uniform(-1, 1, ball.shape)):
            a = np.asarray(ball.v + side * ball.radius).astype(ball.p.dtype)
            kept = np.abs(a.astype(ball.p.wide) - ball.v) <= ball.radius
            found.append(np.where(kept, a, ball.v.astype(ball.p.dtype)).astype(ball.p.dtype))
    return found


def outside(ball: Ball, computed: Array, exact: Any) -> str:
    """What of `computed` is not within the radius around `exact`, in words; empty where all is."""
    assert np.shape(computed) == ball.shape, f"computed {np.shape(computed)}, the ball has {ball.shape}"
    r, v = np.ravel(ball.radius), np.ravel(ball.v)
    for i, (c, e) in enumerate(zip(np.ravel(computed), np.ravel(np.asarray(exact, object)), strict=True)):
        if not np.isfinite(r[i]):
            continue
        if not np.isfinite(c):
            if abs(v[i]) + r[i] > 2 * ball.p.limit:
                continue  # see test_a_radius_beyond_the_range_is_not_determined
            return f"element {i} is {c}, the ball says {v[i]} +- {r[i]}"
        error = abs(mpmath.mpf(float(c)) - e)
        # what rounds to 0 does so in every evaluation, so no radius is added for it
        underflow = ball.p.eta if v[i] == 0 else 0
        if error > mpmath.mpf(float(r[i])) * SLACK[ball.p.dtype] + underflow:
            return f"element {i}: {float(c)!r} is off by {float(error)}, r = {r[i]}, u|v| = {ball.p.u * abs(v[i])}"
    return ""


def share_determined(ball: Ball) -> float:
    """The share of the elements with a finite radius."""
    return float(np.isfinite(ball.radius).mean())
