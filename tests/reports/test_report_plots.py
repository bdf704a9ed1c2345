"""Histograms and scatters: where the bars stand, what is said of them, and that no file can break them."""

from __future__ import annotations

import math
import re

import pytest

from reports.plots import GUTTER, STRIP, WIDTH, Domain, domain, histogram, scatter

AXIS = Domain(-8, 2)


def strokes(path: str) -> list[tuple[float, float]]:
    """(x, height) of every bar."""
    return [(float(x), float(h)) for x, h in re.findall(r"M([\d.]+) [\d.]+v-([\d.]+)", path)]


def test_bars_stand_in_order_within_the_plot_and_grow_with_the_count() -> None:
    plot = histogram("margin", "forward.y", {"float64": {"2^-3": 5, "0": 900, "2^-20": 2, "2^2": 1, "2^40": 1, "inf": 1}}, AXIS)
    assert plot and len(plot.strips) == 1
    held, over = strokes(plot.strips[0].bars), strokes(plot.strips[0].over)
    assert len(held) == 3 and len(over) == 3
    places = [x for x, _ in held + over]
    assert places == sorted(places) and places[0] > GUTTER and places[-1] < WIDTH
    assert places[3] == places[4], "what lies beyond the axis is drawn at its end"
    heights = [height for _, height in held]
    assert heights[0] == STRIP > heights[2] > heights[1] > 1


def test_the_edge_divides_what_holds_from_what_is_beyond() -> None:
    plot = histogram("margin", "y", {"float64": {"2^0": 4, "2^1": 3}}, AXIS)
    assert plot and plot.edge
    (held, _), (over, _) = strokes(plot.strips[0].bars)[0], strokes(plot.strips[0].over)[0]
    assert held + plot.bar / 2 <= plot.edge <= over - plot.bar / 2
    assert (plot.edge, "1") in plot.ticks and ("∞" in dict(map(reversed, plot.ticks))) is False


def test_ulps_have_no_edge_and_nothing_beyond_it() -> None:
    plot = histogram("ULP distance", "y", {"float64": {"0": 4, "2^30": 3}}, Domain(0, 40))
    assert plot and plot.edge is None and plot.strips[0].over == ""


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"0": 99, "2^-1": 1}, "median 0, 99 % 0, largest ≤ 0.5, 100 cases"),
        ({"0": 98, "2^-1": 2}, "median 0, 99 % ≤ 0.5, largest ≤ 0.5, 100 cases"),
        ({"2^-2": 1, "2^-1": 1}, "median ≤ 0.25, 99 % ≤ 0.5, largest ≤ 0.5, 2 cases"),
        ({"2^40": 1}, "median ≤ 1e12, 99 % ≤ 1e12, largest ≤ 1e12, 1 case"),
        ({"inf": 1, "0": 3}, "median 0, 99 % ∞, largest ∞, 4 cases"),
    ],
)
def test_the_words_are_those_of_the_counts(table: dict[str, int], said: str) -> None:
    plot = histogram("margin", "forward.y", {"float32": table}, AXIS)
    assert plot and plot.strips[0].said == said
    assert plot.label == f"margin of forward.y: float32 {said}"


@pytest.mark.parametrize("name", ["", "2^", "2^x", "3^2", "nan", "-1", "2^99999", "inf ", "1" * 5000, "<script>"])
def test_a_bucket_that_is_none_is_left_out(name: str) -> None:
    assert histogram("margin", "y", {"float64": {name: 5}}, AXIS) is None
    plot = histogram("margin", "y", {"float64": {name: 5, "0": 1}}, AXIS)
    assert plot and plot.strips[0].said.endswith("1 case")
    assert domain("margin", [{name: 5}]) == AXIS


def test_the_axis_reaches_what_was_found_but_not_beyond_reason() -> None:
    assert domain("margin", [{"2^-12": 1}, {"2^5": 1, "0": 2, "inf": 1}]) == (-12, 5)
    assert domain("margin", [{"2^-40": 1}, {"2^40": 1}]) == (-20, 20)
    assert domain("ULP distance", [{"2^63": 1}]) == (0, 40) and domain("ULP distance", []) == (0, 8)


def test_the_scatter_has_a_dot_for_every_size_and_larger_ones_for_more() -> None:
    plot = scatter({"1,1": 100, "3,4": 25, "5,4": 1, "0,3": 1})
    assert plot and sum(path.count("h0") for _, path in plot.dots) == 4
    widths = [width for width, path in plot.dots for _ in range(path.count("h0"))]
    assert widths == sorted(widths) and widths[0] < widths[2] < widths[3]
    assert "4 different sizes, most often 1 × 1 in 100 cases" in plot.label
    (x, y) = map(int, re.findall(r"\d+", plot.dots[-1][1])[:2])
    assert x == dict(map(reversed, plot.across))["1"] and y == dict(map(reversed, plot.down))["1"]


def test_a_larger_shape_is_further_out() -> None:
    near, far = scatter({"2,3": 1}), scatter({"64,512": 1})
    assert near and far
    (x, y), (u, v) = (map(int, re.findall(r"\d+", plot.dots[0][1])[:2]) for plot in (near, far))
    assert u > x and v < y


@pytest.mark.parametrize("name", ["", "3", "3,", ",3", "3,4,5", "-1,2", "a,b", "²,3", "9" * 40 + ",1", "1e3,4"])
def test_an_extent_that_is_none_is_left_out(name: str) -> None:
    assert scatter({name: 5}) is None
    assert math.isfinite(len(scatter({name: 5, "1,1": 1}).dots))  # type: ignore[union-attr]


def test_a_bucket_of_nothing_has_no_bar() -> None:
    plot = histogram("margin", "y", {"float64": {"2^-1": 0, "0": 3}, "float32": {"2^-1": 0}}, AXIS)
    assert plot and len(plot.strips) == 1 and len(strokes(plot.strips[0].bars)) == 1
