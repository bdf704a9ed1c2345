"""Judging in a test session: each layer is swept once a process, and its rows are told one by one."""

from __future__ import annotations

import inspect
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import pytest

from oracle.pytest_plugin.asking import CONTRACTS, Asked, asked

if TYPE_CHECKING:
    from oracle.outcome import Divergence, Outcome

LINES, WIDTH = 12, 160
"""The size of a message about one row."""
_FEW = 4
"""Divergences of one row that are told."""

_judged: dict[tuple[int, str], tuple[Asked, Outcome | str]] = {}
"""By identity of the layer and what was asked of it: that itself, so that no other layer gets the same identity, and what came of it."""


class Told(NamedTuple):
    """What an outcome says of one row: the state of its item, and a message of a few lines."""

    state: Literal["passed", "skipped", "failed"]
    text: str


def judge(what: Asked) -> Outcome | str:
    """The outcome of `what`, found out on first use; a text where the layer could not be judged. Ctrl-C passes."""
    key = (id(what.layer), repr((what.like, sorted(what.options.items()))))
    if key not in _judged:
        found = _checked(what)
        if not isinstance(found, str) and found.run.footer is not None and found.run.footer.outcome == "interrupted":
            raise KeyboardInterrupt
        _judged[key] = (what, found)
    return _judged[key][1]


def _checked(what: Asked) -> Outcome | str:
    from oracle.api import check

    try:
        return check(what.layer, what.like, **what.options)
    except (ValueError, TypeError, ImportError) as error:
        return str(error)


def told(what: Asked, branch: str, row: str) -> Told:
    """What the outcome says of `row` of `branch`, over all dtypes; of CONTRACTS, over all of these."""
    outcome = judge(what)
    if isinstance(outcome, str):
        return Told("failed", _cut([f"not judged: {outcome.splitlines()[0]}", *outcome.splitlines()[1:]]))
    mine = [r for r in outcome.run.results if r.branch == branch and (r.quantity == row or (row == CONTRACTS and r.role == "contract"))]
    names = {r.quantity for r in mine}
    failing = [d for d in outcome.divergences if d.branch == branch and d.row in names]
    missing = [e for e in outcome.verdict.missing if e.branch == branch and (e.quantity in names or _is_of(e.quantity, row, outcome))]
    if failing:
        return Told("failed", _cut(_divergences(what, outcome, failing)))
    if missing:
        cases = ", ".join(dict.fromkeys(f"{e.quantity} {e.dtype}" for e in missing))
        return Told("failed", _cut([f"not judged: {cases}", *_notes(outcome), "More examples may reach it."]))
    if not any(r.n_judged for r in mine):
        reasons = sorted({r.message for r in mine if r.message})
        return Told("skipped", ": ".join(["not claimed", *reasons]))
    return Told("passed", "")


def _is_of(quantity: str, row: str, outcome: Outcome) -> bool:
    return quantity == row or (row == CONTRACTS and quantity in {c.id for c in outcome.run.header.contracts})


def _notes(outcome: Outcome) -> list[str]:
    return [f"{note.title}: {note.text}" for note in outcome.run.notes]


def _divergences(what: Asked, outcome: Outcome, failing: Sequence[Divergence]) -> list[str]:
    """Each with what was seen; then the smallest case of the first that has one, and how to see more."""
    from reports.brief import inputs_text
    from reports.words import margin_text

    alike: dict[str, list[Divergence]] = {}
    for d in failing:
        alike.setdefault(f"{d.row} {d.message}", []).append(d)
    lines = []
    for same in list(alike.values())[:_FEW]:
        margins = [d.margin for d in same if d.margin is not None and d.margin < math.inf]
        margin = f", {margin_text(max(margins)).removesuffix(' ×')} times the allowed error" if margins else ""
        lines.append(f"{same[0].row} {' and '.join(dict.fromkeys(d.dtype for d in same))}{margin}: {same[0].message}")
        cause = f"  cause: {same[0].diagnosis}"
        lines += [cause] if same[0].diagnosis and cause not in lines else []
    if len(alike) > _FEW:
        lines.append(f"and {len(alike) - _FEW} more")
    small = next((d.counterexample.minimised for d in failing if d.counterexample and d.counterexample.minimised), None)
    if small is not None:
        lines.append(f"with {inputs_text(small)}")
    at = outcome.divergences.index(failing[0])
    lines += [f"see more: {_call(what)}.divergences[{at}].counterexample"]
    return lines + ([f"note: {outcome.estimated}"] if outcome.estimated else [])


def _call(what: Asked) -> str:
    """The call of `check` that finds the same."""
    like = "" if what.like is None else f", {what.like!r}" if isinstance(what.like, str) else f", {_path(what.like)}"
    options = "".join(f", {name}={value!r}" for name, value in what.options.items())
    return f"oracle.check({what.name}{like}{options})"


def _path(function: Any) -> str:
    return f"{getattr(function, '__module__', '')}.{getattr(function, '__qualname__', type(function).__name__)}".lstrip(".")


def _cut(lines: Sequence[str]) -> str:
    """At most LINES lines of at most WIDTH characters; the last one, which says how to go on, stays."""
    from reports.words import clip, visible

    flat = [clip(visible(" ".join(line.split()) if line[:1] != " " else f"  {' '.join(line.split())}"), WIDTH) for line in lines]
    return "\n".join(flat if len(flat) <= LINES else [*flat[: LINES - 2], "...", flat[-1]])


def judge_fixtures(item: pytest.Function, mark: pytest.Mark, required: bool) -> None:
    """Judge every argument of a test that is a layer. required: there must be one. Raises pytest's Failed."""
    if "conformance" in item.funcargs:
        return
    layers = {name: value for name, value in item.funcargs.items() if is_layer(value)}
    if required and not layers:
        pytest.fail(
            f"conforms: no argument of {item.name} is a layer; a fixture must return a class, a function or an Adapter", pytrace=False
        )
    for value in layers.values():
        _judge_whole(asked(value, mark.args, mark.kwargs, "conforms"))


def is_layer(value: Any) -> bool:
    """Whether what a fixture returned is a layer to judge."""
    from oracle.subjects.adapter import Adapter

    return inspect.isclass(value) or inspect.isfunction(value) or isinstance(value, Adapter)


def _judge_whole(what: Asked) -> None:
    """Fail with the first failing rows of the layer, if there are any."""
    outcome = judge(what)
    if isinstance(outcome, str):
        pytest.fail(_cut(f"not judged: {outcome}".splitlines()), pytrace=False)
    if outcome.divergences:
        pytest.fail(_cut([outcome.verdict.sentence, *_divergences(what, outcome, outcome.divergences)]), pytrace=False)
    if not outcome.conforms:
        pytest.fail(_cut([f"{what.name} was not judged. {outcome.verdict.sentence}", *_notes(outcome)]), pytrace=False)
