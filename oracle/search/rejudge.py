"""Judging the stored cases of a diff again, here: which of its possible causes it was."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from oracle.core.claims import ClaimError
from oracle.core.contracts import CONTRACTS
from oracle.core.judge import judge
from oracle.core.observe import SubjectGone
from oracle.core.spec import LayerSpec
from oracle.core.stored import restored_case
from oracle.results import CaseData, LayerInfo, Run
from oracle.results.diff import OF_BEFORE, Change, Difference, Mark, Replay, Whose, machine, settled
from oracle.search.entrant import Assignment, Entrant, assignment, dismiss
from oracle.search.environment import environment
from oracle.search.introduce import Request, introduce
from oracle.search.source import source_of
from oracle.specs import UnknownLayerError
from oracle.subjects.conventions import ConventionError
from oracle.subjects.loading import LoadError
from oracle.subjects.target import Target

REPLAYED: tuple[Mark, ...] = ("newly failing", "newly found", "not comparable", "not seen again", "fixed")
"""The marks whose cases are judged again; of the others nothing is in doubt."""


class NotJudgedError(Exception):
    """A stored case that cannot be judged as things are here; the message says why, as the end of a sentence."""


class _Here(NamedTuple):
    """A layer as it is here, and whose code that is."""

    entrant: Entrant
    code: Whose


@dataclass(frozen=True)
class Replayer:
    """Judges the cases of `before` and `after` again. targets: where the user's own layers are now."""

    before: Run
    after: Run
    targets: Sequence[Target] = ()

    def settle(self, difference: Difference, progress: Callable[[str], None]) -> Difference:
        """`difference` with what the replay has shown; `progress(layer)` is called as the cases of each layer are done."""
        where = _whose(machine(environment()), *[machine(run.header.environment) for run in (self.before, self.after)])
        found = {change.key: change for change in difference.changes}
        asked = [change for change in difference.changes if change.mark in REPLAYED and change.example is not None]
        try:
            for layer in dict.fromkeys(change.layer for change in asked):
                mine = [change for change in asked if change.layer == layer]
                found.update({change.key: change for change in self._settled(mine, where)})
                progress(layer)
        finally:
            dismiss()
        return difference.with_changes(found.values(), replayed=True)

    def _settled(self, changes: Sequence[Change], where: Whose) -> list[Change]:
        """The changes of one layer. where: whose environment this is."""
        try:
            here = self._here(changes[0].layer)
        except _UNJUDGEABLE as error:
            return [settled(change, Replay(None, None, "unknown", where, trouble=_told(error))) for change in changes]
        return [settled(change, self._replay(change, here, where)) for change in changes]

    def _replay(self, change: Change, here: _Here, where: Whose) -> Replay:
        example = change.example
        assert example is not None
        try:
            assigned = assignment(here.entrant)
            found = _fails(assigned, example.case, change.key[3])
            minimised = None if example.minimised is None else _fails(assigned, example.minimised, change.key[3])
        except _UNJUDGEABLE as error:
            return Replay(None, None, here.code, where, trouble=_told(error))
        return Replay(found, minimised, here.code, where, self._same_check(change, assigned.spec))

    def _here(self, layer: str) -> _Here:
        infos = [next((i for i in run.header.layers if i.name == layer), None) for run in (self.before, self.after)]
        info = next((i for i in reversed(infos) if i is not None and i.torch), None)
        entrant = Entrant(layer, layer) if info is None or not info.target else self._entrant(info)
        return _Here(entrant, _whose(source_of(entrant), *[i.source if i else "" for i in infos]))

    def _entrant(self, info: LayerInfo) -> Entrant:
        target = self._target(info)
        named = target if target.name else Target(target.text, target.kind, target.where, info.subject)
        convention = info.convention.partition(":")[0] or None
        found = introduce(Request(named, info.spec, convention, (".",), info.not_claimed), keep=True)
        if not found.entrants:
            raise NotJudgedError(found.rejected[0].message if found.rejected else f"{target.text} has no {info.subject} any more")
        return found.entrants[0]

    def _target(self, info: LayerInfo) -> Target:
        """The target among those named here in which the layer is: by its file's name, unless there is only one."""
        layers = [i for run in (self.before, self.after) for i in run.header.layers if i.target]
        fitting = [t for t in self.targets if Path(t.where).name == Path(_place(info.target)).name]
        if not fitting and len(self.targets) == 1 and len({_place(i.target) for i in layers}) == 1:
            fitting = list(self.targets)
        if not fitting:
            raise NotJudgedError(f"this is a layer of {info.target}: say where its code is now with --target")
        return fitting[0]

    def _same_check(self, change: Change, spec: LayerSpec) -> bool:
        """Whether the check here is that of the run which is concerned."""
        result = change.before if change.mark in OF_BEFORE else change.after
        contract = CONTRACTS.get(change.key[3])
        version = contract.version if contract else spec.check_version
        return result is None or result.check_version == version


def _fails(assigned: Assignment, stored: CaseData, row: str) -> bool:
    """Whether `row` fails on a stored case."""
    case = restored_case(stored)
    if case.branch not in assigned.spec.branches:
        raise NotJudgedError(f"{assigned.spec.name} has no branch {case.branch!r} here")
    try:
        judgement = judge(assigned.spec, assigned.subject, case, measure=True)
    except (ArithmeticError, LookupError, RuntimeError, TypeError, ValueError) as error:
        # a file may hold any case, also one that the spec has never had
        raise NotJudgedError(f"the stored case is none of {assigned.spec.name}'s ({type(error).__name__}: {error})") from error
    if judgement.discarded is not None:
        raise NotJudgedError(judgement.discarded)
    return any(finding.name == row for finding in judgement.findings)


def _whose(here: object, before: object, after: object) -> Whose:
    """Which run's it is that is here. What one file does not tell may still be the other's."""
    if not here or not (before or after):
        return "unknown"
    if here == before:
        return "both" if here == after else "BEFORE"
    return "AFTER" if here == after else "neither" if before and after else "unknown"


def _place(target: str) -> str:
    """A target as a results file has it, without the name in it."""
    place, colon, name = target.rpartition(":")
    return place if colon and name.replace(".", "").isidentifier() else target


def _told(error: Exception) -> str:
    return str(error).strip().rstrip(".") or type(error).__name__


_UNJUDGEABLE = (UnknownLayerError, ValueError, ClaimError, LoadError, ConventionError, SubjectGone, NotJudgedError)
