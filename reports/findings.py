"""What diverges, in plain words, grouped so that one fault seen in six rows is read once."""

from __future__ import annotations

import hashlib
import re
from typing import NamedTuple

from oracle.results import ArrayData, ComparisonData, Counterexample
from reports.rows import Row, Rows
from reports.words import FAILING, LOADS, NOT_LOADED, REASONS, STATES, apart, brief, count, index_text, margin_order, margin_text, shorten

LONGEST = 600
"""Characters of a message told in a sentence."""


class Finding(NamedTuple):
    """One quantity or contract of a layer that fails in one way: `row` stands for it, `others` fail alike."""

    row: Row
    others: tuple[Row, ...]

    @property
    def rows(self) -> tuple[Row, ...]:
        """Every failing row of the finding, the one that stands for it first."""
        return (self.row, *self.others)

    @property
    def diagnosis(self) -> str:
        """Why, in a sentence or two; empty where it is not known."""
        return (self.row.example and self.row.example.diagnosis) or ""


def findings(rows: Rows) -> list[Finding]:
    """The divergences of a run: of every failing layer the first one, then of every layer the second, and so on.

    Within a layer they keep the order of the declaration, forward first: what is wrong there is usually the cause of the rest. What is
    listed in vain comes last.
    """
    ranked: list[tuple[int, int, Finding]] = []
    for at, info in enumerate(rows.layers):
        for rank, finding in enumerate(findings_of(rows.by_layer.get(info.name, ()))):
            ranked.append((rank, at, finding))
    return [finding for _, _, finding in sorted(ranked, key=lambda item: (item[2].row.state == "stale", *item[:2]))]


def findings_of(rows: tuple[Row, ...]) -> list[Finding]:
    """The divergences of one layer, in the order of its declaration."""
    failing = [row for row in rows if row.state in FAILING]
    order = {name: at for at, name in enumerate(dict.fromkeys(row.quantity for row in failing))}
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in sorted(failing, key=lambda row: (row.role == "contract", order[row.quantity])):
        groups.setdefault((row.quantity, row.example.comparison.reason if row.example else ""), []).append(row)
    ranked = [sorted(group, key=_severity) for group in groups.values()]
    return [Finding(group[0], tuple(group[1:])) for group in ranked]


def _severity(row: Row) -> tuple[bool, bool, bool, float]:
    """Of rows that fail alike only one has been made small and explained: it comes first. Then those with a case to look at; then the
    largest margin."""
    example = row.example
    raw = example is None or example.minimised is None
    return example is None, raw, not (example and example.diagnosis), -margin_order(row.margin)


def shown(example: Counterexample) -> ComparisonData:
    """The comparison that belongs to the case which is shown: the minimised one if there is one."""
    return example.minimised_comparison if example.minimised and example.minimised_comparison else example.comparison


def headline(row: Row) -> str:
    """What kind of divergence `row` is, in a word or two."""
    reason = shown(row.example).reason if row.example else ""
    if row.quantity == LOADS:
        return NOT_LOADED
    if reason == "died":
        return "process died"
    if row.state in ("stale", "error") and reason != "error":
        return STATES[row.state]
    if row.role == "contract" and row.state != "error":
        return "contract broken"
    if reason in ("shape", "dtype", "error", "nan"):
        return {"shape": "wrong shape", "dtype": "wrong dtype", "error": "raised an error", "nan": "NaN or infinity"}[reason]
    return "imprecise" if row.result is not None and row.result.worst_outcome == "imprecise" else "differs"


def account(row: Row) -> str:
    """By how much and why `row` fails, in one sentence or two."""
    if row.example is None:
        if row.state == "stale":
            return "No case of it fails any more: remove it from the list."
        told = row.result.message if row.result is not None else ""
        return _sentence(told) or f"Worst margin {margin_text(row.margin)}; no counterexample was stored."
    comparison = shown(row.example)
    reason = _sentence(comparison.message) or f"{REASONS.get(comparison.reason, comparison.reason).capitalize()}."
    if row.role == "contract" or comparison.reason not in ("value", "nan"):
        return reason
    return _numbers(comparison) or reason


def _sentence(message: str) -> str:
    """`message`, short enough and with a full stop, so that another sentence can follow."""
    text = shorten(message.strip(), LONGEST)
    return text if not text or text.endswith((".", "!", "?")) else text + "."


def _numbers(comparison: ComparisonData) -> str:
    """``actual 0.5, expected 1 at [0, 2]: off by 0.5, 12 × the allowed error``."""
    actual, expected = _first(comparison.actual), _first(comparison.expected)
    if actual is None or expected is None:
        return ""
    where = f" at {index_text(comparison.worst_index)}" if comparison.worst_index else ""
    shown_actual, shown_expected = apart(actual, expected)
    sides = f"Actual {shown_actual}, expected {shown_expected}{where}"
    if comparison.reason == "nan" or comparison.margin is None:
        return sides + "."
    return f"{sides}: off by {brief(abs(actual - expected))}, {margin_text(comparison.margin)} the allowed error."


def _first(array: ArrayData | None) -> float | None:
    values = array.values() if array else []
    return float(values[0]) if values else None


def elsewhere(finding: Finding) -> str:
    """In which further rows the same thing fails: ``Also fails in index float32 and 3 more rows.``"""
    if not finding.others:
        return ""
    first = finding.others[0]
    rest = len(finding.others) - 1
    more = f" and {count(rest, 'more row')}" if rest else ""
    return f"{'Nor' if first.state == 'stale' else 'Also fails'} in {first.branch} {first.dtype}{more}."


def anchor(prefix: str, text: str) -> str:
    """A stable HTML id for `text`: its harmless characters, and a digest where any had to go, so that two never collide."""
    return f"{prefix}-{_slug(text)}"


def row_anchor(row: Row) -> str:
    """A stable HTML id for `row`, the same in every run: ``row/Relu/plain/float64/backward.dx``."""
    return f"{group_anchor(row)}/{_slug(row.quantity)}"


def group_anchor(row: Row) -> str:
    """What the ids of all rows of a layer, branch and dtype begin with, so that the page finds what belongs together."""
    return "/".join(["row", *map(_slug, row.key[:3])])


def _slug(text: str) -> str:
    slug = re.sub(r"[^A-Za-z0-9_.-]+", "_", text)[:60]
    return slug if slug == text else f"{slug[:16]}-{hashlib.sha256(text.encode('utf-8', 'replace')).hexdigest()[:10]}"
