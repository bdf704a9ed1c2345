"""What a run says, in one sentence and one exit code."""

from __future__ import annotations

from typing import Any

import pytest

from oracle.results import Gate, Health, Known, Note, Planted, Result, Run, assembled, verdict
from oracle.results.verdict import NOT_REPLAYED
from tests.results.records import depth, footer, header, result, run


def test_a_complete_run_without_failures_conforms() -> None:
    said = verdict(run(result()))
    assert (said.outcome, said.exit_code, said.failing, said.missing) == ("conforms", 0, (), ())
    assert said.sentence == "Relu conforms to PyTorch in every one of 1 rows over 10 cases."
    assert verdict(run(result(), result(layer="Add"))).sentence.startswith("All 2 layers conform to PyTorch in every one of 2 rows")


@pytest.mark.parametrize("status", ["failed", "error"])
def test_a_failing_row_diverges(status: str) -> None:
    said = verdict(run(result(status=status, n_failed=1)))
    assert (said.outcome, said.exit_code) == ("diverges", 1) and len(said.failing) == 1
    assert said.sentence == "Relu diverges from PyTorch in 1 row of 1."
    two = verdict(run(result(status=status), result(status=status, layer="Add")))
    assert two.sentence == "Relu, Add diverge from PyTorch in 2 rows of 2."


@pytest.mark.parametrize(("outcome", "told"), [("interrupted", "was interrupted"), ("failed", "broke off")])
def test_a_run_that_did_not_end_well_is_incomplete(outcome: str, told: str) -> None:
    said = verdict(run(result(), end=footer(outcome, "why")))
    assert (said.outcome, said.exit_code) == ("incomplete", 3)
    assert said.sentence == f"No verdict. The run {told}: why."


def test_every_gap_is_named() -> None:
    cut = verdict(run(result()).model_copy(update={"footer": None}))
    assert cut.exit_code == 3 and "cut off" in cut.sentence
    damaged = verdict(run(result(), n_damaged=2))
    assert damaged.exit_code == 3 and "2 lines of the results file could not be read" in damaged.sentence
    empty = verdict(run())
    assert empty.exit_code == 3 and "Nothing was judged" in empty.sentence and len(empty.missing) == 1
    unjudged = verdict(run(result(n_judged=0, status="not-run")))
    assert unjudged.exit_code == 3 and "Nothing was judged" in unjudged.sentence


def test_a_declared_row_that_is_missing_is_no_pass() -> None:
    said = verdict(run(result("a"), header=header("a", "b", "c")))
    assert said.exit_code == 3 and [e.quantity for e in said.missing] == ["b", "c"]
    assert "2 declared rows never judged: Relu matrix float64 b and 1 more" in said.sentence


def test_a_divergence_of_an_incomplete_run_is_still_one() -> None:
    said = verdict(run(result(status="failed"), end=footer("interrupted")))
    assert said.exit_code == 1 and "diverges" in said.sentence and "interrupted" in said.sentence


def test_at_most_three_layers_are_named_and_the_rest_counted() -> None:
    def said(*layers: str) -> str:
        return verdict(
            run(*(result(name, layer=layer, status="failed") for layer in layers for name in ("a", "b")), header=header("a"))
        ).sentence

    assert said("A", "B", "C").startswith("A, B, C diverge from PyTorch in 6 rows of 6.")
    assert said("A", "B", "C", "D").startswith("A, B, C and 1 more diverge from PyTorch in 8 rows of 8.")
    assert said("A", "B", "C", "D", "E").startswith("A, B, C and 2 more diverge from PyTorch in 10 rows of 10.")


def test_a_layer_whose_name_has_a_comma_is_one_layer() -> None:
    assert verdict(run(result(layer="a,b.py:Relu", status="failed"))).sentence.startswith("a,b.py:Relu diverges")


def test_what_a_layer_that_raised_left_unjudged_is_not_called_missing() -> None:
    raised = result("call.answers", role="contract", status="error", n_failed=10, margin=None)
    said = verdict(run(raised, result("a", n_judged=0, margin=None), header=header("call.answers", "a", "b")))
    assert (said.outcome, said.exit_code, said.missing) == ("diverges", 1, ())
    assert said.sentence == "Relu diverges from PyTorch in 1 row of 1."


