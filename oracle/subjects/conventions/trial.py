"""Trying ways to call an object on benign cases, and taking the one that fits best."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from oracle.core.case import Array, Case
from oracle.core.spec import Signature
from oracle.subjects.conventions.classic import Subject
from oracle.subjects.conventions.names import reason

NOT_BUILT, NOT_RUN, OTHER_SHAPE, FORWARD, GRADIENTS, ALL = range(6)
"""How far a way gets: nothing built; forward raises; forward answers in another shape; in the right one; gradients; their shapes too."""


class ConventionError(Exception):
    """No calling convention fits, or the one asked for does not: what was tried, and why it failed."""


class Connection(NamedTuple):
    """A subject behind its calling convention.

    convention: its name. details: what was found out, in words: "W (out, in), gradients in .grads". forward_only: why there
    are no gradients to judge; empty where there are.
    """

    subject: Subject
    convention: str
    details: str
    forward_only: str


class Way(NamedTuple):
    """A connection that may fit. call: what is called, for messages. likeness: preferred where others fit as well."""

    connection: Connection
    call: str
    likeness: int = 0


class Fit(NamedTuple):
    """How well a way fits: its best sample, all of its samples, and the first failure."""

    best: int
    total: int
    failure: str


def fit(way: Way, signature: Signature, samples: Sequence[Case]) -> Fit:
    """Try `way` on copies of every sample."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        tried = [_try(way.connection, signature, case) for case in samples]
    failure = next((why for _, why in tried if why), "")
    return Fit(max((level for level, _ in tried), default=NOT_BUILT), sum(level for level, _ in tried), failure)


def _try(connection: Connection, signature: Signature, case: Case) -> tuple[int, str]:
    level, subject = NOT_BUILT, connection.subject
    try:
        state = subject.start({n: a.copy() for n, a in case.params.items()}, case.config)
        level = NOT_RUN
        outputs = subject.forward(state, {n: a.copy() for n, a in case.inputs.items()})
        shapes = [_number(y).shape for y in outputs]
        level = OTHER_SHAPE
        wanted = {i: case.cotangents[name].shape for i, name in enumerate(signature.outputs) if name in case.cotangents}
        wrong = [f"forward gives shape {shapes[i]} instead of {shape}" for i, shape in wanted.items() if shapes[i] != shape]
        if not wrong:
            level = FORWARD if signature.wrt else ALL
        if not wrong and signature.wrt and not connection.forward_only:
            grads = subject.backward(state, {n: a.copy() for n, a in case.cotangents.items()})
            given = {**case.inputs, **case.params}
            pairs = [(_number(g).shape, given[name].shape) for name, g in zip(signature.wrt, grads, strict=True)]
            level = ALL if all(mine == its for mine, its in pairs) else GRADIENTS
        return level, wrong[0] if wrong else ""
    except Exception as error:
        return level, reason(error)


def _number(result: Any) -> Array:
    a = np.asarray(result)
    if a.dtype.kind not in "fiub":
        raise TypeError(f"the result is {type(result).__name__}, not an array of numbers")
    return a


def choose(ways: Sequence[Way], signature: Signature, name: str, samples: Sequence[Case], absent: Sequence[str]) -> Connection:
    """The connection that fits best, the first of equals. absent: conventions for which there was nothing to try.

    Raises ConventionError where no forward answers.
    """
    fits = [(way, fit(way, signature, samples)) for way in ways]
    running = [(way, found) for way, found in fits if found.best >= OTHER_SHAPE]
    if running:
        return max(running, key=lambda pair: (pair[1].best, pair[1].total, pair[0].likeness))[0].connection
    lines = [f"{name} cannot be called as {signature.name}. Tried:"]
    by_convention: dict[str, dict[str, str]] = {}
    for way, found in sorted(fits, key=lambda pair: -pair[1].best):
        by_convention.setdefault(way.connection.convention, {}).setdefault(found.failure, way.call)
    for convention, failures in by_convention.items():
        lines += [f"  {convention}: {call}: {failure}" for failure, call in list(failures.items())[:2]]
    lines += [f"  nothing in it looks like {', '.join(absent)}"] if absent else []
    lines.append("Say how it is called with --convention, or write an Adapter of a few lines (docs/conventions.md).")
    raise ConventionError("\n".join(lines))
