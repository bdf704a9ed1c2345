"""Many subjects at a glance: one line each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from rich.cells import cell_len
from rich.console import Console
from rich.table import Column

from oracle.results import Run, verdict
from reports.printing import OUTCOMES, STYLES, Part, Printer
from reports.rows import Rows
from reports.subjects import Subject, subjects
from reports.words import NOT_LOADED, clip, count, margin_text

PIPED = 120
"""Characters of a cause where no width is given."""
LEAST = 24
"""Characters that a label may always take."""
WHY = 24
"""Characters that a cause is given if there is any way."""
TITLES = ("subject", "spec", "verdict", "rows", "margin", "why")
LEAST_WANTED = ("spec", "margin")
"""Columns that give way, the first of them first."""


def print_grades(run: Run, console: Console) -> None:
    """Print one line for each subject of `run` to `console`, in the order given, then how many there are of each verdict."""
    rows = Rows(run)
    out = Printer(console)
    judged = subjects(rows)
    print_subjects(judged, out)
    out.line()
    for note in rows.other_notes[:12]:
        out.line((f"{note.layer}, {note.title}: ", "dim"), (clip(" ".join(note.text.split()), PIPED), ""))
    decided = verdict(run)
    grades = Counter(subject.grade for subject in judged)
    totals = f"{count(len(judged), 'subject')}: {', '.join(_total(*item) for item in grades.items())}."
    out.line((decided.outcome.upper(), OUTCOMES.get(decided.outcome, "bold")), ("  " + totals, ""))
    if run.footer is None or run.footer.outcome != "complete" or run.n_damaged or decided.missing:
        out.line((decided.sentence, ""))


def print_subjects(judged: Sequence[Subject], out: Printer) -> None:
    """The table of subjects: label, spec, verdict, rows, worst margin, and why. Where that is too wide for a terminal, without spec and
    margin."""
    rows = [_cells(subject) for subject in judged]
    if not out.plain:
        for row, title in zip(rows, _short([row["subject"][0] for row in rows], out.console.width // 3), strict=True):
            row["subject"] = (title, "")
    widths = {title: max(cell_len(text) for text in (title, *(row[title][0] for row in rows))) for title in TITLES}
    shown = list(TITLES) if out.plain else _fitting(widths, out.console.width)
    if not out.plain:
        widths["why"] = max(_left(widths, shown, out.console.width), LEAST)
        for row in rows:
            row["why"] = (clip(row["why"][0], widths["why"]), "")
    columns = [_column(title, widths[title]) for title in shown]
    out.table(columns, [[row[title] for title in shown] for row in rows])


def _fitting(widths: dict[str, int], width: int) -> list[str]:
    """The columns for which there is room beside a cause of some length."""
    shown = list(TITLES)
    for title in LEAST_WANTED:
        if _left(widths, shown, width) < min(WHY, widths["why"]):
            shown.remove(title)
    return shown


def _left(widths: dict[str, int], shown: Sequence[str], width: int) -> int:
    return width - sum(widths[title] + 2 for title in shown if title != "why") - 1


def _cells(subject: Subject) -> dict[str, Part]:
    rows = f"{subject.passed:,} of {subject.claimed:,}" if subject.grade != NOT_LOADED else "-"
    plain = (subject.info.name, subject.info.spec or "-", subject.grade, rows, margin_text(subject.margin), clip(subject.why, PIPED))
    styled = {"verdict": STYLES.get(subject.state, "")}
    return {title: (text, styled.get(title, "")) for title, text in zip(TITLES, plain, strict=True)}


def _column(title: str, width: int) -> Column:
    """All on one line, but for a label that cannot be cut."""
    if title == "subject":
        return Column(title, overflow="fold", min_width=min(width, LEAST))
    return Column(title, no_wrap=True, overflow="ellipsis", justify="right" if title == "rows" else "left")


def _short(labels: list[str], width: int) -> list[str]:
    """The ends of the labels, which tell more of a path than its beginning; whole where that would make two of them one."""
    short = [_end(label, max(LEAST, width)) for label in labels]
    return short if len(set(short)) == len(set(labels)) else labels


def _end(text: str, width: int) -> str:
    return text if len(text) <= width else "…" + text[1 - width :]


def _total(grade: str, n: int) -> str:
    verbs = {"conforms": "conform", "diverges": "diverge"}
    return f"{n:,} {verbs.get(grade, grade) if n != 1 else grade}"
