"""A diff as a page: one HTML file like the report."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from oracle.results import Counterexample
from oracle.results.diff import CAUSES, MARKS, REGRESSIONS, Difference, Mark
from reports.cases import CaseView, case_view, worst_element
from reports.diff_groups import Group, answer, because, groups, outcome, seen, sentence, states
from reports.findings import anchor, shown
from reports.heatmap import Heat, heat
from reports.page import render
from reports.writing import write_whole

BUDGET = 200_000
"""Characters that counterexamples may take together; beyond it only their commands are told."""
LISTED = 200
"""Of every mark this many groups are on the page."""
ROWS = 40
"""Of a group this many rows are listed."""
FACTS = 200
"""Facts and answers that are on the page of each kind."""


class Shown(NamedTuple):
    """The counterexample of a change, laid out. size: about how many characters it takes."""

    origin: str
    facts: list[tuple[str, str]]
    heat: Heat | None
    case: CaseView
    size: int


class Entry(NamedTuple):
    """One group of changes, ready to be shown; `case` where its counterexample is."""

    id: str
    group: Group
    because: str
    states: str
    seen: str
    case: Shown | None


class Section(NamedTuple):
    """All changes of one mark. `more`: how many groups are left out."""

    id: str
    mark: Mark
    meaning: str
    tone: str
    entries: list[Entry]
    n_rows: int
    more: int


def write_diff_html(difference: Difference, path: Path) -> Path:
    """Write the page on `difference` to `path` and return it. The file appears whole or not at all. Raises OSError."""
    return write_whole(path, render_diff(difference))


def render_diff(difference: Difference) -> str:
    """The page on `difference` as a string."""
    sections = _sections(difference)
    return render(
        "diff.html.jinja",
        styles=("report.css", "diff.css"),
        difference=difference,
        outcome=outcome(difference),
        tone="diverges" if difference.regressions else "incomplete" if difference.incomplete else "conforms",
        sentence=sentence(difference),
        sections=sections,
        firsts=[(section, entry) for section in sections for entry in section.entries][:8],
        same=groups(c for c in difference.changes if not c.differs),
        oracle=[answer(m) for m in difference.moved if m.side == "expected"][:FACTS],
        layers=[answer(m) for m in difference.moved if m.side == "actual"][:FACTS],
        sides=_side_groups(difference),
        names=_names(difference),
        rows=ROWS,
        marks=MARKS,
        causes=CAUSES,
    )


def _sections(difference: Difference) -> list[Section]:
    told = groups(c for c in difference.changes if c.differs)
    left = BUDGET
    sections = []
    for mark, meaning in MARKS.items():
        mine = [group for group in told if group.mark == mark]
        entries = []
        for group in mine[:LISTED]:
            entry = _entry(group, difference.replayed, left)
            left -= entry.case.size if entry.case else 0
            entries.append(entry)
        if mine:
            tone = "f2" if mark in REGRESSIONS else "m2" if mark == "fixed" else "f1" if mark == "newly found" else "n"
            n_rows = sum(len(group.changes) for group in mine)
            sections.append(Section(anchor("mark", mark), mark, meaning, tone, entries, n_rows, len(mine) - len(entries)))
    return sections


def _entry(group: Group, replayed: bool, left: int) -> Entry:
    example = group.lead.example
    view = _shown(example, group.row.quantity) if example else None
    identity = anchor("change", "-".join((*group.lead.key, group.mark)))
    fitting = view if view and view.size <= left else None
    return Entry(identity, group, because(group, replayed), states(group.lead), seen(group), fitting)


def _shown(example: Counterexample, quantity: str) -> Shown:
    """The minimised case where there is one, with the numbers that belong to it."""
    comparison, case = shown(example), example.minimised or example.case
    view, map_ = case_view(case), heat(comparison, quantity)
    where = f"Stored case {example.index:,}" if example.lane == "corpus" else f"Case {example.index:,} of seed {example.seed}"
    origin = f"{where}, {'shown minimised' if example.minimised else 'shown as found'}, digest {case.digest}."
    tables = [*view.tables, *(view.prior.tables if view.prior else ()), *(map_.tables if map_ else ())]
    return Shown(origin, worst_element(comparison), map_, view, sum(2 * t.size for t in tables) + len(example.snippet) + 2000)


def _names(difference: Difference) -> tuple[str, str]:
    """What the two runs are called: their labels, and when they began."""
    facts = {side.name: (side.before, side.after) for side in difference.sides if side.group == "run"}
    label, started = facts.get("label", ("-", "-")), facts.get("started", ("-", "-"))
    before, after = (", ".join(text for text in pair if text != "-") or "a run without a name" for pair in zip(label, started, strict=True))
    return before, after


def _side_groups(difference: Difference) -> list[tuple[str, list[tuple[str, str, str, bool]]]]:
    """The facts side by side, by what they are about."""
    found: dict[str, list[tuple[str, str, str, bool]]] = {}
    for side in difference.sides:
        found.setdefault(side.group, []).append((side.name, side.before, side.after, side.differs))
    return [(name, facts[:FACTS]) for name, facts in found.items()]
