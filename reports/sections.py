"""The section of each layer on the page: its rows, its contracts, and the depth behind them."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from oracle.results import LayerInfo, Note
from reports.findings import account, anchor
from reports.matrix import href, layer_state, tone
from reports.rows import Row, Rows
from reports.words import FAILING, LOADS, STATES, count, margin_order, margin_text, share

TOP = 24
"""Of a table of counts this many entries are shown, the largest first."""


class QuantityLine(NamedTuple):
    """One line of the table of rows."""

    row: Row
    word: str
    tone: str
    margin: str
    undetermined: str
    href: str


class ContractLine(NamedTuple):
    """One contract over all branches and dtypes."""

    id: str
    explanation: str
    word: str
    tone: str
    detail: str
    href: str


class Counts(NamedTuple):
    """A table of counts: entries with their share of the largest in percent, and how many were left out."""

    title: str
    entries: list[tuple[str, int, int]]
    more: int


class Section(NamedTuple):
    """Everything the page says of one layer."""

    id: str
    contracts_id: str
    info: LayerInfo
    state: str
    word: str
    quantities: list[QuantityLine]
    contracts: list[ContractLine]
    depths: list[tuple[str, str, int, int, int, int]]
    cases: str
    counts: list[Counts]
    worst: str
    notes: tuple[Note, ...]
    reasons: list[str]
    rejection: str


def section(rows: Rows, info: LayerInfo) -> Section:
    """The section of the layer `info`."""
    own = rows.by_layer.get(info.name, ())
    depths = rows.depths(info.name)
    state, word = layer_state(own)
    judged = [r for r in own if r.role == "quantity" and r.margin is not None]
    worst = max(judged, key=lambda r: margin_order(r.margin), default=None)
    fields = (
        ("protocols", "protocols"),
        ("layouts", "memory layouts"),
        ("profiles", "value profiles"),
        ("boundaries", "boundaries hit"),
        ("shapes", "shapes tried most"),
    )
    counts = [_counts(title, [getattr(d, field) for d in depths], 8 if field == "shapes" else TOP) for field, title in fields]
    return Section(
        anchor("layer", info.name),
        anchor("contracts", info.name),
        info,
        state,
        word,
        [_quantity(r) for r in own if r.role == "quantity"],
        _contract_lines(rows, [r for r in own if r.role == "contract"]),
        [(d.branch, d.dtype, d.n_cases, d.n_distinct, d.n_discarded, d.n_shapes) for d in depths],
        _cases(sum(d.n_cases for d in depths), sum(d.n_distinct for d in depths), sum(d.n_discarded for d in depths)),
        [c for c in counts if c.entries],
        f"{margin_text(worst.margin)} in {worst.quantity}, {worst.branch} {worst.dtype}" if worst else "none",
        rows.notes(info.name),
        list(dict.fromkeys(r.result.message for r in own if r.state == "not-claimed" and r.result and r.result.message)),
        next((account(r) for r in own if r.quantity == LOADS and r.state in FAILING), ""),
    )


def _cases(n: int, distinct: int, discarded: int) -> str:
    return f"{count(n, 'case')}, {distinct:,} distinct, {discarded:,} discarded" if n or discarded else "no case was recorded"


def _quantity(row: Row) -> QuantityLine:
    result = row.result
    word = "imprecise" if tone(row) == "f1" and row.state == "failed" else STATES[row.state]
    undetermined = share(result.n_undetermined, result.n_elements + result.n_undetermined) if result else "-"
    return QuantityLine(
        row, word, tone(row), margin_text(row.margin), undetermined, href(row) if row.state in FAILING and row.example else ""
    )


def _contract_lines(rows: Rows, own: list[Row]) -> list[ContractLine]:
    groups: dict[str, list[Row]] = {}
    for row in own:
        groups.setdefault(row.quantity, []).append(row)
    return [_contract(rows, name, group) for name, group in groups.items()]


def _contract(rows: Rows, name: str, group: list[Row]) -> ContractLine:
    info = rows.contracts.get(name)
    explanation = info.explanation if info else ""
    broken = [r for r in group if r.state in FAILING]
    judged = sum(r.result.n_judged for r in group if r.result)
    if broken:
        where = ", ".join(f"{r.branch} {r.dtype}" for r in broken[:4]) + (f" and {len(broken) - 4} more" if len(broken) > 4 else "")
        failed = sum(r.result.n_failed for r in broken if r.result)
        return ContractLine(name, explanation, "broken", "f2", f"{where}: {failed:,} of {judged:,}", href(broken[0]))
    # what is not claimed of a contract says nothing against the rest of it
    group = [r for r in group if r.state != "not-claimed"] or group
    states = {r.state for r in group}
    if states == {"passed"}:
        return ContractLine(name, explanation, "holds", "m0", f"{judged:,}", "")
    word = STATES[states.pop()] if len(states) == 1 else f"holds in {sum(r.state == 'passed' for r in group)} of {len(group)} rows"
    return ContractLine(name, explanation, word, "n", f"{judged:,}", "")


def _counts(title: str, tables: list[dict[str, int]], top: int) -> Counts:
    """Counts of all branches and dtypes as one table, the largest first, then by name."""
    total: Counter[str] = Counter()
    for table in tables:
        total.update(table)
    ordered = sorted(total.items(), key=lambda item: (-item[1], item[0]))
    largest = max(ordered[0][1], 1) if ordered else 1
    return Counts(title, [(name, n, round(100 * n / largest)) for name, n in ordered[:top]], max(len(ordered) - top, 0))
