"""Stored cases as a user meets them: offered, kept, judged by every later gate, and refused where they cannot be relied on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.gating import BASE, RARE, RIGHT, found, gate, keep, plain, written


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of its own, as the current folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_finds_are_offered_kept_and_judged_by_every_later_gate() -> None:
    written(BASE)
    first = gate()
    files = sorted(Path("out/finds").iterdir())
    assert len(files) == 1 and f"gradconform keep {files[0]} --corpus FOLDER" in first.output
    assert "names no corpus: say with --corpus" in keep(*files).output
    added = keep(*files, "--corpus", "cases")
    assert added.exit_code == 0 and added.output == f"added          cases/{files[0].name}\n"
    assert keep(*files, "--corpus", "cases").output == f"there already  {files[0]}\n"
    written(BASE + 'corpus = "cases"\n')
    assert gate("--seed", "77").exit_code == 1
    failing = [r for r in found().results if r.status == "failed"]
    replayed = [r for r in failing if r.n_replayed]
    assert [(r.quantity, r.n_replayed, r.n_replay_failed) for r in replayed] == [("backward.dx", 1, 1)]
    (stored,) = [c for c in found().counterexamples if c.lane == "corpus"]
    assert found().header.corpus == (stored.case.digest,) and stored.index == 0 and stored.diagnosis and stored.minimised
    written(BASE + 'corpus = "cases"\n', RIGHT)
    mended = gate("--seed", "77")
    assert mended.exit_code == 0, mended.output
    rows = {r.quantity: r.n_replayed for r in found().results if (r.branch, r.dtype) == (stored.branch, stored.dtype)}
    assert rows["backward.dx"] == rows["forward.out"] == rows["call.answers"] == 1


def test_stored_cases_of_layers_that_are_not_named_are_left_out() -> None:
    _stored_rarity(Path("cases"))
    written(BASE.replace('["layers', '["sigmoid", "layers') + 'corpus = "cases"\n', RARE)
    assert gate("sigmoid").exit_code == 0 and found().header.corpus == ()
    assert gate("layers.py:Relu").exit_code == 1 and len(found().header.corpus) == 1


def _stored_rarity(to: Path) -> Path:
    """A find whose x is the one number for which RARE is wrong."""
    import numpy as np

    from oracle.core.stored import restored_case, stored_case
    from oracle.search.corpus import Kept, write_kept

    written(BASE)
    gate()
    kept = Kept.model_validate_json(next(Path("out/finds").iterdir()).read_text(encoding="utf-8"))
    case = restored_case(kept.case)
    shape = (1,) * case.inputs["x"].ndim
    rare = case._replace(
        inputs={"x": np.full(shape, 0.375, case.dtype)},
        cotangents={"out": np.ones(shape, case.dtype)},
        protocol="plain",
        prior=None,
        layout="C",
    )
    data = stored_case(rare)
    path = write_kept(kept.model_copy(update={"case": data, "digest": data.digest, "rows": ("forward.out",)}), to)
    assert path is not None
    return path


def test_a_stored_case_finds_a_rare_fault_that_no_search_does() -> None:
    _stored_rarity(Path("cases"))
    written(BASE, RARE)
    assert gate().exit_code == 0, "the search does not come upon it"
    written(BASE + 'corpus = "cases"\n', RARE)
    for seed in ("1", "2"):
        result = gate("--seed", seed)
        assert result.exit_code == 1 and f"seed {seed} newly found nothing" in result.output, result.output
    assert {r.quantity for r in found().results if r.n_replay_failed} == {"forward.out"}
    deeper = Path("deeper/still")
    deeper.mkdir(parents=True)
    os.chdir(deeper)
    below = gate()
    assert below.exit_code == 1 and found().header.layers[0].name == "layers.py:Relu", below.output


def test_what_the_search_alone_finds_is_newly_found() -> None:
    _stored_rarity(Path("cases"))
    written(BASE + 'corpus = "cases"\n')
    result = gate()
    assert result.exit_code == 1 and "4 rows newly found: every stored case of them holds." in plain(result)
    assert "--corpus cases" in result.output


@pytest.mark.parametrize("harm", ["tampered", "torn", "other-layer", "unclaimed", "misfit"])
def test_a_stored_case_that_cannot_be_judged_is_named_and_3(harm: str) -> None:
    path = _stored_rarity(Path("cases"))
    data = json.loads(path.read_text(encoding="utf-8"))
    extra, told = "", ""
    if harm == "tampered":
        data["case"]["inputs"]["x"]["data"] = data["case"]["cotangents"]["out"]["data"]
        told = "has been changed: its digest is of another case"
    elif harm == "other-layer":
        data["layer"], told = "layers.py:Rel", "this gate judges no such layer"
    elif harm == "unclaimed":
        extra, told = f"not_claimed = ['{data['case']['dtype']}']\n", f"the layer does not claim {data['case']['dtype']}"
    elif harm == "misfit":
        data["case"]["inputs"] = {"y": data["case"]["inputs"]["x"]}
        data["digest"] = _digest(data["case"])
        told = "it does not fit the layer"
    text = json.dumps(data)
    path.unlink()
    Path("cases/a.json").write_text(text[: len(text) // 2] if harm == "torn" else text, encoding="utf-8")
    written(BASE + extra + 'corpus = "cases"\n', RIGHT)
    result = gate()
    assert result.exit_code == 3, result.output
    assert "1 stored case not replayed." in plain(result) and (told or "is no stored case") in plain(result)


def _digest(case: object) -> str:
    from oracle.results import CaseData

    return CaseData.model_validate(case).digest


def test_ctrl_c_keeps_what_the_stored_cases_have_shown() -> None:
    _stored_rarity(Path("cases"))
    written(BASE.replace("240", "90000000") + 'corpus = "cases"\n', RARE)
    command = [sys.executable, "-c", "from oracle.cli import main; main()", "run", "--gate", "--workers", "1", "--out", "out"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    results = Path("out/results.jsonl")
    deadline = time.monotonic() + 120
    results.unlink(missing_ok=True)
    while time.monotonic() < deadline and not (results.exists() and '"depth"' in results.read_text(encoding="utf-8")):
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=120)
    assert process.returncode == 1, output + errors
    assert "interrupted" in " ".join(output.split()) and "Traceback" not in output + errors
    assert {r.quantity for r in found().results if r.n_replay_failed} == {"forward.out"}


def test_keep_refuses_what_is_no_case_and_adds_nothing_then() -> None:
    good = _stored_rarity(Path("kept"))
    torn = Path("torn.json")
    torn.write_text(good.read_text(encoding="utf-8")[:99], encoding="utf-8")
    result = keep(good, torn, "--corpus", "cases")
    assert result.exit_code == 2 and "torn.json is no stored case" in result.output and not Path("cases").exists()
    assert keep("nowhere.json", "--corpus", "cases").exit_code == 2
    assert keep().exit_code == 2
    written(BASE + "corpus = 'from-the-file'\n")
    assert keep(good).output == f"added          from-the-file/{good.name}\n"
