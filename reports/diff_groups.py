"""The changes between two runs in plain words, grouped so that one change seen in six rows is read once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from oracle.results import Result
from oracle.results.diff import OF_BEFORE, Cause, Change, Difference, Mark, Moved
from reports.findings import account
from reports.rows import Row
from reports.words import LOADS, STATES, count, margin_text, state_of

BY_LAYER: tuple[Mark, ...] = ("lost coverage", "not comparable", "not reached")
"""The marks that concern a layer rather than a quantity: its rows have them all together."""


class Group(NamedTuple):
    """Rows of a layer that changed in the same way and for the same reason; the first stands for the others."""

    mark: Mark
    changes: tuple[Change, ...]

    @property
    def lead(self) -> Change:
        """The change that stands for all: one with a small case, if any has."""
        return self.changes[0]

    @property
    def layer(self) -> str:
        """The layer."""
        return self.lead.layer

    @property
    def title(self) -> str:
        """The quantity or contract, or how many rows of several."""
        names = dict.fromkeys(change.key[3] for change in self.changes)
        return next(iter(names)) if len(names) == 1 else count(len(self.changes), "row")

    @property
    def where(self) -> str:
        """The branches and dtypes: ``matrix float64 and 3 more rows``; empty for a subject as a whole."""
        _, branch, dtype, quantity = self.lead.key
        if quantity == LOADS:
            return ""
        names = {change.key[3] for change in self.changes}
        if len(names) > 1:
            places = list(dict.fromkeys(f"{change.key[1]} {change.key[2]}" for change in self.changes))
            return places[0] if len(places) == 1 else f"{places[0]} and {len(places) - 1} more"
        more = f" and {count(len(self.changes) - 1, 'more row')}" if len(self.changes) > 1 else ""
        return f"{branch} {dtype}{more}"

    @property
    def row(self) -> Row:
        """The row that stands for the group, as the reports know rows."""
        lead = self.lead
        result = lead.before if lead.mark in OF_BEFORE else lead.after or lead.before
        known = result or lead.example
        return Row(*lead.key, known.role if known else "quantity", result, lead.example)


def groups(changes: Iterable[Change]) -> list[Group]:
    """The changes grouped, in their order."""
    found: dict[tuple[object, ...], list[Change]] = {}
    for change in changes:
        found.setdefault(_alike(change), []).append(change)
    return [Group(members[0].mark, tuple(sorted(members, key=_rank))) for members in found.values()]


def _alike(change: Change) -> tuple[object, ...]:
    common = (change.mark, change.layer, change.differs, change.causes, change.replay)
    if change.mark in BY_LAYER:
        return (*common, change.why)
    grown = change.mark == "drifted" and change.why.partition(" times")[0].split()[-2]
    return (*common, change.key[3], change.example.comparison.reason if change.example else "", grown)


def _rank(change: Change) -> tuple[bool, bool]:
    example = change.example
    return example is None or example.minimised is None, example is None


def states(change: Change) -> str:
    """What became of the row: ``conforms, margin 0.25 → diverges, margin 9 ×``; empty where that tells nothing."""
    before, after = _state(change.before), _state(change.after)
    return "" if before == after else f"{before} → {after}"


def _state(result: Result | None) -> str:
    if result is None:
        return "not in the run"
    margin = f", margin {margin_text(result.margin)}" if result.margin is not None and result.n_judged else ""
    return STATES[state_of(result)] + margin


def because(group: Group, replayed: bool) -> str:
    """The cause of a change in a sentence; empty for a mark that has none."""
    if group.mark in ("still failing", "stale", "not reached") and not group.lead.causes:
        return ""
    if not group.lead.causes:
        if "twice" in group.lead.replay:
            return ""
        return "Cause: unknown. Nothing that is recorded differs; the layer may not give the same answer twice."
    told = _listed(group.lead.causes)
    open_ = len(group.lead.causes) > 1 and not replayed and group.lead.example is not None
    return f"Cause: {told}{'; --replay tells' if open_ else ''}."


def _listed(causes: tuple[Cause, ...]) -> str:
    return causes[0] if len(causes) == 1 else f"{', '.join(causes[:-1])} or {causes[-1]}"


def seen(group: Group) -> str:
    """What the failing case shows, in a sentence; empty where there is none."""
    if group.row.quantity == LOADS and group.mark != "fixed":
        return account(group.row)
    return account(group.row) if group.lead.example is not None else ""


def answer(moved: Moved) -> str:
    """Which answers to the same inputs changed, and how far, in a sentence."""
    who = "torch's" if moved.side == "expected" else "the layer's"
    far = "beyond any distance" if moved.ulp is None else f"by up to {moved.ulp:,} ULP"
    told = f"{moved.layer} {moved.quantity}: {who} answer moved {far}, on {moved.n_moved:,} of {count(moved.n_compared, 'same input')}"
    return f"{told}. Cause: {_listed(moved.causes)}." if moved.causes else f"{told}, though nothing that is recorded differs."


def outcome(difference: Difference) -> str:
    """The verdict in two words or three."""
    if difference.regressions:
        return "REGRESSION"
    return "NO REGRESSION, INCOMPLETE" if difference.incomplete else "NO REGRESSION"


def sentence(difference: Difference) -> str:
    """The counts as a sentence, what makes a regression first."""
    marked = Counter(c.mark for c in difference.changes if c.differs)
    told = [f"{n:,} {mark}" for mark, n in marked.items()]
    if difference.n_new:
        told.append(f"{difference.n_new:,} new")
    same = sum(not c.differs for c in difference.changes)
    rows = f"of {count(difference.n_rows, 'row')}"
    alike = f" {count(same, 'row fails', 'rows fail')} in both in the same way." if same else ""
    return f"{', '.join(told)} {rows}.{alike}" if told else f"No row changed {rows}.{alike}"
