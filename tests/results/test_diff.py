"""Every mark of a diff, from two runs that are made up here."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oracle.results import Note, Run
from oracle.results.diff import MARKS, Mark, diff
from tests.results.diffing import CASE, CUT, FAILS, HOLDS, OTHER_INPUTS, SAMPLE, bad, failing, made, only, other_seed
from tests.results.records import counterexample, depth, footer, result

MARKED: dict[str, tuple[Run, Run, Mark, tuple[str, ...]]] = {
    "a case that BEFORE passed": (made(HOLDS), made(FAILS, info={"source": "new"}, **failing()), "newly failing", ("code",)),
    "nothing recorded differs": (made(HOLDS), made(FAILS, **failing()), "newly failing", ()),
    "another commit of the judge": (made(HOLDS), made(FAILS, environment={"commit": "c2"}, **failing()), "newly failing", ("check",)),
    "another torch": (
        made(HOLDS),
        made(FAILS, environment={"torch": "9"}, info={"source": "new"}, **failing()),
        "newly failing",
        ("code", "environment"),
    ),
    "another gradconform": (made(HOLDS), made(FAILS, environment={"gradconform": "1"}, **failing()), "newly failing", ("check",)),
    "no digest of the code": (made(HOLDS, info={"source": "", "target": "a.py"}), made(FAILS, **failing()), "newly failing", ("code",)),
    "the same commit says that the code is the same": (
        made(HOLDS, info={"source": ""}),
        made(FAILS, environment={"numpy": "3"}, **failing()),
        "newly failing",
        ("environment",),
    ),
    "another seed": (made(HOLDS), other_seed(FAILS, **failing()), "newly found", ("inputs",)),
    "another seed and other code": (
        made(HOLDS),
        other_seed(FAILS, info={"source": "new"}, **failing()),
        "newly found",
        ("code", "inputs"),
    ),
    "a later case": (made(HOLDS), made(FAILS, settings={"examples": 99}, **failing(10)), "newly found", ("inputs",)),
    "an earlier case of more": (
        made(HOLDS),
        made(FAILS, settings={"examples": 99}, info={"source": "new"}, **failing(9)),
        "newly failing",
        ("code",),
    ),
    "other dtypes": (made(HOLDS), made(FAILS, settings={"dtypes": ("float64", "float32")}, **failing()), "newly found", ("inputs",)),
    "another draw": (made(HOLDS), made(FAILS, info={"branches": ("matrix", "tensor")}, **failing()), "newly found", ("inputs",)),
    "samples of one number differ": (
        made(HOLDS, samples=(SAMPLE,)),
        made(FAILS, samples=(SAMPLE.model_copy(update={"digest": "d2"}),), **failing()),
        "newly found",
        ("inputs",),
    ),
    "a share of the cases": (made(HOLDS, settings={"shard": (1, 2)}), made(FAILS, **failing()), "newly found", ("inputs",)),
    "BEFORE was cut off": (made(HOLDS, end=CUT, depths=(depth(n_cases=4),)), made(FAILS, **failing()), "newly found", ("inputs",)),
    "BEFORE was cut off behind this layer": (
        made(HOLDS, end=CUT),
        made(FAILS, info={"source": "b"}, **failing()),
        "newly failing",
        ("code",),
    ),
    "a line of BEFORE was lost": (made(HOLDS, n_damaged=1), made(FAILS, **failing()), "newly found", ("inputs",)),
    "a stored case has a number of its own": (
        made(HOLDS, counterexamples=(counterexample(quantity="forward.y", index=2, lane="corpus", case=OTHER_INPUTS),)),
        made(FAILS, counterexamples=(*failing()["counterexamples"], counterexample("y", quantity="forward.y"))),
        "newly failing",
        (),
    ),
    "a sample of BEFORE, whatever its number": (
        made(HOLDS, samples=(SAMPLE.model_copy(update={"digest": CASE.digest}),)),
        other_seed(FAILS, info={"source": "new"}, **failing()),
        "newly failing",
        ("code",),
    ),
    "BEFORE gave the layer up": (
        made(HOLDS, notes=(Note(layer="Relu", title="given up", text="slow"),)),
        made(FAILS, **failing()),
        "newly found",
        ("inputs",),
    ),
    "a stored case of both": (
        made(HOLDS, head={"corpus": (CASE.digest,)}),
        other_seed(FAILS, head={"corpus": (CASE.digest,)}, info={"source": "new"}, **failing(0, lane="corpus")),
        "newly failing",
        ("code",),
    ),
    "a stored case of AFTER": (
        made(HOLDS),
        made(FAILS, head={"corpus": (CASE.digest,)}, **failing(0, lane="corpus")),
        "newly found",
        ("inputs",),
    ),
    "found by searching, stored in BEFORE": (
        made(HOLDS, head={"corpus": (OTHER_INPUTS.digest,)}),
        other_seed(FAILS, info={"source": "new"}, **failing(minimised=OTHER_INPUTS)),
        "newly failing",
        ("code",),
    ),
    "no case was stored": (made(HOLDS), made(FAILS), "newly found", ("inputs",)),
    "not judged in BEFORE": (made(result("forward.y")), made(result("forward.y"), FAILS, **failing()), "newly found", ("inputs",)),
    "mended": (made(FAILS, **failing()), made(HOLDS, info={"source": "new"}), "fixed", ("code",)),
    "mended, another seed": (made(FAILS, **failing()), other_seed(HOLDS), "not seen again", ("inputs",)),
    "mended, half of it": (made(FAILS, **failing()), made(HOLDS, end=CUT, depths=()), "not seen again", ("inputs",)),
    "mended, no case stored": (made(FAILS), made(HOLDS, info={"source": "new"}), "not seen again", ("code", "inputs")),
    "fails in both": (made(FAILS, **failing()), other_seed(bad(n_failed=1), **failing()), "still failing", ()),
    "unjudged": (made(HOLDS), made(result(status="not-run", n_judged=0)), "lost coverage", ()),
    "unjudged though declared": (made(HOLDS, result("forward.y")), made(result("forward.y")), "lost coverage", ()),
    "fails, and unjudged": (made(FAILS, **failing()), made(), "lost coverage", ()),
    "unjudged, another seed": (made(HOLDS), other_seed(), "lost coverage", ("inputs",)),
    "a layer left out": (made(HOLDS), made(head={"layers": (), "expected": ()}), "lost coverage", ("inputs",)),
    "not claimed any more": (made(HOLDS), made(result(status="not-claimed", n_judged=0)), "lost coverage", ("check",)),
    "no such branch": (made(HOLDS), made(info={"branches": ("tensor",)}), "lost coverage", ("check",)),
    "another dtype": (made(HOLDS), made(settings={"dtypes": ("float32",)}), "lost coverage", ("inputs",)),
    "cut off": (made(HOLDS), made(end=CUT), "not reached", ()),
    "cut off, and it failed": (made(FAILS, **failing()), made(end=CUT), "not reached", ()),
    "left out of a run that was cut off": (made(HOLDS), made(end=CUT, head={"layers": (), "expected": ()}), "lost coverage", ("inputs",)),
    "damaged": (made(HOLDS), made(n_damaged=1), "not reached", ()),
    "another version of the check": (made(HOLDS), made(result(check_version=2)), "not comparable", ("check",)),
    "another version, and it fails": (made(HOLDS), made(bad(check_version=2), **failing()), "not comparable", ("check",)),
    "another expression": (made(HOLDS), made(HOLDS, info={"torch": "F.relu6(x)"}), "not comparable", ("check",)),
    "another spec": (made(HOLDS), made(HOLDS, info={"spec": "Sigmoid"}), "not comparable", ("check",)),
    "listed as known": (made(HOLDS), made(bad(status="known"), **failing()), "accepted", ()),
    "listed and mended": (made(bad(status="known"), **failing()), made(result(status="stale"), info={"source": "n"}), "fixed", ("code",)),
    "listed though it holds": (made(HOLDS), made(result(status="stale")), "stale", ()),
    "drifted": (made(HOLDS), made(result(margin=0.01), info={"source": "new"}), "drifted", ("code",)),
}


@pytest.mark.parametrize("name", MARKED)
def test_every_mark_and_its_causes(name: str) -> None:
    before, after, mark, causes = MARKED[name]
    change = next(c for c in diff(before, after).changes if c.key[3] == "backward.dx")
    assert (change.mark, change.causes) == (mark, causes), change.why
    assert change.why.endswith(".")


def test_every_mark_is_made_above() -> None:
    assert {mark for _, _, mark, _ in MARKED.values()} == set(MARKS)


@pytest.mark.parametrize("name", MARKED)
def test_a_run_compared_with_itself_is_empty(name: str) -> None:
    for both in MARKED[name][:2]:
        found = diff(both, both)
        assert found.is_empty and not found.moved and not any(side.differs for side in found.sides)
        assert all(change.mark == "still failing" for change in found.changes) and not found.regressions


SWAPPED = {"newly failing": "fixed", "newly found": "not seen again", "not comparable": "not comparable", "still failing": "still failing"}


@pytest.mark.parametrize(
    "name", [name for name, (*_, mark, _) in MARKED.items() if mark in SWAPPED and "BEFORE" not in name and "number" not in name]
)
def test_backwards_a_new_failure_is_a_mended_one(name: str) -> None:
    before, after, mark, causes = MARKED[name]
    back = diff(after, before)
    if name == "not judged in BEFORE":
        assert only(back).mark == "lost coverage"
    else:
        assert only(back).mark == SWAPPED[mark] and set(only(back).causes) == set(causes)


STATUSES = st.sampled_from(["passed", "failed", "known", "stale", "error", "skipped", "not-run", "not-claimed"])
MARGINS = st.none() | st.floats(0) | st.just(float("nan"))


@st.composite
def runs(draw: st.DrawFn) -> Run:
    rows = draw(st.lists(st.builds(result, st.sampled_from(["a", "b", "c"]), status=STATUSES, margin=MARGINS, n_judged=st.integers(0, 9))))
    names = draw(st.lists(st.sampled_from(["a", "b", "c", "d"])))
    examples = tuple(counterexample(id=str(at), quantity=name) for at, name in enumerate(names))
    end = draw(st.sampled_from([footer(), footer("interrupted"), footer("failed")]))
    changes = {"n_damaged": draw(st.integers(0, 1)), "counterexamples": examples, "end": end}
    return made(*{r.key: r for r in rows}.values(), settings={"seed": draw(st.integers(0, 1))}, **changes)


@given(runs())
def test_any_run_compared_with_itself_is_empty(either: Run) -> None:
    assert diff(either, either).is_empty and diff(either, either).exit_code != 1


@given(runs(), runs())
def test_every_row_has_one_mark_at_most_and_the_exit_code_follows(before: Run, after: Run) -> None:
    found = diff(before, after)
    assert len({c.key for c in found.changes}) == len(found.changes)
    assert (found.exit_code == 1) == any(c.mark in ("newly failing", "lost coverage") for c in found.changes)
    for change in found.changes:
        assert change.mark not in ("fixed", "not seen again") or change.after is None or change.after.n_judged


@pytest.mark.parametrize(
    ("before", "after", "code"),
    [
        (made(HOLDS), made(HOLDS), 0),
        (made(HOLDS), made(FAILS, **failing()), 1),
        (made(HOLDS), made(), 1),
        (made(HOLDS), other_seed(FAILS, **failing()), 0),
        (made(FAILS, **failing()), made(HOLDS), 0),
        (made(HOLDS), made(bad(status="known"), **failing()), 0),
        (made(HOLDS), made(HOLDS, end=CUT), 3),
        (made(HOLDS, end=CUT), made(HOLDS), 3),
        (made(HOLDS), made(HOLDS, n_damaged=1), 3),
        (made(), made(HOLDS), 3),
        (made(HOLDS), made(FAILS, **failing(), end=CUT), 1),
    ],
)
def test_only_a_regression_is_1(before: Run, after: Run, code: int) -> None:
    assert diff(before, after).exit_code == code


def test_what_is_missing_is_named() -> None:
    cut = made(HOLDS).model_copy(update={"footer": None, "n_damaged": 2})
    assert diff(cut, made(end=footer("failed", "why"))).incomplete == (
        "BEFORE was cut off before its end.",
        "2 lines of BEFORE could not be read.",
        "AFTER broke off: why.",
        "Nothing was judged in AFTER.",
    )


def test_a_row_that_one_failing_case_of_several_condemns_is_a_regression() -> None:
    both = (counterexample("a", index=0, lane="corpus"), counterexample("b", index=2, case=OTHER_INPUTS))
    change = only(diff(made(HOLDS), made(FAILS, counterexamples=both)))
    assert change.mark == "newly failing" and change.example == both[1]
    assert only(diff(made(FAILS, counterexamples=both), made(HOLDS))).mark == "not seen again"
