"""What a diff tells beside its marks: subjects that do not load, margins that drift, answers that moved, and both runs side by side."""

from __future__ import annotations

from typing import Any

import pytest

from oracle.results import Counterexample, Expected, LayerInfo, Planted, Result, Run
from oracle.results.diff import diff
from oracle.results.model import Health
from tests.results.diffing import CUT, FAILS, HOLDS, NEXT, ONE, OTHER_INPUTS, SAMPLE, bad, failing, made, only, other_seed
from tests.results.records import ROW, array, counterexample, result


def test_rows_that_pass_and_are_new_are_counted() -> None:
    found = diff(made(HOLDS), made(HOLDS, result("forward.y")))
    assert not found.changes and found.n_new == 1 and found.n_rows == 2 and not found.is_empty


def rejected(name: str = "a.py", target: str = "a.py") -> tuple[LayerInfo, Result]:
    fields = {"subject": target, "torch": "", "summary": "", "check_version": 0, "branches": (), "quantities": (), "target": target}
    row = Result(
        layer=name,
        branch="-",
        dtype="-",
        quantity="subject.loads",
        role="contract",
        status="error",
        check_version=1,
        n_judged=1,
        n_failed=1,
    )
    return LayerInfo(name=name, contracts=("subject.loads",), **fields), row  # type: ignore[arg-type]


def of_file(*rows: Result, name: str = "a.py:Relu") -> Run:
    mine = tuple(r.model_copy(update={"layer": name}) for r in rows)
    expected = (Expected(**{**ROW, "layer": name}, quantity="backward.dx"),)
    found = made(*mine, info={"name": name, "target": "a.py"})
    return found.model_copy(update={"header": found.header.model_copy(update={"expected": expected})})


@pytest.mark.parametrize("name", ["a.py", "a.py:Relu"])
def test_a_subject_that_cannot_be_loaded_any_more_has_lost_its_rows_by_its_code(name: str) -> None:
    info, row = rejected(name)
    after = made(row, head={"layers": (info,), "expected": ()}, depths=())
    marks = {c.key[3]: (c.mark, c.causes) for c in diff(of_file(HOLDS), after).changes}
    assert marks["backward.dx"] == ("lost coverage", ("code",))
    # under another label nothing says that it was there before
    assert marks["subject.loads"][0] == ("newly failing" if name == "a.py:Relu" else "newly found")
    if name == "a.py:Relu":
        back = {c.key[3]: (c.mark, c.causes) for c in diff(after, of_file(HOLDS)).changes}
        assert back == {"subject.loads": ("fixed", ("code",))}


def test_rows_that_a_layer_which_raises_leaves_unjudged_say_so() -> None:
    raised = result("call.answers", role="contract", status="error", n_failed=10, margin=None)
    lost = next(c for c in diff(made(HOLDS), made(raised, info={"contracts": ("call.answers",)})).changes if c.key[3] == "backward.dx")
    assert (lost.mark, lost.why) == ("lost coverage", "The layer raises, so that there is nothing to compare.")


def test_a_layer_that_was_taken_out_of_its_file_is_lost_by_the_code() -> None:
    after = of_file(HOLDS, name="a.py:Sigmoid")
    change = only(diff(of_file(HOLDS), after))
    assert (change.mark, change.causes, change.why) == ("lost coverage", ("code",), "There is no such layer in a.py any more.")


@pytest.mark.parametrize(
    ("change", "told"),
    [({"status": "known"}, True), ({"n_failed": 4}, True), ({"margin": 10.0}, True), ({}, False), ({"margin": float("nan")}, False)],
)
def test_a_row_that_fails_in_the_very_same_way_is_no_change(change: dict[str, Any], told: bool) -> None:
    before = bad(margin=float("nan")) if change.get("margin") != 10.0 and "margin" in change else FAILS
    found = diff(made(before, **failing()), made(before.model_copy(update=change), **failing()))
    assert only(found).mark == "still failing" and only(found).differs is told and found.is_empty is not told


DRIFTS: list[tuple[float | None, float | None, dict[str, int], dict[str, int], bool, bool]] = [
    (0.05, 0.25, {}, {}, True, True),
    (0.25, 0.05, {}, {}, True, True),
    (0.0625, 0.25, {}, {}, True, False),
    (0.0, 0.03, {}, {}, True, False),
    (0.0, 0.05, {}, {}, True, True),
    (0.0001, 0.009, {}, {}, True, False),
    (None, 0.5, {}, {}, True, False),
    (float("nan"), 0.5, {}, {}, True, False),
    (0.01, 0.9, {}, {}, False, False),
    (0.01, 0.9, {"2^-6": 100}, {"2^-6": 99, "2^0": 1}, False, False),
    (0.01, 0.9, {"2^-6": 100}, {"2^-6": 90, "2^-1": 10}, False, True),
    (0.9, 0.01, {"2^-6": 90, "2^-1": 10}, {"2^-6": 100}, False, True),
    (0.01, 0.9, {"2^-2": 100}, {"2^-6": 100}, False, False),
    (0.01, 0.9, {"2^-6": 100}, {"2^-4": 100}, False, True),
    (0.01, 0.9, {"2^-6": 100}, {"2^-5": 100}, False, False),
    (0.01, 0.9, {"2^-6": 99}, {"2^-4": 100}, False, False),
    (0.01, 0.9, {"nonsense": 100}, {"2^0": 100}, False, False),
]


