"""The verdict as a badge: a small picture for a README."""

from __future__ import annotations

from pathlib import Path

from oracle.results import Run, verdict
from reports.page import environment
from reports.words import count, shorten
from reports.writing import write_whole

COLOURS = {"conforms": "#1d5f9e", "diverges": "#a8430b", "incomplete": "#5a5a5a"}
"""Outcome -> its colour; white text on each has a contrast of more than 5, and the word says the same."""
LABEL = "gradconform"
SENTENCE = 300
"""Characters of the verdict that a screen reader reads."""
_NARROW, _WIDE = "fijlrt.,:;|! 1", "mwMW%"


def write_badge(run: Run, path: Path) -> Path:
    """Write the badge of `run` to `path` as SVG and return it. Raises OSError."""
    return write_whole(path, render_badge(run) + "\n")


def render_badge(run: Run) -> str:
    """``gradconform | conforms 612 rows``, ``diverges 3 rows``, ``incomplete``."""
    decided = verdict(run)
    held = sum(result.n_judged > 0 and result.status in ("passed", "known") for result in run.results)
    rows = {"conforms": held, "diverges": len(decided.failing)}.get(decided.outcome)
    # where only the list of known divergences is wrong, no row says so
    text = f"{decided.outcome} {count(rows, 'row')}" if rows else decided.outcome
    left, right = _width(LABEL), _width(text)
    return (
        environment()
        .get_template("badge.svg.jinja")
        .render(
            label=LABEL,
            text=text,
            colour=COLOURS[decided.outcome],
            left=left,
            right=right,
            sentence=shorten(decided.sentence, SENTENCE),
        )
    )


def _width(text: str) -> int:
    """About how many pixels `text` takes in an 11 pixel sans serif, with a margin; the picture stretches it to exactly that."""
    return round(sum(3.8 if c in _NARROW else 9.6 if c in _WIDE else 6.6 for c in text)) + 14
