"""From targets, as the user wrote them, to entrants: loaded in processes of their own, layers matched, their conventions found."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
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
    where = _place(target)
    text = f"{Path(where).as_posix()}:{name}" if name else Path(where).as_posix()
    return text if len(text) <= LONGEST else "..." + text[3 - LONGEST :]


def _place(target: Target) -> str:
    """The target as it was written, without the name in it."""
    return target.text if target.name is None else target.text[: -len(target.name) - 1]


def introduced(requests: Sequence[Request], workers: int, progress: Callable[[str], None]) -> Introduced:
    """All requests, a few at a time; `progress(text)` is called as each is done. A layer that is asked for twice is entered once.

    KeyboardInterrupt ends the subjects that are being loaded, and loads no others.
    """
    subjects = [Isolated(request.target, request.search_path, request.limits) for request in requests]

    def one(request: Request, subject: Isolated) -> Introduced:
        found = introduce(request, len(requests) == 1, subject)
        progress(request.target.text)
        return found

    threads = ThreadPoolExecutor(max(workers, 1))
    begun = [threads.submit(one, *pair) for pair in zip(requests, subjects, strict=True)]
    try:
        found = [future.result() for future in begun]
    except BaseException:
        _stop(threads, begun, subjects)
        raise
    threads.shutdown()
    entrants, rejected = _told_apart([e for part in found for e in part.entrants], [r for part in found for r in part.rejected])
    unmatched = tuple(dict.fromkeys(pair for part in found for pair in part.unmatched))
    return Introduced(entrants, rejected, unmatched, tuple(dict.fromkeys(note for part in found for note in part.notes)))


def _stop(threads: ThreadPoolExecutor, begun: Sequence[Future[Introduced]], subjects: Sequence[Isolated]) -> None:
    """End what has begun. Again and again, because a process may just be starting."""
    threads.shutdown(wait=False, cancel_futures=True)
    while wait(begun, timeout=0.1).not_done:
        for subject in subjects:
            subject.abandon()


def _told_apart(entrants: Sequence[Entrant], rejected: Sequence[Rejected]) -> tuple[tuple[Entrant, ...], tuple[Rejected, ...]]:
    """Each layer once, and under a label of its own: of two long paths the ends may be the same."""
    once: dict[tuple[str, str], Entrant] = {}
    for entrant in entrants:
        once.setdefault(("" if entrant.target is None else os.path.abspath(_place(entrant.target)), entrant.name), entrant)
    labels: set[str] = set()

    def own_label(label: str) -> str:
        numbered = (f"{label} ({n})" if n > 1 else label for n in itertools.count(1))
        labels.add(free := next(text for text in numbered if text not in labels))
        return free

    kept = tuple(replace(e, label=own_label(e.label)) for e in once.values())
    return kept, tuple(r._replace(label=own_label(r.label)) for r in dict.fromkeys(rejected))


def introduce(request: Request, keep: bool = False, subject: Isolated | None = None) -> Introduced:
    """Load the target, match what it defines and try how it is called. `keep`: the process of a single layer goes on to be judged.

    subject: the target's process, where the caller may want to end it.
    """
    target = request.target
    subject = subject or Isolated(target, request.search_path, request.limits)
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
