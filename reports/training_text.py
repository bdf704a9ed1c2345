"""A training in the terminal: a table for each dtype, the figures, what diverges, the verdict."""

from __future__ import annotations

from rich.console import Console
from rich.table import Column

from oracle.results.training import Training, training_verdict
from reports.printing import OUTCOMES, STYLES, Part, Printer
from reports.training_figures import dtypes_of, figures
from reports.training_rows import DivergenceView, RowView, divergence_views, planted_view, row_views
from reports.words import count, shorten

SHOWN = 10
"""This many divergences are told; the page has the rest."""
ROWS = 30
"""Rows of one dtype that are told."""
FACTS = ("margin", "largest difference", "elements that differ")
"""Facts of a divergence that are told; the message has those of the worst element."""
COUNTS = ("judged", "failed", "inconclusive", "worst step")
"""Titles of columns of numbers."""
BY_PARAMETER = "of "
"""What the names of figures begin with that the page alone has: distances by parameter."""


def print_training(training: Training, console: Console) -> None:
    """Print to `console` what was trained, the rows of each dtype, the figures side by side, at most ten divergences with their causes
    and where their arrays are, the planted faults, then the verdict."""
    out = Printer(console)
    found = divergence_views(training)
    asked = training.header.settings
    told = f"  {count(asked.steps, 'step')} of {count(asked.batch, 'row')}, learning rate {asked.lr:g}, on {asked.data}"
    out.line((f"Training of {training.header.net.name}", "bold"), (told, ""))
    out.line()
    for dtype in dtypes_of(training):
        _print_rows(training, dtype, found, out)
    _print_figures(training, out)
    for view in found[:SHOWN]:
        _print_divergence(view, out)
    if len(found) > SHOWN:
        out.line((f"... and {count(len(found) - SHOWN, 'more divergence')}.", "dim"))
        out.line()
    _print_planted(training, out)
    decided = training_verdict(training)
    out.line((decided.outcome.upper(), OUTCOMES.get(decided.outcome, "bold")), ("  ", ""), (decided.sentence, ""))


def _print_rows(training: Training, dtype: str, found: list[DivergenceView], out: Printer) -> None:
    views = row_views(training, dtype, found)
    if not views:
        out.line((dtype, "bold"), ("  nothing was judged", ""))
        out.line()
        return
    titles = (dtype, "judged", "failed", "inconclusive", "margin", "worst step", "")
    columns = [Column(out.text(t), justify="right" if t in COUNTS else "left", overflow="fold") for t in titles]
    out.table(columns, [_cells(view) for view in views[:ROWS]])
    if len(views) > ROWS:
        out.line((f"... and {count(len(views) - ROWS, 'more row')}.", "dim"))
    out.line()


def _cells(view: RowView) -> list[Part]:
    plain = (view.row.quantity, view.judged, view.failed, view.inconclusive, view.margin, view.worst)
    return [*[(text, "") for text in plain], (view.cell.text, STYLES.get(view.state, ""))]


def _print_figures(training: Training, out: Printer) -> None:
    dtypes = dtypes_of(training)
    for title, every in figures(training, dtypes).items():
        told = [f for f in every if not f.name.startswith(BY_PARAMETER)]
        columns = [Column(title, overflow="fold"), *[Column(out.text(dtype), justify="right", overflow="fold") for dtype in dtypes]]
        out.table(columns, [[(f.name, ""), *[(cell, "") for cell in f.cells]] for f in told])
        out.line()


def _print_divergence(view: DivergenceView, out: Printer) -> None:
    out.line((f"{view.quantity} {view.dtype}", "bold"), (f"  {view.headline}", STYLES["failed"]), (f"  {view.where}", "dim"))
    out.line((view.account, ""), indent=2)
    facts = [f"{name} {value}" for name, value in view.facts if name in FACTS]
    if facts:
        out.line(("; ".join(facts), "dim"), indent=2)
    if view.diagnosis:
        out.line(("Likely cause: " + view.diagnosis, ""), indent=2)
    if view.file:
        out.line(("arrays: ", "dim"), (view.file, ""), indent=2)
    out.line()


def _print_planted(training: Training, out: Printer) -> None:
    planted = planted_view(training)
    if planted is None:
        return
    out.line(("Planted faults: ", "bold"), (planted.sentence, ""))
    for fault in planted.survivors[:SHOWN]:
        out.line(("unnoticed: ", STYLES["failed"]), (f"{fault.name}, {shorten(fault.fault, 200)}", ""), indent=2)
    if len(planted.survivors) > SHOWN:
        out.line((f"... and {len(planted.survivors) - SHOWN} more.", "dim"), indent=2)
    out.line()
