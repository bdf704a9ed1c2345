"""Addition and multiplication of broadcasting operands."""

import logging
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from reference._arrays import Array, common_dtype, cotangent, forward_first, numbers, own, quiet, unbroadcast, working

_log = logging.getLogger(__name__)

# Shape and dtype of one array: all that backward needs to know about an operand or the result.
_Form = tuple[tuple[int, ...], np.dtype[Any]]


class AddLayer:
    """z = x + y, elementwise, with broadcasting; mirrors `torch.add`.

    Gradients: dx = dout, dy = dout, each summed over the axes along which its operand was broadcast.
    """

    def __init__(self) -> None:
        self._forms: tuple[_Form, _Form, _Form] | None = None

    def forward(self, x: ArrayLike, y: ArrayLike) -> Any:
        """Return x + y.

        x, y: numbers or arrays whose shapes broadcast. The result has their common shape and torch's promoted
        dtype: a float decides over an integer, an array over a number.
        Raises ValueError where the shapes do not broadcast, TypeError for anything but real numbers.
        """
        self._forms = None
        a, b = numbers(x, "x"), numbers(y, "y")
        dtype = common_dtype(a, b)
        with quiet():
            z = a.astype(dtype, copy=False) + b.astype(dtype, copy=False)
        self._forms = (a.shape, a.dtype), (b.shape, b.dtype), (z.shape, dtype)
        _log.debug("AddLayer.forward %s + %s -> %s", a.shape, b.shape, z.shape)
        return z

    def backward(self, dout: ArrayLike) -> tuple[Any, Any]:
        """Return (dx, dy), two separate arrays in the shapes and, for floats, the dtypes of x and y.

        dout: the cotangent, of the result's shape. Raises ValueError for another shape, RuntimeError before forward.
        """
        if self._forms is None:
            raise forward_first(self)
        form_x, form_y, form_z = self._forms
        with quiet():
            d = cotangent(dout, *form_z)
            # Copies: dx, dy and dout are three arrays, and writing into one must not change another.
            return unbroadcast(own(d), *form_x), unbroadcast(own(d), *form_y)


class MulLayer:
    """z = x * y, elementwise, with broadcasting; mirrors `torch.mul`.

    Gradients: dx = dout * y, dy = dout * x, each summed over the axes along which its operand was broadcast.
    """

    def __init__(self) -> None:
        self._operands: tuple[Array, Array] | None = None
        self._forms: tuple[_Form, _Form, _Form] | None = None

    def forward(self, x: ArrayLike, y: ArrayLike) -> Any:
        """Return x * y.

        x, y: numbers or arrays whose shapes broadcast. The result has their common shape and torch's promoted
        dtype: a float decides over an integer, an array over a number.
        Raises ValueError where the shapes do not broadcast, TypeError for anything but real numbers.
        """
        self._operands = self._forms = None
        a, b = numbers(x, "x"), numbers(y, "y")
        dtype = common_dtype(a, b)
        with quiet():
            # Copies: the gradient belongs to the values multiplied here, whatever the caller does to x and y later.
            # float16 multiplies in float32. There torch keeps a wider 0-d factor as it is when it comes second or in
            # a gradient, and rounds it to float16 when it comes first: then 0 * 1e5 is NaN.
            p, q = own(a, working(dtype)), own(b, working(dtype))
            first = p if p.dtype == dtype else p.astype(dtype).astype(p.dtype)
            z = (first * q).astype(dtype, copy=False)
        self._operands = p, q
        self._forms = (a.shape, a.dtype), (b.shape, b.dtype), (z.shape, dtype)
        _log.debug("MulLayer.forward %s * %s -> %s", a.shape, b.shape, z.shape)
        return z

    def backward(self, dout: ArrayLike) -> tuple[Any, Any]:
        """Return (dx, dy) in the shapes and, for floats, the dtypes of x and y.

        dout: the cotangent, of the result's shape. Raises ValueError for another shape, RuntimeError before forward.
        """
        if self._operands is None or self._forms is None:
            raise forward_first(self)
        x, y = self._operands
        form_x, form_y, form_z = self._forms
        with quiet():
            d = cotangent(dout, *form_z)
            dx, dy = _times(d, y), _times(d, x)
            return unbroadcast(dx, *form_x), unbroadcast(dy, *form_y)


def _times(dout: Array, factor: Array) -> Array:
    """Return dout * factor; for a float16 cotangent rounded back to float16, before any sum, as torch does."""
    result: Array = np.multiply(dout, factor)
    return result.astype(dout.dtype, copy=False) if dout.dtype.kind == "f" else np.asarray(result)