@pytest.mark.parametrize(("was", "now", "old", "new", "same", "told"), DRIFTS)
def test_a_margin_has_drifted_where_it_moved_for_most_cases(
    was: float | None, now: float | None, old: dict[str, int], new: dict[str, int], same: bool, told: bool
) -> None:
    before = made(result(margin=was, margins=old))
    after = (made if same else other_seed)(result(margin=now, margins=new))
    assert [c.mark for c in diff(before, after).changes] == ["drifted"] * told


def test_the_factor_of_a_drift_is_the_callers() -> None:
    before, after = made(HOLDS), made(result(margin=0.6))
    assert not diff(before, after).changes and only(diff(before, after, 2.0)).why == "The margin has grown 2.4 times."
    with pytest.raises(ValueError, match="above 1"):
        diff(before, after, 1.0)


@pytest.mark.parametrize(
    ("side", "after", "expected"),
    [
        ("actual", {"info": {"source": "new"}}, ("code",)),
        ("actual", {"info": {"source": "new"}, "environment": {"numpy": "3"}}, ("code", "environment")),
        ("expected", {"environment": {"torch": "9"}}, ("environment",)),
        ("expected", {}, ("environment",)),
    ],
)
def test_answers_to_the_same_inputs_that_moved(side: str, after: dict[str, Any], expected: tuple[str, ...]) -> None:
    second = SAMPLE.model_copy(update={"index": 6, "digest": "d2"})
    other = SAMPLE.model_copy(update={side: {"forward.y": NEXT}})
    (found,) = diff(made(HOLDS, samples=(SAMPLE, second)), made(HOLDS, samples=(other, second), **after)).moved
    assert (found.side, found.quantity, found.ulp, found.n_moved, found.n_compared, found.digest) == (side, "forward.y", 1, 1, 2, "d1")
    assert found.causes == expected


def test_an_answer_of_another_shape_or_none_at_all_is_no_distance() -> None:
    nan = array(bytes.fromhex("000000000000f87f"), "float64", 1)
    for answer in (nan, array(b"", "float64", 0)):
        other = SAMPLE.model_copy(update={"actual": {"forward.y": answer}})
        (found,) = diff(made(HOLDS, samples=(SAMPLE,)), made(HOLDS, samples=(other,))).moved
        assert found.ulp is None and found.n_moved == 1


def test_where_the_oracle_moved_the_environment_may_be_the_cause() -> None:
    answer = SAMPLE.model_copy(update={"actual": {}, "expected": {"backward.dx": ONE}})
    moved = answer.model_copy(update={"expected": {"backward.dx": NEXT}})
    assert only(diff(made(HOLDS, samples=(answer,)), made(FAILS, samples=(moved,), **failing()))).causes == ("environment",)


def test_a_judge_that_has_become_blinder_is_told() -> None:
    seen = Planted(layer="Relu", family="factor", name="twice", fault="f", n_cases=1, rows=("a",))
    well = Health(layer="Relu", branch="matrix", quantity="backward.dx", n_cases=1, n_elements=9)
    missed, unwell = seen.model_copy(update={"rows": ()}), well.model_copy(update={"n_wrong": 1})
    before, after = made(HOLDS, planted=(seen,), health=(well,)), made(HOLDS, planted=(missed,), health=(unwell,))
    assert diff(before, after).blinder == ((missed,), (unwell,)) and diff(after, before).blinder == diff(after, after).blinder == ((), ())


def test_what_differs_between_the_runs_stands_side_by_side() -> None:
    after = made(HOLDS, environment={"torch": "9", "dirty": True}, settings={"seed": 4}, info={"source": "new"})
    found = {side.name: (side.before, side.after) for side in diff(made(HOLDS), after).sides if side.differs}
    assert found == {
        "seed": ("1", "4"),
        "torch": ("-", "9"),
        "commit": ("c1", "c1 with uncommitted changes"),
        "Relu, digest": ("abc", "new"),
    }


def test_files_of_older_schemas_say_nothing_of_what_they_lack() -> None:
    old = made(HOLDS, info={"source": "", "spec": ""})
    assert diff(old, made(HOLDS)).is_empty and not [s for s in diff(old, made(HOLDS)).sides if s.differs]
    assert only(diff(old, made(FAILS, environment={"commit": "c2"}, **failing()))).causes == ("code",)


def test_a_layer_of_which_only_a_case_was_written_before_the_end_fails() -> None:
    cut = made(end=CUT, **failing())
    assert only(diff(made(HOLDS), cut)).mark == "newly failing"


def test_a_case_of_several_is_shown_minimised() -> None:
    both: tuple[Counterexample, ...] = (counterexample("a"), counterexample("b", minimised=OTHER_INPUTS))
    change = only(diff(made(HOLDS), made(FAILS, counterexamples=both)))
    assert change.example is not None and change.example.id == "b"
