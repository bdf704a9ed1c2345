"""How far apart two stored arrays are, counted in representable numbers: what one library rounds otherwise than another shows as 1 or 2."""

from __future__ import annotations

import struct

from oracle.results.model import ArrayData

# dtype of floats -> (struct code of the integer of its bits, bits of its significand's fraction, sign bit)
_FLOATS = {"float16": ("H", 10, 1 << 15), "float32": ("I", 23, 1 << 31), "float64": ("Q", 52, 1 << 63)}


def ulp_distances(a: ArrayData, b: ArrayData) -> list[int | None]:
    """Element by element how many representable numbers `a` and `b` are apart, in C order; of integers and bools the difference.

    Zeros of either sign are the same, and so are two NaN, as everywhere in the results. None where a NaN or an infinity stands on one
    side only, or infinities of both signs: that is no distance. Raises ValueError where shapes or dtypes differ.
    """
    if (a.dtype, a.shape) != (b.dtype, b.shape):
        raise ValueError(f"arrays cannot be compared: {a.dtype} of shape {a.shape}, {b.dtype} of shape {b.shape}")
    if a.data == b.data:
        return [0] * len(a.values())
    if a.dtype not in _FLOATS:
        return [abs(int(x) - int(y)) for x, y in zip(a.values(), b.values(), strict=True)]
    code, fraction, sign = _FLOATS[a.dtype]
    infinity = sign - (1 << fraction)
    return [_apart(x, y, infinity) for x, y in zip(_places(a.raw(), code, sign), _places(b.raw(), code, sign), strict=True)]


def _places(raw: bytes, code: str, sign: int) -> list[int]:
    """The bit patterns of floats as whole numbers in the order of the floats, both zeros at 0, NaN beyond the infinities."""
    patterns = struct.unpack(f"<{len(raw) // struct.calcsize(code)}{code}", raw)
    return [pattern if pattern < sign else sign - pattern for pattern in patterns]


def _apart(x: int, y: int, infinity: int) -> int | None:
    if x == y or (abs(x) > infinity and abs(y) > infinity):
        return 0
    return None if abs(x) >= infinity or abs(y) >= infinity else abs(x - y)
