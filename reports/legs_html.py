"""The page of several legs: what differs between versions first, then every row with a column for each, and the same input on all."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from oracle.results.across import SIDES, Across, Apart, across
from oracle.results.legs import Key, Leg, Legs
from reports.cases import CaseView, case_view, worst_element
from reports.findings import Finding, account, headline, shown
from reports.legs_inputs import InputView, input_views, other_inputs
from reports.legs_rows import LegFinding, LegRow, leg_findings, leg_rows, rows_of
from reports.legs_text import SIDE_NAMES, against_text, apart_text, other_text, ulp_text, where_text
from reports.matrix import Cell, layer_state, tone, wrong
from reports.page import render
from reports.rows import Row, Rows
from reports.words import FAILING, STATES, count, margin_order, margin_text
from reports.writing import write_whole

INPUTS = 200_000
"""Characters that inputs with their answers may take together; those with different answers come first."""
EXAMPLES = 90_000
"""Characters that counterexamples may take together."""
LISTED = 60
"""Rows, problems or notices of one kind that are listed; of more the number is given."""


class Line(NamedTuple):
    """A row of the matrix: a quantity or contract, or all contracts that hold everywhere."""

    quantity: str
    branch: str
    dtype: str
    differs: str
    cells: list[Cell]


class Block(NamedTuple):
    """The rows of one layer. n_state, n_margin: in how many of them the legs disagree."""

    layer: str
    lines: list[Line]
    n_state: int
    n_margin: int


class Divergence(NamedTuple):
    """What fails on some legs or all, with the case that shows it best; None where it is left out."""

    id: str
    row: Row
    headline: str
    where: str
    account: str
    diagnosis: str
    label: str
    facts: list[tuple[str, str]]
    case: CaseView | None
    snippet: str
    replay: str
    varies: bool
    margins: list[tuple[str, str]]


class Gap(NamedTuple):
    """How far one side of one quantity is apart from the first leg's: a text for every other leg."""

    layer: str
    quantity: str
    side: str
    told: list[str]


def write_legs(legs: Legs, path: Path) -> Path:
    """Write the page of `legs` to `path` and return it. The file appears whole or not at all."""
    return write_whole(path, render_legs(legs))


def render_legs(legs: Legs) -> str:
    """The page of `legs` as a string."""
    every = rows_of(legs.legs)
    labels = [leg.label for leg in legs.legs]
    found = across(legs.legs)
    views, left_out = _within(input_views(found, labels))
    findings = leg_findings(legs, every)
    places = {row.key: f"#d{at}" for at, f in enumerate(findings) for finding in f.by_label.values() for row in finding.rows}
    inputs = {(view.layer, view.branch, view.dtype): f"#{view.id}" for view in views}
    rows = leg_rows(every)
    blocks = [_block(layer, own, places, inputs) for layer, own in rows.items()]
    differing = [(block.layer, line) for block in blocks for line in block.lines if line.differs]
    return render(
        "legs.html.jinja",
        styles=("report.css", "legs.css"),
        legs=legs,
        versions=[_version(leg, rows) for leg, rows in zip(legs.legs, every, strict=True)],
        states_differ=[pair for pair in differing if pair[1].differs == "state"],
        margins_differ=[pair for pair in differing if pair[1].differs == "margin"],
        n_rows=sum(map(len, rows.values())),
        overview=[_overview(layer, every) for layer in rows],
        blocks=blocks,
        divergences=_divergences(findings, legs),
        totals=_totals(legs, found),
        against=against_text(found) if found.same else "",
        gaps=_gaps(found, labels),
        sides=SIDE_NAMES,
        inputs={layer: [view for view in views if view.layer == layer] for layer in dict.fromkeys(view.layer for view in views)},
        inputs_left_out=left_out,
        other=other_text(found) if found.other else "",
        others=[other_inputs(o) for o in found.other],
        listed=LISTED,
    )


def _within(views: list[InputView]) -> tuple[list[InputView], int]:
    """As many inputs as the page has room for, those with different answers before the others, and how many are left out."""
    left = INPUTS
    kept: list[InputView] = []
    for view in sorted(views, key=lambda view: not view.differs):
        left -= view.size
        if left >= 0 or not kept:
            kept.append(view)
    order = {view.id: at for at, view in enumerate(views)}
    return sorted(kept, key=lambda view: order[view.id]), len(views) - len(kept)


def _version(leg: Leg, rows: Rows) -> dict[str, str]:
    """What is to be known of a leg, in words."""
    where, worst = leg.run.header.environment, max((r.margin for r in rows.all if r.margin is not None), key=margin_order, default=None)
    return {
        "label": leg.label,
        "outcome": leg.verdict.outcome,
        "Python": where.python,
        "NumPy": where.numpy,
        "torch": where.torch or "-",
        "cases": f"{sum(d.n_cases for d in leg.run.depths):,}",
        "rows": f"{sum(1 for r in leg.run.results if r.n_judged):,}",
        "worst margin": margin_text(worst),
        "platform": where.platform,
        "BLAS": where.blas,
        "files": ", ".join(leg.files),
    }


