"""One row for each subject, for a spreadsheet."""

from __future__ import annotations

import csv
import io
import unicodedata
from pathlib import Path

from oracle.results import Run
from reports.rows import Rows
from reports.subjects import Subject, subjects
from reports.words import shorten, visible
from reports.writing import write_whole

COLUMNS = (
    "subject",
    "target",
    "spec",
    "convention",
    "verdict",
    "rows_passed",
    "rows_failed",
    "rows_not_judged",
    "rows_not_claimed",
    "worst_margin",
    "first_divergence",
    "diagnosis",
    "cases",
    "not_claimed",
)
"""The columns, which stay as they are: new ones come at the end."""
LONGEST = 2000
"""Characters of one cell."""


def write_csv(run: Run, path: Path) -> Path:
    """Write a row for each subject of `run` to `path`, in the order given, and return it: UTF-8, the names of `COLUMNS` first.

    verdict is one of conforms, diverges, error, not loaded, incomplete, not claimed. worst_margin is empty where nothing was measured;
    1 is the edge. Text that a spreadsheet would take for a formula begins with an apostrophe. Raises OSError.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows([_cell(value) for value in _values(subject)] for subject in subjects(Rows(run)))
    return write_whole(path, text.getvalue())


def _values(subject: Subject) -> tuple[str | int | float | None, ...]:
    info = subject.info
    return (
        info.name,
        info.target,
        info.spec,
        info.convention,
        subject.grade,
        subject.passed,
        subject.failed,
        subject.not_judged,
        subject.not_claimed,
        subject.margin,
        subject.divergence,
        subject.diagnosis,
        subject.cases,
        ", ".join((*info.not_claimed, *subject.reasons)),
    )


def _cell(value: str | int | float | None) -> str:
    """Numbers as they are; text made visible, and never a formula."""
    if value is None:
        return ""
    if not isinstance(value, str):
        return repr(value)
    # a spreadsheet may pass over blanks, and takes wide forms of these characters for the narrow ones
    first = unicodedata.normalize("NFKC", value.lstrip()[:1])
    formula = first in set("=+-@") or value[:1] in set("\t\r\n")
    return ("'" if formula else "") + shorten(visible(value), LONGEST)
