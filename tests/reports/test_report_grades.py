"""One line for each of many subjects, and the same as a table for a spreadsheet."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from types import ModuleType

import pytest
import subject_runs
from rich.console import Console

from oracle.results import LayerInfo, Run
from reports.grades import print_grades
from reports.table_csv import COLUMNS, write_csv


def printed(run: Run, **options: object) -> list[str]:
    file = io.StringIO()
    print_grades(run, Console(file=file, **{"width": 80, **options}))  # type: ignore[arg-type]
    return file.getvalue().splitlines()


def table(run: Run, folder: Path) -> list[dict[str, str]]:
    path = write_csv(run, folder / "grades.csv")
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _renamed(run: Run, names: dict[str, str]) -> Run:
    """`run` with other labels."""

    def new(record: LayerInfo) -> LayerInfo:
        return record.model_copy(update={"name": names.get(record.name, record.name)})

    def moved(records: tuple[object, ...]) -> tuple[object, ...]:
        return tuple(r.model_copy(update={"layer": names.get(r.layer, r.layer)}) for r in records)  # type: ignore[attr-defined]

    head = run.header.model_copy(update={"layers": tuple(map(new, run.header.layers)), "expected": moved(run.header.expected)})
    return run.model_copy(update={"header": head, **{n: moved(getattr(run, n)) for n in ("results", "depths", "counterexamples")}})


def test_each_subject_has_one_line_in_the_order_given(checked: Run) -> None:
    head, relu, sigmoid, softmax, broken, *_ = printed(checked)
    assert head.split() == ["subject", "spec", "verdict", "rows", "margin", "why"]
    # 2 dtypes of 2 quantities and 14 contracts; of Sigmoid the gradient and backward.repeatable are not claimed
    assert relu.split()[:6] == ["layers.py:Relu", "Relu", "conforms", "32", "of", "32"]
    assert sigmoid.split()[:6] == ["layers.py:Sigmoid", "Sigmoid", "conforms", "28", "of", "28"]
    assert softmax.split()[:6] == ["layers.py:SoftmaxWithLoss", "SoftmaxWithLoss", "diverges", "98", "of", "102"]
    assert softmax.endswith(subject_runs.WHY) and "9.0e+05 ×" in softmax
    assert broken.split()[:4] == ["broken.py", "Affine", "not", "loaded"] and broken.endswith(f"{subject_runs.MESSAGE}.")


def test_the_last_line_counts_the_verdicts(checked: Run) -> None:
    assert printed(checked)[-1] == "DIVERGES  4 subjects: 2 conform, 1 diverges, 1 not loaded."


def test_an_interrupted_run_says_so_beneath(checked: Run) -> None:
    assert "The run was cut off before its end." in printed(checked.model_copy(update={"footer": None}))[-1]


@pytest.mark.parametrize("width", [40, 80, 120, 200])
def test_on_a_terminal_every_subject_keeps_one_line(checked: Run, width: int) -> None:
    long = {"layers.py:Relu": "submissions/" + "a-very-long-group-name/" * 4 + "layers.py:Relu"}
    lines = printed(_renamed(checked, long), width=width, force_terminal=True, color_system=None, _environ={"TERM": "xterm"})
    assert all(len(line.rstrip()) <= width for line in lines)
    if width >= 80:
        starts = [
            next(i for i, x in enumerate(lines) if name in x) for name in ("py:Relu", "py:Sigmoid", "py:SoftmaxWithLoss", "broken.py")
        ]
        assert starts == list(range(2, 6))


def test_labels_that_would_look_alike_are_shown_whole(checked: Run) -> None:
    tail = "/the-same-long-folder-name-for-all/layers.py:X"
    run = _renamed(checked, {"layers.py:Relu": "alice" + tail, "layers.py:Sigmoid": "bob" + tail})
    text = " ".join(printed(run, force_terminal=True, color_system=None, _environ={"TERM": "xterm"}))
    assert "alice" in text and "bob" in text


def test_the_csv_has_a_row_for_each_subject(checked: Run, tmp_path: Path) -> None:
    relu, sigmoid, softmax, broken = table(checked, tmp_path)
    assert tuple(relu) == COLUMNS
    assert (relu["verdict"], relu["rows_passed"], relu["not_claimed"]) == ("conforms", "32", "dout, nan")
    assert (sigmoid["rows_not_claimed"], sigmoid["rows_not_judged"], sigmoid["not_claimed"]) == ("4", "0", subject_runs.REASON)
    assert (softmax["verdict"], softmax["rows_failed"], float(softmax["worst_margin"])) == ("diverges", "4", 9e5)
    assert softmax["diagnosis"] == subject_runs.WHY and softmax["first_divergence"].startswith("backward.dx in index float32: Actual 2")
    assert softmax["target"] == "layers.py" and softmax["cases"] == "6000"
    assert (broken["verdict"], broken["first_divergence"], broken["worst_margin"]) == ("not loaded", f"{subject_runs.MESSAGE}.", "")


@pytest.mark.parametrize("label", ["=1+1", "+1", "-1", "@sum", "\t=1", "  =1", "\uff1d1+1", "\n=1"])
def test_no_cell_is_a_formula(checked: Run, tmp_path: Path, label: str) -> None:
    first, *_ = table(_renamed(checked, {"layers.py:Relu": label}), tmp_path)
    assert first["subject"].startswith("'") and first["subject"].endswith(label[-1])


def test_numbers_are_never_quoted_nor_changed(make: ModuleType, checked: Run, tmp_path: Path) -> None:
    rows = tuple(r.model_copy(update={"margin": -1.0}) if r.role == "quantity" and "Relu" in r.layer else r for r in checked.results)
    first, *_ = table(checked.model_copy(update={"results": rows}), tmp_path)
    assert first["worst_margin"] == "-1.0"


def test_a_hostile_cell_stays_one_cell(poisoned_check: Run, tmp_path: Path) -> None:
    rows = table(poisoned_check, tmp_path)
    assert len(rows) >= 4 and all(None not in row and None not in row.values() for row in rows)
    assert not any(set("\x1b\x00\u202e\u2066\n") & set(value) for row in rows for value in row.values())
