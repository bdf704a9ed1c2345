"""Running a stored counterexample against the code as it is now."""

from __future__ import annotations

from typing import NamedTuple

from oracle.core.claims import ClaimError
from oracle.core.judge import judge
from oracle.core.observe import SubjectGone
from oracle.core.stored import restored_case
from oracle.results import Counterexample, LayerInfo
from oracle.search.entrant import Assignment, Entrant, assignment, dismiss
from oracle.search.explain import explained
from oracle.search.introduce import Request, introduce
from oracle.specs import UnknownLayerError
from oracle.subjects.conventions import ConventionError
from oracle.subjects.loading import LoadError
from oracle.subjects.target import Target


class Replay(NamedTuple):
    """Whether the row that failed holds now, and what was found, a line each."""

    holds: bool
    lines: tuple[str, ...]


class ReplayError(Exception):
    """A counterexample that cannot be judged again as things are: the message says what is missing."""


def replayed(counterexample: Counterexample, layer: LayerInfo | None = None, target: Target | None = None, raw: bool = False) -> Replay:
    """Judge the minimised case, or with `raw` the one that was drawn. Any finding on the row that failed means that it still does.

    layer: what the results file says of its layer. The code of a subject is loaded from `target` alone, never from where a file says.
    """
    stored = counterexample.case if raw or counterexample.minimised is None else counterexample.minimised
    try:
        _, spec, subject = _assigned(counterexample, layer, target)
        case = restored_case(stored)
        if case.branch not in spec.branches:
            return Replay(False, (f"{spec.name} has no branch {case.branch!r} any more",))
        judgement = judge(spec, subject, case, measure=True)
        if judgement.discarded is not None:
            return Replay(False, (f"cannot be judged: {judgement.discarded}",))
        lines = [f"{f.name}: {explained(spec, subject, case, f).message}" for f in judgement.findings]
        return Replay(not judgement.findings, tuple(lines))
    except (UnknownLayerError, ValueError, ClaimError, LoadError, ConventionError, SubjectGone, ReplayError) as error:
        return Replay(False, (str(error),))
    finally:
        dismiss()


def _assigned(counterexample: Counterexample, layer: LayerInfo | None, target: Target | None) -> Assignment:
    """The subject as it is now: our own layer, or the one in `target`."""
    if layer is None or not layer.target:
        return assignment(Entrant(counterexample.layer, counterexample.layer))
    if target is None:
        raise ReplayError(f"this is a counterexample of {layer.target}: say where the code is now with --target")
    named = target if target.name else Target(target.text, target.kind, target.where, layer.subject)
    convention = layer.convention.partition(":")[0] or None
    found = introduce(Request(named, layer.spec, convention, (".",), layer.not_claimed), keep=True)
    if not found.entrants:
        raise ReplayError(found.rejected[0].message if found.rejected else f"{target.text} has no {layer.subject} any more")
    return assignment(found.entrants[0])
