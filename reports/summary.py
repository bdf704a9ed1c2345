"""The summary in the terminal: a row for each layer, the divergences in plain words, the verdict."""

from __future__ import annotations

from rich.box import SIMPLE_HEAD, Box
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from oracle.results import LayerInfo, Run, verdict
from reports.findings import Finding, account, elsewhere, findings, headline
from reports.matrix import layer_state
from reports.rows import Rows
from reports.words import count, margin_text, shorten, visible

SHOWN = 10
"""This many divergences are told; the page has the rest."""
LONGEST = 600
"""Characters of one string; a message of pages would push the verdict off the screen."""
WIDE = 2000
"""Characters a table may take where nothing is wrapped."""
STYLES = {"passed": "blue", "failed": "bold yellow", "stale": "bold yellow", "error": "bold yellow"}

# The same shape as SIMPLE_HEAD in characters that survive a pipe, a log file and a terminal without line drawing.
PLAIN = Box("    \n    \n -- \n    \n    \n -- \n    \n    \n", ascii=True)


def print_summary(run: Run, console: Console) -> None:
    """Print what `run` found to `console`: layers, at most ten divergences with the command that replays each, then the verdict."""
    rows = Rows(run)
    out = _Printer(console)
    out.table(rows)
    found = findings(rows)
    for finding in found[:SHOWN]:
        _print_finding(finding, out)
    if len(found) > SHOWN:
        out.line((f"... and {count(len(found) - SHOWN, 'more divergence')}.", "dim"))
        out.line()
    decided = verdict(run)
    style = {"conforms": "bold blue", "diverges": "bold yellow"}.get(decided.outcome, "bold")
    out.line((decided.outcome.upper(), style), ("  ", ""), (decided.sentence, ""))


def _print_finding(finding: Finding, out: _Printer) -> None:
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


class _Printer:
    """Prints strings that others wrote: never as markup, never with invisible characters, never with any the terminal cannot encode."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.plain = not console.is_terminal or console.is_dumb_terminal or not console.encoding.lower().startswith("utf")

    def text(self, string: str, style: str = "") -> Text:
        """`string`, safe to print."""
        safe = shorten(visible(string), LONGEST)
        if not self.console.encoding.lower().startswith("utf"):
            for fancy, simple in (("×", "x"), ("∞", "inf"), ("…", "...")):
                safe = safe.replace(fancy, simple)
            safe = safe.encode(self.console.encoding, "backslashreplace").decode(self.console.encoding)
        return Text(safe, style=style)

    def line(self, *parts: tuple[str, str]) -> None:
        """Print one line; into a pipe it stays one line however long it is, so that a command can be copied or searched for."""
        self.console.print(Text.assemble(*(self.text(*part) for part in parts)), soft_wrap=self.plain, highlight=False)

    def table(self, rows: Rows) -> None:
        """Print a row for each layer; into a pipe each stays on one line."""
        table = Table(box=PLAIN if self.plain else SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False, header_style="dim")
        for title in ("layer", "cases", "rows", "margin", "worst in", ""):
            table.add_column(title, justify="right" if title in ("cases", "rows") else "left", overflow="fold")
        table.columns[0].min_width = min(max((len(info.name) for info in rows.layers), default=0), 24)
        for info in rows.layers:
            cells, style = _cells(rows, info)
            table.add_row(*(self.text(cell) for cell in cells[:-1]), self.text(cells[-1], style))
        if self.plain:
            table.width = Measurement.get(self.console, self.console.options.update(max_width=WIDE), table).maximum
        self.console.print(table, crop=not self.plain)
        self.line()


def _cells(rows: Rows, info: LayerInfo) -> tuple[list[str], str]:
    """The texts of a layer's row, and the style of its last one."""
    own = rows.by_layer.get(info.name, ())
    state, word = layer_state(own)
    judged = sum(1 for r in own if r.result is not None and r.result.n_judged)
    worst = max((r for r in own if r.margin is not None), key=lambda r: _order(r.margin), default=None)
    where = f"{worst.quantity} {worst.branch} {worst.dtype}" if worst else "-"
    cases = sum(d.n_cases for d in rows.depths(info.name))
    of = f"{judged:,}" if judged == len(own) else f"{judged:,} of {len(own):,}"
    return [info.name, f"{cases:,}", of, margin_text(worst.margin) if worst else "-", where, word], STYLES.get(state, "")


def _order(margin: float | None) -> float:
    """NaN above all."""
    return float("inf") if margin is None or margin != margin else margin
