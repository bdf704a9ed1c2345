"""What one side made of a case, and what the judge made of both."""

from __future__ import annotations

from typing import NamedTuple

from oracle.core.case import Array
from oracle.core.compare import Comparison


class Evaluation(NamedTuple):
    """Forward results and gradients in the spec's order, or the text of the exception raised instead."""

    outputs: tuple[Array, ...]
    grads: tuple[Array, ...]
    error: str | None


class Breach(NamedTuple):
    """A contract that was not kept, and how."""

    contract: str
    message: str


class Finding(NamedTuple):
    """Something wrong: a quantity outside its allowed error, or a broken contract with the quantity that shows it."""

    name: str
    role: str
    reason: str
    message: str
    comparison: Comparison | None = None

    @property
    def key(self) -> tuple[str, str]:
        """What makes two findings the same one: the row it falls into, and why."""
        return self.name, self.reason


class Judgement(NamedTuple):
    """Everything `judge` found out about a case.

    comparisons: of the quantities for which balls were computed; bitwise equal ones outside the sample have none (margin 0).
    answered: both sides gave results, so every quantity was judged. discarded: torch did not do what the case was drawn for.
    """

    findings: tuple[Finding, ...]
    comparisons: tuple[Comparison, ...]
    answered: bool
    discarded: str | None = None
