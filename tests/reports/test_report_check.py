"""What `gradconform check` prints of one subject and of several, on a terminal and into a pipe."""

from __future__ import annotations

import io
import re
from types import ModuleType

import pytest
import subject_runs
from rich.console import Console

from oracle.results import Run, verdict
from reports.check import print_check
from reports.findings import findings
from reports.rows import Rows

TERMINAL = {"force_terminal": True, "color_system": None, "_environ": {"TERM": "xterm"}}


def printed(run: Run, encoding: str = "utf-8", **options: object) -> str:
    raw = io.BytesIO()
    file = io.TextIOWrapper(raw, encoding=encoding, write_through=True)
    print_check(run, Console(file=file, **{"width": 80, **options}))  # type: ignore[arg-type]
    return raw.getvalue().decode(encoding)


def block(text: str, name: str) -> str:
    """What is printed of one subject."""
    rest = text[text.index(f"{name}  ") :]
    found = re.search(r"\n(?=\S)", rest)
    return rest[: found.start()] if found else rest


def line(text: str, name: str) -> list[str]:
    """The cells of the line that begins with `name`."""
    (found,) = [x for x in text.splitlines() if x.strip().startswith(f"{name}  ")][:1]
    return re.split(r"\s{2,}", found.strip())


def test_every_subject_has_a_heading_with_its_verdict_and_what_it_is_judged_as(checked: Run) -> None:
    text = printed(checked)
    for name, word in (("layers.py:Relu", "CONFORMS"), ("layers.py:SoftmaxWithLoss", "DIVERGES"), ("broken.py", "NOT LOADED")):
        assert f"{name}  {word}\n" in text
    relu = block(text, "layers.py:Relu")
    assert "judged as    Relu: torch.relu" in relu and "called as    layer: gradients in .dW, .db" in relu
    assert "not claimed  dout, nan" in relu and "printed: epoch 1 epoch 2" in relu
    assert "layers.py, not loaded: Adam: needs lr, which is not defined" in text.splitlines()


def test_the_table_has_all_quantities_and_folds_contracts_that_hold(checked: Run) -> None:
    text = block(printed(checked), "layers.py:Relu")
    assert line(text, "forward.y")[1] == "holds" and line(text, "backward.dx")[1] == "holds"
    assert line(text, "14 contracts")[1] == "hold" and "inputs.unchanged" not in text


def test_a_failing_line_says_how_badly_where_and_in_how_many_rows(checked: Run) -> None:
    text = block(printed(checked), "layers.py:SoftmaxWithLoss")
    name, word, margin, where, cases = line(text, "backward.dx")
    assert (word, margin, where) == ("diverges", "9.0e+05 ×", "one-hot float64, in 3 of 6")
    judged = [r.n_judged for r in checked.results if r.layer.endswith("WithLoss") and r.quantity == name]
    assert cases == f"{sum(judged):,}"
    assert line(text, "cotangent.unchanged")[1] == "broken" and line(text, "13 contracts")[1] == "hold"


def test_a_divergence_begins_with_its_cause_then_says_how_far_and_with_which_case(checked: Run) -> None:
    lines = [x.strip() for x in block(printed(checked), "layers.py:SoftmaxWithLoss").splitlines()]
    at = lines.index("backward.dx  differs  index float32 and 2 more rows")
    assert lines[at + 1] == f"Why: {subject_runs.WHY}"
    assert lines[at + 2] == "Actual 2, expected 0.5 at [0, 2]: off by 1.5, 12 × the allowed error."
    assert lines[at + 3] == "with x = [[0.], [0.]]  t = [0, 0]  dloss = 1.  (float32)"
    assert lines[at + 4].startswith("gradconform replay results.jsonl layers.py:SoftmaxWithLoss-index-float32")


def test_the_row_that_was_minimised_stands_for_those_that_fail_alike(checked: Run) -> None:
    (gradient, contract) = [f for f in findings(Rows(checked)) if f.row.layer.endswith("WithLoss")]
    assert (gradient.row.branch, gradient.row.dtype) == ("index", "float32") and gradient.diagnosis == subject_runs.WHY
    assert [other.branch for other in gradient.others] == ["one-hot", "probabilities"]
    assert contract.row.role == "contract"


def test_rows_that_fail_in_different_ways_are_told_one_by_one(make: ModuleType) -> None:
    raised = make.comparison("error", message="IndexError: too few", margin=None, actual=None, expected=None)
    one = make.example("Affine", "matrix", "float64", "forward.y", diagnosis="first")
    other = make.example("Affine", "batched", "float64", "forward.y", comparison=raised, minimised_comparison=raised, diagnosis="second")
    found = findings(Rows(make.with_failures(make.passing(), one, other)))
    assert [f.diagnosis for f in found] == ["first", "second"]


def test_a_large_case_is_not_written_out(make: ModuleType) -> None:
    run = make.with_failures(make.passing(), make.example("Relu", "plain", "float64", "forward.y", minimised=make.case("Relu", "plain")))
    text = printed(run)
    assert "Actual 2" in text and " with " not in text


