"""The outcome as JSON, read by a strict reader."""

from __future__ import annotations

import json
import os
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import subject_runs

from oracle.results import Run, verdict
from reports.brief import nested
from reports.document import FORMAT_VERSION, document, write_json


def _refuse(constant: str) -> None:
    raise AssertionError(f"{constant} is not JSON")


def loaded(run: Run, folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(write_json(run, folder / "out.json").read_text("ascii"), parse_constant=_refuse)
    return found


def test_the_verdict_and_every_subject_with_its_rows(checked: Run, tmp_path: Path) -> None:
    found = loaded(checked, tmp_path)
    assert (found["format_version"], found["verdict"], found["exit_code"]) == (FORMAT_VERSION, "diverges", 1)
    assert found["sentence"] == verdict(checked).sentence and found["complete"] is True and found["missing"] == []
    assert [s["verdict"] for s in found["subjects"]] == ["conforms", "conforms", "diverges", "not loaded"]
    assert sum(len(s["rows"]) for s in found["subjects"]) == len(checked.results)
    sigmoid = found["subjects"][1]
    assert {r["status"] for r in sigmoid["rows"] if r["quantity"] == "backward.dx"} == {"not-claimed"}
    assert sigmoid["rows_not_claimed"] == 4 and sigmoid["rows_not_judged"] == 0
    assert found["notes"] == [{"subject": "layers.py", "title": "not loaded", "text": "Adam: needs lr, which is not defined"}]
    assert found["subjects"][0]["notes"] == [{"title": "printed", "text": subject_runs.PRINTED}]


def test_a_divergence_has_its_cause_its_case_and_how_to_replay_it(checked: Run, tmp_path: Path) -> None:
    first, contract = loaded(checked, tmp_path)["subjects"][2]["divergences"]
    assert (first["quantity"], first["diagnosis"], first["margin"]) == ("backward.dx", subject_runs.WHY, 12.0)
    assert first["also"] == [{"branch": "one-hot", "dtype": "float64"}, {"branch": "probabilities", "dtype": "float64"}]
    assert first["minimised"]["inputs"]["t"] == {"dtype": "int64", "shape": [2], "values": [0, 0]}
    assert first["replay"] == f"gradconform replay results.jsonl {first['id']}"
    assert contract["what"] == "contract broken" and contract["diagnosis"] is None


def test_nan_and_infinities_are_strings(make: ModuleType, tmp_path: Path) -> None:
    nan = make.comparison("nan", margin=float("nan"), actual=None, expected=None)
    odd = make.example(
        "Relu", "plain", "float64", "forward.y", comparison=nan, minimised=make.case("Relu", "plain"), minimised_comparison=nan
    )
    found = loaded(make.with_failures(make.passing(), odd), tmp_path)
    relu = next(s for s in found["subjects"] if s["subject"] == "Relu")
    (divergence,) = relu["divergences"]
    assert divergence["margin"] == relu["worst_margin"] == "NaN"
    assert divergence["minimised"]["inputs"]["x"]["values"] == [[1.0, 0.0, 0.1], ["NaN", "Infinity", 2.5]]
    assert str(divergence["minimised"]["inputs"]["x"]["values"][0][1]) == "-0.0"


@pytest.mark.parametrize(
    ("values", "shape", "lists"),
    [([1.0], (), 1.0), ([], (0,), []), ([], (10**9, 0), []), ([1.0, 2.0, 3.0, 4.0], (2, 1, 2), [[[1.0, 2.0]], [[3.0, 4.0]]])],
)
def test_arrays_are_lists_in_lists(make: ModuleType, values: list[float], shape: tuple[int, ...], lists: object) -> None:
    assert nested(make.array(values, shape)) == lists


def test_a_large_array_is_left_out(make: ModuleType) -> None:
    large = make.case("Relu", "plain", inputs={"x": make.array([0.0] * 5000, (5000,))})
    run = make.with_failures(make.passing(), make.example("Relu", "plain", "float64", "forward.y", minimised=large))
    relu = next(s for s in document(run)["subjects"] if s["subject"] == "Relu")
    assert relu["divergences"][0]["minimised"]["inputs"]["x"] == {"dtype": "float64", "shape": [5000], "values": None}


def test_an_interrupted_run_names_what_is_missing(runs: dict[str, Run], tmp_path: Path) -> None:
    found = loaded(runs["interrupted"], tmp_path)
    assert found["complete"] is False and len(found["missing"]) == 50
    net = next(s for s in found["subjects"] if s["subject"] == "TwoLayerNet")
    assert (net["verdict"], net["rows_passed"], net["rows_not_judged"]) == ("incomplete", 26, 50)


def test_hostile_text_survives_as_it_is(poisoned_check: Run, tmp_path: Path) -> None:
    found = loaded(poisoned_check, tmp_path)
    assert subject_runs.HOSTILE in found["subjects"][0]["subject"]


def test_what_is_no_plain_file_is_written_to_as_it_is(checked: Run) -> None:
    assert write_json(checked, Path(os.devnull)) == Path(os.devnull)
    assert not Path(os.devnull).is_file()
