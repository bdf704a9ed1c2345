"""The rows of a training and its divergences, ready to be shown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from oracle.results import ComparisonData, Planted
from oracle.results.training import Training, TrainingDivergence, TrainingRow
from reports.cases import worst_element
from reports.heatmap import IMPRECISE, Heat, heat
from reports.matrix import Cell
from reports.words import FAILING, REASONS, STATES, beyond, count, margin_text, shorten

LISTED = 100
"""Rows of one dtype, divergences and planted faults that are listed; of more the number is given."""
LONGEST = 600
"""Characters of a message."""
HEADLINES = {"shape": "wrong shape", "dtype": "wrong dtype", "error": "raised an error", "nan": "NaN or infinity", "died": "process died"}
"""Reason of a divergence -> what is said of it in a word or two."""


class RowView(NamedTuple):
    """One row, its tile, and its numbers in words."""

    row: TrainingRow
    state: str
    cell: Cell
    margin: str
    judged: str
    failed: str
    inconclusive: str
    worst: str


class DivergenceView(NamedTuple):
    """The first step at which a row fails. where: its number and which steps fail. facts: what is known of the worst element."""

    id: str
    dtype: str
    quantity: str
    step: int | None
    headline: str
    where: str
    account: str
    diagnosis: str
    facts: list[tuple[str, str]]
    heat: Heat | None
    file: str


class PlantedView(NamedTuple):
    """What the training made of its planted faults; `lines` are fault, name, and what became of it."""

    sentence: str
    survivors: list[Planted]
    lines: list[tuple[Planted, str]]
    more: int


def state_of(row: TrainingRow) -> str:
    """The state of a row: its status, or ``not-run`` or ``inconclusive`` where nothing of it was decided."""
    if row.status == "passed" and not row.n_judged:
        return "inconclusive" if row.n_inconclusive else "not-run"
    return row.status


def row_views(training: Training, dtype: str, found: Sequence[DivergenceView]) -> list[RowView]:
    """The rows of one dtype as they were written, those that fail first where not all can be listed."""
    places = {(view.dtype, view.quantity): f"#{view.id}" for view in found}
    rows = [row for row in training.rows if row.dtype == dtype]
    if len(rows) > LISTED:
        rows.sort(key=lambda row: state_of(row) not in FAILING)
    return [_row(row, places.get((row.dtype, row.quantity), "")) for row in rows]


def _row(row: TrainingRow, place: str) -> RowView:
    return RowView(
        row,
        state_of(row),
        Cell("", word_of(row), tone(row), "", place),
        margin_text(row.margin),
        f"{row.n_judged:,}",
        f"{row.n_failed:,}",
        f"{row.n_inconclusive:,}",
        "-" if row.worst is None else f"{row.worst:,}",
    )


def word_of(row: TrainingRow) -> str:
    """The word for the state of a row."""
    state = state_of(row)
    if row.role == "contract" and state in ("passed", "failed"):
        return "holds" if state == "passed" else "broken"
    if row.role == "trajectory" and state in ("passed", "failed"):
        return "stays near" if state == "passed" else "leaves its twin"
    return STATES[state]


def tone(row: TrainingRow) -> str:
    """The colour class of a row, as in the matrix of a run."""
    state = state_of(row)
    if state in FAILING:
        return "f2"
    if state != "passed":
        return "n"
    margin = row.margin or 0.0
    return "m0" if margin == 0 else "m1" if margin <= 0.25 else "m2" if margin <= 0.5 else "m3"


def divergence_views(training: Training) -> list[DivergenceView]:
    """A view for every row that fails and every divergence, by step; what is seen in the steps comes before where they lead."""
    rows = {(row.dtype, row.quantity): row for row in training.rows}
    told = {(found.dtype, found.quantity): found for found in training.divergences}
    keys = dict.fromkeys([*told, *(key for key, row in rows.items() if state_of(row) in FAILING)])
    ordered = sorted(keys, key=lambda key: _order(rows.get(key), told.get(key)))
    return [_divergence(f"d{at}", key, rows.get(key), told.get(key)) for at, key in enumerate(ordered)]


def _order(row: TrainingRow | None, found: TrainingDivergence | None) -> tuple[bool, float]:
    step = found.step if found else row.first_failed if row else None
    return row is not None and row.role == "trajectory", float("inf") if step is None else step


def _divergence(identity: str, key: tuple[str, str], row: TrainingRow | None, found: TrainingDivergence | None) -> DivergenceView:
    step = found.step if found else row.first_failed if row else None
    seen = found.comparison if found else None
    message = seen.message if seen else row.message if row else ""
    facts = worst_element(seen) if seen else [("margin", margin_text(row.margin))] if row and row.margin is not None else []
    reason = REASONS.get(seen.reason, seen.reason) if seen else "nothing was kept of the step"
    return DivergenceView(
        identity,
        *key,
        step,
        headline(row, seen),
        _where(row, step),
        shorten(message.strip(), LONGEST) or f"{reason.capitalize()}.",
        found.diagnosis if found else "",
        facts,
        heat(seen, key[1]) if seen else None,
        found.file if found else "",
    )


def headline(row: TrainingRow | None, seen: ComparisonData | None) -> str:
    """What kind of divergence it is, in a word or two."""
    if row is not None and row.role != "quantity":
        return "contract broken" if row.role == "contract" else "leaves its twin"
    if seen is None or seen.reason not in HEADLINES:
        margin = seen.margin if seen else row.margin if row else None
        return "imprecise" if beyond(margin) and margin is not None and margin <= IMPRECISE else "differs"
    return HEADLINES[seen.reason]


def _where(row: TrainingRow | None, step: int | None) -> str:
    first = "" if step is None else f"first at step {step:,}"
    if row is None or not row.n_failed:
        return first
    share = f"in {row.n_failed:,} of {count(row.n_judged, 'step')}"
    return f"{share}, {first}" if first else share


def planted_view(training: Training) -> PlantedView | None:
    """What the training made of its planted faults; None where it was not put to the test."""
    faults, whole = training.planted, max(training.header.n_planted or 0, len(training.planted))
    if not whole:
        return None
    survivors = [fault for fault in faults if not fault.convicted]
    convicted = len(faults) - len(survivors)
    nets = count(whole, "deliberately broken net")
    told = f"{'All' if convicted == whole else f'{convicted:,} of'} {nets} convicted" if faults else f"None of {nets} was tried"
    untried = f"; {whole - len(faults):,} never tried" if faults and whole > len(faults) else ""
    ordered = sorted(faults, key=lambda fault: fault.convicted)
    return PlantedView(f"{told}{untried}.", survivors, [(f, _fate(f)) for f in ordered[:LISTED]], len(faults) - LISTED)


def _fate(fault: Planted) -> str:
    if not fault.convicted:
        return f"survived {count(fault.n_cases, 'step')}"
    more = f" and {len(fault.rows) - 1} more" if len(fault.rows) > 1 else ""
    return f"convicted at step {fault.n_cases:,} by {fault.rows[0]}{more}"
