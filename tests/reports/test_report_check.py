"""What `gradconform check` prints of one subject and of several, on a terminal and into a pipe."""

from __future__ import annotations

import io
import re
from types import ModuleType

import pytest
import subject_runs
from rich.console import Console

from oracle.results import Counterexample, Note, Run, verdict
from reports.check import ACCOUNT_LENGTH, SHOWN, WHY_LENGTH, print_check
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


def alone(run: Run, name: str) -> Run:
    """The run that would have judged only the subject `name`."""
    infos = tuple(info for info in run.header.layers if info.name == name)
    head = run.header.model_copy(update={"layers": infos, "expected": tuple(e for e in run.header.expected if e.layer == name)})
    parts = {part: tuple(x for x in getattr(run, part) if x.layer == name) for part in ("results", "depths", "counterexamples")}
    others = {info.name for info in run.header.layers} - {name}
    notes = tuple(note for note in run.notes if note.layer not in others)
    return run.model_copy(update={"header": head, **parts, "notes": notes})


def told(text: str) -> dict[str, str]:
    """What diverges -> why, of one subject that is told in short into a pipe."""
    return dict(re.split(r"\s{2,}", x.strip(), maxsplit=1) for x in text.splitlines()[1:] if re.search(r"\S\s{2,}\S", x))


def noted(run: Run, *texts: str, title: str = "loading", layer: str = "layers.py") -> str:
    """What is printed of `run` after notes on loading a file."""
    return printed(run.model_copy(update={"notes": tuple(Note(layer=layer, title=title, text=text) for text in texts)}))


def test_a_subject_has_a_heading_with_its_verdict_and_what_it_is_judged_as(checked: Run) -> None:
    for name, word in (("layers.py:Relu", "CONFORMS"), ("layers.py:SoftmaxWithLoss", "DIVERGES"), ("broken.py", "NOT LOADED")):
        assert f"{name}  {word}\n" in printed(alone(checked, name))
    text = printed(alone(checked, "layers.py:Relu"))
    relu = block(text, "layers.py:Relu")
    assert "judged as    Relu: torch.relu" in relu and "called as    layer: gradients in .dW, .db" in relu
    assert "not claimed  dout, nan" in relu and "printed: epoch 1 epoch 2" in relu
    assert "layers.py, not loaded: Adam: needs lr, which is not defined" in text.splitlines()


def test_the_table_has_all_quantities_and_folds_contracts_that_hold(checked: Run) -> None:
    text = block(printed(alone(checked, "layers.py:Relu")), "layers.py:Relu")
    assert line(text, "forward.y")[1] == "holds" and line(text, "backward.dx")[1] == "holds"
    assert line(text, "14 contracts")[1] == "hold" and "inputs.unchanged" not in text


def test_a_failing_line_says_how_badly_where_and_in_how_many_rows(checked: Run) -> None:
    text = block(printed(alone(checked, "layers.py:SoftmaxWithLoss")), "layers.py:SoftmaxWithLoss")
    name, word, margin, where, cases = line(text, "backward.dx")
    assert (word, margin, where) == ("diverges", "9.0e+05 ×", "one-hot float64, in 3 of 6")
    judged = [r.n_judged for r in checked.results if r.layer.endswith("WithLoss") and r.quantity == name]
    assert cases == f"{sum(judged):,}"
    assert line(text, "cotangent.unchanged")[1] == "broken" and line(text, "13 contracts")[1] == "hold"


def test_a_divergence_begins_with_its_cause_then_says_how_far_and_with_which_case(checked: Run) -> None:
    lines = [x.strip() for x in block(printed(alone(checked, "layers.py:SoftmaxWithLoss")), "layers.py:SoftmaxWithLoss").splitlines()]
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
    text = printed(alone(run, "Relu"))
    assert "Actual 2" in text and " with " not in text


def test_what_is_not_claimed_is_neither_passed_nor_missing(checked: Run) -> None:
    text = block(printed(alone(checked, "layers.py:Sigmoid")), "layers.py:Sigmoid")
    assert text.startswith("layers.py:Sigmoid  CONFORMS")
    assert line(text, "backward.dx")[1:3] == ["not claimed", "-"]
    assert f"not claimed  {subject_runs.REASON}" in text


def test_a_subject_that_is_not_loaded_has_its_message_and_no_table(checked: Run) -> None:
    assert [x.strip() for x in block(printed(alone(checked, "broken.py")), "broken.py").splitlines()] == [
        "broken.py  NOT LOADED",
        "judged as    Affine",
        "",
        f"{subject_runs.MESSAGE}.",
    ]


