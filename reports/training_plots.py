"""The charts of a training: loss, accuracy and distance of the parameters over its steps, and how its margins are distributed."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from oracle.results.buckets import margin_bucket
from oracle.results.training import Epoch, Steps, Training, TrainingRow
from oracle.results.training.verdict import TRAJECTORY
from reports.plots import Histogram, domain, histogram
from reports.training_charts import Axis, Point, axis, dots, mean, path, spans
from reports.training_figures import gap_text, growth_text, is_shadowed, largest_gap, loss_texts, percent, small
from reports.words import count, margin_text

EPOCHS = 60
"""At most about this many epochs are drawn."""
QUANTITIES = 24
"""Of this many quantities the margins are drawn."""
DISTANCES = {"allowed": "what is allowed", "distance": "distance of net and twin", "shadow": "furthest shadow"}
"""Column of the steps -> what its curve is; what is drawn later lies above."""
SIDES = {"actual": "net", "expected": "twin"}
DATA = ("train", "test")
DOTS = 20
"""At most about this many points of a curve have a dot."""


class Curve(NamedTuple):
    """One curve: its class in the style sheet, what it is, its path, and the dots on it."""

    kind: str
    name: str
    path: str
    dots: str


class Chart(NamedTuple):
    """Curves over one pair of axes. below: what the axis across counts. said: the same in words."""

    dtype: str
    curves: list[Curve]
    across: list[tuple[float, str]]
    up: list[tuple[float, str]]
    below: str
    label: str
    said: list[str]


Points = Sequence[tuple[str, str, Sequence[Point]]]
"""Class, name and points of every curve of a chart."""


def _charts(
    title: str, below: str, drawn: Mapping[str, Points], said: Callable[[str], list[str]], log: bool = False, least: Sequence[float] = ()
) -> list[Chart]:
    """A chart for each dtype, all of them over the same axes, so that they can be compared. least: what the standing one shows
    at least."""
    points = [point for curves in drawn.values() for _, _, own in curves for point in own]
    across = axis((x for x, _ in points), log=log)
    up = axis([*least, *(y for _, y in points if y is not None)], log=log, up=True)
    return [_chart(title, below, dtype, curves, (across, up), said(dtype)) for dtype, curves in drawn.items()]


def _chart(title: str, below: str, dtype: str, points: Points, axes: tuple[Axis, Axis], said: list[str]) -> Chart:
    marked = [own[:: -(-len(own) // DOTS) or 1] if below == "epoch" else () for _, _, own in points]
    curves = [Curve(kind, name, path(own, *axes), dots(some, *axes)) for (kind, name, own), some in zip(points, marked, strict=True)]
    return Chart(dtype, curves, axes[0].ticks(), axes[1].ticks(), below, f"{title}, {dtype}. {' '.join(said)}", said)


def loss_charts(training: Training, dtypes: Sequence[str]) -> list[Chart]:
    """The losses of both sides; of many steps each point is a mean."""
    found = {dtype: steps for dtype in dtypes if (steps := training.steps.get(dtype)) and steps.actual}
    drawn = {
        dtype: [(side, f"loss of the {name}", _means(getattr(steps, side), steps.first)) for side, name in SIDES.items()]
        for dtype, steps in found.items()
    }
    return _charts("Loss over steps", "step", drawn, lambda dtype: _losses_said(found[dtype]), least=(0.0,))


def _means(column: Sequence[float], first: int) -> list[Point]:
    return [(first + (start + end - 1) / 2, mean(column[start:end])) for start, end in spans(len(column))]


def _losses_said(steps: Steps) -> list[str]:
    begun, ended = loss_texts(steps, 0), loss_texts(steps, -1)
    told = [f"The loss of the net goes from {begun[0]} to {ended[0]}, that of its twin from {begun[1]} to {ended[1]}."]
    gap = largest_gap(steps)
    if gap is not None:
        told.append(
            f"Their largest difference is {gap_text(steps)}." if gap.size else "They are the same at every step, as they are stored."
        )
    unsound = sum(not (math.isfinite(a) and math.isfinite(e)) for a, e in zip(steps.actual, steps.expected, strict=True))
    if unsound:
        told.append(f"In {count(unsound, 'step')} a loss is NaN or infinite.")
    size = max(end - start for start, end in spans(len(steps.actual)))
    return [*told, f"Each point is the mean of up to {count(size, 'step')}."] if size > 1 else told


def accuracy_charts(training: Training, dtypes: Sequence[str]) -> list[Chart]:
    """The accuracies of both sides on both sets of data, epoch by epoch."""
    epochs = {dtype: sorted((e for e in training.epochs if e.dtype == dtype), key=lambda e: e.epoch) for dtype in dtypes}
    drawn, found = {}, {}
    for dtype, every in epochs.items():
        shown = every[:: max(1, -(-len(every) // EPOCHS))]
        kept = shown if not every or shown[-1] is every[-1] else [*shown, every[-1]]
        curves = [
            (f"{side} {data}", f"{data} accuracy of the {name}", [(float(e.epoch), _share(e, side, data)) for e in kept])
            for side, name in SIDES.items()
            for data in DATA
        ]
        drawn[dtype] = [curve for curve in curves if any(y is not None for _, y in curve[2])]
        found[dtype] = every
    drawn = {dtype: curves for dtype, curves in drawn.items() if curves}
    return _charts("Accuracy in percent over epochs", "epoch", drawn, lambda dtype: _accuracies_said(found[dtype]), least=(0.0, 100.0))


def _share(epoch: Epoch, side: str, data: str) -> float | None:
    value: float | None = getattr(epoch, f"{side}_{data}")
    return None if value is None else 100 * value


def _accuracies_said(epochs: Sequence[Epoch]) -> list[str]:
    last = epochs[-1]
    sides = [(data, getattr(last, f"actual_{data}"), getattr(last, f"expected_{data}")) for data in DATA]
    known = [side for side in sides if side[1:] != (None, None)]
    ends = [f"{data} accuracy {percent(net)} by the net, {percent(twin)} by its twin" for data, net, twin in known]
    told = [f"After epoch {last.epoch:,}: {'; '.join(ends)}."] if ends else []
    pairs = [(_share(e, "actual", data), _share(e, "expected", data), e.epoch) for e in epochs for data in DATA]
    gaps = [(abs(net - twin), -at) for net, twin, at in pairs if net is not None and twin is not None]
    if gaps:
        size, at = max(gaps)
        told.append(f"They differ by {size:.2f} points at most, after epoch {-at:,}." if size else "They are the same after every epoch.")
    return told


def distance_charts(training: Training, dtypes: Sequence[str]) -> list[Chart]:
    """How far both sides' parameters are apart, over logarithmic axes. Of many steps that one is drawn which is nearest to the allowed."""
    found = {dtype: steps for dtype in dtypes if (steps := training.steps.get(dtype)) and steps.actual}
    rows = {row.dtype: row for row in training.rows if row.quantity == TRAJECTORY}
    drawn = {}
    for dtype, steps in found.items():
        kept = _nearest(steps)
        points = {kind: [(float(steps.first + at), getattr(steps, kind)[at]) for at in kept] for kind in DISTANCES}
        drawn[dtype] = [(kind, name, points[kind]) for kind, name in DISTANCES.items()]
    title = "Distance of the parameters over steps"
    return _charts(title, "step", drawn, lambda dtype: _distances_said(found[dtype], rows.get(dtype)), log=True)


