"""The outcome as a fragment of HTML, for a notebook: nothing to load, no script, readable on light and on dark."""

from __future__ import annotations

from markupsafe import Markup

from oracle.results import Counterexample, Run, verdict
from reports.brief import inputs_text, is_small
from reports.findings import account, findings, headline
from reports.page import environment
from reports.rows import Rows
from reports.subjects import Line, subjects
from reports.words import LOADS, count

SHOWN = 12
"""This many divergences are told."""
SUBJECTS = 40
"""This many subjects have a table of their own."""
_FOLDED = {
    "holds": ("holds", "hold"),
    "not judged": ("was not judged", "were not judged"),
    "not claimed": ("is not claimed", "are not claimed"),
}
CASE_LENGTH = 200
"""Characters of a case that is written out."""
STYLES = {
    "box": "font-family:system-ui,sans-serif;font-size:14px;line-height:1.45;color:inherit;max-width:60em;overflow-wrap:anywhere",
    "scroll": "overflow-x:auto",
    "table": "border-collapse:collapse;margin:.5em 0;color:inherit;background:transparent;font-size:inherit;overflow-wrap:normal",
    "cell": "text-align:left;vertical-align:top;white-space:nowrap;padding:.15em 1.2em .15em 0;border:0;"
    "border-bottom:1px solid rgba(128,128,128,.35);"
    "background:transparent;color:inherit;font-weight:normal",
    "number": "text-align:right;vertical-align:top;padding:.15em 0;border:0;border-bottom:1px solid rgba(128,128,128,.35);"
    "background:transparent;color:inherit;font-weight:normal",
    "good": "font-weight:600;border-left:4px solid #2f7fd0;padding-left:.5em",
    "bad": "font-weight:700;border-left:4px solid #d9661f;padding-left:.5em",
    "open": "font-weight:600;border-left:4px solid #888;padding-left:.5em",
    "quiet": "opacity:.72",
    "finding": "margin:.7em 0;padding-left:.7em;border-left:4px solid #d9661f",
    "code": "font-family:ui-monospace,monospace;font-size:.92em;background:rgba(128,128,128,.14);color:inherit;"
    "padding:.05em .3em;border-radius:3px",
}
"""What everything looks like: its ink is the notebook's own, so that it can be read on whatever is behind it."""


def table_html(run: Run) -> str:
    """The verdict on `run`, a table for each subject, and the divergences with their causes. Every string in it is escaped."""
    rows = Rows(run)
    judged = subjects(rows)
    found = [finding for finding in findings(rows) if finding.row.quantity != LOADS]
    return (
        environment()
        .get_template("table.html.jinja")
        .render(
            verdict=verdict(run),
            subjects=judged[:SUBJECTS],
            left_out=len(judged) - SUBJECTS,
            findings=found[:SHOWN],
            n_findings=len(found),
            notes=rows.other_notes,
            style={name: Markup(f'style="{text}"') for name, text in STYLES.items()},
            kind=_kind,
            held=_held,
            case=_case,
            headline=headline,
            account=account,
            loads=LOADS,
        )
    )


def _kind(word: str) -> str:
    """Which style a verdict, or the word of a line, has."""
    return "good" if word in ("conforms", "holds") else "open" if word in ("incomplete", "not judged", "not claimed") else "bad"


def _held(lines: list[Line]) -> list[str]:
    """How many contracts are in none of the lines shown: ``["12 contracts hold"]``."""
    counts = ((sum(line.folded == word for line in lines), words) for word, words in _FOLDED.items())
    return [f"{count(n, 'contract')} {one if n == 1 else more}" for n, (one, more) in counts if n]


def _case(example: Counterexample | None) -> str:
    case = example.minimised if example else None
    text = inputs_text(case) if case and is_small(case) else ""
    return text if len(text) <= CASE_LENGTH else ""
