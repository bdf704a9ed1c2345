"""What a training comes to in numbers, dtype beside dtype: losses, accuracies, distances of the parameters, growth, time."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

from oracle.results.training import Steps, Training
from reports.training_charts import tick_text
from reports.words import apart

MOST_DTYPES = 6
"""This many dtypes are told."""
MILESTONES = tuple(10**k for k in range(8))
"""Steps after which the distance of the parameters is told."""
PARAMETERS = 40
"""Of this many parameters the distance is told."""


class Figure(NamedTuple):
    """One figure, and what it is in each dtype."""

    name: str
    cells: list[str]


class Gap(NamedTuple):
    """Where the losses of both sides are furthest apart: by how much, and the number of the step."""

    size: float
    step: int


Teller = Callable[[Steps], str]


def dtypes_of(training: Training) -> list[str]:
    """The dtypes that were asked for, then any that only a record names, at most `MOST_DTYPES`."""
    named = (record.dtype for records in (training.rows, training.divergences, training.epochs) for record in records)
    return list(dict.fromkeys([*training.header.settings.dtypes, *training.steps, *named]))[:MOST_DTYPES]


def figures(training: Training, dtypes: Sequence[str]) -> dict[str, list[Figure]]:
    """The figures by what they are about. What no dtype has is left out."""
    groups = {
        "Loss and accuracy": [*_losses(training, dtypes), *_accuracies(training, dtypes)],
        "Distance of the parameters": _distances(training, dtypes),
        "Time": _times(training, dtypes),
    }
    kept = {title: [f for f in found if any(cell != "-" for cell in f.cells)] for title, found in groups.items()}
    return {title: found for title, found in kept.items() if found}


def _of_steps(training: Training, dtypes: Sequence[str], tellers: Sequence[tuple[str, Teller]]) -> list[Figure]:
    """A figure for each of `tellers`, which are asked only where there are steps."""
    every = [training.steps.get(dtype) for dtype in dtypes]
    return [Figure(name, [tell(steps) if steps and steps.actual else "-" for steps in every]) for name, tell in tellers]


def _losses(training: Training, dtypes: Sequence[str]) -> list[Figure]:
    tellers: list[tuple[str, Teller]] = [
        ("steps", lambda steps: f"{len(steps.actual):,}"),
        ("last loss of the net", lambda steps: loss_texts(steps, -1)[0]),
        ("last loss of its twin", lambda steps: loss_texts(steps, -1)[1]),
        ("difference of the last losses", lambda steps: _difference(_off(steps.actual[-1], steps.expected[-1]))),
        ("largest difference of the losses", gap_text),
    ]
    return _of_steps(training, dtypes, tellers)


def loss_texts(steps: Steps, at: int) -> tuple[str, str]:
    """The losses of both sides after one step, in as few digits as tell them apart."""
    return apart(steps.actual[at], steps.expected[at])


def _off(actual: float, expected: float) -> float:
    """The difference; none of two infinities that are the same, or of two NaN."""
    return 0.0 if actual == expected or (math.isnan(actual) and math.isnan(expected)) else abs(actual - expected)


def largest_gap(steps: Steps) -> Gap | None:
    """Where the losses are furthest apart, of the steps that have a finite one on both sides; None where there is none."""
    pairs = zip(steps.actual, steps.expected, strict=True)
    gaps = [(abs(a - e), -at) for at, (a, e) in enumerate(pairs) if math.isfinite(a) and math.isfinite(e)]
    if not gaps:
        return None
    size, at = max(gaps)
    return Gap(size, steps.first - at)


def gap_text(steps: Steps) -> str:
    """The largest difference of the losses: ``3.1e-12 at step 9,113``."""
    gap = largest_gap(steps)
    if gap is None:
        return "-"
    return f"{_difference(gap.size)} at step {gap.step:,}" if gap.size else _difference(gap.size)


def _difference(size: float) -> str:
    """A difference of losses. These may be stored with fewer digits than they had: 0 is not yet equal to the bit."""
    return small(size) if size else "0, as stored"


def small(value: float) -> str:
    """A distance or a difference in three digits; NaN and infinity as such."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    rounded = float(f"{value:.3g}")
    return tick_text(rounded if math.isfinite(rounded) else value)