@pytest.mark.parametrize("elsewhere", [{"layer": "Add"}, {"branch": "tensor"}, {"dtype": "float32"}, {"status": "failed"}])
def test_a_row_that_is_missing_elsewhere_is_still_missing(elsewhere: dict[str, str]) -> None:
    raised = result("call.answers", **{"role": "contract", "status": "error", "margin": None, **elsewhere})
    said = verdict(run(raised, header=header("a")))
    assert [e.quantity for e in said.missing] == ["a"] and "1 declared row never judged: Relu matrix float64 a." in said.sentence


ENTRY = Known(layer="Relu", branch="matrix", quantity="backward.dx", reason="ties", expires="2026-06-30")
GATE = Gate(known=(ENTRY,), floor=10, source="pyproject.toml")
HELD = {"n_failed": 0, "status": "passed"}
FAILS = {"n_failed": 2, "status": "failed"}


def _gated(*rows: Result, gate: Gate = GATE, day: str = "2026-06-30T23:59:59+00:00", **changes: Any) -> Run:
    head = header("backward.dx", "forward.y").model_copy(update={"gate": gate, "started": day, **changes})
    return assembled(head, [*rows, depth(), footer()])


@pytest.mark.parametrize(
    ("dx", "y", "changes", "code", "told"),
    [
        (FAILS, HELD, {}, 0, "in every one of 1 rows over 10 cases, but for 1 known divergence."),
        (FAILS, FAILS, {}, 1, "Relu diverges from PyTorch in 1 row of 2. 1 known divergence besides."),
        (HELD, HELD, {}, 1, "Relu matrix backward.dx is listed as known (ties), but it conforms: remove the entry from pyproject.toml."),
        (FAILS, HELD, {"day": "2026-07-01"}, 1, "was accepted as known until 2026-06-30 (ties): mend it, or set another date."),
        (FAILS, HELD, {"day": "no date"}, 1, "was accepted as known until 2026-06-30"),
        (HELD, FAILS, {"gate": Gate(known=(ENTRY.model_copy(update={"branch": "matrx"}),))}, 1, "no branch matrx (did you mean matrix?)"),
        (HELD, HELD, {"gate": Gate(known=(ENTRY.model_copy(update={"layer": "Add"}),))}, 1, "no layer Add (it has Relu)"),
        (HELD, HELD, {"gate": Gate(known=(ENTRY.model_copy(update={"dtype": "float16"}),))}, 1, "no dtype float16 (did you mean float64?)"),
        (HELD, HELD, {"gate": Gate(known=(ENTRY.model_copy(update={"quantity": "dW"}),))}, 1, "matrix has no quantity or contract dW"),
        (HELD, HELD, {"gate": Gate()}, 0, "conforms to PyTorch in every one of 2 rows"),
        (HELD, HELD, {"gate": Gate(floor=11)}, 3, "Fewer than 11 cases judged, which is the floor, in Relu matrix float64 (10)."),
        (FAILS, HELD, {"gate": GATE.model_copy(update={"floor": 11})}, 3, "No verdict. Fewer than 11"),
        (FAILS, FAILS, {"gate": GATE.model_copy(update={"floor": 11})}, 1, "Fewer than 11 cases judged"),
        (FAILS, {"n_judged": 0, "status": "not-run"}, {}, 3, "1 declared row never judged: Relu matrix float64 forward.y."),
    ],
)
def test_every_line_of_the_rule_of_the_gate(dx: Any, y: Any, changes: Any, code: int, told: str) -> None:
    said = verdict(_gated(result("backward.dx", **dx), result("forward.y", **y), **changes))
    assert said.exit_code == code and told in said.sentence, said.sentence
    assert said.outcome == {0: "conforms", 1: "diverges", 3: "incomplete"}[code]
    assert all(r.status == "known" for r in said.known) and not any(r in said.failing for r in said.known)


def test_the_floor_counts_what_was_judged_and_no_shard_is_held_to_it() -> None:
    run = _gated(result(), result("forward.y"), gate=Gate(floor=10))
    assert verdict(run).exit_code == 0
    discarding = run.model_copy(update={"depths": (depth(n_discarded=1),)})
    assert verdict(discarding).exit_code == 3 and "in Relu matrix float64 (9)." in verdict(discarding).sentence
    untried = verdict(run.model_copy(update={"depths": ()}))
    assert untried.exit_code == 3 and "(0)." in untried.sentence
    settings = header().settings.model_copy(update={"shard": (1, 2)})
    shard = _gated(result(), result("forward.y"), gate=Gate(floor=11), settings=settings)
    assert verdict(shard).exit_code == 0


