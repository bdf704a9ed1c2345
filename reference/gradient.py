"""The gradient by differences, to check a backward against."""

import logging
from collections.abc import Callable
from typing import Any

import numpy as np

from reference._arrays import Array

_log = logging.getLogger(__name__)

# Where rounding and truncation balance for values around 1 (about the cube root of eps), as powers of two so that
# the step itself is exact; float64 keeps the notebook's step.
_STEPS = {"float16": 2.0**-4, "float32": 2.0**-8, "float64": 1e-4}


def numerical_gradient(f: Callable[[Array], Any], x: Array, h: float | None = None) -> Array:
    """Return the central difference (f(x + h) - f(x - h)) / 2h for every element of x, in x's shape and dtype.

    f: takes x and returns one number; it may ignore its argument and close over x instead, because x itself is
    changed while this runs. Every element is restored to its exact bits, also when f raises.
    x: a writable float array of any shape, also empty or not contiguous.
    h: by default 1e-4 for float64 (the notebook's), 2**-8 for float32 and 2**-4 for float16.
    Mirrors the difference quotient of `torch.autograd.gradcheck`.
    Raises TypeError where x is not an array of floats, ValueError where x is read-only or f returns several numbers.
    """
    if not isinstance(x, np.ndarray):
        raise TypeError(f"x must be a NumPy array, not {type(x).__name__}: it is changed in place while f is evaluated")
    if x.dtype.kind != "f":
        raise TypeError(f"x must be floating point, not {x.dtype}: x + h would be cut back to x. Use x.astype(float)")
    if not x.flags.writeable:
        raise ValueError("x is read-only, but it is changed in place while f is evaluated: pass x.copy()")
    step = _STEPS.get(x.dtype.name, 1e-4) if h is None else float(h)
    _log.debug("numerical_gradient over %s with h = %s", x.shape, step)
    grad = np.empty(x.shape, x.dtype.newbyteorder("="))
    for index in np.ndindex(x.shape):
        kept = x[index]
        centre = float(kept)
        try:
            x[index] = centre + step
            above = _number(f(x))
            x[index] = centre - step
            below = _number(f(x))
        finally:
            x[index] = kept
        with np.errstate(all="ignore"):  # a quotient beyond the dtype becomes inf, silently
            grad[index] = (above - below) / (2 * step)
    return grad


def _number(value: Any) -> float:
    array = np.asarray(value)
    if array.size != 1:
        raise ValueError(f"f must return one number, not an array of shape {array.shape}")
    return float(array.item())