def _block(layer: str, rows: Sequence[LegRow], places: dict[Key, str], inputs: dict[tuple[str, str, str], str]) -> Block:
    """The rows of a layer; contracts that hold, or are not claimed, on every leg are one line for each branch and dtype."""
    lines: list[Line] = []
    folded: dict[tuple[str, str], list[LegRow]] = {}
    for row in rows:
        states = {cell.state for cell in row.cells if cell}
        if row.contract and not row.differs and states <= {"passed", "not-claimed"}:
            folded.setdefault((row.key[1], row.key[2]), []).append(row)
        else:
            cells = [_cell(cell, row, places, inputs) for cell in row.cells]
            lines.append(Line(row.key[3], row.key[1], row.key[2], row.differs, cells))
    lines += [_contracts(branch, dtype, alike) for (branch, dtype), alike in folded.items()]
    order = {key: at for at, key in enumerate(dict.fromkeys((row.key[1], row.key[2]) for row in rows))}
    lines.sort(key=lambda line: order[(line.branch, line.dtype)])
    return Block(layer, lines, *(sum(row.differs == kind for row in rows) for kind in ("state", "margin")))


def _cell(cell: Row | None, row: LegRow, places: dict[Key, str], inputs: dict[tuple[str, str, str], str]) -> Cell:
    if cell is None:
        return Cell("", "lost", "n", "", "")
    if cell.state in FAILING or cell.state == "known":
        return Cell("", wrong(cell), tone(cell), STATES[cell.state], places.get(row.key, ""))
    text = margin_text(cell.margin) if cell.state == "passed" and not row.contract else STATES[cell.state]
    return Cell("", text, tone(cell), "", "" if row.contract else inputs.get((row.key[0], row.key[1], row.key[2]), ""))


def _contracts(branch: str, dtype: str, rows: Sequence[LegRow]) -> Line:
    cells = []
    for at in range(len(rows[0].cells)):
        held = sum(cell.state == "passed" for row in rows if (cell := row.cells[at]))
        cells.append(Cell("", f"{held} hold" if held else STATES["not-claimed"], "m0" if held else "n", "", ""))
    return Line("contracts", branch, dtype, "", cells)


def _divergences(findings: Sequence[LegFinding], legs: Legs) -> list[Divergence]:
    left = EXAMPLES
    found = []
    for at, finding in enumerate(findings):
        view = _divergence(f"d{at}", finding, legs)
        left -= _size(view)
        found.append(view if left >= 0 or at == 0 else view._replace(facts=[], case=None, snippet=""))
    return found


def _divergence(identity: str, finding: LegFinding, legs: Legs) -> Divergence:
    row = finding.first.row
    example = row.example
    return Divergence(
        identity,
        row,
        headline(row),
        where_text(finding, legs),
        account(row),
        finding.first.diagnosis,
        finding.first_label,
        worst_element(shown(example)) if example else [],
        case_view(example.minimised or example.case) if example else None,
        example.snippet if example else "",
        example.replay if example else "",
        bool(finding.holds),
        [(label, _extent(found)) for label, found in finding.by_label.items()],
    )


def _extent(finding: Finding) -> str:
    """In how many rows of a leg something fails, and by how much at most."""
    worst = max((row.margin for row in finding.rows if row.margin is not None), key=margin_order, default=None)
    return f"{count(len(finding.rows), 'row')}{'' if worst is None else f', margin {margin_text(worst)}'}"


def _size(view: Divergence) -> int:
    return 1500 + len(view.account) + len(view.snippet) + (sum(t.size for t in view.case.tables) if view.case else 0)


def _totals(legs: Legs, found: Across) -> list[tuple[str, str, list[str]]]:
    """Leg by leg how far all its answers are from the first leg's."""
    told = {leg.label: [apart_text(found.total(leg.label, side)) for side in SIDES] for leg in legs.legs[1:]}
    return [(label, f"{found.n_samples[label]:,}", texts) for label, texts in told.items()]


def _gaps(found: Across, labels: Sequence[str]) -> list[Gap]:
    """The quantities of which any leg has another answer than the first."""
    apart = dict.fromkeys((layer, quantity, side) for (layer, quantity, _, side), a in found.apart.items() if a.n_differ)
    others = labels[1:]
    return [
        Gap(layer, quantity, SIDE_NAMES[side], [_short(found.apart.get((layer, quantity, label, side))) for label in others])
        for layer, quantity, side in apart
    ]


def _short(apart: Apart | None) -> str:
    """How far answers are apart, for a cell of a table."""
    if apart is None:
        return "-"
    if not apart.n_differ:
        return "the same"
    return f"{'no distance' if apart.max_ulp is None else ulp_text(apart.max_ulp)}, in {apart.n_differ:,} of {apart.n_elements:,}"


def _overview(layer: str, every: Sequence[Rows]) -> Line:
    """A layer on every leg, in one line."""
    cells = []
    for rows in every:
        own = rows.by_layer.get(layer, ())
        state, word = layer_state(own)
        worst = max((row for row in own if row.margin is not None), key=lambda row: margin_order(row.margin), default=None)
        fails = state in FAILING
        text = margin_text(worst.margin) if worst and state == "passed" else word
        cells.append(Cell("", text, tone(worst) if worst and not fails and state == "passed" else "f2" if fails else "n", "", ""))
    return Line(layer, "", "", "state" if len({cell.tone in ("f1", "f2") for cell in cells}) > 1 else "", cells)
