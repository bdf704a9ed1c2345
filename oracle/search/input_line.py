"""The line that describes the arrays of a torch function: "x: (N, D) positive, t: (N,) index < C | W: (D, M)"."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from oracle.core.case import Dims

EXAMPLE = "x: (N, D) positive, W: (D, M) | b: (M,)"
_WORDS = ("normal", "positive", "nonzero", "integer", "probabilities", "constant")
_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_ENTRY = re.compile(r"\s*(?P<name>[A-Za-z_]\w*)\s*:\s*(?P<dims>any\b|\([^()]*\))(?P<rest>.*)", re.DOTALL)
_INTERVAL = re.compile(rf"in\s*\[\s*({_NUMBER})\s*,\s*({_NUMBER})\s*\]")
_INDEX = re.compile(r"index\s*<\s*(\w+)")
_AXIS = re.compile(r"\d+|[A-Za-z]\w*(?:\s*\*\s*[A-Za-z]\w*)*")


class InputsError(ValueError):
    """`inputs` cannot be understood: the message shows where, and what it might look like."""


class Argument(NamedTuple):
    """One array of the function.

    dims: its axes; None where it may have any rank. word: which values. interval: the ends of `in [a, b]`. classes: the axis or number
    of `index <`. constant: no gradient is asked for. param: the layer is built from it.
    """

    name: str
    dims: Dims | None
    word: str = "normal"
    interval: tuple[float, float] | None = None
    classes: str | int | None = None
    constant: bool = False
    param: bool = False


def parse_inputs(text: str, params: Sequence[str] = ()) -> tuple[Argument, ...]:
    """The arguments that one line describes, such as "x: (N, D) positive, W: (D, M) | b: (M,)".

    After a name its axes in brackets: names, numbers, products "P*Q"; or `any`, for every rank. Then what its values are:
        normal         the full mix of profiles, which is what nothing means as well
        positive       above 0
        nonzero        not 0
        in [a, b]      from a to b, with both ends
        integer        whole numbers, as floats
        probabilities  sums of 1 along the last axis, for the most part
        index < C      integer labels from 0 up to the size of an axis, or a number
        constant       besides any of them: no gradient is asked for
    What stands after `|`, or in `params`, is what the layer is built from. Raises InputsError.
    """
    found: list[Argument] = []
    halves = text.split("|")
    if len(halves) > 2:
        raise _wrong("a second |", text, text.rindex("|"))
    offset = 0
    for i, half in enumerate(halves):
        for start, part in _parts(half):
            argument = _argument(part, text, offset + start)
            if argument.name in [a.name for a in found]:
                raise _wrong(f"{argument.name} twice", text, offset + start)
            found.append(argument._replace(param=i == 1 or argument.name in params))
        offset += len(half) + 1
    _checked(found, text, params)
    # the layer's arguments come first, what it is built from after them
    return tuple(sorted(found, key=lambda a: a.param))


def _parts(text: str) -> list[tuple[int, str]]:
    """The text between commas that stand outside of brackets, with where each begins."""
    depth, start, found = 0, 0, []
    for i, c in enumerate(text + ","):
        depth += (c in "([") - (c in ")]")
        if c == "," and depth <= 0:
            found.append((start, text[start:i]))
            start = i + 1
    return found


def _wrong(what: str, text: str, at: int) -> InputsError:
    return InputsError(f"inputs: {what} at {text[at : at + 20].strip()!r} (character {at + 1}); write it like {EXAMPLE!r}")


def _argument(part: str, text: str, at: int) -> Argument:
    match = _ENTRY.fullmatch(part)
    if match is None:
        raise _wrong("expected a name, a colon and axes", text, at)
    name, dims, rest = match["name"], _dims(match["dims"], text, at + match.start("dims")), match["rest"]
    where = at + match.start("rest")
    argument = Argument(name, dims)
    if interval := _INTERVAL.search(rest):
        low, high = float(interval[1]), float(interval[2])
        if low > high:
            raise _wrong(f"{low:g} is above {high:g}", text, where)
        argument = argument._replace(interval=(low, high))
        rest = rest.replace(interval[0], " ")
    if index := _INDEX.search(rest):
        classes = int(index[1]) if index[1].isdigit() else index[1]
        argument = argument._replace(word="index", classes=classes, constant=True)
        rest = rest.replace(index[0], " ")
    for word in rest.split():
        if word not in _WORDS:
            raise _wrong(f"{word!r} is none of {', '.join(_WORDS)}, in [a, b], index < C", text, where)
        argument = argument._replace(constant=True) if word == "constant" else argument._replace(word=word)
    return argument


def _dims(text: str, whole: str, at: int) -> Dims | None:
    if text == "any":
        return None
    axes = [axis.strip() for axis in text[1:-1].split(",")]
    if axes[-1] == "":
        axes.pop()
    for axis in axes:
        if not _AXIS.fullmatch(axis):
            raise _wrong(f"{axis!r} is no axis: a name, a number, or a product P*Q", whole, at)
    return tuple([int(a) if a.isdigit() else a.replace(" ", "") for a in axes])


def _checked(found: list[Argument], text: str, params: Sequence[str]) -> None:
    if missing := [name for name in params if name not in [a.name for a in found]]:
        raise InputsError(f"params: {', '.join(missing)} is not described in inputs {text!r}")
    if any(a.dims is None for a in found) and any(a.dims is not None for a in found):
        raise InputsError(f"inputs: `any` goes for all arrays, which then have one shape, or for none; write it like {EXAMPLE!r}")
    if all(a.constant for a in found):
        raise InputsError("inputs: at least one array must have a gradient; leave out `constant` for one")
    if all(a.param for a in found):
        raise InputsError(f"inputs: at least one array must stand before |; write it like {EXAMPLE!r}")