def percent(value: float | None) -> str:
    """A share in percent: ``97.10 %``."""
    return "-" if value is None else f"{100 * value:.2f} %"


def _accuracies(training: Training, dtypes: Sequence[str]) -> list[Figure]:
    """The accuracies after the last epoch of each dtype."""
    found = []
    for data in ("train", "test"):
        for side, name in (("actual", "net"), ("expected", "twin")):
            lasts = [max((e for e in training.epochs if e.dtype == dtype), key=lambda e: e.step, default=None) for dtype in dtypes]
            cells = ["-" if last is None else percent(getattr(last, f"{side}_{data}")) for last in lasts]
            found.append(Figure(f"last {data} accuracy of {'the' if name == 'net' else 'its'} {name}", cells))
    return found


def _distances(training: Training, dtypes: Sequence[str]) -> list[Figure]:
    tellers: list[tuple[str, Teller]] = [(f"after step {step:,}", _after(step)) for step in MILESTONES]
    tellers += [
        ("at the end", lambda steps: small(steps.distance[-1])),
        ("allowed at the end", lambda steps: small(steps.allowed[-1])),
        ("the furthest shadow at the end", lambda steps: small(steps.shadow[-1]) if is_shadowed(steps) else "-"),
        ("injected into the shadows until then", lambda steps: small(steps.injected[-1]) if is_shadowed(steps) else "-"),
        ("growth of what was injected", growth_text),
    ]
    names = dict.fromkeys(name for dtype in dtypes if dtype in training.steps for name in training.steps[dtype].distances)
    tellers += [(f"of {name} at the end", _of_parameter(name)) for name in list(names)[:PARAMETERS]]
    return _of_steps(training, dtypes, tellers)


def _after(step: int) -> Teller:
    def tell(steps: Steps) -> str:
        at = step - steps.first
        return small(steps.distance[at]) if 0 <= at < len(steps.distance) else "-"

    return tell


def _of_parameter(name: str) -> Teller:
    return lambda steps: small(steps.distances[name][-1]) if name in steps.distances else "-"


def is_shadowed(steps: Steps) -> bool:
    """Whether any shadow went along: without one nothing is known of the growth."""
    return any(distance != 0 for distance in steps.shadow)


def growth_text(steps: Steps) -> str:
    """How many times larger the distance of the furthest shadow is than all that was injected into it: ``41 ×``."""
    shadow, injected = steps.shadow[-1], steps.injected[-1]
    if not is_shadowed(steps):
        return "-"
    return f"{small(shadow / injected)} ×" if injected > 0 and math.isfinite(shadow / injected) else "-"


def _times(training: Training, dtypes: Sequence[str]) -> list[Figure]:
    timings = {timing.dtype: timing for timing in training.timings}
    every = [timings.get(dtype) for dtype in dtypes]
    return [
        Figure("steps that were timed", [f"{t.steps:,}" if t else "-" for t in every]),
        Figure("the net", [_seconds(t.actual_seconds) if t else "-" for t in every]),
        Figure("its twin", [_seconds(t.expected_seconds) if t else "-" for t in every]),
        Figure("net / twin", [_ratio(t.actual_seconds, t.expected_seconds) if t else "-" for t in every]),
    ]


def _seconds(seconds: float) -> str:
    return f"{seconds:.2f} s" if math.isfinite(seconds) and seconds < 1e6 else small(seconds)


def _ratio(actual: float, expected: float) -> str:
    return f"{actual / expected:.3g}" if expected > 0 and math.isfinite(actual / expected) else "-"
