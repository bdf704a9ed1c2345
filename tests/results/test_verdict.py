"""What a run says, in one sentence and one exit code."""

from __future__ import annotations

import pytest

from oracle.results import verdict
from tests.results.records import footer, header, result, run


def test_a_complete_run_without_failures_conforms() -> None:
    said = verdict(run(result()))
    assert (said.outcome, said.exit_code, said.failing, said.missing) == ("conforms", 0, (), ())
    assert said.sentence == "Relu conforms to PyTorch in every one of 1 rows over 10 cases."
    assert verdict(run(result(), result(layer="Add"))).sentence.startswith("All 2 layers conform to PyTorch in every one of 2 rows")


@pytest.mark.parametrize("status", ["failed", "stale", "error"])
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
