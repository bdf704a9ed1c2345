"""Curves over steps: where their points lie, what axes and ticks say, and that no numbers can break them."""

from __future__ import annotations

import math
import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from reports.training_charts import BOTTOM, FURTHEST, LEFT, POINTS, RIGHT, TICKS, TOP, axis, dots, mean, path, spans, tick_text
from reports.training_figures import figures
from reports.training_plots import accuracy_charts, distance_charts, loss_charts, margin_plots
from tests.results import trainings
from tests.results.trainings import DTYPES, PARAMETERS, QUANTITIES, block, epoch, footer, header

ODD = st.floats(allow_nan=True, allow_infinity=True, allow_subnormal=True)


def places(drawn: str) -> list[tuple[float, float]]:
    """Every point of a path."""
    return [(float(x), float(y)) for x, y in re.findall(r"[ML]([\d.]+) ([\d.]+)", drawn)]


@pytest.mark.parametrize("log", [False, True])
@pytest.mark.parametrize("n", [0, 1, 2, 3, 119, 120, 121, 500, 10_000, 123_457])
def test_parts_are_few_and_cover_every_step_once(n: int, log: bool) -> None:
    found = spans(n, log=log)
    assert [at for start, end in found for at in range(start, end)] == list(range(n))
    assert len(found) <= POINTS + 1 and all(end > start for start, end in found)
    if log and n > 1000:
        assert found[:10] == [(k, k + 1) for k in range(10)], "the first steps are all seen"
        assert len(found) > POINTS // 2


def test_a_curve_runs_from_edge_to_edge_and_larger_is_higher() -> None:
    across, up = axis([1, 100]), axis([0.0, 4.0], up=True)
    points = places(path([(1, 0.0), (50.5, 2.0), (100, 4.0)], across, up))
    assert points == [(LEFT, BOTTOM), ((LEFT + RIGHT) / 2, (TOP + BOTTOM) / 2), (RIGHT, TOP)]


def test_on_a_logarithmic_axis_equal_ratios_are_equal_lengths() -> None:
    across, up = axis([1, 10_000], log=True), axis([1e-16, 1.0], log=True, up=True)
    (a, b, c) = places(path([(1, 1e-16), (100, 1e-8), (10_000, 1.0)], across, up))
    assert (a, b, c) == ((LEFT, BOTTOM), ((LEFT + RIGHT) / 2, (TOP + BOTTOM) / 2), (RIGHT, TOP))
    assert [text for _, text in across.ticks()] == ["1", "10", "100", "1,000", "10,000"]
    assert [text for _, text in up.ticks()] == ["1e-16", "1e-12", "1e-8", "1e-4", "1"]


def test_a_point_without_a_place_is_a_gap_and_a_lone_point_is_seen() -> None:
    across, up = axis([1, 6]), axis([0.0, 1.0], up=True)
    drawn = path([(1, 0.0), (2, 0.5), (3, math.nan), (4, 1.0), (5, None), (6, 0.5)], across, up)
    assert re.sub(r"[\d.]+ [\d.]+", "p", drawn) == "MpLpMph2Mph2"
    assert path([(1, math.inf), (2, None)], across, up) == ""
    assert path([(1, 0.0), (2, -1.0)], axis([1, 2]), axis([1.0, 2.0], log=True, up=True)) == ""
    assert dots([(1, 0.0), (2, math.nan), (3, 1.0)], across, up).count("h0") == 2


@settings(max_examples=200)
@given(values=st.lists(ODD, max_size=8), log=st.booleans(), up=st.booleans())
@example(values=[0.0, 5e-324], log=False, up=False)
@example(values=[-1.8e308, 1.8e308], log=False, up=True)
@example(values=[5e-324, 1.8e308], log=True, up=True)
@example(values=[1e16, 1e16 + 2], log=False, up=False)
def test_any_numbers_have_an_axis_with_few_ticks_in_order(values: list[float], log: bool, up: bool) -> None:
    found = axis(values, log=log, up=up)
    low, high = sorted((found.start, found.end))
    for value in values:
        place = found.place(value)
        assert (place is None) == (not math.isfinite(value) or (log and value <= 0))
        assert place is None or low <= place <= high
    ticks = found.ticks()
    ordered = [place for place, _ in ticks]
    assert ordered == sorted(ordered, reverse=up) and len(ticks) <= TICKS + 1
    assert len({text for _, text in ticks}) == len(ticks) or found.most - found.least < 1e-8 * abs(found.most)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (0.25, "0.25"), (1e-16, "1e-16"), (10_000, "10,000"), (1e6, "1e6"), (-5e307, "-5e307"), (0.001, "0.001"), (1e-4, "1e-4")],
)
def test_ticks_in_few_characters(value: float, text: str) -> None:
    assert tick_text(value) == text


