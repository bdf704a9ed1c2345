"""A gradient check in the terminal: a table for each dtype, what needs a word, the verdict last."""

from __future__ import annotations

from rich.console import Console
from rich.table import Column

from oracle.results.gradcheck import GradCheck, grad_verdict
from reports.gradcheck_rows import APART, LEGEND, MARGINS, RowView, Told, dtypes, notes, row_views, told
from reports.printing import OUTCOMES, STYLES, Part, Printer
from reports.words import count

ROWS = 40
"""Parameters of one dtype that are told."""
SHOWN = 10
"""This many rows are told more of; the page has the rest."""


def print_gradcheck(check: GradCheck, console: Console) -> None:
    """Print what `check` found."""
    out = Printer(console)
    asked = check.settings
    out.line((f"Gradient check of {check.net}", "bold"), (f"  on {count(asked.batch, 'row')} of {asked.data}", "dim"))
    for text in notes(check):
        out.line((text, "dim"), indent=2)
    out.line()
    for dtype in dtypes(check):
        _print_rows(row_views(check, dtype), dtype, out)
    if check.rows:
        out.line((LEGEND, "dim"))
        out.line()
    found = told(check)
    for each in found[:SHOWN]:
        _print_told(each, out)
    if len(found) > SHOWN:
        out.line((f"... and {len(found) - SHOWN:,} more of these.", "dim"))
        out.line()
    decided = grad_verdict(check)
    out.line((decided.outcome.upper(), OUTCOMES.get(decided.outcome, "bold")), ("  ", ""), (decided.sentence, ""))


def _print_rows(views: list[RowView], dtype: str, out: Printer) -> None:
    titles = (dtype, *APART, *MARGINS, "differences of", "")
    columns = [Column(out.text(t), justify="right" if t in APART + MARGINS else "left", overflow="fold") for t in titles]
    out.table(columns, [_cells(view) for view in views[:ROWS]])
    if len(views) > ROWS:
        out.line((f"... and {count(len(views) - ROWS, 'more parameter')}.", "dim"))
    out.line()


def _cells(view: RowView) -> list[Part]:
    plain = (view.parameter, *view.apart, *view.margins, view.tried)
    return [*[(text, "") for text in plain], (view.word, STYLES.get(view.row.status, ""))]


def _print_told(each: Told, out: Printer) -> None:
    out.line((f"{each.title} {each.dtype}", "bold"), (f"  {each.headline}", STYLES["failed"] if each.failed else ""))
    for line in each.lines:
        out.line((line, ""), indent=2)
    if each.facts:
        out.line(("; ".join(f"{name} {value}" for name, value in each.facts), "dim"), indent=2)
    if each.cause:
        out.line((f"Likely cause: {each.cause}", ""), indent=2)
    out.line()
