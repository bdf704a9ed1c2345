"""Elementwise activations."""

import logging

import numpy as np
from numpy.typing import ArrayLike

from reference._arrays import Array, cotangent, forward_first, numbers, own, quiet, working

_log = logging.getLogger(__name__)


class Relu:
    """y = max(x, 0), elementwise; mirrors `torch.relu`.

    Gradient: dx = 0 where x <= 0, else dout. At 0 and -0 it is 0; at NaN the cotangent passes, as NaN <= 0 is false.
    """

    def __init__(self) -> None:
        self._blocked: Array | None = None
        self._dtype: np.dtype[np.generic] | None = None

    def forward(self, x: ArrayLike) -> Array:
        """Return max(x, 0) in x's shape and dtype (floats and integers); NaN stays NaN and -0.0 stays -0.0.

        Raises TypeError for bool, as torch does, and for anything but real numbers.
        """
        self._blocked = None
        a = numbers(x, "x")
        if a.dtype.kind == "b":
            raise TypeError("x must be float or integer: relu is not defined for bool")
        blocked = a <= 0
        # Selecting with < rather than <= keeps the sign of -0.0, which max(x, 0) may lose.
        y = np.where(a < 0, a.dtype.type(0), a)
        self._blocked, self._dtype = np.asarray(blocked), a.dtype
        _log.debug("Relu.forward %s", a.shape)
        return y

    def backward(self, dout: ArrayLike) -> Array:
        """Return dx in x's shape and, for floats, x's dtype. A select, not a product: a NaN in dout is masked too.

        dout: the cotangent, of x's shape. Raises ValueError for another shape, RuntimeError before forward.
        """
        if self._blocked is None or self._dtype is None:
            raise forward_first(self)
        with quiet():
            d = cotangent(dout, self._blocked.shape, self._dtype)
        return np.where(self._blocked, d.dtype.type(0), d)


class Sigmoid:
    """y = 1 / (1 + exp(-x)), elementwise; mirrors `torch.sigmoid`.

    Gradient: dx = dout * (1 - y) * y, from y as torch does, so it is 0 once y has rounded to 1.
    """

    def __init__(self) -> None:
        self._y: Array | None = None

    def forward(self, x: ArrayLike) -> Array:
        """Return the sigmoid in x's shape and dtype; integers and bool give float32, as in torch.

        Raises TypeError for anything but real numbers.
        """
        self._y = None
        a = numbers(x, "x")
        dtype = a.dtype if a.dtype.kind == "f" else np.dtype(np.float32)
        with quiet():
            a = a.astype(working(dtype), copy=False)
            # exp of -|x| cannot overflow, and exp(x) / (1 + exp(x)) keeps its digits for very negative x.
            e = np.exp(-np.abs(a))
            y = np.asarray(np.where(a < 0, e, e.dtype.type(1)) / (e + e.dtype.type(1))).astype(dtype, copy=False)
        self._y = own(y)
        _log.debug("Sigmoid.forward %s", y.shape)
        return y

    def backward(self, dout: ArrayLike) -> Array:
        """Return dx in x's shape and y's dtype; float16 is computed in float32 and rounded once.

        dout: the cotangent, of x's shape. Raises ValueError for another shape, RuntimeError before forward.
        """
        if self._y is None:
            raise forward_first(self)
        dtype = self._y.dtype
        with quiet():
            d = cotangent(dout, self._y.shape, dtype).astype(working(dtype), copy=False)
            y = self._y.astype(working(dtype), copy=False)
            return np.asarray(d * (y.dtype.type(1) - y) * y).astype(dtype, copy=False)
