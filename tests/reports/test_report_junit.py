"""JUnit XML: valid whatever is in it, and red exactly where the run is."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from pathlib import Path
from types import ModuleType

import pytest
import subject_runs
from junitparser import Error, Failure, JUnitXml, Skipped

from oracle.results import Gate, Known, Run, verdict
from reports.junit import write_junit
from tests.gold_files import assert_gold

ORDER = ("properties", "testcase", "system-out", "system-err")


def read(run: Run, folder: Path) -> JUnitXml:
    return JUnitXml.fromfile(str(write_junit(run, folder / "junit.xml")))


def cases(document: JUnitXml) -> dict[str, list[object]]:
    return {f"{case.classname} {case.name}": case.result for suite in document for case in suite}


@pytest.fixture
def known(make: ModuleType) -> Run:
    """One row fails and is listed with its reason."""
    run = make.with_failures(make.passing(), make.example("Relu", "plain", "float64", "forward.y"), status="known")
    entry = Known(layer="Relu", branch="plain", quantity="forward.y", reason="by design", link="https://example.org/7")
    return run.model_copy(update={"header": run.header.model_copy(update={"gate": Gate(known=(entry,))})})


@pytest.mark.parametrize("name", ["passing", "diverging", "interrupted", "hostile"])
def test_it_follows_the_schema_and_counts_right(runs: dict[str, Run], name: str, tmp_path: Path) -> None:
    root = ET.parse(write_junit(runs[name], tmp_path / "j.xml")).getroot()
    assert root.tag == "testsuites"
    totals = dict.fromkeys(("tests", "failures", "errors", "skipped"), 0)
    for suite in root:
        assert suite.tag == "testsuite" and suite.get("name") and re.fullmatch(r"[\d-]+T[\d:]+|", suite.get("timestamp", ""))
        places = [ORDER.index(child.tag) for child in suite]
        assert places == sorted(places), "the schema has an order"
        found = {"tests": len(suite.findall("testcase"))}
        for kind, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
            found[kind] = len(suite.findall(f"testcase/{tag}"))
        assert {key: int(suite.get(key, "-1")) for key in found} == found
        totals = {key: totals[key] + found[key] for key in totals}
        assert all(case.get("name") and case.get("classname") and len(case) <= 1 for case in suite.findall("testcase"))
    assert {key: int(root.get(key, "-1")) for key in totals} == totals


@pytest.mark.parametrize("name", ["passing", "diverging", "interrupted", "hostile"])
def test_it_is_red_exactly_where_the_run_is(runs: dict[str, Run], name: str, tmp_path: Path) -> None:
    document = read(runs[name], tmp_path)
    assert bool(document.failures + document.errors) == bool(verdict(runs[name]).exit_code)


def test_a_run_that_judged_nothing_is_red(make: ModuleType, tmp_path: Path) -> None:
    nothing = make.passing().model_copy(update={"results": (), "depths": ()})
    document = read(nothing, tmp_path)
    assert document.errors == len(nothing.header.expected) + 1 and not document.skipped
    empty = nothing.model_copy(update={"header": nothing.header.model_copy(update={"expected": (), "layers": ()})})
    ((only, result),) = cases(read(empty, tmp_path)).items()
    assert only == "run verdict" and isinstance(result[0], Error) and "Nothing was judged" in result[0].message


def test_every_declared_row_is_a_case(runs: dict[str, Run], tmp_path: Path) -> None:
    found = cases(read(runs["interrupted"], tmp_path))
    assert {f"{e.layer}.{e.branch}.{e.dtype} {e.quantity}" for e in runs["interrupted"].header.expected} | {"run verdict"} == set(found)
    for e in verdict(runs["interrupted"]).missing:
        (error,) = found[f"{e.layer}.{e.branch}.{e.dtype} {e.quantity}"]
        assert isinstance(error, Error) and error.message == "declared and never judged: no case reached it"


def test_a_failure_has_its_cause_its_case_and_its_replay(runs: dict[str, Run], tmp_path: Path) -> None:
    found = cases(read(runs["diverging"], tmp_path))
    (failure,) = found["SoftmaxWithLoss.index.float32 backward.dx"]
    assert isinstance(failure, Failure) and failure.type == "differs"
    assert failure.message.startswith("differs: Actual 2, expected 0.5 at [0, 2]")
    assert "Why: The gradient is 4.0 times torch's" in failure.text
    assert "Replay: gradconform replay results.jsonl SoftmaxWithLoss-index-float32-backward.dx" in failure.text
    assert "layer = SoftmaxWithLoss()" in failure.text and "With: x = [[1., -0., 0.1]" in failure.text


def test_what_is_known_or_not_claimed_is_skipped_with_its_reason(known: Run, checked: Run, tmp_path: Path) -> None:
    (skipped,) = cases(read(known, tmp_path))["Relu.plain.float64 forward.y"]
    assert isinstance(skipped, Skipped) and skipped.message == "known divergence: by design https://example.org/7"
    found = cases(read(checked, tmp_path))
    (unclaimed,) = found["layers.py:Sigmoid.plain.float64 backward.dx"]
    assert isinstance(unclaimed, Skipped) and unclaimed.message == f"not claimed: {subject_runs.REASON}"
    (error,) = found["broken.py.-.- subject.loads"]
    assert isinstance(error, Error) and subject_runs.MESSAGE in error.message


def test_where_the_layer_raised_in_every_case_the_error_says_so_and_the_rest_is_skipped(make: ModuleType, tmp_path: Path) -> None:
    run = make.passing()
    here = [r for r in run.results if (r.layer, r.branch, r.dtype) == ("Relu", "plain", "float64")]
    raised = here[0].model_copy(update={"quantity": "call.answers", "status": "error", "n_failed": 900, "message": "ValueError: no"})
    rest = tuple(r for r in run.results if r not in here)
    found = cases(read(run.model_copy(update={"results": (*rest, raised)}), tmp_path))
    assert isinstance(found["Relu.plain.float64 call.answers"][0], Error)
    assert isinstance(found["Relu.plain.float64 forward.y"][0], Skipped) and "raised" in found["Relu.plain.float64 forward.y"][0].message


def test_torch_beyond_its_own_bound_is_no_pass(make: ModuleType, tmp_path: Path) -> None:
    run = make.passing()
    first = run.results[0].model_copy(update={"n_judged": 0, "n_inconclusive": 7})
    found = cases(read(run.model_copy(update={"results": (first, *run.results[1:])}), tmp_path))
    (error,) = found[f"{first.layer}.{first.branch}.{first.dtype} {first.quantity}"]
    assert isinstance(error, Error) and "torch leaves its own bound in 7 cases" in error.message


def test_hostile_text_is_text(poisoned_check: Run, tmp_path: Path) -> None:
    text = write_junit(poisoned_check, tmp_path / "j.xml").read_text()
    root = ET.fromstring(text)
    assert {element.tag for element in root.iter()} <= {
        *("testsuites", "testsuite", "properties", "property", "testcase", "failure", "error", "skipped")
    }
    assert "<script>" not in text and "\x1b" not in text and "\u202e" not in text
    assert any("\\x1b[31m\\u202egnp\\x00" in (element.get("name") or "") for element in root.iter("testsuite"))


@pytest.mark.parametrize("name", ["passing", "diverging"])
def test_gold(runs: dict[str, Run], name: str, tmp_path: Path) -> None:
    assert_gold(f"{name}.junit.xml", write_junit(runs[name], tmp_path / "j.xml").read_text().replace("><", ">\n<"))
