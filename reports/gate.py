"""What a gate adds to the summary in the terminal: the list of known divergences, what became of each, and the two lanes."""

from __future__ import annotations

from oracle.results import Verdict
from reports.known import GateView, gate_view
from reports.printing import STYLES, Printer
from reports.rows import Rows
from reports.words import clip, count

SHOWN = 10
"""This many newly found rows are named."""
REASON_LENGTH = 120
"""Characters of a reason: the file has the rest."""
WIDEST = 50
"""Columns that a name may take before what is said of it stands out of line."""
_STYLES = {"f2": STYLES["failed"], "f1": "", "n": "dim"}


def print_gate(rows: Rows, decided: Verdict, out: Printer) -> None:
    """Print what the gate of a run says; nothing where it had none."""
    view = gate_view(rows.run, rows)
    if view is None:
        return
    _print_entries(view, out)
    for row in decided.newly_found[:SHOWN]:
        out.line(("newly found", STYLES["failed"]), (f"  {row.layer} {row.quantity}", "bold"), (f"  {row.branch}, {row.dtype}", "dim"))
    if len(decided.newly_found) > SHOWN:
        out.line((f"... and {count(len(decided.newly_found) - SHOWN, 'more newly found row')}.", "dim"))
    out.line((view.lanes or f"No stored cases; searched with seed {rows.run.header.settings.seed}.", ""))
    out.line()


def _print_entries(view: GateView, out: Printer) -> None:
    """Of each entry what it lists, what became of it and until when it holds; under that why it is there, and where it is discussed."""
    width = min(max((len(entry.name) for entry in view.entries), default=0), WIDEST)
    for entry in view.entries:
        until = f", listed until {entry.expires}" if entry.expires else ""
        out.line(("known  ", "dim"), (f"{entry.name:{width}}  ", "bold"), (entry.word, _STYLES.get(entry.tone, "")), (until, "dim"))
        out.line((clip(entry.reason, REASON_LENGTH), ""), (f"  {entry.text}" if entry.text else "", "dim"), indent=7)
    if view.entries:
        out.line()
