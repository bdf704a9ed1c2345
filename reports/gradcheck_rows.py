"""What both the terminal and the page say of a gradient check: its rows in cells, what is told of those that need a word, and the facts."""

from __future__ import annotations

import math
from typing import NamedTuple

from oracle.results.gradcheck import GradCheck, GradRow, LossRow, Step
from reports.words import apart, brief, count, index_text, margin_text

APART = ("|b-n|", "|a-n|", "|b-a|")
"""Titles of the mean absolute differences."""
MARGINS = ("b:a", "b:n", "a:n")
"""Titles of the margins."""
LEGEND = (
    "b: backprop, the net's own gradient. a: torch.autograd at the same parameters. n: differences of the net's own loss. "
    "|b-n| is the mean absolute difference; b:n the margin, the worst difference over what is allowed: 1 is the edge."
)
STATES = {"passed": "conforms", "open": "torch only", "failed": "diverges", "inconclusive": "inconclusive"}
"""Status of a row -> the word a reader sees. torch only: backprop is torch's, and differences could tell nothing."""
HEADLINES = {
    "backprop": "backprop stands alone",
    "autograd": "autograd stands alone",
    "numerical": "numerical stands alone",
    "all": "all three differ",
    "nobody": "",
}
"""Who stands alone, in a few words."""


class RowView(NamedTuple):
    """One row, ready to be shown. apart, margins: in the order of APART and MARGINS. tried: what differences were taken of."""

    row: GradRow
    parameter: str
    apart: tuple[str, ...]
    margins: tuple[str, ...]
    tried: str
    word: str


class Told(NamedTuple):
    """Something that needs more than a cell. lines: sentences; facts: name and value."""

    title: str
    dtype: str
    headline: str
    failed: bool
    lines: tuple[str, ...]
    cause: str
    facts: tuple[tuple[str, str], ...] = ()


def row_views(check: GradCheck, dtype: str) -> list[RowView]:
    """The rows of one dtype."""
    return [_view(row) for row in check.rows if row.dtype == dtype]


def _view(row: GradRow) -> RowView:
    means = (row.apart_backprop_numerical, row.apart_autograd_numerical, row.apart_backprop_autograd)
    margins = (row.margin_backprop_autograd, row.margin_backprop_numerical, row.margin_autograd_numerical)
    shape = " × ".join(map(str, row.shape)) or "scalar"
    return RowView(
        row,
        f"{row.parameter} {shape}",
        tuple("-" if mean is None else f"{mean:.1e}" for mean in means),
        tuple(margin_text(margin) for margin in margins),
        _tried(row),
        STATES[row.status],
    )


def _tried(row: GradRow) -> str:
    """How many elements differences were taken of, and in how many they could not tell."""
    told = f"{row.n_tried:,} of {row.n_elements:,}" if row.n_tried < row.n_elements else f"all {row.n_elements:,}"
    silent = [count(row.n_kinks, "kink")] if row.n_kinks else []
    silent += [f"{row.n_unresolved:,} unresolved"] if row.n_unresolved else []
    return f"{told}, {', '.join(silent)}" if silent else told


def told(check: GradCheck) -> list[Told]:
    """What needs a word, what diverges first: rows, losses, broken contracts; then rows of which differences could tell nothing."""
    rows = [_told_row(row) for row in check.rows if row.status == "failed"]
    losses = [_told_loss(loss) for loss in check.losses if loss.status == "failed"]
    broken = [Told(b.contract, b.dtype, "broken", True, (f"{b.message}.",), "") for b in check.broken]
    silent = [_told_row(row) for row in check.rows if row.status != "failed" and row.message]
    return [*losses, *rows, *broken, *silent]


def _told_row(row: GradRow) -> Told:
    word = HEADLINES[row.alone] or STATES[row.status]
    return Told(row.parameter, row.dtype, word, row.status == "failed", (row.message,), row.diagnosis, _worst(row))


def _worst(row: GradRow) -> tuple[tuple[str, str], ...]:
    """The worst element of a row that failed."""
    worst = row.worst
    if worst is None or row.status != "failed":
        return ()
    backprop, autograd = apart(worst.backprop, worst.autograd)
    numerical = None if worst.numerical is None else brief(worst.numerical)
    if row.alone == "numerical" and worst.numerical is not None:
        (backprop, numerical), autograd = apart(worst.backprop, worst.numerical), brief(worst.autograd)
    found = [("worst element", index_text(worst.index) or "the only one"), ("backprop", backprop), ("autograd", autograd)]
    if numerical is not None:
        found.append(("numerical", numerical))
    found.append(("allowed between backprop and autograd", brief(worst.allowed)))
    if worst.error is not None:
        found.append(("error of the difference", f"{brief(worst.error)}{'' if worst.state == 'resolved' else f', {worst.state}'}"))
    return tuple(found)


def _told_loss(loss: LossRow) -> Told:
    actual, expected = apart(loss.actual, loss.expected)
    line = f"The net's loss is {actual}, torch's {expected}; {brief(loss.allowed)} is allowed, the margin is {margin_text(loss.margin)}."
    return Told("loss", loss.dtype, "not torch's", True, (line,), loss.diagnosis)


def step_text(step: Step) -> str:
    """How differences were taken in one dtype, in a sentence."""
    of = "the net's own loss" if step.of == step.dtype else f"the loss of the same net in {step.of}, at the same parameters"
    power = f"2^{round(math.log2(step.step))}" if step.step > 0 else "0"
    text = (
        f"{step.dtype}: central differences of {of}, step {power} = {step.step:.1e}, about the cube root of what rounding may make of the "
        f"loss ({step.rounding:.1e})"
    )
    if step.of != "float64":
        return f"{text}. In {step.of} they can tell little: errors below {step.resolved:.2g} of the largest gradient are not seen."
    return f"{text}."


def facts(check: GradCheck) -> list[tuple[str, str]]:
    """What was checked, and how."""
    asked, where = check.settings, check.environment
    tried = "every element" if asked.samples is None else f"{asked.samples:,} elements of each parameter, drawn from seed {asked.seed}"
    return [
        ("net", check.net),
        ("torch's side", check.torch),
        ("batch", f"{asked.data}, {count(asked.batch, 'row')}; used before on another batch"),
        ("differences of", tried),
        ("started", f"{check.started}, {check.seconds:.1f} s"),
        ("Python, NumPy, torch", f"{where.python}, {where.numpy}, {where.torch or 'not installed'}"),
    ]


def notes(check: GradCheck) -> list[str]:
    """How differences were taken, and what else has to be known to read the rows."""
    estimate = f"Allowed errors are estimates, not bounds: there is no ball rule for {check.estimated}." if check.estimated else ""
    return [*[step_text(step) for step in check.steps], *([estimate] if estimate else []), *check.notes]


def dtypes(check: GradCheck) -> list[str]:
    """The dtypes there are rows of, in order."""
    return list(dict.fromkeys(row.dtype for row in check.rows))
