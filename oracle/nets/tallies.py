"""What the steps of one dtype add up to: a row for each quantity and contract, and the trajectory."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from oracle.core.compare import Comparison
from oracle.nets.steps import CONTRACTS, LOSS, UPDATED, JudgedStep
from oracle.results.model import Role
from oracle.results.training import TrainingRow
from oracle.results.training.verdict import TRAJECTORY


@dataclass
class _Row:
    role: Role | str
    n_judged: int = 0
    n_failed: int = 0
    n_inconclusive: int = 0
    n_elements: int = 0
    n_undetermined: int = 0
    margin: float | None = None
    worst: int | None = None
    first_failed: int | None = None
    message: str = ""


class Rows:
    """The tally of one dtype. names: of the net's parameters."""

    def __init__(self, dtype: str, names: Iterable[str]) -> None:
        self.dtype = dtype
        self.quantities = (LOSS, *[f"backward.d{name}" for name in names])
        self._rows = {
            **{name: _Row("quantity") for name in self.quantities},
            **{name: _Row("contract") for name in CONTRACTS},
            TRAJECTORY: _Row("trajectory"),
        }

    def add(self, number: int, judged: JudgedStep) -> list[str]:
        """Add step `number`. Gives the rows that fail for the first time."""
        fresh = []
        for c in judged.comparisons:
            fresh += self._compared(number, c)
        for contract in CONTRACTS:
            if contract != UPDATED:
                fresh += self.kept(number, contract, next((b.message for b in judged.breaches if b.contract == contract), ""))
        return fresh

    def kept(self, number: int, contract: str, message: str) -> list[str]:
        """Whether a contract was kept at step `number`: `message` says how it was not."""
        row = self._rows[contract]
        row.n_judged += 1
        return self._failed(contract, number, message) if message else []

    def trajectory(self, number: int, apart: float, allowed: float, determined: bool) -> list[str]:
        """The distance of both sides after step `number`, and how far they may be apart.

        determined: whether all gradients of the step were bounded, and both sides are finite. After a step that was not, nothing is known
        of how far they may be apart any more.
        """
        row = self._rows[TRAJECTORY]
        if row.n_undetermined or not determined:
            row.n_undetermined += 1
            return []
        row.n_judged += 1
        margin = 0.0 if apart == 0 else apart / allowed if allowed > 0 else float("inf")
        _widen(row, margin, number)
        if margin <= 1:
            return []
        told = f"After step {number:,} the parameters are {apart:.3g} apart, {allowed:.3g} is allowed."
        return self._failed(TRAJECTORY, number, told)

    def margin(self, quantity: str) -> float:
        """The worst margin of a quantity so far; 0 where there is none."""
        return self._rows[quantity].margin or 0.0

    def say(self, name: str, message: str) -> None:
        """The message of a row that has failed."""
        self._rows[name].message = message

    def restore(self, rows: Iterable[TrainingRow]) -> None:
        """Go on from rows that were written."""
        for r in rows:
            if r.dtype == self.dtype and r.quantity in self._rows:
                given = r.model_dump(include=set(_Row.__dataclass_fields__))
                self._rows[r.quantity] = _Row(**given)

    def records(self) -> list[TrainingRow]:
        """The rows as they are stored; those that were never judged as not run."""
        return [
            TrainingRow(
                dtype=self.dtype,
                quantity=name,
                status="failed" if row.n_failed else "passed" if row.n_judged else "not-run",
                **vars(row),
            )
            for name, row in self._rows.items()
        ]

    def _compared(self, number: int, c: Comparison) -> list[str]:
        row = self._rows[c.quantity]
        row.n_elements += c.n_elements
        row.n_undetermined += c.n_undetermined
        if c.inconclusive:
            row.n_inconclusive += 1
            return []
        row.n_judged += 1
        _widen(row, c.margin, number)
        return [] if c.ok else self._failed(c.quantity, number, "")

    def _failed(self, name: str, number: int, message: str) -> list[str]:
        row = self._rows[name]
        row.n_failed += 1
        if row.n_failed > 1:
            return []
        row.first_failed, row.message = number, message
        return [name]


def _widen(row: _Row, margin: float, number: int) -> None:
    if row.margin is None or not margin <= row.margin:
        row.margin, row.worst = margin, number
