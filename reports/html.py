"""The conformance report: one HTML file that needs no network, no script and no second file."""

from __future__ import annotations

from pathlib import Path

from oracle.results import Run, verdict
from reports.cases import DivergenceView, divergence
from reports.findings import Finding, findings
from reports.matrix import matrix
from reports.page import render
from reports.rows import Rows
from reports.sections import section
from reports.subjects import subjects
from reports.writing import write_whole

BUDGET = 150_000
"""Characters that counterexamples may take together; those beyond it are listed with their command only."""
LISTED = 200
"""Of the counterexamples beyond the budget this many are listed."""
MANY = 12
"""Of more layers than this, those that conform are folded away."""
FIRST = 8
"""This many divergences are named under the verdict."""
MISSING = 20
"""This many rows that were declared but never judged are named."""


def write_html(run: Run, path: Path) -> Path:
    """Write the report on `run` to `path` and return it. The file appears whole or not at all; an older one stays until then."""
    return write_whole(path, render_html(run))


def render_html(run: Run) -> str:
    """The report on `run` as a string."""
    rows = Rows(run)
    columns, blocks = matrix(rows)
    found = findings(rows)
    full, rest = _within_budget(_views(found))
    decided = verdict(run)
    quiet = {"passed"} if len(blocks) > MANY else set()
    return render(
        "page.html.jinja",
        run=run,
        header=run.header,
        verdict=decided,
        subjects=subjects(rows) if any(info.target for info in rows.layers) and len(rows.layers) > 1 else [],
        other_notes=rows.other_notes,
        any_unclaimed=any(row.state == "not-claimed" for row in rows.all),
        columns=columns,
        blocks=[block for block in blocks if block.state not in quiet],
        folded=[block for block in blocks if block.state in quiet],
        quiet=quiet,
        findings=found[:FIRST],
        n_findings=len(found),
        sections=[section(rows, info) for info in rows.layers],
        divergences=full,
        listed=rest[:LISTED],
        unlisted=rest[LISTED:],
        unexampled=[row for finding in found for row in finding.rows if row.example is None],
        missing=decided.missing[:MISSING],
        n_judged=sum(1 for r in run.results if r.n_judged),
        n_inconclusive=sum(r.n_inconclusive for r in run.results),
    )


def _views(found: list[Finding]) -> list[DivergenceView]:
    """The counterexamples laid out: first those that stand for a finding, one of each, then those that fail alike."""
    ordered = [*(finding.row for finding in found), *(row for finding in found for row in finding.others)]
    return [divergence(row, row.example) for row in ordered if row.example]


def _within_budget(views: list[DivergenceView]) -> tuple[list[DivergenceView], list[DivergenceView]]:
    """The counterexamples to show in full, and the rest. The first is always shown; one as it was found only where nothing smaller is."""
    full: list[DivergenceView] = []
    rest: list[DivergenceView] = []
    left = BUDGET
    for view in views:
        fits = not full or (view.size <= left and (view.example.minimised is not None or not _stood_for(view, full)))
        (full if fits else rest).append(view)
        left -= view.size if fits else 0
    return full, rest


def _stood_for(view: DivergenceView, full: list[DivergenceView]) -> bool:
    """Whether a counterexample of the same quantity or contract of the same layer is shown already."""
    return any(other.row.layer == view.row.layer and other.row.quantity == view.row.quantity for other in full)
