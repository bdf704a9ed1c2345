"""What a comparison of two runs says: its marks, its causes, and the records they are told in."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, NamedTuple

from oracle.results.model import Counterexample, Health, Planted, Result

Key = tuple[str, str, str, str]
Mark = Literal[
    "newly failing",
    "lost coverage",
    "newly found",
    "not comparable",
    "still failing",
    "accepted",
    "stale",
    "not seen again",
    "not reached",
    "drifted",
    "fixed",
]
Cause = Literal["code", "inputs", "check", "environment"]

MARKS: dict[Mark, str] = {
    "newly failing": "fails now, on a case that BEFORE tried and passed",
    "lost coverage": "was judged before, and is not any more",
    "newly found": "fails now, on cases that BEFORE never tried",
    "not comparable": "another version of the check, or another torch expression",
    "still failing": "fails in both runs",
    "accepted": "fails now, and is listed as known",
    "stale": "conforms, and is still listed as known",
    "not seen again": "failed before; AFTER passes, but has not tried that case",
    "not reached": "was judged before; AFTER was cut off or damaged before it came to it",
    "drifted": "passes in both, with another margin",
    "fixed": "failed before, and passes now on the same case",
}
"""Mark -> what it means, the most important first."""
REGRESSIONS: tuple[Mark, ...] = ("newly failing", "lost coverage")
"""The marks for which the exit code is 1."""
OF_BEFORE: tuple[Mark, ...] = ("fixed", "not seen again")
"""The marks that are about a case which failed in BEFORE; the others are about AFTER's."""
CAUSES: dict[Cause, str] = {
    "code": "the layer's code",
    "inputs": "the cases that were tried",
    "check": "the check: its version, the torch expression, or gradconform itself",
    "environment": "Python, NumPy, torch, BLAS or the machine",
}
"""Cause -> what it stands for."""


class Change(NamedTuple):
    """One row that is not in AFTER what it was in BEFORE, or fails in both.

    why: in a sentence, what the mark rests on. causes: whatever may be the reason, as far as the files tell; one is named for certain.
    example: a failing case, of AFTER where it has one. differs: False where the row fails in both in the very same way. replay: what
    judging the stored case again has shown, in a sentence.
    """

    key: Key
    mark: Mark
    why: str
    causes: tuple[Cause, ...]
    before: Result | None
    after: Result | None
    example: Counterexample | None = None
    differs: bool = True
    replay: str = ""

    @property
    def layer(self) -> str:
        """The layer of the row."""
        return self.key[0]


class Moved(NamedTuple):
    """One side's answers to the same inputs, before and after, for a quantity of a layer: of `n_compared` cases `n_moved` differ.

    side: "actual" is the layer, "expected" is the oracle. ulp: the largest distance; None where one answer is NaN, infinite, or of
    another shape or dtype. digest: a case that shows it. causes: what may be the reason.
    """

    layer: str
    quantity: str
    side: Literal["actual", "expected"]
    n_compared: int
    n_moved: int
    ulp: int | None
    digest: str
    causes: tuple[Cause, ...] = ()


class Side(NamedTuple):
    """One fact about the two runs, side by side."""

    group: Literal["run", "settings", "environment", "code"]
    name: str
    before: str
    after: str

    @property
    def differs(self) -> bool:
        """Whether it is another in AFTER."""
        return self.before != self.after


class Blinder(NamedTuple):
    """What says of the judge itself that it is not what it was: a planted fault that it misses now, or autograd off its differences."""

    survived: tuple[Planted, ...]
    unwell: tuple[Health, ...]


class Difference(NamedTuple):
    """Two runs compared.

    changes: the most important first; rows that fail in both in the very same way are among them, with `differs` False. n_rows: rows
    that were judged in either. n_new: rows that pass and that BEFORE did not judge. incomplete: what is missing of either run, as
    sentences. replayed: whether stored cases were judged again.
    """

    changes: tuple[Change, ...]
    moved: tuple[Moved, ...]
    blinder: Blinder
    sides: tuple[Side, ...]
    incomplete: tuple[str, ...]
    n_rows: int
    n_new: int
    replayed: bool = False

    def with_changes(self, changes: Iterable[Change], replayed: bool) -> Difference:
        """The same with other `changes`, the most important first."""
        order = {mark: at for at, mark in enumerate(MARKS)}
        ranked = sorted(changes, key=lambda c: (not c.differs, order[c.mark]))
        return self._replace(changes=tuple(ranked), replayed=replayed)

    @property
    def regressions(self) -> tuple[Change, ...]:
        """The changes for which the exit code is 1."""
        return tuple(c for c in self.changes if c.mark in REGRESSIONS)

    @property
    def is_empty(self) -> bool:
        """Whether no row is in AFTER other than it was in BEFORE."""
        return not any(c.differs for c in self.changes) and not self.n_new

    @property
    def exit_code(self) -> int:
        """1 where there is a regression, else 3 where a run is incomplete, else 0."""
        return 1 if self.regressions else 3 if self.incomplete else 0
