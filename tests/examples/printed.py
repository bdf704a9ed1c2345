"""Whether two printed texts say the same: words exactly, numbers within what another NumPy, BLAS or processor makes of them."""

from __future__ import annotations

import math
import re

_NUMBER = re.compile(r"(?<![\w.])[-+]?\d[\d,]*\.?\d*(?:e[-+]?\d+)?(?!\w)")

# Twice u for each of the four or so operations, exp and log among them, behind a number that is printed in full. Behind those that a
# training or a matrix product made are far more; they are printed with a few digits.
_RELATIVE = 2.0**-50
# A gradient check prints rounding errors. Another BLAS adds up in another order: its errors are others of the same size, and means of
# them are not ten times those. A wrong gradient, or the loss with 1e-7, is off by 1e-7 in at least one parameter.
_ROUNDING, _SAME_SIZE = 1e-9, 10.0


def difference(actual: str, expected: str, rounding: bool = False) -> str:
    """What is other in `actual`, in one sentence; empty where nothing is. Blanks do not count: NumPy lines its columns up with them.

    rounding: the numbers are rounding errors themselves.
    """
    words, numbers = _split(actual)
    other_words, other_numbers = _split(expected)
    if words != other_words:
        return f"printed is\n{actual}\nwhere this is stored:\n{expected}"
    alike = _of_one_size if rounding else _to_the_last_digit
    return next((f"{a} is printed, but {e} is stored" for a, e in zip(numbers, other_numbers, strict=True) if not alike(a, e)), "")


def _split(text: str) -> tuple[list[str], list[str]]:
    return _NUMBER.sub(" # ", text).replace("[", " [ ").replace("]", " ] ").split(), _NUMBER.findall(text)


def _to_the_last_digit(actual: str, expected: str) -> bool:
    """Whether both are the same, or differ by one in the last digit that is printed: a value between two may be rounded to either."""
    if not re.search(r"[.e]", actual + expected):
        return actual == expected
    digit = min(map(_last_digit, (actual, expected)))
    # half a digit more, as float has rounded what the decimals say
    return abs(_value(actual) - _value(expected)) <= 1.5 * digit + _RELATIVE * abs(_value(expected))


def _of_one_size(actual: str, expected: str) -> bool:
    a, e = abs(_value(actual)), abs(_value(expected))
    return 0 < a < _ROUNDING and 0 < e < _ROUNDING and abs(math.log10(a / e)) < math.log10(_SAME_SIZE)


def _last_digit(number: str) -> float:
    """What one in the last printed digit is worth."""
    mantissa, _, exponent = number.partition("e")
    return 10.0 ** (int(exponent or 0) - len(mantissa.partition(".")[2]))


def _value(number: str) -> float:
    return float(number.replace(",", ""))
