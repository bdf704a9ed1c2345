"""What judging a stored case again says of the cause of a change: the whole table."""

from __future__ import annotations

import pytest

from oracle.results.diff import CAUSES, MARKS, Cause, Change, Mark, Replay, settled
from oracle.results.diff.causes import CAN_BE, Evidence, Whose, candidates
from tests.results.records import ROW

KEY = (ROW["layer"], ROW["branch"], ROW["dtype"], "backward.dx")
ALL: tuple[Cause, ...] = ("code", "inputs", "environment")


def change(mark: Mark, causes: tuple[Cause, ...] = ALL) -> Change:
    return Change(KEY, mark, "Why.", causes, None, None)


# mark, whether the case fails here, whose code and environment are here -> the mark then, and the causes
TABLE: list[tuple[Mark, bool, Whose, Whose, Mark, tuple[Cause, ...]]] = [
    # the case fails here as in AFTER, and what is here is AFTER's: nothing new
    ("newly found", True, "AFTER", "both", "newly found", ("code", "inputs", "environment")),
    # with BEFORE's code and environment it fails as well: the fault was there
    ("newly found", True, "BEFORE", "both", "newly found", ("inputs",)),
    ("newly found", True, "both", "BEFORE", "newly found", ("inputs",)),
    ("newly found", True, "both", "both", "newly found", ("inputs",)),
    # with other code, or in another environment, it fails as well
    ("newly found", True, "BEFORE", "AFTER", "newly found", ("inputs", "environment")),
    ("newly found", True, "AFTER", "BEFORE", "newly found", ("code", "inputs")),
    ("newly found", True, "neither", "neither", "newly found", ("inputs",)),
    # with BEFORE's code it holds
    ("newly found", False, "BEFORE", "both", "newly failing", ("code",)),
    ("newly found", False, "BEFORE", "AFTER", "newly failing", ("code",)),
    ("newly found", False, "BEFORE", "BEFORE", "newly failing", ("code", "environment")),
    ("newly found", False, "both", "BEFORE", "newly failing", ("environment",)),
    ("newly found", False, "AFTER", "BEFORE", "newly failing", ("environment",)),
    # with code that is nobody's it holds: that says nothing of BEFORE
    ("newly found", False, "neither", "both", "newly found", ("code", "inputs", "environment")),
    ("newly found", False, "AFTER", "neither", "newly found", ("code", "inputs", "environment")),
    # a case that both tried
    ("newly failing", True, "AFTER", "both", "newly failing", ("code", "inputs", "environment")),
    ("newly failing", False, "BEFORE", "both", "newly failing", ("code",)),
    ("newly failing", False, "both", "BEFORE", "newly failing", ("environment",)),
    ("newly failing", True, "BEFORE", "AFTER", "newly failing", ("inputs", "environment")),
    # the layer is unsteady: it passed this very case with this very code, or failed it
    ("newly failing", True, "both", "both", "newly failing", ()),
    ("newly failing", False, "both", "both", "newly failing", ()),
    ("not seen again", False, "BEFORE", "both", "not seen again", ()),
    # failed before: it still does with AFTER's code
    ("not seen again", True, "AFTER", "both", "still failing", ("inputs",)),
    ("not seen again", True, "both", "both", "still failing", ("inputs",)),
    ("not seen again", True, "BEFORE", "both", "not seen again", ("code", "inputs", "environment")),
    ("not seen again", True, "AFTER", "BEFORE", "not seen again", ("inputs", "environment")),
    # or it does not
    ("not seen again", False, "AFTER", "both", "fixed", ("code",)),
    ("not seen again", False, "both", "AFTER", "fixed", ("environment",)),
    ("not seen again", False, "neither", "both", "not seen again", ("code", "inputs", "environment")),
    ("fixed", False, "AFTER", "both", "fixed", ("code",)),
    # what cannot be told apart says nothing
    ("newly found", False, "unknown", "both", "newly found", ("code", "inputs", "environment")),
    ("not seen again", True, "unknown", "both", "not seen again", ("code", "inputs", "environment")),
]


@pytest.mark.parametrize(("mark", "fails", "code", "environment", "then", "causes"), TABLE)
def test_the_table(mark: Mark, fails: bool, code: Whose, environment: Whose, then: Mark, causes: tuple[Cause, ...]) -> None:
    found = settled(change(mark), Replay(fails, None, code, environment))
    assert (found.mark, found.causes) == (then, causes), found.replay
    assert ("fails" in found.replay) is fails and ("holds" in found.replay) is not fails and found.replay.endswith(".")


@pytest.mark.parametrize("mark", ["fixed", "newly failing"])
def test_a_minimised_case_that_the_other_run_has_not_tried_still_fails(mark: Mark) -> None:
    found = settled(change(mark), Replay(False, True, "both", "both"))
    assert found.causes == ("inputs",) and found.mark == ("still failing" if mark == "fixed" else mark)


def test_a_case_that_could_not_be_judged_changes_nothing() -> None:
    found = settled(change("newly found"), Replay(None, None, "both", "both", trouble="no such layer"))
    assert found == change("newly found")._replace(replay="Not judged again: no such layer.")


@pytest.mark.parametrize(("mark", "same"), [("newly failing", False), ("not comparable", True)])
def test_another_check_is_the_cause(mark: Mark, same: bool) -> None:
    found = settled(change(mark), Replay(True, None, "both", "both", same_check=same))
    assert (found.mark, found.causes) == (mark, ("check",))


def test_what_is_the_same_is_never_a_cause_and_what_differs_comes_first() -> None:
    assert candidates("newly found", Evidence("same", "differs", "same", "same")) == ("inputs",)
    assert candidates("newly found", Evidence("unknown", "differs", "same", "differs")) == ("inputs", "environment", "code")
    assert candidates("newly failing", Evidence("differs", "differs", "unknown", "same")) == ("code",)
    assert candidates("newly failing", Evidence("same", "differs", "unknown", "same")) == ("check",)
    assert candidates("newly failing", Evidence("same", "same", "same", "same")) == ()


def test_every_mark_says_what_may_cause_it() -> None:
    assert set(CAN_BE) == set(MARKS) and {cause for causes in CAN_BE.values() for cause in causes} == set(CAUSES)
