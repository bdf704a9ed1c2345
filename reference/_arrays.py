"""What every layer asks of its arrays: real numbers, a dtype agreed as torch agrees it, a cotangent that fits."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

Array = NDArray[Any]

_CATEGORY = {"b": 0, "u": 1, "i": 1, "f": 2}
_HALF = np.dtype(np.float16)
_SINGLE = np.dtype(np.float32)


def quiet() -> np.errstate:
    """Return a context in which NumPy, like torch, lets NaN, inf and underflow travel without a warning."""
    return np.errstate(all="ignore")


def numbers(value: ArrayLike, name: str) -> Array:
    """Return `value` as an array of bool, integer or float in native byte order; TypeError names the argument."""
    array = np.asarray(value)
    if array.dtype.kind not in _CATEGORY:
        raise TypeError(f"{name} must hold real numbers (bool, integer or float), not dtype {array.dtype}")
    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    return array


def floats(value: ArrayLike, name: str) -> Array:
    """Return `value` as a float array; integers are refused with TypeError, as torch refuses them here."""
    array = numbers(value, name)
    if array.dtype.kind != "f":
        raise TypeError(f"{name} must be floating point, not {array.dtype}; convert it, e.g. {name}.astype(float)")
    return array


def common_dtype(x: Array, y: Array) -> np.dtype[Any]:
    """Return the dtype of x + y by torch's promotion, the same under NumPy 1.26 and 2.

    A float decides over an integer and an integer over a bool. Within one category an array decides over a 0-d
    operand, so a Python number never widens a float32 array; two arrays give the wider of their dtypes.
    """
    if x.dtype == y.dtype:
        return x.dtype
    category_x, category_y = _CATEGORY[x.dtype.kind], _CATEGORY[y.dtype.kind]
    if category_x != category_y:
        return x.dtype if category_x > category_y else y.dtype
    if (x.ndim == 0) != (y.ndim == 0):
        return x.dtype if x.ndim else y.dtype
    wider: np.dtype[Any] = np.promote_types(x.dtype, y.dtype)
    return wider


def working(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return the dtype to compute in: float32 for float16, as torch does on a CPU, else the dtype itself."""
    return _SINGLE if dtype == _HALF else dtype


def total(array: Array, axis: int | tuple[int, ...] | None = None, keepdims: bool = False) -> Any:
    """Sum over `axis`; float16 is added up in float32 and rounded once, integers widen as NumPy does."""
    if array.dtype == _HALF:
        return np.sum(array, axis=axis, dtype=_SINGLE, keepdims=keepdims).astype(_HALF)
    return array.sum(axis=axis, keepdims=keepdims)


def product(a: Array, b: Array) -> Array:
    """Return a @ b; float16 is multiplied in float32 and rounded once."""
    if a.dtype == _HALF and b.dtype == _HALF:
        return (a.astype(_SINGLE) @ b.astype(_SINGLE)).astype(_HALF)
    result: Array = a @ b
    return result


def cotangent(dout: ArrayLike, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    """Return `dout` checked against the shape of the forward result and cast to its dtype.

    An integer result keeps the cotangent's own dtype: casting 1.1 to an integer would lose the gradient.
    May return `dout` itself, so callers never write into it nor hand it out.
    """
    array = numbers(dout, "dout")
    if array.shape != shape:
        raise ValueError(f"dout has shape {array.shape}, but the forward result had shape {shape}")
    return array.astype(dtype, copy=False) if dtype.kind == "f" else array


def unbroadcast(grad: Array, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Any:
    """Sum `grad` back to the `shape` that broadcasting stretched, in a float operand's `dtype`; may return `grad`."""
    result: Any = grad
    if grad.shape != shape:
        lead = grad.ndim - len(shape)
        stretched = tuple(lead + i for i, n in enumerate(shape) if n == 1 and grad.shape[lead + i] != 1)
        result = total(grad, (*range(lead), *stretched), keepdims=True).reshape(shape)
    if dtype.kind == "f":
        result = result.astype(dtype, copy=False)
    return result if shape else result[()]


def own(array: ArrayLike, dtype: DTypeLike | None = None) -> Array:
    """Return a private copy, so that a caller may change the original before backward."""
    return np.array(array, dtype=dtype)


def forward_first(layer: object) -> RuntimeError:
    """Return the error of a backward that has no forward to differentiate."""
    return RuntimeError(f"{type(layer).__name__}: call forward first, there is nothing to differentiate yet")
