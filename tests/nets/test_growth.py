"""Distances that are never NaN, the most that a step can have been off by, and shadows that are pushed by it."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from oracle.core.torch_twin import Twin
from oracle.nets.growth import Allowed, Shadows, apart, distance, most, norm, together
from oracle.nets.tallies import Rows

NAN, INF = math.nan, math.inf
LOSS = "((W - x) ** 2).sum() / 2"


def one(*values: float) -> dict[str, Any]:
    return {"W": np.array(values)}


@pytest.mark.parametrize(
    "a, b, apart",
    [
        ((3.0, 4.0), (0.0, 1.0), math.sqrt(18)),
        ((1.0, 2.0), (1.0, 2.0), 0.0),
        ((0.0,), (0.0,), 0.0),
        ((1.0,), (0.0,), INF),
        ((NAN, 2.0), (NAN, 1.0), 1.0),
        ((INF, 1.0), (INF, 1.0), 0.0),
        ((-INF, 1.0), (INF, 1.0), INF),
        ((NAN, 1.0), (1.0, 1.0), INF),
        ((1.0, 1.0), (1.0, NAN), INF),
        ((INF, 1.0), (NAN, 1.0), INF),
        ((NAN, NAN), (NAN, NAN), 0.0),
        ((2e200, 0.0), (1e200, 0.0), 1.0),
        ((1.5e308, 1.5e308), (1.5e308, 1.5e308), 0.0),
    ],
)
def test_a_distance_is_relative_and_never_nan(a: Any, b: Any, apart: float) -> None:
    total, by_name = distance(one(*a), one(*b))
    assert total == by_name["W"] == pytest.approx(apart, rel=1e-12)


def test_the_whole_distance_is_that_of_all_parameters_together() -> None:
    a, b = {"W": np.array([3.0, 0.0]), "b": np.array([4.0])}, {"W": np.array([0.0, 1.0]), "b": np.array([0.0])}
    total, by_name = distance(a, b)
    assert total == pytest.approx(math.sqrt(9 + 1 + 16) / 1) and by_name["W"] == pytest.approx(math.sqrt(10)) and by_name["b"] == INF


def test_norms_hold_beyond_the_root_of_the_largest_number() -> None:
    assert norm(np.array([3e200, 4e200])) == pytest.approx(5e200) and norm(np.array([INF, 3.0, NAN, 4.0])) == 5
    assert norm(np.array([NAN])) == norm(np.zeros(0)) == 0 and together([3e200, 4e200]) == pytest.approx(5e200)
    assert norm(np.full(4, 3e30, np.float32)) == pytest.approx(6e30)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_no_step_of_numpy_and_torch_is_further_apart_than_the_most(dtype: Any) -> None:
    """The bound of the update itself, against steps in exact arithmetic; nearly reached, so that it is not a wide one."""
    rng = np.random.default_rng(2)
    used = []
    for lr in (0.1, 0.3, 1 / 3, 7.7):
        p, g = ({"W": rng.standard_normal(2_000).astype(dtype)} for _ in range(2))
        after = {"W": p["W"] - lr * g["W"]}
        bound = most(after, g, {"W": np.zeros(2_000)}, {"W": 1.0}, lr)["W"]
        twin = Twin("(W * x).sum()", "", p)
        twin.update(g["W"], np.zeros(0), lr)
        for own, other, held, start, slope in zip(after["W"], twin.params["W"], bound, p["W"], g["W"], strict=True):
            exact = Fraction(float(start)) - Fraction(lr) * Fraction(float(slope))
            # half of it for each side
            for side in (own, other):
                off = abs(Fraction(float(side)) - exact)
                assert off <= Fraction(float(held)) / 2
                used.append(float(off / (Fraction(float(held)) / 2)))
    assert max(used) > 0.5


def test_the_most_takes_the_margin_up_to_one_and_leaves_out_what_is_not_bounded() -> None:
    p, g = one(0.0, 0.0, 0.0), one(0.0, 0.0, NAN)
    allowed = {"W": np.array([1e-3, INF, 1e-3])}
    assert most(p, g, allowed, {"W": 0.5}, 0.1)["W"].tolist() == [0.5 * 0.1 * 1e-3, 0, 0]
    assert most(p, g, allowed, {"W": 40.0}, 0.1)["W"].tolist() == [0.1 * 1e-3, 0, 0]
    assert most(p, {"W": np.zeros((2, 2))}, allowed, {"W": 1.0}, 0.1)["W"].tolist() == [1e-4, 0, 1e-4]


def shadows(seed: int = 0) -> Shadows:
    return Shadows([Twin(LOSS, "", one(*[1.0] * 50)) for _ in range(3)], seed)


def pushed_by(found: Shadows, steps: int, lr: float = 1e-9) -> list[Any]:
    """Where shadows are after steps that all but stand still, each pushed by 1e-3."""
    for number in range(1, steps + 1):
        found.step(number, np.ones(50), np.zeros(0), lr, one(*[1e-3] * 50))
    return [np.rint((s.params["W"] - 1) / 1e-3).astype(int) for s in found.shadows]


def test_the_first_shadow_is_always_pushed_the_same_way_and_the_others_anew() -> None:
    drift, *noise = pushed_by(shadows(), 6)
    assert set(drift.tolist()) == {-6, 6} and len(set(noise[0].tolist())) > 2
    assert (noise[0] != noise[1]).any() and (pushed_by(shadows(1), 6)[0] != drift).any()
    assert all((a == b).all() for a, b in zip(pushed_by(shadows(), 6), [drift, *noise], strict=True))


def test_shadows_that_go_on_are_pushed_as_if_they_had_never_stopped() -> None:
    whole = shadows()
    expected = pushed_by(whole, 6)
    first = shadows()
    pushed_by(first, 4)
    rest = Shadows([Twin(LOSS, "", s.params) for s in first.shadows], 0)
    for number in (5, 6):
        rest.step(number, np.ones(50), np.zeros(0), 1e-9, one(*[1e-3] * 50))
    assert [np.rint((s.params["W"] - 1) / 1e-3).astype(int).tolist() for s in rest.shadows] == [e.tolist() for e in expected]


def test_a_shadow_takes_the_steps_of_its_twin() -> None:
    twin, found = Twin(LOSS, "", one(1.0, 5.0)), Shadows([Twin(LOSS, "", one(1.0, 5.0))], 0)
    for number in (1, 2, 3):
        x = np.array([float(number), 0.0])
        twin.update(x, np.zeros(0), 0.5)
        found.step(number, x, np.zeros(0), 0.5, one(0.0, 0.0))
    assert twin.params["W"].tolist() == found.shadows[0].params["W"].tolist() == [2.25, 0.625]
    assert found.distance(twin.params) == 0 and Shadows([], 0).distance(twin.params) == 0


def test_the_furthest_shadow_counts() -> None:
    found = Shadows([Twin(LOSS, "", one(v, 0.0)) for v in (1.0, 1.5, 1.25)], 0)
    assert found.distance(one(1.0, 0.0)) == 0.5


def test_what_is_allowed_follows_what_torch_makes_of_the_distance() -> None:
    found = Allowed(0.0, 0.0)
    told = []
    # torch's own steps keep equal sides together, throw them apart, draw them together; 1 is the most that each step is off by
    for torch_apart, after in ((0.0, 0.5), (4.5, 5.0), (2.5, 2.0), (2.0, 2.25)):
        found.step(torch_apart, 1.0, after)
        told.append(found.allowed)
    assert told == [1.0, 1.0 + 4.0 + 1.0, 6.0 / 2 + 1.0, 5.0]


@pytest.mark.parametrize("seed", range(20))
def test_a_net_whose_steps_are_off_by_no_more_stays_within_what_is_allowed(seed: int) -> None:
    """Steps of a map with kinks, off by up to `most` in any direction, the worst ones included."""
    draw = np.random.default_rng(seed)
    A, lr, most_ = draw.normal(size=(6, 6)), 0.2, 1e-2

    def torch_step(p: Any, batch: Any) -> Any:
        return {"W": p["W"] - lr * (A.T @ np.where(A @ p["W"] > batch, 1.0, -1.0) + p["W"])}

    net = twin = one(*draw.normal(size=6))
    found, margins, far = Allowed(0.0, 0.0), [], 0.0
    for number in range(300):
        off = draw.normal(size=6) if number % 2 else net["W"] - twin["W"] + 1e-9
        batch = draw.normal(size=6)
        ideal, twin = torch_step(net, batch), torch_step(twin, batch)
        net = {"W": ideal["W"] + most_ * off / np.linalg.norm(off)}
        found.step(apart(ideal, twin), most_, apart(net, twin))
        margins.append(apart(net, twin) / found.allowed)
        far = max(far, apart(net, twin))
    assert max(margins) <= 1 + 1e-12 and min(margins) < 0.999
    assert far > 20 * most_  # a kink has thrown them apart


def trajectory(*steps: tuple[float, float, bool]) -> Any:
    rows = Rows("float64", ("W",))
    for number, step in enumerate(steps, 1):
        rows.trajectory(number, *step)
    return next(r for r in rows.records() if r.role == "trajectory")


def test_a_trajectory_is_held_against_what_is_allowed() -> None:
    row = trajectory((1.0, 2.0, True), (3.0, 2.0, True), (0.0, 0.0, True), (4.0, 2.0, True))
    assert (row.status, row.n_judged, row.n_failed, row.first_failed, row.margin, row.worst) == ("failed", 4, 2, 2, 2.0, 4)
    assert "After step 2 the parameters are 3 apart, 2 is allowed" in row.message
    assert trajectory((1e-9, 0.0, True)).margin == INF and trajectory((0.0, 0.0, True)).margin == 0
    assert trajectory((2.0, 2.0, True)).status == "passed"


def test_where_nothing_is_determined_any_more_the_trajectory_is_not_judged_again() -> None:
    row = trajectory((1.0, 2.0, True), (9.0, INF, False), (9.0, 2.0, True))
    assert (row.status, row.n_judged, row.n_undetermined, row.margin) == ("passed", 1, 2, 0.5)
    assert trajectory((1.0, INF, False)).status == "not-run"