def test_several_subjects_are_told_in_short_and_the_verdict_comes_last(checked: Run) -> None:
    text = printed(checked)
    heads = ["layers.py:Relu  CONFORMS  32 of 32 rows hold", "layers.py:Sigmoid  CONFORMS  28 of 28 rows hold"]
    heads += ["layers.py:SoftmaxWithLoss  DIVERGES  98 of 102 rows hold", "broken.py  NOT LOADED  0 of 1 row hold"]
    assert [x for x in text.splitlines() if x in heads] == heads
    for only_alone in ("judged as", "margin", "Why:", "gradconform replay", "forward.loss"):
        assert only_alone not in text
    assert told(block(text, "broken.py")) == {"subject.loads": f"{subject_runs.MESSAGE}."}
    assert "  printed: epoch 1 epoch 2" in text.splitlines()
    lines = text.splitlines()
    assert lines[-3].startswith("The report has the numbers") and lines[-1] == f"DIVERGES  {verdict(checked).sentence}"


def test_in_short_a_divergence_is_a_line_with_its_cause_or_with_what_was_seen_and_where(checked: Run) -> None:
    lines = told(block(printed(checked), "layers.py:SoftmaxWithLoss"))
    assert lines == {
        "backward.dx": subject_runs.WHY,
        "cotangent.unchanged": "In one-hot float64: backward wrote into dout.",
    }


def test_what_fails_in_every_row_is_told_without_a_place(make: ModuleType) -> None:
    every = [make.example("Relu", "plain", dtype, "forward.y", diagnosis=None) for dtype in ("float64", "float32")]
    lines = told(block(printed(make.with_failures(make.passing(), *every)), "Relu"))
    assert lines["forward.y"].startswith("Actual 2, expected 0.5")


def test_in_short_quantities_with_one_cause_share_a_line(make: ModuleType) -> None:
    alike = [make.example("Affine", "matrix", "float64", name, diagnosis="not summed.") for name in ("backward.db", "backward.dW")]
    lines = told(block(printed(make.with_failures(make.passing(), *alike)), "Affine"))
    assert lines == {"backward.dW, backward.db": "not summed."}


def test_in_short_the_ways_in_which_one_quantity_diverges_share_a_line_the_known_cause_first(make: ModuleType) -> None:
    def failing(dtype: str, branch: str, reason: str, **changes: object) -> Counterexample:
        seen = make.comparison(reason, message=f"seen {reason}", margin=None, actual=None, expected=None)
        found: Counterexample = make.example(
            "Affine", branch, dtype, "forward.y", comparison=seen, minimised_comparison=seen, **{"diagnosis": None, **changes}
        )
        return found

    ways = [
        failing("float64", "matrix", "nan"),
        failing("float32", "matrix", "dtype"),
        failing("float64", "batched", "shape", diagnosis="C."),
    ]
    run = make.with_failures(make.passing(), *ways)
    assert told(block(printed(run), "Affine")) == {"forward.y": "C. Also in matrix float64: seen nan. And in 1 more way."}
    assert told(block(printed(make.with_failures(make.passing(), *ways[1:])), "Affine")) == {
        "forward.y": "C. Also in matrix float32: seen dtype."
    }


def test_in_short_a_long_cause_is_cut_at_its_end(make: ModuleType) -> None:
    causes = ("a" * 400, "b" * 400)
    seen = make.comparison("shape")
    first, second = (
        make.example(
            "Affine",
            branch,
            "float64",
            "forward.y",
            comparison=seen if at else make.comparison(),
            diagnosis=causes[at],
            minimised_comparison=seen if at else make.comparison(),
        )
        for at, branch in enumerate(("matrix", "batched"))
    )
    why = told(block(printed(make.with_failures(make.passing(), first, second)), "Affine"))["forward.y"]
    assert why == f"{'a' * (WHY_LENGTH - 1)}… Also in batched float64: {'b' * (WHY_LENGTH - 1)}…"


def test_the_columns_told_in_short_have_no_empty_header(checked: Run) -> None:
    for options in ({}, TERMINAL):
        lines = printed(checked, **options).splitlines()
        at = next(i for i, x in enumerate(lines) if x.startswith("layers.py:SoftmaxWithLoss"))
        assert lines[at + 1].startswith("  backward.dx ")


def test_statements_that_were_passed_over_are_counted_in_one_line_a_file(make: ModuleType) -> None:
    run = make.passing()
    passed_over = ("cell 3, line 1: not run (calls print())", "cell 3, line 2: not run (for loop)", "cell 9, line 1: not run (calls f())")
    text = noted(run, *passed_over)
    assert "layers.py: 3 statements that print, plot or compute were not run (cell 3, cell 9)." in text.splitlines()
    assert "line 2" not in text and "for loop" not in text
    one = noted(run, passed_over[0])
    assert "layers.py: 1 statement that prints, plots or computes was not run (cell 3)." in one.splitlines()


def test_statements_that_failed_are_told_one_by_one_with_their_place(make: ModuleType) -> None:
    lines = noted(make.passing(), "cell 1, line 3: failed: there is no module 'b'", "cell 3, line 1: not run (for loop)").splitlines()
    assert "layers.py: cell 1, line 3: failed: there is no module 'b'" in lines
    assert "layers.py, not loaded: Adam: needs lr" in noted(make.passing(), "Adam: needs lr", title="not loaded").splitlines()


