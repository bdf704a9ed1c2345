"""The same input on every leg, laid out: its arrays, and each answer with what differs from the first leg's marked in ULP."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from oracle.results import ArrayData
from oracle.results.across import SIDES, Across, OtherInputs, SameInput, Side
from oracle.results.ulp import ulp_distances
from reports.arrays import Table
from reports.cases import case_view
from reports.legs_text import ulp_text
from reports.words import index_text, number

SHOWN = 64
"""Elements of an answer that are shown."""


class Line(NamedTuple):
    """One answer and the legs that gave it: its values, each with its distance from the first leg's; note: why there are none."""

    side: str
    legs: str
    values: list[tuple[str, str]]
    note: str


class Answers(NamedTuple):
    """All answers to one quantity, each once. elements: their indexes, first of those that differ; more: elements that are left out."""

    quantity: str
    elements: list[str]
    lines: list[Line]
    more: int
    differs: bool


class InputView(NamedTuple):
    """One input with the answers to it. absent: legs that were not given it."""

    id: str
    layer: str
    branch: str
    dtype: str
    number: int
    digest: str
    facts: list[tuple[str, str]]
    tables: list[Table]
    answers: list[Answers]
    absent: tuple[str, ...]
    differs: bool
    size: int


def input_views(found: Across, labels: Sequence[str]) -> list[InputView]:
    """One input of every layer, branch and dtype that has one in common: one with different answers, else the one that most legs have."""
    chosen: dict[tuple[str, str, str], SameInput] = {}
    for same in found.same:
        other = chosen.setdefault(same.group, same)
        if _interest(same) > _interest(other):
            chosen[same.group] = same
    return [_view(f"i{at}", same, labels) for at, same in enumerate(chosen.values())]


def _interest(same: SameInput) -> tuple[bool, int]:
    return same.differs, len(same.answers)


def other_inputs(other: OtherInputs) -> str:
    """Which legs were given which input under one number, in words."""
    sets = " against ".join(", ".join(labels) for labels in other.drawn)
    return f"{' '.join(other.group)}, case {other.number:,}: {sets}"


def _view(identity: str, same: SameInput, labels: Sequence[str]) -> InputView:
    case = case_view(same.case)
    answers = [_answers(same, quantity, labels) for quantity in same.quantities()]
    size = 900 + sum(t.size for t in case.tables) + sum(_size(a) for a in answers)
    absent = tuple(label for label in labels if label not in same.answers)
    facts = [fact for fact in case.facts if fact[0] not in ("branch", "dtype")]
    return InputView(identity, *same.group, same.number, same.digest, facts, case.tables, answers, absent, same.differs, size)


def _size(answers: Answers) -> int:
    """About how many characters the answers take on the page."""
    return 350 + 20 * len(answers.elements) + sum(90 + len(line.legs) + sum(len(v) + 9 for v, _ in line.values) for line in answers.lines)


def _answers(same: SameInput, quantity: str, labels: Sequence[str]) -> Answers:
    sides = {side: _distinct(same, side, quantity) for side in SIDES}
    everybody = len(same.answers)
    one = all(len(distinct) == 1 for distinct in sides.values())
    (actual, _), (expected, _) = (distinct[0] for distinct in sides.values())
    first = actual if actual is not None else expected
    shape = first.shape if first is not None else ()
    if one and actual == expected:
        lines = [_line("actual and expected", actual, actual, _told(sides["actual"][0][1], everybody, labels))]
    else:
        lines = [
            _line(side, array, distinct[0][0], _told(holders, everybody, labels))
            for side, distinct in sides.items()
            for array, holders in distinct
        ]
    n = math.prod(shape)
    marked = {at for line in lines for at, (_, mark) in enumerate(line.values) if mark}
    order = [*sorted(at for at in marked if at < n), *(at for at in range(n) if at not in marked)][:SHOWN]
    lines = [line._replace(values=[line.values[at] for at in order if at < len(line.values)]) for line in lines]
    return Answers(quantity, [index_text(_unravel(at, shape)) for at in order] if shape else [], lines, max(n - SHOWN, 0), not one)


def _distinct(same: SameInput, side: Side, quantity: str) -> list[tuple[ArrayData | None, list[str]]]:
    """The different answers and who gave them, the first leg's first."""
    found: list[tuple[ArrayData | None, list[str]]] = []
    for label in same.answers:
        array = same.array(label, side, quantity)
        for other, holders in found:
            if other == array:
                holders.append(label)
                break
        else:
            found.append((array, [label]))
    return found


def _told(holders: Sequence[str], everybody: int, labels: Sequence[str]) -> str:
    return "every leg" if len(holders) == everybody == len(labels) and everybody > 1 else ", ".join(holders)


def _line(side: str, array: ArrayData | None, first: ArrayData | None, legs: str) -> Line:
    if array is None:
        return Line(side, legs, [], "no answer")
    if first is not None and (array.dtype, array.shape) != (first.dtype, first.shape):
        return Line(side, legs, [], f"{array.dtype} of shape {array.shape}, where the first leg has {first.dtype} of shape {first.shape}")
    texts = [number(value, array.dtype) for value in array.values()]
    if first is None or array.data == first.data:
        return Line(side, legs, [(text, "") for text in texts], "" if texts else "empty")
    distances = ulp_distances(first, array)
    signs = zip(array.values(), first.values(), strict=True)
    marks = [_mark(distance, a, b) for distance, (a, b) in zip(distances, signs, strict=True)]
    return Line(side, legs, list(zip(texts, marks, strict=True)), "")


def _mark(distance: int | None, a: float, b: float) -> str:
    """What is said beside a value that differs from the first leg's; empty where it is the same number."""
    if distance is None:
        return "no distance"
    if distance:
        return ulp_text(distance)
    return "sign of zero" if a == 0 and str(a) != str(b) else ""


def _unravel(at: int, shape: tuple[int, ...]) -> tuple[int, ...]:
    index: list[int] = []
    for extent in reversed(shape):
        at, here = divmod(at, extent)
        index.append(here)
    return tuple(reversed(index))
