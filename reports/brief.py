"""A small case in a line or two of text."""

from __future__ import annotations

import math
from collections.abc import Iterator

from oracle.results import ArrayData, CaseData
from reports.words import number

SMALL = 8
"""Arrays of up to this many numbers are written out."""


def inputs_text(case: CaseData) -> str:
    """The arrays of `case`, then how it is handed over: ``x = [[0.]]  dout = [[1.]]  (float32, fortran)``."""
    arrays = {**case.inputs, **case.params, **{f"d{name}": array for name, array in case.cotangents.items()}}
    shown = [f"{name} = {_array(array)}" for name, array in arrays.items()]
    shown += [f"{name} = {_setting(value)}" for name, value in case.config.items()]
    handling = [text for text, plain in ((case.dtype, "float64"), (case.layout, "C"), (case.protocol, "plain")) if text != plain]
    return "  ".join([*shown, *([f"({', '.join(handling)})"] if handling else [])])


def is_small(case: CaseData) -> bool:
    """Whether every array of `case` can be written out."""
    return all(math.prod(a.shape) <= SMALL for group in (case.inputs, case.params, case.cotangents) for a in group.values())


def nested(array: ArrayData) -> object:
    """The elements of `array` as lists in lists; of a scalar the number, of an empty array an empty list."""
    return _nested(array.shape, iter(array.values())) if math.prod(array.shape) else []


def _nested(shape: tuple[int, ...], values: Iterator[object]) -> object:
    return [_nested(shape[1:], values) for _ in range(shape[0])] if shape else next(values)


def _array(array: ArrayData) -> str:
    size = math.prod(array.shape)
    shape = " × ".join(map(str, array.shape))
    if not size:
        return f"empty, {shape}"
    return _written(nested(array), array.dtype) if size <= SMALL else f"{array.dtype} of {shape}"


def _written(value: object, dtype: str) -> str:
    if isinstance(value, list):
        return f"[{', '.join(_written(item, dtype) for item in value)}]"
    text = number(value, dtype) if isinstance(value, bool | int | float) else str(value)
    return text[:-1] if text.endswith(".0") else text


def _setting(value: object) -> str:
    return repr(value) if isinstance(value, str) else str(value)
