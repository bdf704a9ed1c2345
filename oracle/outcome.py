"""What `check` found, to ask and to show."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from oracle.results import Counterexample, Result, Run, Verdict, verdict


class DivergenceError(AssertionError):
    """Raised by `Outcome.raise_for_divergence`: its text is the verdict table."""


class Divergence(NamedTuple):
    """One row that does not do what torch does.

    row: the quantity or contract. margin: worst difference over allowed error, None for a contract. diagnosis: the cause, empty where
    none was found. message: what was seen in one case. counterexample: that case, minimised, with a runnable snippet.
    """

    row: str
    branch: str
    dtype: str
    margin: float | None
    diagnosis: str
    message: str
    counterexample: Counterexample | None


@dataclass(frozen=True)
class Outcome:
    """What `check` found. Printed, it is the verdict table; Jupyter shows it as HTML.

    run: everything, as a results file holds it. estimated: why the allowed error is only estimated; empty where it is derived.
    """

    run: Run
    estimated: str = ""

    @cached_property
    def verdict(self) -> Verdict:
        """The verdict in one sentence, with what fails and what was not judged."""
        return verdict(self.run)

    @property
    def conforms(self) -> bool:
        """Whether every row was judged and none diverges."""
        return self.verdict.outcome == "conforms"

    @cached_property
    def divergences(self) -> tuple[Divergence, ...]:
        """The rows that fail. Of rows that fail in the same way one is made small: its counterexample stands for the others."""
        return tuple(_divergence(row, _example(row, self.run.counterexamples)) for row in self.verdict.failing)

    def raise_for_divergence(self) -> None:
        """Raises DivergenceError with the verdict table if the layer does not conform."""
        if not self.conforms:
            raise DivergenceError(f"\n{self}")

    def __str__(self) -> str:
        from rich.console import Console

        from reports import reporter

        text = io.StringIO()
        # in a notebook rich would show the lines there, and write none of them
        reporter("check")(self.run, Console(file=text, width=100, highlight=False, force_jupyter=False))
        return text.getvalue().rstrip()

    def _repr_html_(self) -> str:
        from reports import reporter

        html: str = reporter("table")(self.run)
        return html


def _example(row: Result, known: Sequence[Counterexample]) -> Counterexample | None:
    """The counterexample of `row`; where it was not made small, one of another branch or dtype that fails in the same way."""
    here = [c for c in known if c.quantity == row.quantity]
    own = next((c for c in here if (c.branch, c.dtype) == (row.branch, row.dtype)), None)
    if own is None or own.minimised is not None:
        return own
    alike = [c for c in here if c.minimised is not None and c.comparison.reason == own.comparison.reason]
    return max(alike, key=lambda c: (c.branch == row.branch, c.dtype == row.dtype), default=own)


def _divergence(row: Result, example: Counterexample | None) -> Divergence:
    seen = None if example is None else example.minimised_comparison or example.comparison
    return Divergence(
        row=row.quantity,
        branch=row.branch,
        dtype=row.dtype,
        margin=row.margin,
        diagnosis="" if example is None else example.diagnosis or "",
        message=row.message if seen is None else seen.message or row.message,
        counterexample=example,
    )
