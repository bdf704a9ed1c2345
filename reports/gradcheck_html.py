"""The page of a gradient check: one HTML file that needs no network, no script and no second file."""

from __future__ import annotations

from pathlib import Path

from oracle.results.gradcheck import GradCheck, grad_verdict
from reports.gradcheck_rows import APART, LEGEND, MARGINS, dtypes, facts, notes, row_views, told
from reports.page import render
from reports.writing import write_whole

ROWS = 500
"""Parameters of one dtype that are on the page."""
SHOWN = 60
"""This many rows are told more of."""


def write_gradcheck(check: GradCheck, path: Path) -> Path:
    """Write the page of `check` to `path` and return it. The file appears whole or not at all. Raises OSError."""
    return write_whole(path, render_gradcheck(check))


def render_gradcheck(check: GradCheck) -> str:
    """The page of `check` as a string."""
    return render(
        "gradcheck.html.jinja",
        check=check,
        verdict=grad_verdict(check),
        told=told(check),
        shown=SHOWN,
        tables=[(dtype, row_views(check, dtype)) for dtype in dtypes(check)],
        listed=ROWS,
        titles=(*APART, *MARGINS),
        legend=LEGEND,
        notes=notes(check),
        about=facts(check),
    )
