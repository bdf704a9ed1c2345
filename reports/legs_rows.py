"""The rows of several legs side by side, and in which of them the legs differ. Shared by the page and the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from oracle.results.legs import Key, Leg, Legs
from reports.findings import Finding, findings, headline
from reports.rows import Row, Rows
from reports.words import FAILING, margin_text

FAILS = FAILING | {"known"}
"""States of a row that diverges, or is listed in vain."""
Difference = Literal["", "margin", "state"]


class LegRow(NamedTuple):
    """One row on every leg, in the order of the legs; None where a leg does not have it. differs: in what the legs disagree."""

    key: Key
    contract: bool
    cells: tuple[Row | None, ...]
    differs: Difference

    @property
    def fails(self) -> bool:
        """Whether it diverges on any leg."""
        return any(cell is not None and cell.state in FAILS for cell in self.cells)


class LegFinding(NamedTuple):
    """One quantity or contract of a layer that fails in one way, on some or all legs: label -> what is found there.

    holds: legs on which the same rows are judged and pass. otherwise: legs on which they fail in another way. rest: the others.
    """

    by_label: dict[str, Finding]
    holds: tuple[str, ...] = ()
    otherwise: tuple[str, ...] = ()
    rest: tuple[str, ...] = ()

    @property
    def first(self) -> Finding:
        """The finding that stands for all: the first with a small case, else the first."""
        found = list(self.by_label.values())
        return next((f for f in found if f.row.example and f.row.example.minimised), found[0])

    @property
    def first_label(self) -> str:
        """The leg of `first`."""
        return next(label for label, found in self.by_label.items() if found is self.first)


def rows_of(legs: Sequence[Leg]) -> list[Rows]:
    """The rows of each leg."""
    return [Rows(leg.run) for leg in legs]


def leg_rows(every: Sequence[Rows]) -> dict[str, list[LegRow]]:
    """Layer -> its rows on all legs, in the order of the first leg; what it lacks comes after it."""
    by_key = [{row.key: row for row in rows.all} for rows in every]
    found: dict[str, list[LegRow]] = {}
    for key in dict.fromkeys(key for rows in by_key for key in rows):
        cells = tuple(rows.get(key) for rows in by_key)
        contract = any(cell is not None and cell.role == "contract" for cell in cells)
        found.setdefault(key[0], []).append(LegRow(key, contract, cells, _differs(cells, contract)))
    return found


def _differs(cells: Sequence[Row | None], contract: bool) -> Difference:
    if len({"lost" if cell is None else cell.state for cell in cells}) > 1:
        return "state"
    margins = {margin_text(cell.margin) for cell in cells if cell is not None}
    return "margin" if len(margins) > 1 and not contract else ""


def leg_findings(legs: Legs, every: Sequence[Rows]) -> list[LegFinding]:
    """The divergences of all legs: first those that some legs do not have, then in the order of the layers."""
    grouped: dict[tuple[str, str, str], dict[str, Finding]] = {}
    for leg, rows in zip(legs.legs, every, strict=True):
        for finding in findings(rows):
            row = finding.row
            grouped.setdefault((row.layer, row.quantity, headline(row)), {}).setdefault(leg.label, finding)
    found = [_placed(by_label, legs, every) for by_label in grouped.values()]
    return sorted(found, key=lambda f: not f.holds)


def _placed(by_label: dict[str, Finding], legs: Legs, every: Sequence[Rows]) -> LegFinding:
    """What is to be said of the legs that do not have a finding."""
    keys = {row.key for finding in by_label.values() for row in finding.rows}
    placed: dict[str, list[str]] = {"holds": [], "otherwise": [], "rest": []}
    for leg, rows in zip(legs.legs, every, strict=True):
        if leg.label not in by_label:
            states = {row.state for row in rows.all if row.key in keys}
            placed["otherwise" if states & FAILS else "holds" if "passed" in states else "rest"].append(leg.label)
    return LegFinding(by_label, *(tuple(placed[name]) for name in ("holds", "otherwise", "rest")))
