"""Which of code, inputs, check and environment may be the cause of a change: two small tables.

The first goes by what the two files say: whatever differs may be the cause, and whatever is the same is none. The second goes by what a
stored case does when it is judged again, here, with the code and the environment at hand. Both are held against the run in which the
row failed: what differs from it and lets the case pass is the cause, and what differs from it while the case still fails is not.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from oracle.results.diff.changes import OF_BEFORE, Cause, Change, Mark
from oracle.results.model import Environment, LayerInfo, Run

Known = Literal["same", "differs", "unknown"]
Whose = Literal["both", "BEFORE", "AFTER", "neither", "unknown"]

CAN_BE: dict[Mark, tuple[Cause, ...]] = {
    "newly failing": ("code", "check", "environment"),
    "fixed": ("code", "check", "environment"),
    "newly found": ("code", "inputs", "check", "environment"),
    "accepted": ("code", "inputs", "check", "environment"),
    "not seen again": ("code", "inputs", "check", "environment"),
    "drifted": ("code", "inputs", "check", "environment"),
    "lost coverage": ("code", "inputs", "check", "environment"),
    "not comparable": (),
    "still failing": (),
    "stale": (),
    "not reached": (),
}
"""Mark -> what may be its cause at all: where both runs tried the case, it is not the inputs."""
MACHINE = ("python", "numpy", "torch", "platform", "machine", "blas")
"""Of an environment, what can change an answer."""


class Evidence(NamedTuple):
    """What the two files say of each cause."""

    code: Known
    inputs: Known
    check: Known
    environment: Known


class Replay(NamedTuple):
    """What judging the stored case of a change again has shown, here.

    found, minimised: whether the case fails as it was found, and as it was made small; None where there is none or it could not be
    judged. code, environment: which run's it is. same_check: whether the check here has the version of the failing run. trouble: why
    it could not be judged.
    """

    found: bool | None
    minimised: bool | None
    code: Whose
    environment: Whose
    same_check: bool = True
    trouble: str = ""

    @property
    def fails(self) -> bool | None:
        """Whether the row fails here; None where that is not known."""
        return None if self.found is None and self.minimised is None else bool(self.found or self.minimised)


def candidates(mark: Mark, evidence: Evidence) -> tuple[Cause, ...]:
    """What may be the cause of a change: that which differs first, then that of which nothing is recorded.

    Another commit of gradconform of which nothing but its layers is known to differ is only named where nothing else may be the cause.
    """
    return _named(CAN_BE[mark], evidence)


def answer_causes(side: str, evidence: Evidence) -> tuple[Cause, ...]:
    """What may be the cause of another answer to the same inputs: torch's has no code of the layer's in it."""
    return _named(("code", "environment") if side == "actual" else ("check", "environment"), evidence)


def _named(asked: tuple[Cause, ...], evidence: Evidence) -> tuple[Cause, ...]:
    ranked = [(cause, wanted) for wanted in ("differs", "unknown") for cause in asked if getattr(evidence, cause) == wanted]
    surely = tuple(cause for cause, wanted in ranked if (cause, wanted) != ("check", "unknown"))
    return surely or tuple(cause for cause, _ in ranked)


def code_evidence(before: Run, after: Run, mine: LayerInfo | None, theirs: LayerInfo | None) -> Known:
    """Whether the layer's code is the same: by its digest, else by the commit of a checkout without changes."""
    if mine is None or theirs is None:
        return "unknown"
    if mine.source and theirs.source:
        return "same" if mine.source == theirs.source else "differs"
    a, b = before.header.environment, after.header.environment
    if mine.target or theirs.target or not (a.commit and b.commit) or a.dirty is not False or b.dirty is not False:
        return "unknown"
    return "same" if a.commit == b.commit else "unknown"


def check_evidence(before: Run, after: Run) -> Known:
    """Whether the judge is the same, for rows that are comparable: then only gradconform itself can be another."""
    a, b = before.header.environment, after.header.environment
    if a.gradconform != b.gradconform:
        return "differs"
    return "same" if a.commit == b.commit and not a.dirty and not b.dirty else "unknown"


