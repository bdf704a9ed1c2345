"""How a counterexample is laid out on the page: its arrays as tables, its worst element in numbers."""

from __future__ import annotations

import math
from typing import NamedTuple

from oracle.results import ArrayData, CaseData, ComparisonData, Counterexample
from reports.arrays import Table, table
from reports.findings import account, anchor, headline, shown
from reports.heatmap import Heat, heat
from reports.known import KnownView, known_as
from reports.rows import Row, Rows
from reports.words import index_text, margin_order, margin_text, number


class CaseView(NamedTuple):
    """A case, ready to be shown."""

    facts: list[tuple[str, str]]
    tables: list[Table]
    prior: CaseView | None


class DivergenceView(NamedTuple):
    """A counterexample, ready to be shown."""

    id: str
    row: Row
    example: Counterexample
    headline: str
    account: str
    message: str
    """What the judge said, where the numbers do not say it already."""
    facts: list[tuple[str, str]]
    heat: Heat | None
    case: CaseView
    digest: str
    origin: str
    lane: str
    known: KnownView | None
    size: int


def divergence(row: Row, example: Counterexample, rows: Rows) -> DivergenceView:
    """The counterexample of `row`, laid out: the minimised case when there is one, with the numbers that belong to it."""
    comparison = shown(example)
    case = example.minimised or example.case
    view, map_ = case_view(case), heat(comparison, row.quantity)
    tables = sum(t.size + 9 * sum(len(values) for _, values in t.rows) for t in map_.tables) if map_ else 0
    return DivergenceView(
        anchor("divergence", example.id),
        row,
        example,
        headline(row),
        account(row),
        "" if comparison.reason in ("value", "nan") and comparison.actual else comparison.message,
        worst_element(comparison),
        map_,
        view,
        case.digest,
        _origin(row, example, comparison),
        _lane(example, rows),
        known_as(row, rows),
        _size(view) + tables + len(example.snippet) + len(comparison.message) + 2500,
    )


def _origin(row: Row, example: Counterexample, comparison: ComparisonData) -> str:
    """Where the case comes from, and whether what is shown is that case or a smaller one."""
    if example.lane == "corpus":
        origin = f"stored case {example.index:,}, replayed"
    else:
        origin = f"found in case {example.index:,} of seed {example.seed}"
    if example.minimised is None:
        origin += ", shown as found: it was not minimised"
    else:
        origin += ", shown minimised" + ("" if example.minimised_comparison else "; the numbers are those of the case as found")
    if comparison.margin is not None and margin_order(row.margin) > margin_order(comparison.margin):
        origin += f"; the worst margin of all its cases was {margin_text(row.margin)}"
    return origin


def _lane(example: Counterexample, rows: Rows) -> str:
    """Where a run has two lanes, in which of them the case failed."""
    if not rows.run.header.corpus:
        return ""
    return "stored case" if example.lane == "corpus" else "newly found"


def worst_element(comparison: ComparisonData) -> list[tuple[str, str]]:
    """What is known at the worst element, name by name; actual before expected."""
    facts = []
    if comparison.worst_index:
        facts.append(("worst index", index_text(comparison.worst_index)))
    sides = {name: _scalar(array) for name, array in (("actual", comparison.actual), ("expected", comparison.expected))}
    facts += [(name, text) for name, (text, _) in sides.items() if text]
    (_, actual), (_, expected) = sides.values()
    if actual is not None and expected is not None:
        facts.append(("difference", number(abs(float(actual) - float(expected)))))
    if allowed := _scalar(comparison.allowed)[0]:
        facts.append(("allowed error", allowed))
    if comparison.margin is not None:
        facts.append(("margin", margin_text(comparison.margin)))
    if comparison.max_abs is not None:
        facts.append(("largest difference", number(comparison.max_abs)))
    if comparison.max_ulp is not None:
        facts.append(("largest ULP distance", f"{comparison.max_ulp:,.0f}" if comparison.max_ulp < 1e7 else f"{comparison.max_ulp:.2e}"))
    if comparison.n_mismatched:
        facts.append(("elements that differ", f"{comparison.n_mismatched:,} of {comparison.n_elements:,}"))
    return facts


def _scalar(array: ArrayData | None) -> tuple[str, bool | int | float | None]:
    """The first element, as text and as a number."""
    if array is None or math.prod(array.shape) == 0:
        return "", None
    value = array.values()[0]
    return number(value, array.dtype), value


def case_view(case: CaseData, depth: int = 0) -> CaseView:
    """`case` with the cases before it, of which no more than three are followed."""
    facts = [("branch", case.branch), ("dtype", case.dtype), ("protocol", case.protocol), ("layout", case.layout)]
    facts += [(name, repr(value) if isinstance(value, str) else str(value)) for name, value in case.config.items()]
    if case.dims:
        facts.append(("dimensions", "; ".join(f"{name} ({', '.join(map(str, dims))})" for name, dims in case.dims.items())))
    if case.refusal:
        facts.append(("torch refuses it", case.refusal))
    cotangents = {f"d{name}": array for name, array in case.cotangents.items()}
    groups = (("input", case.inputs), ("parameter", case.params), ("cotangent", cotangents))
    tables = [table(role, name, array) for role, arrays in groups for name, array in arrays.items()]
    return CaseView(facts, tables, case_view(case.prior, depth + 1) if case.prior and depth < 3 else None)


def _size(view: CaseView) -> int:
    """About how many characters the tables of `view` take on the page."""
    return sum(t.size for t in view.tables) + (_size(view.prior) if view.prior else 0)
