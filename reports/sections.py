"""The section of each layer on the page: its rows, its contracts, and the depth behind them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from oracle.results import Depth, LayerInfo, Note
from reports.findings import account, anchor
from reports.known import KnownView, known_as
from reports.matrix import href, layer_state, tone
from reports.plots import Scatter, scatter
from reports.quantities import Axes, QuantityView, quantity_views
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
    known: KnownView | None


class ContractLine(NamedTuple):
    """One contract over all branches and dtypes. rows: each of its rows, with a word where it is not plainly held."""

    id: str
    explanation: str
    word: str
    tone: str
    detail: str
    href: str
    rows: list[tuple[Row, str, str]]
    known: KnownView | None


class Counts(NamedTuple):
    """A table of counts: entries with their share of the largest in twentieths, and how many were left out."""

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
    never: list[str]
    scatter: Scatter | None
    plots: list[QuantityView]
    worst: str
    notes: tuple[Note, ...]
    reasons: list[str]
    rejection: str


def section(rows: Rows, info: LayerInfo, shared: Axes | None) -> Section:
    """The section of the layer `info`, with plots on the axes `shared` where there are any."""
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
    counts = [_counts(title, _total(getattr(d, field) for d in depths), 8 if field == "shapes" else TOP) for field, title in fields]
    return Section(
        anchor("layer", info.name),
        anchor("contracts", info.name),
        info,
        state,
        word,
        [_quantity(rows, r) for r in own if r.role == "quantity"],
        _contract_lines(rows, [r for r in own if r.role == "contract"]),
        [(d.branch, d.dtype, d.n_cases, d.n_distinct, d.n_discarded, d.n_shapes) for d in depths],
        _cases(sum(d.n_cases for d in depths), sum(d.n_distinct for d in depths), sum(d.n_discarded for d in depths)),
        [c for c in counts if c.entries],
        _never(rows, depths),
        scatter(_total(d.extents for d in depths)) if shared else None,
        quantity_views(rows, info, shared) if shared else [],
        f"{margin_text(worst.margin)} in {worst.quantity}, {worst.branch} {worst.dtype}" if worst else "none",
        rows.notes(info.name),
        list(dict.fromkeys(r.result.message for r in own if r.state == "not-claimed" and r.result and r.result.message)),
        next((account(r) for r in own if r.quantity == LOADS and r.state in FAILING), ""),
    )


def _cases(n: int, distinct: int, discarded: int) -> str:
    return f"{count(n, 'case')}, {distinct:,} distinct, {discarded:,} discarded" if n or discarded else "no case was recorded"


def _never(rows: Rows, depths: tuple[Depth, ...]) -> list[str]:
    """The boundaries that were looked for and that no case touched."""
    hit = _total(d.boundaries for d in depths)
    return [name for name in rows.run.header.boundaries if not hit[name]] if any(d.n_examined or d.boundaries for d in depths) else []


def _total(tables: Iterable[Mapping[str, int]]) -> Counter[str]:
    total: Counter[str] = Counter()
    for table in tables:
        total.update(table)
    return total


def _quantity(rows: Rows, row: Row) -> QuantityLine:
    result = row.result
    word = "imprecise" if tone(row) == "f1" and row.state == "failed" else STATES[row.state]
    undetermined = share(result.n_undetermined, result.n_elements + result.n_undetermined) if result else "-"
    known = known_as(row, rows) if row.state in ("known", *FAILING) else None
    return QuantityLine(
        row, word, tone(row), margin_text(row.margin), undetermined, href(row) if row.state != "passed" and row.example else "", known
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
    each = [(r, _judged(r), href(r) if r.example and r.state != "passed" else "") for r in group]
    known = next(filter(None, (known_as(r, rows) for r in group if r.state == "known")), None)
    judged = sum(r.result.n_judged for r in group if r.result)
    if broken:
        where = ", ".join(f"{r.branch} {r.dtype}" for r in broken[:4]) + (f" and {len(broken) - 4} more" if len(broken) > 4 else "")
        failed = sum(r.result.n_failed for r in broken if r.result)
        return ContractLine(name, explanation, "broken", "f2", f"{where}: {failed:,} of {judged:,} judged", href(broken[0]), each, known)
    # what is not claimed of a contract says nothing against the rest of it
    group = [r for r in group if r.state != "not-claimed"] or group
    states = {r.state for r in group}
    if states == {"passed"}:
        return ContractLine(name, explanation, "holds", "m0", f"{judged:,} judged", "", each, None)
    word = STATES[states.pop()] if len(states) == 1 else f"holds in {sum(r.state == 'passed' for r in group)} of {len(group)} rows"
    return ContractLine(name, explanation, word, "n", f"{judged:,} judged", "", each, known)


def _judged(row: Row) -> str:
    """How often a contract was judged, and what else there is to say of one of its rows."""
    judged = f"{row.result.n_judged:,}" if row.result else "0"
    return judged if row.state == "passed" else f"{judged} {STATES[row.state]}"


def _counts(title: str, total: Mapping[str, int], top: int) -> Counts:
    """Counts of all branches and dtypes as one table, the largest first, then by name."""
    ordered = sorted(total.items(), key=lambda item: (-item[1], item[0]))
    largest = max(ordered[0][1], 1) if ordered else 1
    return Counts(title, [(name, n, round(20 * n / largest)) for name, n in ordered[:top]], max(len(ordered) - top, 0))