def test_what_is_not_claimed_is_neither_passed_nor_missing(checked: Run) -> None:
    text = block(printed(checked), "layers.py:Sigmoid")
    assert text.startswith("layers.py:Sigmoid  CONFORMS")
    assert line(text, "backward.dx")[1:3] == ["not claimed", "-"]
    assert f"not claimed  {subject_runs.REASON}" in text


def test_a_subject_that_is_not_loaded_has_its_message_and_no_table(checked: Run) -> None:
    assert [x.strip() for x in block(printed(checked), "broken.py").splitlines()] == [
        "broken.py  NOT LOADED",
        "judged as    Affine",
        "",
        f"{subject_runs.MESSAGE}.",
    ]


def test_several_subjects_are_told_in_short_and_the_verdict_comes_last(checked: Run) -> None:
    lines = printed(checked).splitlines()
    at = next(i for i, x in enumerate(lines) if x.startswith("subject "))
    assert [x.split()[0] for x in lines[at + 1 : at + 5]] == [i.name for i in checked.header.layers]
    assert lines[at + 3].endswith(subject_runs.WHY)
    assert lines[-1] == f"DIVERGES  {verdict(checked).sentence}"


def test_one_subject_is_not_told_twice(make: ModuleType) -> None:
    run = make.passing()
    head = run.header.model_copy(update={"layers": run.header.layers[:1], "expected": ()})
    only = run.model_copy(update={"header": head, "results": tuple(r for r in run.results if r.layer == "AddLayer")})
    text = printed(only)
    assert text.count("AddLayer  CONFORMS") == 1 and "subject " not in text


def test_at_most_twelve_divergences_are_told_and_the_rest_counted(make: ModuleType) -> None:
    run = make.passing()
    every = make.with_failures(run, *(make.example(*r.key) for r in run.results))
    text = printed(every)
    assert text.count("gradconform replay ") == 12
    left = sum(int(n) for n in re.findall(r"\.\.\. and (\d+) more divergences? in the report", text))
    assert left + 12 == len(findings(Rows(every)))


def test_contracts_that_no_case_reached_are_not_said_to_hold(make: ModuleType) -> None:
    run = make.passing().model_copy(update={"results": (), "depths": ()})
    text = block(printed(run), "Relu")
    assert text.startswith("Relu  INCOMPLETE")
    assert line(text, "forward.y")[1:4] == ["not judged", "-", "no case reached it"]
    assert line(text, "14 contracts")[1] == "not judged" and "hold" not in text


def test_a_contract_that_is_partly_judged_says_so(make: ModuleType) -> None:
    run = make.passing()
    kept = tuple(r for r in run.results if r.key != ("Relu", "plain", "float32", "state.fresh"))
    text = block(printed(run.model_copy(update={"results": kept})), "Relu")
    assert line(text, "state.fresh")[1:4] == ["holds", "-", "1 of 2 not judged"] and line(text, "13 contracts")


def test_a_process_that_died_is_an_error_and_says_so(make: ModuleType) -> None:
    died = make.comparison("died", message="segmentation fault", margin=None, actual=None, expected=None)
    crash = make.example("Relu", "plain", "float64", "call.answers", comparison=died, minimised=None, minimised_comparison=None)
    text = block(printed(make.with_failures(make.passing(), crash, status="error")), "Relu")
    assert text.startswith("Relu  ERROR") and line(text, "call.answers")[1] == "error"
    assert "call.answers  process died  plain float64" in text and "segmentation fault." in text


@pytest.mark.parametrize("options", [{}, TERMINAL])
def test_hostile_text_is_neither_markup_nor_a_terminal_escape(poisoned_check: Run, options: dict[str, object]) -> None:
    text = printed(poisoned_check, **options)
    assert "[bold]red[/bold]" in text and not set("\x1b\x00\u202e\u2066") & set(text)


def test_into_a_pipe_no_line_is_broken_and_none_ends_in_blanks(checked: Run) -> None:
    text = printed(checked, width=20)
    assert text == printed(checked, width=200)
    assert not [x for x in text.splitlines() if x != x.rstrip()] and not any("\u2500" <= c <= "\u257f" for c in text)


def test_a_terminal_of_eighty_columns_is_kept_but_for_commands_to_copy(checked: Run) -> None:
    lines = printed(checked, **TERMINAL).splitlines()
    assert [x for x in lines if len(x.rstrip()) > 80 and "gradconform replay" not in x] == []
    assert f"    gradconform replay {checked.counterexamples[1].replay.removeprefix('gradconform replay ')}" in lines
    why = next(i for i, x in enumerate(lines) if "Why:" in x)
    assert lines[why + 1].startswith("    ") and lines[why - 2].strip() == ""


def test_an_ascii_terminal_gets_ascii(checked: Run) -> None:
    assert "12 x the allowed error" in printed(checked, encoding="ascii")
