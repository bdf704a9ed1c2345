"""Why a run can be believed: what it made of the faults that were planted for it, and whether the oracle agrees with itself."""

from __future__ import annotations

from typing import NamedTuple

from oracle.results import Health, Planted, Run
from reports.words import count, margin_order, margin_text

LISTED = 300
"""This many planted faults, and this many rows of the oracle's health, are listed."""
MESSAGE = 300
"""Characters of a fault or a message."""


class Share(NamedTuple):
    """How many of some planted faults were convicted. tone: the colour class of the matrix."""

    text: str
    tone: str


class PlantedView(NamedTuple):
    """The planted faults: survivors first, then a table of families by layers, then each of them by layer."""

    sentence: str
    survivors: list[Planted]
    layers: list[str]
    families: list[tuple[str, Share, list[Share | None]]]
    faults: list[tuple[str, list[Planted]]]
    more: int


class HealthLine(NamedTuple):
    """One row of the oracle's health."""

    health: Health
    compared: int
    tone: str
    word: str
    worst: str


class HealthView(NamedTuple):
    """torch.autograd against differences of torch's own forward: what disagrees first."""

    sentence: str
    wrong: list[HealthLine]
    lines: list[HealthLine]
    more: int


def planted_view(run: Run) -> PlantedView | None:
    """What the run made of its planted faults; None where it was not put to the test."""
    faults, declared = run.planted, run.header.n_planted or 0
    if not faults and not declared:
        return None
    survivors = [fault for fault in faults if not fault.convicted]
    layers = list(dict.fromkeys(fault.layer for fault in faults))
    families = list(dict.fromkeys(fault.family for fault in faults))
    table = [
        (
            family,
            _share([f for f in faults if f.family == family]),
            [_share(own) if (own := [f for f in faults if (f.family, f.layer) == (family, layer)]) else None for layer in layers],
        )
        for family in families
    ]
    sentence = _sentence(len(faults) - len(survivors), len(faults), declared)
    listed = [(layer, [f for f in faults[:LISTED] if f.layer == layer]) for layer in layers]
    return PlantedView(sentence, survivors, layers, table, listed, len(faults) - LISTED)


def _sentence(convicted: int, tried: int, declared: int) -> str:
    whole = max(tried, declared)
    if not tried:
        return f"None of {count(whole, 'planted fault')} was tried."
    told = f"{'All' if convicted == whole else f'{convicted:,} of'} {count(whole, 'deliberately broken layer')} convicted"
    untried = f"; {whole - tried:,} never tried" if whole > tried else ""
    return f"{told}{untried}."


def _share(faults: list[Planted]) -> Share:
    convicted = sum(fault.convicted for fault in faults)
    return Share(f"{convicted:,} of {len(faults):,}", "m1" if convicted == len(faults) else "f2")


def health_view(run: Run) -> HealthView | None:
    """Whether torch.autograd agrees with differences of torch's own forward; None where that was not looked at."""
    if not run.health:
        return None
    lines = [_line(health) for health in run.health]
    wrong = [line for line in lines if line.health.n_wrong]
    compared = sum(line.compared for line in lines)
    cases = sum(health.n_cases for health in run.health)
    agrees = f"disagrees in {count(sum(line.health.n_wrong for line in wrong), 'element')} of" if wrong else "agrees in all of"
    sentence = f"torch.autograd {agrees} {count(compared, 'element')} compared, of {count(cases, 'float64 case')}."
    if not compared:
        sentence = "No element could be compared."
    return HealthView(sentence, wrong, lines[:LISTED], len(lines) - LISTED)


def _line(health: Health) -> HealthLine:
    compared = max(health.n_elements - health.n_kinks - health.n_unresolved, 0)
    word = "disagrees" if health.n_wrong else "agrees" if compared else "not compared"
    tone = "f2" if health.n_wrong else "n" if not compared else "m1" if margin_order(health.worst) > 0 else "m0"
    return HealthLine(health, compared, tone, word, margin_text(health.worst))