def test_a_mean_passes_over_what_is_no_number_and_never_overflows() -> None:
    assert mean([1.0, math.nan, 3.0, math.inf]) == 2.0 and mean([math.nan]) is None and mean([]) is None
    assert mean([1e308] * 9) == pytest.approx(FURTHEST) and mean([1e308, -1e308]) == 0.0


def test_the_losses_are_means_of_stretches_and_both_are_drawn_over_the_same_axes() -> None:
    training = trainings.conforming(10_000)
    first, second = loss_charts(training, DTYPES)
    assert (first.dtype, second.dtype) == DTYPES and first.up == second.up and first.across == second.across
    assert [(curve.kind, curve.name) for curve in first.curves] == [("actual", "loss of the net"), ("expected", "loss of the twin")]
    net, twin = (places(curve.path) for curve in first.curves)
    assert len(net) == len(twin) == POINTS and net == twin, "to a tenth of a pixel"
    assert net[0][1] < net[1][1] < net[5][1], "the loss falls, and so does the curve"
    assert first.up[0] == (BOTTOM, "0")
    assert "The loss of the net goes from 2.29 to 0.09389" in first.label and "mean of up to 84 steps" in first.label
    assert "Their largest difference is 8.88e-16 at step 2." in first.said
    assert "Their largest difference is 5.4e-7 at step 2." in second.said


def test_losses_that_part_are_drawn_apart_and_said() -> None:
    steps = block("float64", 1, 3, actual=[2.0, 1.0, 4.0], expected=[2.0, 1.0, 0.5])
    (chart,) = loss_charts(trainings.assembled(header(), [steps]), ["float64"])
    net, twin = (places(curve.path) for curve in chart.curves)
    assert net[:2] == twin[:2] and net[2][1] == TOP < twin[2][1]
    assert "Their largest difference is 3.5 at step 3." in chart.said and "mean" not in chart.label


def test_losses_that_are_equal_are_so_as_far_as_they_are_stored() -> None:
    steps = block("float64", 1, 2, actual=[2.0, 1.0], expected=[2.0, 1.0])
    training = trainings.assembled(header(dtypes=("float64",)), [steps])
    assert "They are the same at every step, as they are stored." in loss_charts(training, ["float64"])[0].said
    told = {f.name: f.cells for f in figures(training, ["float64"])["Loss and accuracy"]}
    assert told["difference of the last losses"] == told["largest difference of the losses"] == ["0, as stored"]


def test_losses_that_are_no_numbers_are_counted() -> None:
    (chart,) = loss_charts(trainings.broken(), ["float64"])
    assert "In 274 steps a loss is NaN or infinite." in chart.said
    assert all(curve.path.count("M") > 1 for curve in chart.curves), "they have gaps"


def test_every_accuracy_has_its_curve_and_what_is_missing_none() -> None:
    (chart, _) = accuracy_charts(trainings.conforming(), DTYPES)
    assert [curve.kind for curve in chart.curves] == ["actual train", "actual test", "expected train", "expected test"]
    assert (chart.across[0], chart.across[-1]) == ((LEFT, "0"), (RIGHT, "3")) and chart.up[-1] == (TOP, "100")
    on_train = "train accuracy 87.38 % by the net, 87.38 % by its twin"
    on_test = "test accuracy 86.38 % by the net, 86.38 % by its twin"
    assert chart.said == [f"After epoch 3: {on_train}; {on_test}.", "They are the same after every epoch."]
    (blind,) = accuracy_charts(trainings.broken(), ["float64"])
    assert [curve.kind for curve in blind.curves] == ["actual test"] and len(places(blind.curves[0].path)) == 1


