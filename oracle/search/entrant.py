"""Who is entered to be judged: plain data that goes to any worker process, and the spec and subject made of it there."""

from __future__ import annotations

import atexit
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from oracle.core.case import Case
from oracle.core.claims import claimed
from oracle.core.draw import calm_case
from oracle.core.observe import Judged
from oracle.core.spec import LayerSpec
from oracle.specs import all_specs, spec_named
from oracle.subjects import subject_of
from oracle.subjects.isolated import Isolated, Limits
from oracle.subjects.target import Target


@dataclass(frozen=True)
class Entrant:
    """One layer to be judged: the name of its spec, and where it is.

    label: its name in the results, unique in a run. target: where it comes from; None for our own. name: what it is called there.
    convention: how it is called, None to find out; details: what was found out, in words. forward_only: why it has no gradients to
    judge. not_claimed: what it does not promise. binding: the spec itself, where it is none of ours.
    """

    label: str
    spec: str
    target: Target | None = None
    name: str = ""
    convention: str | None = None
    details: str = ""
    forward_only: str = ""
    search_path: tuple[str, ...] = ()
    not_claimed: tuple[str, ...] = ()
    limits: Limits = field(default_factory=Limits)
    binding: LayerSpec | None = None

    def whole(self) -> LayerSpec:
        """The spec with all that it has."""
        return self.binding or spec_named(self.spec)

    def judged_by(self) -> LayerSpec:
        """The spec without what this entrant does not claim. Raises ClaimError."""
        spec = self.whole()
        return claimed(spec, self.not_claimed, bool(self.forward_only)) if self.not_claimed or self.forward_only else spec


class Rejected(NamedTuple):
    """A target, or a layer in one, that cannot be judged at all, and why."""

    label: str
    spec: str
    target: str
    message: str


class Assignment(NamedTuple):
    """An entrant as it is judged in this process."""

    entrant: Entrant
    spec: LayerSpec
    subject: Judged


def own(names: Sequence[str] = ()) -> tuple[Entrant, ...]:
    """Our own layers, all if none is named."""
    return tuple(Entrant(name, name) for name in names or all_specs())


def samples(spec: LayerSpec) -> list[Case]:
    """Benign cases on which a calling convention is tried: one of every branch."""
    return [calm_case(spec, np.random.default_rng(i), branch) for i, branch in enumerate(spec.branches)]


_held: list[Assignment] = []


def assignment(entrant: Entrant) -> Assignment:
    """`entrant` with its spec and subject, made once in this process and kept until another one is asked for.

    Raises LoadError, ConventionError or SubjectGone where the subject cannot be had.
    """
    if _held and _held[0].entrant == entrant:
        return _held[0]
    dismiss()
    spec = entrant.judged_by()
    if entrant.target is None:
        subject: Judged = subject_of(spec)
    else:
        isolated = Isolated(entrant.target, entrant.search_path, entrant.limits)
        # by the whole signature: what has no backward is then known to have none, and is not asked for one
        whole = entrant.whole()
        isolated.connect(entrant.name, whole.signature, samples(whole), entrant.convention)
        subject = isolated
    return hold(Assignment(entrant, spec, subject))


def hold(made: Assignment) -> Assignment:
    """Keep an assignment, in the place of the one before."""
    dismiss()
    _held.append(made)
    return made


def holds(subject: Judged) -> bool:
    """Whether `subject` is the one that is kept."""
    return any(held.subject is subject for held in _held)


def dismiss() -> None:
    """End the process of the subject that is held, if it has one."""
    while _held:
        subject = _held.pop().subject
        if isinstance(subject, Isolated):
            subject.close()


atexit.register(dismiss)
