"""The matrix of the page: what a tile says of a row that diverges."""

from __future__ import annotations

import math

from oracle.results import ComparisonData
from reports.matrix import wrong
from reports.rows import Row
from tests.results.records import counterexample, result


def test_a_divergence_that_is_no_matter_of_values_shows_no_margin_in_the_matrix() -> None:
    def cell(reason: str, margin: float | None, state: str = "failed") -> str:
        found = ComparisonData(reason=reason, message="", margin=margin)
        example = counterexample().model_copy(update={"comparison": found})
        return wrong(Row("Relu", "plain", "float64", "backward.dx", "quantity", result(margin=margin, status=state, n_failed=1), example))

    assert [cell(reason, 0.0) for reason in ("shape", "dtype", "error", "died", "<script>")] == ["shape", "dtype", "error", "died", "fails"]
    assert [cell("value", margin) for margin in (3.0, math.inf, math.nan, 1.0, None)] == ["3 ×", "∞ ×", "NaN", "fails", "fails"]
    assert cell("shape", 0.25, "known") == "shape"
