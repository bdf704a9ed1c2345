"""Known divergences: which rows an entry excuses, when it is stale, and what is said of an entry that fits nothing."""

from __future__ import annotations

from typing import Any

import pytest

from oracle.results import Gate, Header, Known, Result, Run, assembled, entry_for, gated, problems
from tests.results.records import depth, footer, header, result

DX = ("Relu", "matrix", "float64", "backward.dx")
DAY = "2026-03-01T08:00:00+00:00"


def entry(**changes: str) -> Known:
    return Known(**{"layer": "Relu", "branch": "matrix", "quantity": "backward.dx", "reason": "why", **changes})


def head(*known: Known, **changes: Any) -> Header:
    return header().model_copy(update={"gate": Gate(known=known, source="gradconform.toml"), "started": DAY, **changes})


def fails(**changes: Any) -> Result:
    return result(**{"status": "failed", "n_failed": 1, **changes})


def read(*rows: Result, known: tuple[Known, ...] = (), outcome: str = "complete", damaged: int = 0, **changes: Any) -> Run:
    return assembled(head(*known, **changes), [*rows, depth(), footer(outcome)], damaged)


def statuses(run: Run) -> list[str]:
    return [r.status for r in run.results]


def test_an_entry_is_found_at_the_grain_of_layer_branch_and_quantity() -> None:
    gate = Gate(known=(entry(), entry(branch="tensor", dtype="float32")))
    assert entry_for(gate, DX) is gate.known[0]
    assert entry_for(gate, ("Relu", "tensor", "float32", "backward.dx")) is gate.known[1]
    for key in (("Add", *DX[1:]), ("Relu", "tensor", "float64", "backward.dx"), (*DX[:3], "forward.y")):
        assert entry_for(gate, key) is None
    assert entry_for(None, DX) is None


@pytest.mark.parametrize("status", ["failed", "error"])
def test_a_listed_failure_is_known_and_no_other(status: str) -> None:
    rows = (fails(status=status), fails(quantity="forward.y", status=status), result("forward.z"))
    assert statuses(read(*rows, known=(entry(),))) == ["known", status, "passed"]
    assert statuses(read(*rows)) == [status, status, "passed"], "without an entry nothing changes"


def test_an_entry_without_a_dtype_lists_all_of_them_and_is_not_stale_while_one_fails() -> None:
    rows = (fails(dtype="float32"), result())
    assert statuses(read(*rows, known=(entry(),))) == ["known", "passed"]
    assert statuses(read(*rows, known=(entry(dtype="float64"),))) == ["failed", "stale"]


def test_the_last_day_counts_and_the_next_does_not() -> None:
    assert statuses(read(fails(), known=(entry(expires="2026-03-01"),))) == ["known"]
    late = read(fails(), known=(entry(expires="2026-02-28"),))
    assert statuses(late) == ["failed"] and "was accepted as known until 2026-02-28" in problems(late)[0]


def test_an_expired_entry_does_not_hide_one_that_holds() -> None:
    both = (entry(expires="2026-02-28"), entry(expires="2027-01-01"))
    run = read(fails(), known=both)
    assert statuses(run) == ["known"] and len(problems(run)) == 1


def test_stale_needs_every_row_judged_in_a_whole_complete_run() -> None:
    assert statuses(read(result(), known=(entry(),))) == ["stale"]
    assert statuses(read(result(), known=(entry(),), outcome="interrupted")) == ["passed"]
    assert statuses(read(result(), known=(entry(),), damaged=1)) == ["passed"]
    shard = header().settings.model_copy(update={"shard": (1, 2)})
    assert statuses(read(result(), known=(entry(),), settings=shard)) == ["passed"]
    unjudged = result(n_judged=0, status="not-run", dtype="float32")
    assert statuses(read(result(), unjudged, known=(entry(),))) == ["passed", "not-run"]
    declared = (*header().expected, header().expected[0].model_copy(update={"dtype": "float32"}))
    assert statuses(read(result(), known=(entry(),), expected=declared)) == ["passed"]


def test_a_row_that_is_not_claimed_keeps_no_entry_alive() -> None:
    unclaimed = result(dtype="float16", status="not-claimed", n_judged=0, margin=None)
    assert statuses(read(result(), unclaimed, known=(entry(),))) == ["stale", "not-claimed"]


def test_marking_twice_changes_nothing() -> None:
    known = (entry(), entry(quantity="forward.y"))
    once = read(fails(), result("forward.y"), known=known)
    assert statuses(once) == ["known", "stale"]
    assert gated(once.results, once.header, True) == once.results


def test_every_kind_of_problem_is_a_sentence_of_its_own() -> None:
    rows = (fails(), result("forward.y"), result("forward.z", status="not-claimed", n_judged=0))
    known = (entry(), entry(quantity="forward.y"), entry(quantity="forward.z"), entry(layer="Rellu"), entry(branch="b"))
    told = problems(read(*rows, known=known))
    assert told == (
        "Relu matrix forward.y is listed as known (why), but it conforms: remove the entry from gradconform.toml.",
        "Relu matrix forward.z is listed as known, but it is not claimed and so not judged: remove the entry from gradconform.toml.",
        "Rellu matrix backward.dx is listed as known, but there is no such row: this run has no layer Rellu (did you mean Relu?).",
        "Relu b backward.dx is listed as known, but there is no such row: Relu has no branch b (it has matrix).",
    )


def test_names_that_exist_but_not_together_are_told() -> None:
    elsewhere = (result(branch="b", quantity="forward.y"), result())
    (told,) = problems(read(*elsewhere, known=(entry(quantity="forward.y"),)))
    assert "Relu matrix has no quantity or contract forward.y (it has backward.dx)" in told


def test_what_could_not_be_loaded_is_told_once() -> None:
    broken = result("subject.loads", layer="a.py", branch="-", dtype="-", status="error", role="contract", margin=None)
    run = read(broken, known=(entry(layer="a.py:Relu"), entry(layer="a.pyx")))
    assert [told.split()[0] for told in problems(run)] == ["a.pyx"]


def test_a_run_without_a_gate_has_no_problems() -> None:
    run = assembled(header(), [fails(), footer()])
    assert problems(run) == () and statuses(run) == ["failed"]


def test_a_long_reason_is_told_in_short() -> None:
    (told,) = problems(read(result(), known=(entry(reason="x" * 5000),)))
    assert len(told) < 400 and "..." in told
