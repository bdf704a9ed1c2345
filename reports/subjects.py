"""Whoever was judged, one by one: the verdict on it, a line per quantity and contract, and what is worth telling beside them."""

from __future__ import annotations

from typing import NamedTuple

from oracle.results import LayerInfo, Note
from reports.findings import Finding, account, findings_of
from reports.matrix import layer_state, tone
from reports.rows import Row, Rows
from reports.words import FAILING, LOADS, NOT_LOADED, STATES, margin_order, margin_text

GRADES = {"failed": "diverges", "stale": "diverges", "error": "error", "passed": "conforms", "known": "conforms"}
"""State of a layer -> the verdict on it in one word, where it is another."""
UNDECIDED = {"not-run": "no case reached it", "inconclusive": "torch leaves its own bound", "skipped": "skipped"}
"""State of a row that was not judged -> why."""


class Line(NamedTuple):
    """One quantity or contract over all branches and dtypes. `row` is the worst of them."""

    name: str
    role: str
    word: str
    tone: str
    margin: str
    where: str
    cases: int
    row: Row

    @property
    def folded(self) -> str:
        """The word of a contract of which there is nothing more to say, so that it need only be counted; else empty."""
        if self.role == "quantity" or self.word not in ("holds", "not judged", "not claimed"):
            return ""
        return "" if self.where and self.word == "holds" else self.word


class Subject(NamedTuple):
    """One layer as it was judged.

    grade: conforms, diverges, error, not loaded, incomplete or not claimed. reasons: why some of it is not claimed, where that was
    not the user's wish. The counts are of rows.
    """

    info: LayerInfo
    state: str
    grade: str
    lines: list[Line]
    findings: list[Finding]
    notes: tuple[Note, ...]
    reasons: list[str]
    rows: tuple[Row, ...]
    passed: int
    failed: int
    not_judged: int
    not_claimed: int
    margin: float | None
    cases: int

    @property
    def claimed(self) -> int:
        """How many rows it was to be judged on."""
        return self.passed + self.failed + self.not_judged

    @property
    def diagnosis(self) -> str:
        """The first cause that is known of a divergence."""
        return next((finding.diagnosis for finding in self.findings if finding.diagnosis), "")

    @property
    def divergence(self) -> str:
        """The first divergence in words: what, where, by how much."""
        if not self.findings:
            return ""
        row = self.findings[0].row
        return account(row) if row.quantity == LOADS else f"{row.quantity} in {row.branch} {row.dtype}: {account(row)}"

    @property
    def why(self) -> str:
        """The first diagnosis, else the first divergence."""
        return self.diagnosis or self.divergence


def subjects(rows: Rows) -> list[Subject]:
    """Every layer of the run, in the order in which they were given."""
    return [_subject(rows, info) for info in rows.layers]


def _subject(rows: Rows, info: LayerInfo) -> Subject:
    own = rows.by_layer.get(info.name, ())
    state, word = layer_state(own)
    count = {"passed": 0, "failed": 0, "not-claimed": 0, "": 0}
    groups: dict[str, list[Row]] = {}
    for row in own:
        kind = "failed" if row.state in FAILING else "passed" if row.state == "known" else row.state
        count[kind if kind in count else ""] += 1
        groups.setdefault(row.quantity, []).append(row)
    lines = [_line(group) for group in groups.values()]
    unclaimed = (row.result.message for row in own if row.state == "not-claimed" and row.result)
    return Subject(
        info,
        state,
        word if word == NOT_LOADED else GRADES.get(state, "not claimed" if state == "not-claimed" else "incomplete"),
        sorted(lines, key=lambda line: line.role == "contract"),
        findings_of(own),
        rows.notes(info.name),
        list(dict.fromkeys(filter(None, unclaimed))),
        own,
        count["passed"],
        count["failed"],
        count[""],
        count["not-claimed"],
        max((row.margin for row in own if row.margin is not None), key=margin_order, default=None),
        sum(depth.n_cases for depth in rows.depths(info.name)),
    )


def _line(group: list[Row]) -> Line:
    """The rows of one quantity or contract as one."""
    failing = [row for row in group if row.state in FAILING]
    passed = [row for row in group if row.state in ("passed", "known")]
    worst = max(failing or passed or group, key=lambda row: margin_order(row.margin))
    if failing:
        word, where = _failure(failing, worst), _place(worst, len(failing), len(group))
    elif passed:
        word, where = "holds", _held(worst, group, len(passed))
    else:
        word = STATES["not-claimed"] if worst.state == "not-claimed" else "not judged"
        where = UNDECIDED.get(next((row.state for row in group if row.state in UNDECIDED), ""), "")
        word = "not judged" if where else word
    margin = margin_text(worst.margin) if worst.role == "quantity" else "-"
    cases = sum(row.result.n_judged for row in group if row.result)
    return Line(worst.quantity, worst.role, word, tone(worst), margin, where, cases, worst)


def _failure(failing: list[Row], worst: Row) -> str:
    if worst.quantity == LOADS:
        return NOT_LOADED
    if all(row.state == "error" for row in failing):
        return "error"
    if worst.role == "contract":
        return "broken"
    return "imprecise" if all(tone(row) == "f1" for row in failing) else "diverges"


def _place(row: Row, n: int, of: int) -> str:
    """Where the worst is, and in how many branches and dtypes: ``index float32, in 3 of 4``."""
    if row.quantity == LOADS:
        return ""
    return f"{row.branch} {row.dtype}" + (f", in all {n}" if n == of > 1 else f", in {n} of {of}" if of > 1 else "")


def _held(worst: Row, group: list[Row], passed: int) -> str:
    """Where the worst margin is, and of how many rows nothing is known."""
    parts = [f"{worst.branch} {worst.dtype}"] if worst.margin else ["bitwise equal"] if worst.margin == 0 else []
    unclaimed = sum(row.state == "not-claimed" for row in group)
    undecided = len(group) - passed - unclaimed
    parts += [f"{n} of {len(group)} {word}" for n, word in ((undecided, "not judged"), (unclaimed, "not claimed")) if n]
    return ", ".join(parts)
