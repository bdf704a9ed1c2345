"""The matrix of the page: layers, branches and dtypes down, forward, gradients, state and contracts across."""

from __future__ import annotations

from typing import NamedTuple

from reports.findings import anchor, group_anchor, row_anchor
from reports.rows import Row, Rows
from reports.words import FAILING, LOADS, NOT_LOADED, STATES, beyond, count, margin_text

COLUMNS = {"forward": "forward", "backward": "gradients", "state": "state", "other": "other"}
"""First part of a quantity's name -> the heading of its column. `other` takes every name of another form."""


class Cell(NamedTuple):
    """One tile: what is shown, how it is coloured, and where it leads."""

    label: str
    text: str
    tone: str
    word: str
    href: str


class Line(NamedTuple):
    """One row of the matrix."""

    branch: str
    dtype: str
    group: str
    cells: dict[str, list[Cell]]
    contracts: Cell | None


class Block(NamedTuple):
    """The rows of one layer."""

    layer: str
    href: str
    torch: str
    state: str
    word: str
    lines: list[Line]


def matrix(rows: Rows) -> tuple[dict[str, str], list[Block]]:
    """The columns in use, and a block for each layer."""
    used = {_column(row) for row in rows.all if row.role == "quantity"}
    columns = {name: title for name, title in COLUMNS.items() if name in used}
    return columns, [_block(rows, info.name, info.torch, columns) for info in rows.layers]


def layer_state(rows: tuple[Row, ...]) -> tuple[str, str]:
    """The state of a whole layer and its word: only a layer of which every row that it claims was judged and passed conforms."""
    states = {row.state for row in rows}
    failing = [row for row in rows if row.state in FAILING]
    if any(row.quantity == LOADS for row in failing):
        return "error", NOT_LOADED
    if failing and all(row.role == "contract" and row.state != "error" for row in failing):
        return "failed", "breaks a contract"
    for state, word in (("failed", "diverges"), ("stale", STATES["stale"]), ("error", "error")):
        if state in states:
            return state, word
    if states == {"not-claimed"}:
        return "not-claimed", STATES["not-claimed"]
    if not rows or states <= {"not-run", "skipped", "not-claimed"}:
        return "not-run", "not run"
    if states & {"not-run", "skipped", "inconclusive"}:
        left = sum(row.state in ("not-run", "skipped", "inconclusive") for row in rows)
        return "not-run", f"incomplete: {count(left, 'row')} not judged"
    return ("known", "conforms but for known divergences") if "known" in states else ("passed", "conforms")


def tone(row: Row) -> str:
    """The colour class of a row: ``m0`` (bitwise equal) to ``m3`` (near the edge), ``f1`` imprecise, ``f2`` fails, ``n`` no verdict."""
    if row.state in FAILING:
        mild = row.result is not None and row.result.worst_outcome == "imprecise" and row.state == "failed"
        return "f1" if mild else "f2"
    if row.state == "known":
        return "f1"
    if row.state != "passed":
        return "n"
    margin = row.margin or 0.0
    return "m0" if margin == 0 else "m1" if margin <= 0.25 else "m2" if margin <= 0.5 else "m3"


def href(row: Row) -> str:
    """Where to read more about `row`: its counterexample where it diverges and one is stored, else its line in the section of its layer."""
    if row.example and (row.state in FAILING or row.state == "known"):
        return "#" + anchor("divergence", row.example.id)
    return "#" + row_anchor(row)


def _block(rows: Rows, layer: str, torch: str, columns: dict[str, str]) -> Block:
    lines: dict[tuple[str, str], list[Row]] = {}
    for row in rows.by_layer.get(layer, ()):
        lines.setdefault((row.branch, row.dtype), []).append(row)
    state, word = layer_state(rows.by_layer.get(layer, ()))
    made = [_line(*key, group_anchor(found[0]), found, columns) for key, found in lines.items()]
    return Block(layer, "#" + anchor("layer", layer), torch, state, word, made)


def _line(branch: str, dtype: str, group: str, rows: list[Row], columns: dict[str, str]) -> Line:
    cells: dict[str, list[Cell]] = {name: [] for name in columns}
    for row in rows:
        if row.role == "quantity":
            cells[_column(row)].append(_cell(row))
    return Line(branch, dtype, group, cells, _contracts([row for row in rows if row.role == "contract"]))


def _column(row: Row) -> str:
    first, _, rest = row.quantity.partition(".")
    return first if rest and first in COLUMNS else "other"


def _cell(row: Row) -> Cell:
    label = row.quantity if _column(row) == "other" else row.quantity.partition(".")[2]
    if row.state in FAILING:
        return Cell(label, wrong(row), tone(row), "imprecise" if tone(row) == "f1" else STATES[row.state], href(row))
    text = margin_text(row.margin) if row.state == "passed" else wrong(row) if row.state == "known" else STATES[row.state]
    return Cell(label, text, tone(row), STATES[row.state], href(row))


def wrong(row: Row) -> str:
    """What is wrong with a row that diverges: its margin, or where no value is beyond its allowed error what else, such as ``shape``."""
    if row.state == "stale":
        return "stale"
    if beyond(row.margin):
        return margin_text(row.margin)
    reason = row.example.comparison.reason if row.example else ""
    return reason if reason in ("shape", "dtype", "error", "died") else "fails"


def _contracts(rows: list[Row]) -> Cell | None:
    """All contracts that are claimed in one tile: ``12 hold``, ``2 of 12 broken``, ``10 of 12 hold``."""
    if not rows:
        return None
    if rows[0].quantity == LOADS and rows[0].state in FAILING:
        return Cell("", NOT_LOADED, "f2", "", "#" + anchor("layer", rows[0].layer))
    where = "#" + anchor("contracts", rows[0].layer)
    rows = [row for row in rows if row.state != "not-claimed"]
    if not rows:
        return Cell("", STATES["not-claimed"], "n", "", where)
    broken = [row for row in rows if row.state in FAILING]
    if broken:
        return Cell("", f"{len(broken)} of {len(rows)} broken", "f2", "", href(broken[0]))
    held = sum(row.state == "passed" for row in rows)
    if held == len(rows):
        return Cell("", f"{held} hold", "m0", "", where)
    return Cell("", f"{held} of {len(rows)} hold" if held else "not run", "n", "", where)
