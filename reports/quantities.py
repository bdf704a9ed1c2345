"""How close each quantity of a layer comes to the edge: its margins and ULP distances over all branches, and the worst case found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from oracle.results import LayerInfo, Result, Run, Worst
from reports.cases import CaseView, case_view, worst_element
from reports.plots import Domain, Histogram, domain, histogram
from reports.rows import Rows
from reports.words import margin_text


class Axes(NamedTuple):
    """The axes that all histograms of a page share."""

    margins: Domain
    ulps: Domain


class WorstView(NamedTuple):
    """The case with the largest margin of a quantity: where it is, its numbers, how it was handed over, and itself where it is small."""

    where: str
    numbers: list[tuple[str, str]]
    handling: list[tuple[str, str]]
    case: CaseView | None


class QuantityView(NamedTuple):
    """One quantity of a layer over all branches and dtypes. equal: how many cases were measured, where all bits are equal in each."""

    name: str
    equal: int
    margins: Histogram | None
    ulps: Histogram | None
    worst: WorstView | None


def axes(run: Run) -> Axes:
    """Axes on which every histogram of `run` finds room."""
    return Axes(domain("margin", (r.margins for r in run.results)), domain("ULP distance", (r.ulps for r in run.results)))


def quantity_views(rows: Rows, info: LayerInfo, shared: Axes) -> list[QuantityView]:
    """The quantities of the layer `info` of which more is known than their worst margin."""
    groups: dict[str, list[Result]] = {}
    for row in rows.by_layer.get(info.name, ()):
        if row.role == "quantity" and row.result is not None:
            groups.setdefault(row.quantity, []).append(row.result)
    worsts = {worst.quantity: worst for worst in rows.run.worsts if worst.layer == info.name}
    views = [_view(name, results, shared, worsts.get(name)) for name, results in groups.items()]
    return [view for view in views if view.equal or view.margins or view.ulps or view.worst]


def _view(name: str, results: list[Result], shared: Axes, worst: Worst | None) -> QuantityView:
    margins, ulps = (_by_dtype((r.dtype, getattr(r, field)) for r in results) for field in ("margins", "ulps"))
    used = {bucket for table in (*margins.values(), *ulps.values()) for bucket, n in table.items() if n}
    if used == {"0"} and not any(r.n_failed for r in results):
        return QuantityView(name, sum(sum(table.values()) for table in margins.values()), None, None, None)
    return QuantityView(
        name,
        0,
        histogram("margin", name, margins, shared.margins),
        histogram("ULP distance", name, ulps, shared.ulps),
        _worst(worst) if worst else None,
    )


def _by_dtype(parts: Iterable[tuple[str, Mapping[str, int]]]) -> dict[str, Counter[str]]:
    """The histograms of all branches as one for each dtype."""
    total: dict[str, Counter[str]] = {}
    for dtype, table in parts:
        total.setdefault(dtype, Counter()).update(table)
    return total


def _worst(worst: Worst) -> WorstView:
    shapes = "; ".join(f"{name} {_shape(shape)}" for name, shape in worst.shapes.items())
    handling = [("shapes", shapes), ("protocol", worst.protocol), ("layout", worst.layout), ("profiles", ", ".join(worst.profiles))]
    return WorstView(
        f"margin {margin_text(worst.comparison.margin)} in {worst.branch} {worst.dtype}, case {worst.index:,} of seed {worst.seed}",
        [(name, text) for name, text in worst_element(worst.comparison) if name != "margin"],
        [(name, text) for name, text in handling if text],
        case_view(worst.case) if worst.case else None,
    )


def _shape(shape: tuple[int, ...]) -> str:
    return " × ".join(map(str, shape)) if shape else "scalar"
