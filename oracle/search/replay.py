"""Running a stored counterexample against the code as it is now."""

from __future__ import annotations

from typing import NamedTuple

from oracle.core.judge import judge
from oracle.core.stored import restored_case
from oracle.results import Counterexample
from oracle.search.explain import explained
from oracle.specs import UnknownLayerError, spec_named
from oracle.subjects import subject_of


class Replay(NamedTuple):
    """Whether the row that failed holds now, and what was found, a line each."""

    holds: bool
    lines: tuple[str, ...]


def replayed(counterexample: Counterexample, raw: bool = False) -> Replay:
    """Judge the minimised case, or with `raw` the one that was drawn. Any finding on the row that failed means that it still does."""
    stored = counterexample.case if raw or counterexample.minimised is None else counterexample.minimised
    try:
        spec = spec_named(counterexample.layer)
        case = restored_case(stored)
        if case.branch not in spec.branches:
            return Replay(False, (f"{spec.name} has no branch {case.branch!r} any more",))
    except (UnknownLayerError, ValueError) as error:
        return Replay(False, (str(error),))
    subject = subject_of(spec)
    judgement = judge(spec, subject, case, measure=True)
    if judgement.discarded is not None:
        return Replay(False, (f"cannot be judged: {judgement.discarded}",))
    lines = [f"{f.name}: {explained(spec, subject, case, f).message}" for f in judgement.findings]
    return Replay(not judgement.findings, tuple(lines))