def environment_evidence(before: Environment, after: Environment) -> Known:
    """Whether everything that can change an answer is the same."""
    return "same" if machine(before) == machine(after) else "differs"


def machine(environment: Environment) -> tuple[str | None, ...]:
    """What of `environment` can change an answer: of a Linux the C library, not the kernel."""
    system, with_, library = environment.platform.partition("-with-")
    platform = f"Linux{with_}{library}" if system.startswith("Linux-") and with_ else environment.platform
    return (platform, *[getattr(environment, name) for name in MACHINE if name != "platform"])


def settled(change: Change, replay: Replay) -> Change:
    """`change` with what the replay has shown: its mark, its causes, and a sentence."""
    if replay.fails is None:
        return change._replace(replay=f"Not judged again: {replay.trouble or 'there is no stored case'}.")
    verb = "fails" if replay.fails else "holds"
    if not replay.same_check or change.mark == "not comparable":
        return change._replace(causes=("check",), replay=f"Its case {verb} here, by the check as it is here.")
    failing: Whose = "AFTER" if _fails_after(change) else "BEFORE"
    passing: Whose = "BEFORE" if failing == "AFTER" else "AFTER"
    place = f"with {_whose(replay.code, 'code')} in {_whose(replay.environment, 'environment')}"
    told = f"Its case {verb} here, {place}"
    if "unknown" in (replay.code, replay.environment):
        return change._replace(replay=f"{told}: that leaves the cause open.")
    both: tuple[Cause, ...] = ("code", "environment")
    other = tuple(cause for cause in both if getattr(replay, cause) not in ("both", failing))
    as_passing = replay.code in ("both", passing) and replay.environment in ("both", passing)
    if replay.fails:
        return _still_fails(change, replay, other, as_passing, told, passing)
    return _holds(change, replay, other, told, failing, passing)


def _still_fails(change: Change, replay: Replay, other: tuple[Cause, ...], as_passing: bool, told: str, passing: Whose) -> Change:
    """It fails here: whatever is other here than in the failing run is not needed for that."""
    if not as_passing:
        left = tuple(cause for cause in change.causes if cause not in other)
        excluded = f": it is not {' nor '.join(f'the {cause}' for cause in other)}" if other else ", as it did"
        return change._replace(causes=left, replay=f"{told}{excluded}.")
    if change.mark in ("newly failing", "fixed") and replay.found:
        return change._replace(causes=(), replay=f"{told}, where {passing} passed it: the layer does not give the same answer twice.")
    if _fails_after(change):
        return change._replace(causes=("inputs",), replay=f"{told}: the fault was there before, and {passing} did not show it.")
    return change._replace(
        mark="still failing",
        why=f"Its case still fails; the cases of {passing} do not show it.",
        causes=("inputs",),
        replay=f"{told}.",
    )


def _holds(change: Change, replay: Replay, other: tuple[Cause, ...], told: str, failing: Whose, passing: Whose) -> Change:
    """It holds here: whatever is other here than in the failing run is the cause."""
    if not other:
        return change._replace(causes=(), replay=f"{told}, where {failing} failed it: the layer does not give the same answer twice.")
    of_passing = all(getattr(replay, cause) in ("both", passing) for cause in other)
    told = f"{told}: it is {' or '.join(f'the {cause}' for cause in other)}"
    if not of_passing:
        return change._replace(replay=f"{told}, but not {passing}'s.")
    upgraded: dict[Mark, Mark] = {"newly found": "newly failing", "not seen again": "fixed"}
    mark = upgraded.get(change.mark, change.mark)
    why = change.why if mark == change.mark else f"Judged again with {passing}'s {' and '.join(other)}, the case holds."
    return change._replace(mark=mark, why=why, causes=other, replay=f"{told}.")


def _fails_after(change: Change) -> bool:
    """Whether the case that was judged again is AFTER's."""
    return change.mark not in OF_BEFORE


def _whose(whose: Whose, what: str) -> str:
    told = {"both": f"the {what} of both runs", "neither": f"{what} of neither run", "unknown": f"{what} that is not known to either run"}
    return told.get(whose, f"{whose}'s {what}")
