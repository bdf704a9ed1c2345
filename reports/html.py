"""The conformance report: one HTML file that needs no network, no script and no second file."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from oracle.results import Run, verdict
from reports.cases import DivergenceView, divergence
from reports.findings import Finding, findings
from reports.known import gate_view
from reports.matrix import matrix
from reports.page import render
from reports.quantities import axes
from reports.rows import Rows
from reports.sections import section
from reports.subjects import subjects
from reports.trust import health_view, planted_view
from reports.words import STATES, shorten
from reports.writing import write_whole

ROOM = 480_000
"""Characters of a page: counterexamples have what the rest of it leaves."""
LEAST, MOST = 40_000, 150_000
"""Characters that counterexamples may take together, at least and at most; those beyond it are listed with their command only."""
LISTED = 400
"""Characters that one takes which is only listed, about; a third of the room is for them."""
MANY = 12
"""Of more layers than this, those that conform are folded away."""
FIRST = 8
"""This many divergences are named under the verdict."""
LABEL = 60
"""Characters of a layer's name where it can be chosen."""
MISSING = 20
"""This many rows that were declared but never judged are named."""


def write_html(run: Run, path: Path) -> Path:
    """Write the report on `run` to `path` and return it. The file appears whole or not at all; an older one stays until then."""
    return write_whole(path, render_html(run))


def render_html(run: Run) -> str:
    """The report on `run` as a string."""
    rows = Rows(run)
    found = findings(rows)
    views = _views(found, rows)
    context = {**_context(run, rows), **_found(run, found)}
    bare = render("page.html.jinja", **context, divergences=[], listed=[], unlisted=[])
    if not views:
        return bare
    room = min(max(ROOM - len(bare.encode()), LEAST), MOST)
    full, rest = _within(views, room * 2 // 3)
    listed = room // 3 // LISTED
    return render("page.html.jinja", **context, divergences=full, listed=rest[:listed], unlisted=rest[listed:])


def _context(run: Run, rows: Rows) -> dict[str, Any]:
    """What the page says of all rows."""
    columns, blocks = matrix(rows)
    quiet = {"passed"} if len(blocks) > MANY else set()
    shared = axes(run)
    states = {block.layer: block.state for block in blocks}
    return {
        "run": run,
        "header": run.header,
        "subjects": subjects(rows) if any(info.target for info in rows.layers) and len(rows.layers) > 1 else [],
        "other_notes": rows.other_notes,
        "any_unclaimed": any(row.state == "not-claimed" for row in rows.all),
        "columns": columns,
        "blocks": [block for block in blocks if block.state not in quiet],
        "folded": [block for block in blocks if block.state in quiet],
        "quiet": quiet,
        "choices": _choices(rows),
        "sections": [section(rows, info, None if states[info.name] in quiet else shared) for info in rows.layers],
        "planted": planted_view(run),
        "health": health_view(run),
        "gate": gate_view(run, rows),
        "n_judged": sum(1 for r in run.results if r.n_judged),
        "n_inconclusive": sum(r.n_inconclusive for r in run.results),
    }


def _choices(rows: Rows) -> dict[str, list[tuple[str, str]]]:
    """What the rows of the page can be filtered by: name -> (value, what is shown of it)."""
    states = Counter(row.state for row in rows.all)
    return {
        "status": [(state, f"{STATES[state]} ({n:,})") for state, n in states.items()],
        "layer": [(info.name, shorten(info.name, LABEL)) for info in rows.layers],
        "dtype": [(dtype, dtype) for dtype in dict.fromkeys(row.dtype for row in rows.all) if dtype != "-"],
    }


def _found(run: Run, found: list[Finding]) -> dict[str, Any]:
    """What the page says first: the verdict, the first findings, what is missing; and what has no counterexample."""
    decided = verdict(run)
    return {
        "verdict": decided,
        "missing": decided.missing[:MISSING],
        "findings": found[:FIRST],
        "n_findings": len(found),
        "unexampled": [row for finding in found for row in finding.rows if row.example is None],
    }


def _views(found: list[Finding], rows: Rows) -> list[DivergenceView]:
    """The counterexamples laid out: first those that stand for a finding, one of each, then those that fail alike, then known ones."""
    ordered = [*(finding.row for finding in found), *(row for finding in found for row in finding.others)]
    ordered += [row for row in rows.all if row.state == "known"]
    return [divergence(row, row.example, rows) for row in ordered if row.example]


def _within(views: list[DivergenceView], left: int) -> tuple[list[DivergenceView], list[DivergenceView]]:
    """The counterexamples to show in full in about `left` characters, and the rest.

    The first is always shown; one as it was found only where nothing smaller is.
    """
    full: list[DivergenceView] = []
    rest: list[DivergenceView] = []
    for view in views:
        fits = not full or (view.size <= left and (view.example.minimised is not None or not _stood_for(view, full)))
        (full if fits else rest).append(view)
        left -= view.size if fits else 0
    return full, rest


def _stood_for(view: DivergenceView, full: list[DivergenceView]) -> bool:
    """Whether a counterexample of the same quantity or contract of the same layer is shown already."""
    return any(other.row.layer == view.row.layer and other.row.quantity == view.row.quantity for other in full)
