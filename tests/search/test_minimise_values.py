"""What a minimised case looks like: few numbers, of few digits, in few places, and labels that still name a class."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from oracle.core.case import Case
from oracle.core.draw import calm_case
from oracle.core.observe import SubjectGone
from oracle.search.minimise import Minimiser, minimiser
from oracle.search.minimise.shapes import cut, is_one_hot, shorter_axes
from oracle.search.minimise.values import cost, simpler_values
from oracle.specs import spec_named
from oracle.subjects import subject_of
from reference import Relu, Sigmoid

F64 = np.dtype("float64")


def _relu_case(x: Any, dout: Any = None, **more: Any) -> Case:
    x = np.asarray(x)
    dims = ("A", "B", "C", "D")[: x.ndim]
    dout = np.ones_like(x) if dout is None else np.asarray(dout)
    return Case("Relu", "any-rank", x.dtype.name, {"x": x}, {}, {"out": dout}, {}, {"x": dims, "dout": dims}, **more)


def _labelled(t: Any, classes: int = 4) -> Case:
    t = np.asarray(t)
    x = np.arange(1.0, 1 + len(t) * classes).reshape(len(t), classes)
    dims = {"x": ("N", "C"), "t": ("N", "C")[: t.ndim]}
    return Case("SoftmaxWithLoss", "index", "float64", {"x": x, "t": t}, {}, {"loss": np.asarray(1.5)}, {}, {**dims, "dloss": ()})


def _counting(fails: Any) -> tuple[Any, list[Case]]:
    tried: list[Case] = []
    return lambda case: tried.append(case) or bool(fails(case)), tried


@pytest.mark.parametrize(("value", "simplest"), [(30.2, 31.0), (-9999.5, -31.0), (3.4e20, 31.0), (np.inf, 100.0)])
def test_a_threshold_is_found_by_halving(value: float, simplest: float) -> None:
    fails, tried = _counting(lambda c: (np.abs(c.inputs["x"]) > 30).any())
    small = simpler_values(_relu_case([0.0, value, 0.0]), fails)
    assert small.inputs["x"].tolist() == [0.0, simplest, 0.0]
    assert len(tried) < 60


@pytest.mark.parametrize(
    ("value", "limit", "simplest"),
    [(3.217e-17, 1e-5, 1e-6), (-2.5e-300, 1e-5, -1e-6), (0.3331, 0.45, 0.1), (7.77e14, np.inf, 1.0)],
)
def test_a_small_number_is_brought_as_near_to_one_as_it_goes(value: float, limit: float, simplest: float) -> None:
    small = simpler_values(_relu_case([value]), lambda c: 0 < abs(c.inputs["x"][0]) < limit)
    assert small.inputs["x"].tolist() == [simplest]


def test_digits_are_dropped_where_no_round_number_does() -> None:
    small = simpler_values(_relu_case([0.7314159]), lambda c: 0.725 < c.inputs["x"][0] < 0.735)
    assert small.inputs["x"].tolist() == [0.73]


def test_no_number_leaves_its_dtype() -> None:
    x = np.array([60000.0], np.float16)
    with np.errstate(over="ignore"):
        small = simpler_values(_relu_case(x), lambda c: c.inputs["x"][0] > 50000)
    assert np.isfinite(small.inputs["x"]).all() and small.inputs["x"].dtype == np.float16


@pytest.mark.parametrize("kept", [np.nan, -0.0])
def test_a_special_number_stays_only_where_it_is_needed(kept: float) -> None:
    def needs(case: Case) -> bool:
        x = case.inputs["x"]
        return bool(np.isnan(x[3]) if np.isnan(kept) else np.signbit(x[3]) and x[3] == 0)

    small = simpler_values(_relu_case([np.nan, -0.0, np.inf, kept]), needs).inputs["x"]
    assert small[:3].tolist() == [0, 0, 0] and not np.signbit(small[:3]).any()
    assert needs(_relu_case(small))
    assert simpler_values(_relu_case([np.nan, -0.0, -np.inf]), lambda c: True).inputs["x"].tolist() == [0, 0, 0]


def test_many_elements_go_at_once() -> None:
    x = np.linspace(1.5, 9.5, 256)
    fails, tried = _counting(lambda c: c.inputs["x"][37] != 0 and c.inputs["x"][200] >= 1)
    small = simpler_values(_relu_case(x, np.zeros(256)), fails).inputs["x"]
    assert np.flatnonzero(small).tolist() == [37, 200] and small[[37, 200]].tolist() == [1, 1]
    assert len(tried) < 60, "halves are tried before single elements"


def test_many_elements_become_one_at_once() -> None:
    x = np.full(200, 2.5)
    fails, tried = _counting(lambda c: c.inputs["x"].all() and c.inputs["x"][10] > 2 > c.inputs["x"][60])
    small = simpler_values(_relu_case(np.where(np.arange(200) == 60, 0.5, x), np.zeros(200)), fails).inputs["x"]
    assert np.flatnonzero(small != 1).tolist() == [10] and small[10] == 3
    assert len(tried) < 60 + 2 * 200, "each element is found necessary once, the ones take halves"


def test_one_cotangent_is_left_where_one_is_enough() -> None:
    dout = np.array([[0.3, -1.2], [7.5, 2.5]])
    small = simpler_values(_relu_case(np.ones((2, 2)), dout), lambda c: c.cotangents["out"].any()).cotangents["out"]
    assert np.count_nonzero(small) == 1 and small.max() == 1
    both = simpler_values(_relu_case(np.ones((2, 2)), dout), lambda c: c.cotangents["out"].all()).cotangents["out"]
    assert both.tolist() == [[1, 1], [1, 1]]
    halves = simpler_values(_relu_case(np.ones(2), [0.5, 0.5]), lambda c: abs(c.cotangents["out"].sum() - 1) < 0.3)
    assert sorted(halves.cotangents["out"].tolist()) == [0, 1], "neither half is enough, one of them doubled is"


def test_cotangents_that_are_never_handed_over_stay() -> None:
    case = _relu_case([2.5], [0.25])
    assert simpler_values(case, lambda c: True, cotangents=False).cotangents["out"].tolist() == [0.25]


def test_an_array_without_axes_stays_an_array() -> None:
    small = simpler_values(_relu_case(2.5, -1.5), lambda c: c.cotangents["out"] < 0)
    assert all(type(a) is np.ndarray for a in small.arrays.values())
    assert small.cotangents["out"] == -1


def test_rows_handed_over_with_stride_0_stay_equal() -> None:
    case = _relu_case(np.tile([2.5, -7.25, 0.3], (4, 1)), np.zeros((4, 3)), layout="stride-0")

    def needs(c: Case) -> bool:
        x = c.inputs["x"]
        return bool((x == x[0]).all() and x[0, 1] != 0)

    assert simpler_values(case, needs).inputs["x"].tolist() == [[0, 1, 0]] * 4


def test_what_the_object_was_used_on_before_becomes_simple_too() -> None:
    prior = _relu_case(np.full((5, 3), 0.37))
    case = _relu_case(np.full((5, 3), 2.61), protocol="reused", prior=prior)

    def stale(c: Case) -> bool:
        return c.prior is not None and c.prior.inputs["x"].shape == c.inputs["x"].shape and bool((c.prior.inputs["x"] != 0).any())

    small = simpler_values(shorter_axes(case, stale), stale)
    assert small.inputs["x"].tolist() == [[0]]
    assert small.prior is not None and small.prior.inputs["x"].tolist() == [[1]]
    assert small.prior.cotangents["out"].tolist() == [[0]]


def test_equal_axes_are_cut_together() -> None:
    square = shorter_axes(_relu_case(np.ones((7, 7))), lambda c: c.inputs["x"].shape[0] == c.inputs["x"].shape[1] > 1)
    assert square.inputs["x"].shape == (2, 2) and square.cotangents["out"].shape == (2, 2)
    pair = shorter_axes(_relu_case(np.ones((6, 6, 6))), lambda c: c.inputs["x"].shape[0] == c.inputs["x"].shape[2] > 1)
    assert pair.inputs["x"].shape == (2, 1, 2)
    held = shorter_axes(_relu_case(np.ones((6, 6, 6))), lambda c: c.inputs["x"].shape in [(n, 6, n) for n in range(2, 6)])
    assert held.inputs["x"].shape == (2, 6, 2), "the third axis of that length stays"


@pytest.mark.parametrize("least", [1, 2, 3, 5, 65, 127])
def test_a_long_axis_becomes_as_short_as_the_fault_allows(least: int) -> None:
    fails, tried = _counting(lambda c: c.inputs["x"].size >= least)
    assert shorter_axes(_relu_case(np.zeros(127)), fails).inputs["x"].size == least
    assert len(tried) < 150


def test_labels_follow_their_classes() -> None:
    case = _labelled([3, 0, 2, -100, 1])
    assert cut(case, "C", [2, 3]).inputs["t"].tolist() == [1, 0, 0, -100, 0]
    assert cut(case, "C", [2, 3]).inputs["x"].shape == (5, 2)
    assert cut(case, "N", [0, 3]).inputs["t"].tolist() == [3, -100]


@pytest.mark.parametrize("dtype", ["bool", "int64", "uint8", "float32"])
def test_one_hot_rows_keep_their_one(dtype: str) -> None:
    case = _labelled(np.eye(4)[[3, 0, 2]].astype(dtype))
    smaller = cut(case, "C", [2, 3])
    assert smaller.inputs["t"].tolist() == [[0, 1], [1, 0], [1, 0]] and smaller.inputs["t"].dtype == dtype
    assert is_one_hot(smaller)
    simple = simpler_values(case, lambda c: c.inputs["t"][1, 0] == 1 and not c.inputs["t"][2, 0])
    assert simple.inputs["t"].tolist() == [[1, 0, 0, 0], [1, 0, 0, 0], [0, 0, 1, 0]]


def test_probabilities_still_sum_to_one() -> None:
    t = np.array([[0.123, 0.456, 0.421], [0.7, 0.2, 0.1]])
    first = simpler_values(_labelled(t, 3), lambda c: True).inputs["t"]
    assert first.tolist() == [[1, 0, 0], [1, 0, 0]]
    soft = simpler_values(_labelled(t, 3), lambda c: (c.inputs["t"][0] < 0.9).all()).inputs["t"]
    assert soft.tolist() == [[0.5, 0.5, 0], [0.5, 0.5, 0]]
    few = simpler_values(_labelled(t, 3), lambda c: (c.inputs["t"] > 0.05).all()).inputs["t"]
    assert few.tolist() == [[0.1, 0.5, 0.4], [0.7, 0.2, 0.1]]


@pytest.mark.parametrize("too_much", [0, 3])
def test_a_refused_label_stays_as_much_too_large(too_much: int) -> None:
    case = _labelled([4 + too_much, 1, 0])._replace(refusal="index-label-too-large")
    assert cut(case, "C", [0]).inputs["t"].tolist() == [1 + too_much, 0, 0]


def test_a_refused_case_of_two_lengths_keeps_the_difference() -> None:
    case = _relu_case(np.zeros((8, 3)), np.zeros((8, 2)), refusal="another-width")
    small = shorter_axes(case, lambda c: c.inputs["x"].shape[1] > c.cotangents["out"].shape[1])
    assert small.inputs["x"].shape == (1, 2) and small.cotangents["out"].shape == (1, 1)


def test_a_row_of_labels_too_many_is_cut() -> None:
    case = _labelled(np.zeros(50, np.int64))._replace(refusal="a-label-row-too-many", dims={"x": ("N", "C"), "t": (), "dloss": ()})
    assert shorter_axes(case, lambda c: c.inputs["t"].size > 1).inputs["t"].size == 2


def test_costs_are_in_the_order_in_which_numbers_are_read() -> None:
    order = [0.0, -0.0, 1.0, -1.0, 2.0, 3.0, 9.0, 31.0, 710.0, 0.5, 1e-20, 0.73, 3.25, 3.1415926, np.inf, -np.inf]
    costs = [cost(v, F64) for v in order]
    assert costs == sorted(costs) and len(set(costs)) == len(costs)
    assert cost(float(np.float32(0.1)), np.dtype("float32")) == cost(0.1, F64), "digits are those of the dtype"


class ClippedAt30(Sigmoid):
    """Arguments beyond 30 are taken for 30."""

    def forward(self, x: Any) -> Any:
        return super().forward(np.clip(x, -30, 30).astype(np.asarray(x).dtype))


def _clipped() -> tuple[Minimiser, Case]:
    spec = spec_named("Sigmoid")
    case = calm_case(spec, np.random.default_rng(4), "matrix")
    case = case._replace(inputs={"x": np.where(case.inputs["x"] < 0, -86.5, case.inputs["x"])})
    return Minimiser(spec, subject_of(spec, ClippedAt30), ("forward.out", "value")), case


def test_a_clipped_layer_is_shown_at_its_threshold() -> None:
    search, case = _clipped()
    small = search.smaller(case)
    assert small.inputs["x"].tolist() == [[-31]] and small.cotangents["out"].tolist() == [[0]]


def test_the_same_case_becomes_the_same_minimised_case() -> None:
    (one, case), (other, _) = _clipped(), _clipped()
    assert one.smaller(case).digest() == other.smaller(case).digest()


def test_no_case_is_judged_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    search, case = _clipped()
    judged: list[int] = []
    real = minimiser.judge
    monkeypatch.setattr(minimiser, "judge", lambda spec, subject, c, **named: judged.append(c.digest()) or real(spec, subject, c, **named))
    search.smaller(case)
    assert judged and len(judged) == len(set(judged))


def test_the_clock_stops_it(monkeypatch: pytest.MonkeyPatch) -> None:
    search, case = _clipped()
    ticks = itertools.count()
    monkeypatch.setattr(minimiser, "monotonic", lambda: next(ticks) * 0.5)
    judged: list[int] = []
    real = minimiser.judge
    monkeypatch.setattr(minimiser, "judge", lambda *given, **named: judged.append(1) or real(*given, **named))
    small = search.smaller(case)
    assert len(judged) == 4, "0.5 s each, 2 s in all"
    monkeypatch.undo()
    assert search.finding(small) is not None


def test_what_a_process_did_not_survive_is_not_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = spec_named("Relu")
    case = calm_case(spec, np.random.default_rng(0), "matrix")

    judged: list[int] = []
    monkeypatch.setattr(minimiser, "judge", lambda *given, **named: judged.append(1))
    assert Minimiser(spec, subject_of(spec), ("call.answers", "died")).smaller(case) is case
    assert not judged
    Minimiser(spec, subject_of(spec), ("call.answers", "error")).smaller(case)
    assert judged


def test_a_subject_that_is_gone_ends_the_search(monkeypatch: pytest.MonkeyPatch) -> None:
    search, case = _clipped()
    judged: list[int] = []
    real = minimiser.judge

    def gone(*given: Any, **named: Any) -> Any:
        judged.append(1)
        if len(judged) > 5:
            raise SubjectGone("its time is spent")
        return real(*given, **named)

    monkeypatch.setattr(minimiser, "judge", gone)
    small = search.smaller(case)
    assert len(judged) == 6
    monkeypatch.undo()
    assert search.finding(small) is not None and small.inputs["x"].size <= case.inputs["x"].size


def test_a_cut_that_makes_no_case_is_passed_over() -> None:
    class Stubborn(Relu):
        """Answers nothing but an axis of two."""

        def forward(self, x: Any) -> Any:
            y = super().forward(x)
            return y * y.dtype.type(2) if np.asarray(x).shape[-1] == 2 else y

    spec = spec_named("Relu")
    case = calm_case(spec, np.random.default_rng(1), "matrix", sizes={"A": 3, "B": 2})
    small = Minimiser(spec, subject_of(spec, Stubborn), ("forward.out", "value")).smaller(case)
    assert small.inputs["x"].shape == (1, 2) and sorted(small.inputs["x"].reshape(-1).tolist()) == [0, 1]
