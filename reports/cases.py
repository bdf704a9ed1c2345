"""How a counterexample is laid out on the page: its arrays as tables, its worst element in numbers."""

from __future__ import annotations

import math
from typing import NamedTuple

from oracle.results import ArrayData, CaseData, ComparisonData, Counterexample
from reports.findings import account, anchor, headline, shown
from reports.rows import Row
from reports.words import count, index_text, margin_text, number

WHOLE = 64
"""Arrays of up to this many elements are shown whole, in full precision."""
ROWS, COLUMNS = 4, 6
"""Of a larger array this many rows and columns are shown."""


class Table(NamedTuple):
    """One array as a table: `rows` are (index of the row, its values); `more` elements are left out."""

    role: str
    name: str
    dtype: str
    shape: str
    columns: range
    rows: list[tuple[str, list[str]]]
    more: int
    cut: bool


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
    case: CaseView
    origin: str
    size: int


def divergence(row: Row, example: Counterexample) -> DivergenceView:
    """The counterexample of `row`, laid out: the minimised case when there is one, with the numbers that belong to it."""
    comparison = shown(example)
    case = example.minimised or example.case
    view = case_view(case)
    origin = f"found in case {example.index:,} of seed {example.seed}"
    if example.minimised is None:
        origin += ", shown as found: it was not minimised"
    else:
        origin += ", shown minimised" + ("" if example.minimised_comparison else "; the numbers are those of the case as found")
    if comparison.margin != row.margin and row.margin is not None:
        origin += f"; the worst margin of all its cases was {margin_text(row.margin)}"
    return DivergenceView(
        anchor("divergence", example.id),
        row,
        example,
        headline(row),
        account(row),
        "" if comparison.reason in ("value", "nan") and comparison.actual else comparison.message,
        worst_element(comparison),
        view,
        origin,
        _size(view) + len(example.snippet) + len(comparison.message) + 2000,
    )


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
    if comparison.n_elements:
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


def table(role: str, name: str, array: ArrayData) -> Table:
    """`array` as a table: its last axis across, all others down, each row labelled with its leading indexes."""
    size = math.prod(array.shape)
    width = array.shape[-1] if array.shape else 1
    height = size // width if width else 0
    whole = size <= WHOLE
    down, across = (height, width) if whole else (min(height, ROWS), min(width, COLUMNS))
    values = array.values() if size else []
    rows = []
    for at in range(down):
        label = index_text(_unravel(at, array.shape[:-1])) if len(array.shape) > 1 else ""
        rows.append((label, [number(v, array.dtype) for v in values[at * width : at * width + across]]))
    shape = " × ".join(map(str, array.shape)) if array.shape else "scalar"
    columns = range(across if len(array.shape) and rows else 0)
    return Table(role, name, array.dtype, shape, columns, rows, size - sum(len(v) for _, v in rows), across < width)


def _unravel(at: int, shape: tuple[int, ...]) -> tuple[int, ...]:
    index: list[int] = []
    for extent in reversed(shape):
        at, here = divmod(at, extent)
        index.append(here)
    return tuple(reversed(index))


def _size(view: CaseView) -> int:
    """About how many characters the tables of `view` take on the page."""
    own = sum(200 + sum(60 + sum(len(v) + 9 for v in values) for _, values in t.rows) for t in view.tables)
    return own + (_size(view.prior) if view.prior else 0)


def left_out(t: Table) -> str:
    """What a cut table says of the rest."""
    return f"… {count(t.more, 'more value')}"
