"""Which files are which leg, and what legs say together."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oracle.results import Header, Result, ResultsError, Run, Sample
from oracle.results.across import Apart, across, distance
from oracle.results.labels import Source, labelled, natural, python_label
from oracle.results.legs import Legs, legs_of
from tests.results.records import array, counterexample, footer, header, result, run


def leg(python: str = "3.11.2", numpy: str = "2.0", torch: str = "2.4", *, rows: tuple[Result, ...] = (), **changes: Any) -> Run:
    where = header().environment.model_copy(update={"python": f"CPython {python}", "numpy": numpy, "torch": torch})
    settings = header().settings.model_copy(update={k: changes.pop(k) for k in ("shard", "seed") if k in changes})
    head: Header = header().model_copy(update={"environment": where, "settings": settings, **changes})
    return run(*(rows or (result(),)), header=head)


def named(*runs: Run, expect: tuple[str, ...] = ()) -> Legs:
    return legs_of([Source(f"f{at}", r) for at, r in enumerate(runs)], expect)


def labels(*runs: Run) -> list[str]:
    return [found.label for found in named(*runs).legs]


@pytest.mark.parametrize(
    ("python", "label"),
    [
        ("CPython 3.11.9", "py311"),
        ("CPython 3.9.0", "py39"),
        ("PyPy 3.10.14", "pypy310"),
        ("CPython 3.14.0rc1", "py314"),
        ("something else", "something else"),
        ("", "unknown"),
        ("x" * 10**6, "x" * 40),
        ("CPython " + "9" * 10**5, "CPython " + "9" * 32),
    ],
    ids=lambda text: text[:20],
)
def test_a_python_has_a_short_name(python: str, label: str) -> None:
    assert python_label(header().environment.model_copy(update={"python": python})) == label


def test_only_what_tells_legs_apart_is_in_their_names() -> None:
    assert labels(leg(), leg("3.12.0")) == ["py311", "py312"]
    assert labels(leg(), leg(numpy="1.26")) == ["py311-numpy1.26", "py311-numpy2.0"]
    assert labels(leg(), leg(torch="2.9")) == ["py311-torch2.4", "py311-torch2.9"]
    assert labels(leg(), leg(torch="2.9", numpy="1.26")) == ["py311-numpy1.26", "py311-numpy2.0"]
    three = leg(), leg(torch="2.9"), leg(numpy="1.26")
    assert labels(*three) == ["py311-numpy1.26-torch2.4", "py311-numpy2.0-torch2.4", "py311-numpy2.0-torch2.9"]
    assert labels(leg(label="old"), leg(label="new")) == ["new", "old"]
    given_ = legs_of([Source("a", leg(label="old"), "mine"), Source("b", leg("3.9.1"))])
    assert [found.label for found in given_.legs] == ["mine", "py39"]


def test_labels_are_in_the_order_of_their_numbers() -> None:
    assert labels(leg("3.14.0"), leg("3.9.0"), leg("3.10.0")) == ["py39", "py310", "py314"]
    assert natural("a" * 10**5 + "\u0663" * 10**5) < natural("b" + "1" * 10**5)


def test_expected_legs_come_first_and_in_their_order() -> None:
    found = named(leg("3.9.0"), leg("3.10.0"), leg("3.11.0"), expect=("py311", "py310"))
    assert [one.label for one in found.legs] == ["py311", "py310", "py39"] and found.exit_code == 0


def test_a_missing_leg_is_named_and_leaves_no_verdict() -> None:
    found = named(leg("3.9.0"), expect=("py39", "py310"))
    assert (found.outcome, found.exit_code, found.missing) == ("incomplete", 3, ("py310",))
    assert found.problems == ("py310 is missing: none of the files has its results",) and "py310 is missing" in found.sentence


def test_the_name_of_a_python_is_enough_where_one_leg_has_it() -> None:
    assert named(leg(label="mine"), expect=("py311",)).exit_code == 0
    pair = leg(), leg(numpy="1.26")
    assert named(*pair, expect=("py311-numpy1.26", "py311-numpy2.0")).exit_code == 0
    with pytest.raises(ResultsError, match="--expect py311 is not clear: py311-numpy2.0, py311-numpy1.26 all have this Python"):
        named(*pair, expect=("py311",))
    both = named(leg(label="mine"), expect=("py311", "mine"))
    assert both.missing == ("py311",), "one leg is not two, whatever it may be called"
    assert named(*pair, expect=("py311-numpy1.26", "py311")).exit_code == 0


def test_a_leg_that_is_there_twice_is_named() -> None:
    found = named(leg(run_id="1"), leg(run_id="2"), leg("3.12.1"))
    assert found.exit_code == 3 and [one.label for one in found.legs] == ["py311", "py312"]
    assert found.problems == ("py311 is there more than once: f0, f1. Only f0 is shown; name them apart with LABEL=FILE",)


def test_a_shard_beside_a_whole_run_of_one_name_is_one_too_many() -> None:
    found = named(leg(shard=(1, 2)), leg())
    assert found.exit_code == 3 and found.legs[0].files == ("f1",) and "more than once: f0, f1. Only f1 is shown" in found.problems[0]


def test_one_file_given_twice_is_a_mistake() -> None:
    with pytest.raises(ResultsError, match="^f is given twice"):
        legs_of([Source("f", leg()), Source("f", leg())])


def test_shards_of_a_leg_are_put_together_first() -> None:
    seen = {"seen": (), "depths": ()}
    shards = [leg(shard=(k, 2)).model_copy(update=seen) for k in (2, 1)]
    found = named(*shards, leg("3.12.1"))
    assert [(one.label, one.files) for one in found.legs] == [("py311", ("f0", "f1")), ("py312", ("f2",))] and found.exit_code == 0
    assert found.legs[0].run.results[0].n_judged == 20 and found.legs[0].run.header.settings.shard is None
    alone = named(shards[0], leg("3.12.1"))
    assert alone.problems == ("py311: the run broke off: shard 1 of 2 is missing",) and alone.exit_code == 3


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"footer": None}, "py311: the run was cut off before its end"),
        ({"footer": footer("interrupted")}, "py311: the run was interrupted"),
        ({"n_damaged": 1}, "py311: 1 line of the results file could not be read"),
    ],
)
def test_a_truncated_leg_is_named(changes: dict[str, Any], words: str) -> None:
    found = named(leg().model_copy(update=changes), leg("3.12.1"))
    assert (found.exit_code, found.problems) == (3, (words,))


def test_a_leg_with_fewer_rows_has_lost_them() -> None:
    fewer = leg("3.12.1", expected=())
    more = leg(rows=(result(), result("forward.out"), result("state.y")))
    found = named(more, fewer)
    assert found.problems == ("py312 has lost 2 rows that other legs have: Relu matrix float64 forward.out and 1 more",)
    assert found.exit_code == 3 and found.legs[1].lost == tuple(("Relu", "matrix", "float64", q) for q in ("forward.out", "state.y"))


def test_a_divergence_on_any_leg_wins_over_what_is_missing() -> None:
    bad = leg("3.12.1", rows=(result(status="failed", n_failed=1, margin=9.0),))
    found = named(leg(), bad, expect=("py311", "py312", "py313"))
    assert (found.outcome, found.exit_code) == ("diverges", 1)
    assert found.varying == (("Relu", "matrix", "float64", "backward.dx"),)
    told = "py312 diverges from PyTorch. py311 conforms. 1 row fails on some versions only."
    assert found.sentence == f"{told} py313 is missing: none of the files has its results."
    both = named(leg(rows=bad.results), bad)
    assert both.varying == () and both.sentence == "py311 and py312 diverge from PyTorch."


def test_legs_that_all_conform() -> None:
    found = named(leg(), leg("3.12.1"), leg("3.13.1"))
    assert (found.outcome, found.exit_code, found.problems, found.notices) == ("conforms", 0, (), ())
    assert found.sentence == "py311, py312 and py313 conform to PyTorch, each in 1 row."


def test_a_known_divergence_on_some_legs_only_is_told() -> None:
    assert named(leg(), leg("3.12.1", rows=(result(status="known", n_failed=1),))).varying


def test_in_what_legs_differ_besides_versions_is_told() -> None:
    info = header().layers[0]
    other = leg("3.12.1", seed=5, layers=(info.model_copy(update={"source": "b", "check_version": 2}),))
    found = named(leg(layers=(info.model_copy(update={"source": "a"}),)), other, leg("3.13.1"))
    assert found.notices == (
        "seed: 1 in py311 and py313; 5 in py312",
        "code of Relu: a in py311; b in py312",
        "check version of Relu: 1 in py311 and py313; 2 in py312",
    )


@given(order=st.permutations(range(7)))
def test_the_order_of_the_files_makes_no_difference(order: list[int]) -> None:
    seen = {"seen": (), "depths": ()}
    runs = [leg(), leg(run_id="2"), leg(numpy="1.26"), leg("3.9.1", rows=(result(status="failed", n_failed=1),)), leg("3.10.1")]
    runs += [leg("3.12.1", shard=(k, 3)).model_copy(update=seen) for k in (1, 3)]
    sources = [Source(f"f{at}", r) for at, r in enumerate(runs)]
    expect = ("py310", "py39", "py313")
    assert legs_of([sources[at] for at in order], expect) == legs_of(sources, expect)
    assert list(labelled(sources[at] for at in order)) == list(labelled(sources))


def sample(digest_of: float, index: int = 3, actual: Any = None, expected: Any = None) -> Any:
    case = counterexample().case.model_copy(update={"inputs": {"x": floats(digest_of)}})
    answers = {"actual": {"dx": actual or floats(1.0)}, "expected": {"dx": expected or floats(1.0)}}
    return Sample(layer="Relu", branch="matrix", dtype="float64", index=index, digest="lies", case=case, **answers)


def floats(*values: float) -> Any:
    return array(struct.pack(f"<{len(values)}d", *values), "float64", len(values))


def sampled(*samples: Any) -> Legs:
    return named(*(leg(f"3.{at}.1").model_copy(update={"samples": (s,) if s else ()}) for at, s in enumerate(samples)))


EPS = 2.0**-52


def test_answers_to_the_same_input_are_compared_in_ulp() -> None:
    found = across(sampled(sample(1.0), sample(1.0, actual=floats(1 + 2 * EPS)), sample(1.0, expected=floats(float("nan")))).legs)
    assert {label for _, _, label, _ in found.apart} == {"py31", "py32"}
    assert found.n_samples == {"py31": 1, "py32": 1} and len(found.same) == 1 and found.other == ()
    assert found.total("py31", "actual") == Apart(1, 1, 2) and found.total("py31", "expected") == Apart(1, 0, 0)
    assert found.total("py32", "expected") == Apart(1, 1, None) and found.same[0].differs


def test_other_inputs_under_one_number_are_told_and_not_compared() -> None:
    found = across(sampled(sample(1.0), sample(2.0, actual=floats(5.0)), sample(1.0)).legs)
    assert [o.drawn for o in found.other] == [(("py30", "py32"), ("py31",))]
    assert found.n_samples == {"py31": 0, "py32": 1} and found.total("py31", "actual") == Apart()
    assert not found.same[0].differs


def test_the_same_input_under_another_number_is_the_same_input() -> None:
    found = across(sampled(sample(1.0, index=3), sample(1.0, index=7)).legs)
    assert len(found.same) == 1 and found.other == ()


def test_what_the_first_leg_was_not_given_is_compared_with_the_first_that_was() -> None:
    found = across(sampled(None, sample(1.0), sample(1.0, actual=floats(1 + EPS))).legs)
    assert len(found.same) == 1 and found.same[0].differs and found.firsts == ("py31",)
    assert found.n_samples == {"py31": 0, "py32": 1} and found.total("py32", "actual") == Apart(1, 1, 1)
    assert {label for _, _, label, _ in found.apart} == {"py32"}


def test_legs_that_were_given_other_inputs_are_compared_among_themselves() -> None:
    found = across(sampled(sample(1.0), sample(2.0), sample(2.0, actual=floats(2 + 4 * EPS)), sample(1.0)).legs)
    assert found.firsts == ("py30", "py31")
    assert found.n_samples == {"py31": 0, "py32": 1, "py33": 1}
    assert found.total("py32", "actual") != Apart() == found.total("py31", "actual")


def test_legs_without_samples_have_nothing_to_compare() -> None:
    found = across(sampled(None, None).legs)
    assert (found.same, found.other, dict(found.apart), found.n_samples) == ((), (), {}, {"py31": 0})


def test_an_answer_of_another_form_has_no_distance() -> None:
    assert distance(floats(1.0, 2.0), floats(1.0)) == Apart(1, 1, None)
    assert distance(None, floats(1.0, 2.0)) == distance(floats(1.0, 2.0), None) == Apart(2, 2, None)
    assert distance(None, None) == Apart() and distance(floats(), floats()) == Apart()