def test_a_list_out_of_date_is_not_called_a_divergence_of_a_layer() -> None:
    said = verdict(_gated(result("backward.dx"), result("forward.y")))
    assert said.sentence.startswith("The list of known divergences is out of date. Relu matrix backward.dx is listed")
    assert [r.quantity for r in said.failing] == ["backward.dx"] and len(said.problems) == 1


def test_a_listed_layer_that_raises_leaves_nothing_missing() -> None:
    raised = result("call.answers", role="contract", status="error", n_failed=10, margin=None)
    gate = Gate(known=(ENTRY.model_copy(update={"quantity": "call.answers"}),))
    said = verdict(_gated(raised, result("backward.dx", n_judged=0, status="not-run"), gate=gate))
    assert (said.exit_code, said.missing) == (0, ()), said.sentence


def test_many_problems_are_told_in_short_and_kept_whole() -> None:
    entries = tuple(ENTRY.model_copy(update={"branch": f"b{i}"}) for i in range(5))
    said = verdict(_gated(result(), result("forward.y"), gate=Gate(known=entries)))
    assert len(said.problems) == 5 and "And 2 more entries of the list." in said.sentence and "b3" not in said.sentence


def test_what_only_the_fresh_search_finds_is_newly_found() -> None:
    rows = (result("backward.dx", **FAILS), result("forward.y", **FAILS, n_replayed=1, n_replay_failed=1))
    said = verdict(_gated(*rows, gate=Gate(), corpus=("d",)))
    assert [r.quantity for r in said.newly_found] == ["backward.dx"] and said.exit_code == 1
    assert "1 row newly found: every stored case of it holds." in said.sentence
    assert verdict(_gated(*rows, gate=Gate())).newly_found == (), "without stored cases there is nothing to be new against"


def test_a_stored_case_that_is_not_replayed_is_less_than_was_declared() -> None:
    notes = (Note(layer="Relu", title=NOT_REPLAYED, text="a.json: torn."), Note(layer="Relu", title="printed", text="hello"))
    said = verdict(run(result(), notes=notes))
    assert (said.outcome, said.exit_code) == ("incomplete", 3)
    assert said.sentence == "No verdict. 1 stored case not replayed. a.json: torn."


def _planted(name: str, *rows: str) -> Planted:
    return Planted(layer="Relu", family="values", name=name, fault=f"{name} is wrong.", n_cases=9, rows=rows)


def test_a_blind_gate_is_not_green() -> None:
    all_seen = run(result(), planted=(_planted("a", "row"), _planted("b", "row")), header=_declaring(2))
    assert verdict(all_seen).exit_code == 0
    blind = verdict(run(result(), planted=(_planted("a", "row"), _planted("b")), header=_declaring(2)))
    assert (blind.outcome, blind.exit_code) == ("incomplete", 3)
    told = "No verdict. 1 of 2 planted faults went unnoticed: this run is blind to Relu: b is wrong."
    assert blind.sentence == f"{told} 10 examples may be too few to reach it: judge 1,000 of each layer, or more."
    enough = run(result(), planted=(_planted("b"),), header=_declaring(1, examples=1000))
    assert enough.header.n_planted == 1 and verdict(enough).sentence.endswith("blind to Relu: b is wrong.")
    untried = verdict(run(result(), planted=(_planted("a", "row"),), header=_declaring(2)))
    assert untried.exit_code == 3 and "1 of 2 planted faults was never tried." in untried.sentence
    stopped = verdict(run(result(), end=footer("interrupted"), header=_declaring(2)))
    assert "planted" not in stopped.sentence, "it says already that it was interrupted"


def _declaring(n: int, **changes: Any) -> Any:
    head = header()
    return head.model_copy(update={"n_planted": n, "settings": head.settings.model_copy(update=changes)})


def test_an_oracle_that_contradicts_itself_gives_no_verdict() -> None:
    right = Health(layer="Relu", branch="matrix", quantity="backward.dx", n_cases=3, n_elements=9)
    assert verdict(run(result(), health=(right,))).exit_code == 0
    said = verdict(run(result(), health=(right, right.model_copy(update={"branch": "tensor", "n_wrong": 1}))))
    assert (said.outcome, said.exit_code) == ("incomplete", 3)
    assert said.sentence == "No verdict. torch.autograd disagrees with differences of its own forward in Relu tensor backward.dx."
