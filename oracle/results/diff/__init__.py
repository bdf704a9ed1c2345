"""Two runs compared: what fails now and did not, what is judged no more, and which of code, inputs, check and environment may be why."""

from oracle.results.diff.causes import MACHINE, Replay, Whose, machine, settled
from oracle.results.diff.changes import CAUSES, MARKS, OF_BEFORE, REGRESSIONS, Blinder, Cause, Change, Difference, Key, Mark, Moved, Side
from oracle.results.diff.compare import diff
from oracle.results.diff.drift import FACTOR

__all__ = [
    "CAUSES",
    "FACTOR",
    "MACHINE",
    "MARKS",
    "OF_BEFORE",
    "REGRESSIONS",
    "Blinder",
    "Cause",
    "Change",
    "Difference",
    "Key",
    "Mark",
    "Moved",
    "Replay",
    "Side",
    "Whose",
    "diff",
    "machine",
    "settled",
]
