"""From targets, as the user wrote them, to entrants: loaded in processes of their own, layers matched, their conventions found."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from oracle.core.observe import SubjectGone
from oracle.results import Note
from oracle.search.entrant import Assignment, Entrant, Rejected, hold, holds, samples
from oracle.specs import all_specs, spec_named
from oracle.subjects.conventions import ConventionError
from oracle.subjects.isolated import Isolated, Limits
from oracle.subjects.loading import LoadError
from oracle.subjects.target import Target

LONGEST = 120
"""Characters of a label; of a longer path the end is kept."""


@dataclass(frozen=True)
class Request:
    """A target and how it is to be judged: what the command line says."""

    target: Target
    like: str | None = None
    convention: str | None = None
    search_path: tuple[str, ...] = ()
    not_claimed: tuple[str, ...] = ()
    limits: Limits = field(default_factory=Limits)


class Introduced(NamedTuple):
    """What came of some requests. unmatched: (definition, why) of what is not judged; notes: what was left out on loading."""

    entrants: tuple[Entrant, ...]
    rejected: tuple[Rejected, ...]
    unmatched: tuple[tuple[str, str], ...]
    notes: tuple[Note, ...]


def label_of(target: Target, name: str = "") -> str:
    """The name of a subject in the results: the target as it was written, and the layer's name."""
    where = target.text if target.name is None else target.text[: -len(target.name) - 1]
    text = f"{Path(where).as_posix()}:{name}" if name else Path(where).as_posix()
    return text if len(text) <= LONGEST else "..." + text[3 - LONGEST :]


def introduced(requests: Sequence[Request], workers: int, progress: Callable[[str], None]) -> Introduced:
    """All requests, a few at a time; `progress(text)` is called as each is done."""

    def one(request: Request) -> Introduced:
        found = introduce(request, keep=len(requests) == 1)
        progress(request.target.text)
        return found

    with ThreadPoolExecutor(max(workers, 1)) as threads:
        found = list(threads.map(one, requests))
    return Introduced(*[tuple(x for part in found for x in part[i]) for i in range(4)])  # type: ignore[arg-type]


def introduce(request: Request, keep: bool = False) -> Introduced:
    """Load the target, match what it defines and try how it is called. `keep`: the process of a single layer goes on to be judged."""
    target = request.target
    subject = Isolated(target, request.search_path, request.limits)
    try:
        found = subject.found(request.like, tuple(all_specs()))
        notes = [Note(layer=label_of(target), title="loading", text=text) for text in found.notes]
        notes += [Note(layer=label_of(target), title="not loaded", text=f"{name}: {why}") for name, why in found.missing.items()]
        unmatched = tuple((f"{label_of(target, c.name)}", c.why) for c in found.candidates if c.spec is None)
        entrants: list[Entrant] = []
        rejected: list[Rejected] = []
        for candidate in found.candidates:
            if candidate.spec is not None:
                entered = _entered(request, subject, candidate.name, candidate.spec)
                if isinstance(entered, Entrant):
                    entrants.append(entered)
                else:
                    rejected.append(entered)
        if keep and len(entrants) == 1:
            hold(Assignment(entrants[0], entrants[0].judged_by(), subject))
        return Introduced(tuple(entrants), tuple(rejected), unmatched, tuple(notes))
    except (LoadError, SubjectGone) as error:
        label = label_of(target, target.name or "")
        return Introduced((), (Rejected(label, request.like or "", target.text, str(error)),), (), ())
    finally:
        if not holds(subject):
            subject.close()


def _entered(request: Request, subject: Isolated, name: str, spec_name: str) -> Entrant | Rejected:
    spec = spec_named(spec_name)
    label = label_of(request.target, name)
    try:
        known = subject.connect(name, spec.signature, samples(spec), request.convention)
        return Entrant(
            label=label,
            spec=spec.name,
            target=request.target,
            name=name,
            convention=known.convention,
            details=known.details,
            forward_only=known.forward_only,
            search_path=request.search_path,
            not_claimed=request.not_claimed,
            limits=request.limits,
        )
    except (LoadError, ConventionError, SubjectGone) as error:
        return Rejected(label, spec_name, request.target.text, str(error))