def test_accuracies_that_differ_say_where() -> None:
    epochs = [epoch("float64", 0, 0), epoch("float64", 1, 100, actual_test=0.5, expected_test=0.75), epoch("float64", 2, 200)]
    (chart,) = accuracy_charts(trainings.assembled(header(), epochs), ["float64"])
    assert "They differ by 25.00 points at most, after epoch 1." in chart.said


def test_of_many_epochs_the_last_is_drawn() -> None:
    epochs = [epoch("float64", at, at, actual_test=0.0 if at < 999 else 1.0) for at in range(1000)]
    (chart,) = accuracy_charts(trainings.assembled(header(), epochs), ["float64"])
    points = places(chart.curves[1].path)
    assert len(points) < 70 and points[-1] == (RIGHT, TOP)


def test_of_every_stretch_the_step_nearest_to_the_edge_is_drawn() -> None:
    far = [1e-9] * 10_000
    far[7_776] = 0.5
    steps = block("float64", 1, 10_000, distance=far, allowed=[1e-3] * 10_000)
    (chart,) = distance_charts(trainings.assembled(header(), [steps]), ["float64"])
    allowed, distance, shadow = chart.curves
    assert (allowed.kind, distance.kind, shadow.kind) == ("allowed", "distance", "shadow")
    above = [x for (x, y), (_, edge) in zip(places(distance.path), places(allowed.path), strict=True) if y < edge]
    assert len(above) == 1 and LEFT < above[0] < RIGHT


def test_the_distance_is_told_with_the_growth_and_what_is_allowed() -> None:
    (chart, _) = distance_charts(trainings.conforming(), DTYPES)
    assert chart.said == [
        "The parameters of both sides are equal until step 1. Their distance is 2.22e-16 after step 2, 3.33e-14 after step 300.",
        "At the end the furthest shadow is 1.77e-13 away, 10.6 × what was injected.",
        "At its worst, at step 33, the net used 0.39 of what is allowed.",
    ]
    (gone,) = distance_charts(trainings.wandering(), ["float64"])
    assert gone.said[-1] == "From step 205 on the net is further away than is allowed."


def test_without_a_shadow_nothing_is_said_of_growth() -> None:
    nothing = [0.0] * 50
    steps = block("float64", 1, 50, allowed=nothing, shadow=nothing, injected=nothing, distance=nothing)
    (chart,) = distance_charts(trainings.assembled(header(), [steps]), ["float64"])
    assert chart.said == ["The parameters of both sides are equal after every one of 50 steps."]
    assert all(curve.path == "" for curve in chart.curves)


def test_the_margins_of_every_quantity_count_its_judged_steps() -> None:
    plots = dict(margin_plots(trainings.conforming(), DTYPES))
    assert tuple(plots) == QUANTITIES and len(QUANTITIES) == len(PARAMETERS) + 1
    loss, weights = plots["forward.loss"], plots["backward.dW1"]
    assert loss.strips[0].said.endswith("294 steps") and weights.strips[0].said.endswith("300 steps")
    assert "case" not in loss.label and loss.label.startswith("margin of forward.loss: float64 median ≤ ")
    assert all(strip.over == "" for plot in plots.values() for strip in plot.strips)
    over = dict(margin_plots(trainings.diverging(), DTYPES))["backward.db1"]
    assert over.strips[0].over != "" and over.strips[1].over == ""


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(*[ODD] * 6), max_size=20), st.integers(1, 10**18))
def test_any_columns_make_charts(rows: list[tuple[float, ...]], first: int) -> None:
    names = ("actual", "expected", "distance", "allowed", "shadow", "injected")
    columns = {name: [row[at] for row in rows] for at, name in enumerate(names)}
    margins = {"q": [abs(row[0]) for row in rows]}
    steps = block("float64", first, len(rows), distances={}, **columns, margins=margins)
    training = trainings.assembled(header(), [steps, footer()])
    for charts in (loss_charts, distance_charts):
        for chart in charts(training, ["float64"]):
            assert all(LEFT <= x <= RIGHT and TOP <= y <= BOTTOM for curve in chart.curves for x, y in places(curve.path))
            assert all(re.fullmatch(r"([ML][\d.]+ [\d.]+|h2)*", curve.path) for curve in chart.curves)
    margin_plots(training, ["float64"])
