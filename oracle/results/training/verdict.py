"""From a training to one sentence and one exit code."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from oracle.results.training.model import Training, TrainingRow
from oracle.results.verdict import counted, some_of

TRAJECTORY = "trajectory"
"""The row that holds the distance of both sides against what is allowed."""


class TrainingVerdict(NamedTuple):
    """What a training says. `exit_code`: 0 conforms, 1 diverges, 3 incomplete. failing: rows that decide for 1. gaps: why there is less
    than was asked for."""

    outcome: Literal["conforms", "diverges", "incomplete"]
    exit_code: int
    sentence: str
    failing: tuple[TrainingRow, ...]
    gaps: tuple[str, ...]


def training_verdict(training: Training) -> TrainingVerdict:
    """Decide what `training` says.

    It diverges when any row failed: a step outside its allowed error, a broken contract, a trajectory further from its twin than is
    allowed. It is incomplete when it was cut off or interrupted, has fewer steps than asked for, or went blind: an incomplete training
    is never green, and a divergence that it has found is one all the same.
    """
    failing = tuple(r for r in training.rows if r.status in ("failed", "error"))
    gaps = tuple(_gaps(training))
    net = training.header.net.name
    if failing:
        return TrainingVerdict("diverges", 1, " ".join([*_divergence(net, failing), *gaps]), failing, gaps)
    if gaps:
        return TrainingVerdict("incomplete", 3, " ".join(["No verdict.", *gaps]), failing, gaps)
    steps = counted(training.header.settings.steps, "step")
    dtypes = " and ".join(training.header.settings.dtypes)
    sentence = f"{net} trains as PyTorch does: each of {steps} in {dtypes} is within its allowed error, and so is where they lead."
    return TrainingVerdict("conforms", 0, sentence, failing, gaps)


def _divergence(net: str, failing: Sequence[TrainingRow]) -> list[str]:
    """Where the net left its twin first."""
    steps = [r for r in failing if r.quantity != TRAJECTORY]
    if not steps:
        row = failing[0]
        return [f"{net} leaves its twin: every step is within its allowed error, but from step {row.first_failed:,} on its {row.dtype}"
                " parameters are further away than such steps lead."]  # fmt: skip
    first = min(steps, key=lambda r: r.first_failed if r.first_failed is not None else 0)
    where = (
        "" if first.first_failed is None else f", first at step {first.first_failed:,}" if first.first_failed else ", before the first step"
    )
    names = some_of([f"{r.quantity} {r.dtype}" for r in steps])
    return [f"{net} diverges from PyTorch in {counted(len(steps), 'row')}: {names}{where}."]


def _gaps(training: Training) -> list[str]:
    gaps = []
    settings, footer = training.header.settings, training.footer
    if footer is None:
        gaps.append("The training was cut off before its end; --resume goes on with it.")
    elif footer.outcome != "complete":
        happened = "was interrupted" if footer.outcome == "interrupted" else "broke off"
        gaps.append(f"The training {happened}{': ' + footer.message if footer.message else ''}.")
    if training.n_damaged:
        gaps.append(f"{counted(training.n_damaged, 'line')} of the training file could not be read.")
    short = [f"{done:,} in {dtype}" for dtype in settings.dtypes if (done := _done(training, dtype)) < settings.steps]
    if short:
        gaps.append(f"Of {counted(settings.steps, 'step')} there are {' and '.join(short)}.")
    unjudged = [f"{r.quantity} {r.dtype}" for r in training.rows if r.role == "quantity" and r.n_judged == 0 and r.status != "not-claimed"]
    if unjudged:
        gaps.append(f"Nothing was judged of {some_of(unjudged)}.")
    return [*gaps, *_blind(training)]


def _done(training: Training, dtype: str) -> int:
    steps = training.steps.get(dtype)
    return 0 if steps is None or steps.first != 1 else len(steps.actual)


def _blind(training: Training) -> list[str]:
    """What the planted faults say against the training."""
    told = []
    survivors = [p.fault.rstrip(".") for p in training.planted if not p.convicted]
    of = max(training.header.n_planted or 0, len(training.planted))
    if survivors:
        told.append(f"{len(survivors)} of {counted(of, 'planted fault')} went unnoticed: this training is blind to {some_of(survivors)}.")
    if len(training.planted) < of and training.footer is not None and training.footer.outcome == "complete":
        told.append(f"{of - len(training.planted)} of {counted(of, 'planted fault')} not tried.")
    return told
