"""The summary in the terminal: a row for each layer, the divergences in plain words, the verdict."""

from __future__ import annotations

from rich.console import Console
from rich.table import Column

from oracle.results import LayerInfo, Run, verdict
from reports.findings import Finding, account, elsewhere, findings, headline
from reports.gate import print_gate
from reports.matrix import layer_state
from reports.printing import OUTCOMES, STYLES, Part, Printer
from reports.rows import Rows
from reports.words import count, margin_order, margin_text

SHOWN = 10
"""This many divergences are told; the page has the rest."""


def print_summary(run: Run, console: Console) -> None:
    """Print what `run` found to `console`: layers, at most ten divergences with the command that replays each, then the verdict."""
    rows = Rows(run)
    out = Printer(console)
    _print_layers(rows, out)
    found = findings(rows)
    for finding in found[:SHOWN]:
        _print_finding(finding, out)
    if len(found) > SHOWN:
        out.line((f"... and {count(len(found) - SHOWN, 'more divergence')}.", "dim"))
        out.line()
    decided = verdict(run)
    print_gate(rows, decided, out)
    out.line((decided.outcome.upper(), OUTCOMES.get(decided.outcome, "bold")), ("  ", ""), (decided.sentence, ""))


def _print_finding(finding: Finding, out: Printer) -> None:
    row = finding.row
    out.line((f"{row.layer} {row.quantity}", "bold"), (f"  {headline(row)}", STYLES["failed"]), (f"  {row.branch}, {row.dtype}", "dim"))
    out.line(("  " + account(row), ""))
    if row.example and row.example.diagnosis:
        out.line(("  Likely cause: " + row.example.diagnosis, ""))
    if finding.others:
        out.line(("  " + elsewhere(finding), "dim"))
    if row.example and row.example.replay:
        out.line(("  replay: ", "dim"), (row.example.replay, ""))
    out.line()


def _print_layers(rows: Rows, out: Printer) -> None:
    """Print a row for each layer; into a pipe each stays on one line."""
    titles = ("layer", "cases", "rows", "margin", "worst in", "")
    columns = [Column(t, justify="right" if t in ("cases", "rows") else "left", overflow="fold") for t in titles]
    columns[0].min_width = min(max((len(info.name) for info in rows.layers), default=0), 24)
    out.table(columns, [_cells(rows, info) for info in rows.layers])
    out.line()


def _cells(rows: Rows, info: LayerInfo) -> list[Part]:
    """The cells of a layer's row. What a layer does not claim is not counted."""
    own = rows.by_layer.get(info.name, ())
    state, word = layer_state(own)
    claimed = sum(1 for r in own if r.state != "not-claimed")
    judged = sum(1 for r in own if r.result is not None and r.result.n_judged)
    worst = max((r for r in own if r.margin is not None), key=lambda r: margin_order(r.margin), default=None)
    where = f"{worst.quantity} {worst.branch} {worst.dtype}" if worst else "-"
    cases = sum(d.n_cases for d in rows.depths(info.name))
    of = f"{judged:,}" if judged == claimed else f"{judged:,} of {claimed:,}"
    plain = [info.name, f"{cases:,}", of, margin_text(worst.margin) if worst else "-", where]
    return [*[(text, "") for text in plain], (word, STYLES.get(state, ""))]