def _nearest(steps: Steps) -> list[int]:
    """Of each stretch of steps the one at which the distance is the largest part of what is allowed."""

    def part(at: int) -> float:
        distance, allowed = steps.distance[at], steps.allowed[at]
        return distance / allowed if allowed > 0 else float(distance > 0)

    return [max(range(start, end), key=part) for start, end in spans(len(steps.distance), log=True)]


def _distances_said(steps: Steps, row: TrainingRow | None) -> list[str]:
    last = steps.first + len(steps.distance) - 1
    apart = next((at for at, value in enumerate(steps.distance) if value != 0), None)
    if apart is None:
        told = [f"The parameters of both sides are equal after every one of {count(len(steps.distance), 'step')}."]
    else:
        first = steps.first + apart
        equal = f"The parameters of both sides are equal until step {first - 1:,}. " if apart else ""
        ends = f"{small(steps.distance[apart])} after step {first:,}, {small(steps.distance[-1])} after step {last:,}"
        told = [f"{equal}Their distance is {ends}."]
    if is_shadowed(steps):
        growth = growth_text(steps)
        grown = f", {growth} what was injected" if growth != "-" else ""
        told.append(f"At the end the furthest shadow is {small(steps.shadow[-1])} away{grown}.")
    if row is not None and row.first_failed is not None and row.n_failed:
        told.append(f"From step {row.first_failed:,} on the net is further away than is allowed.")
    elif row is not None and row.margin is not None:
        told.append(f"At its worst, at step {row.worst or 0:,}, the net used {margin_text(row.margin)} of what is allowed.")
    return told


def margin_plots(training: Training, dtypes: Sequence[str]) -> list[tuple[str, Histogram]]:
    """How the margins of the steps are distributed, quantity by quantity, over one axis."""
    shown = {dtype: training.steps[dtype].margins for dtype in dtypes if dtype in training.steps}
    names = list(dict.fromkeys(name for margins in shown.values() for name in margins))[:QUANTITIES]
    tables = {name: {dtype: _table(margins[name]) for dtype, margins in shown.items() if name in margins} for name in names}
    shared = domain("margin", [table for own in tables.values() for table in own.values()])
    plots = [(name, histogram("margin", name, own, shared)) for name, own in tables.items()]
    return [(name, _of_steps(name, plot)) for name, plot in plots if plot is not None]


def _table(margins: Sequence[float | None]) -> dict[str, int]:
    return dict(Counter(margin_bucket(margin) for margin in margins if margin is not None))


def _of_steps(name: str, plot: Histogram) -> Histogram:
    """`plot`, in whose words a case is a step."""
    strips = [strip._replace(said=re.sub(r" case(s?)$", r" step\1", strip.said)) for strip in plot.strips]
    return plot._replace(strips=strips, label=f"margin of {name}: " + "; ".join(f"{s.dtype} {s.said}" for s in strips))