def test_what_was_seen_is_cut_where_the_cause_says_it_already(make: ModuleType) -> None:
    long = make.comparison("contract", message="x" * 400, margin=None, actual=None, expected=None)

    def shown(diagnosis: str | None) -> str:
        found = make.example("Relu", "plain", "float64", "inputs.refused", comparison=long, minimised_comparison=long, diagnosis=diagnosis)
        return printed(alone(make.with_failures(make.passing(), found), "Relu"))

    assert "x" * (ACCOUNT_LENGTH - 1) + "…" in shown("It broadcasts.") and "x" * 400 in shown(None)


def test_one_subject_is_not_told_twice(make: ModuleType) -> None:
    run = make.passing()
    head = run.header.model_copy(update={"layers": run.header.layers[:1], "expected": ()})
    only = run.model_copy(update={"header": head, "results": tuple(r for r in run.results if r.layer == "AddLayer")})
    text = printed(only)
    assert text.count("AddLayer  CONFORMS") == 1 and "subject " not in text


def test_at_most_twelve_divergences_are_told_and_the_rest_counted(make: ModuleType) -> None:
    run = make.passing()
    every = alone(make.with_failures(run, *(make.example(*r.key) for r in run.results)), "Affine")
    text = printed(every)
    assert text.count("gradconform replay ") == SHOWN
    left = sum(int(n) for n in re.findall(r"\.\.\. and (\d+) more divergences? in the report", text))
    assert left and left + SHOWN == len(findings(Rows(every)))


def test_contracts_that_no_case_reached_are_not_said_to_hold(make: ModuleType) -> None:
    run = make.passing().model_copy(update={"results": (), "depths": ()})
    text = block(printed(alone(run, "Relu")), "Relu")
    assert text.startswith("Relu  INCOMPLETE")
    assert line(text, "forward.y")[1:4] == ["not judged", "-", "no case reached it"]
    assert line(text, "14 contracts")[1] == "not judged" and "hold" not in text


def test_a_contract_that_is_partly_judged_says_so(make: ModuleType) -> None:
    run = make.passing()
    kept = tuple(r for r in run.results if r.key != ("Relu", "plain", "float32", "state.fresh"))
    text = block(printed(alone(run.model_copy(update={"results": kept}), "Relu")), "Relu")
    assert line(text, "state.fresh")[1:4] == ["holds", "-", "1 of 2 not judged"] and line(text, "13 contracts")


def test_a_process_that_died_is_an_error_and_says_so(make: ModuleType) -> None:
    died = make.comparison("died", message="segmentation fault", margin=None, actual=None, expected=None)
    crash = make.example("Relu", "plain", "float64", "call.answers", comparison=died, minimised=None, minimised_comparison=None)
    text = block(printed(alone(make.with_failures(make.passing(), crash, status="error"), "Relu")), "Relu")
    assert text.startswith("Relu  ERROR") and line(text, "call.answers")[1] == "error"
    assert "call.answers  process died  plain float64" in text and "segmentation fault." in text


@pytest.mark.parametrize("options", [{}, TERMINAL])
def test_hostile_text_is_neither_markup_nor_a_terminal_escape(poisoned_check: Run, options: dict[str, object]) -> None:
    for run in (poisoned_check, alone(poisoned_check, poisoned_check.header.layers[2].name)):
        text = printed(run, **options)
        assert "[bold]red[/bold]" in text and not set("\x1b\x00\u202e\u2066") & set(text)


def test_into_a_pipe_no_line_is_broken_and_none_ends_in_blanks(checked: Run) -> None:
    for run in (checked, alone(checked, "layers.py:SoftmaxWithLoss")):
        text = printed(run, width=20)
        assert text == printed(run, width=200)
        assert not [x for x in text.splitlines() if x != x.rstrip()] and not any("\u2500" <= c <= "\u257f" for c in text)


def test_a_terminal_of_eighty_columns_is_kept_but_for_commands_to_copy(checked: Run) -> None:
    assert [x for x in printed(checked, **TERMINAL).splitlines() if len(x.rstrip()) > 80] == []
    lines = printed(alone(checked, "layers.py:SoftmaxWithLoss"), **TERMINAL).splitlines()
    assert [x for x in lines if len(x.rstrip()) > 80 and "gradconform replay" not in x] == []
    assert f"    gradconform replay {checked.counterexamples[1].replay.removeprefix('gradconform replay ')}" in lines
    why = next(i for i, x in enumerate(lines) if "Why:" in x)
    assert lines[why + 1].startswith("    ") and lines[why - 2].strip() == ""


def test_an_ascii_terminal_gets_ascii(checked: Run) -> None:
    assert "12 x the allowed error" in printed(alone(checked, "layers.py:SoftmaxWithLoss"), encoding="ascii")
