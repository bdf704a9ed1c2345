"""`gradconform run --gate` and `gradconform keep` as a user meets them: what is accepted, what is not, and how each ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from oracle.cli import main
from oracle.results import Run, read_run

RIGHT = """
import numpy as np

class Relu:
    x = None

    def forward(self, x):
        self.x = x.copy()
        return np.where(x < 0, x.dtype.type(0), x)

    def backward(self, dout):
        if self.x is None:
            raise RuntimeError("forward first")
        if dout.shape != self.x.shape:
            raise ValueError("dout has another shape")
        return np.where(self.x <= 0, dout.dtype.type(0), dout)
"""
TIES = RIGHT.replace("self.x <= 0", "self.x < 0")
"""The gradient at 0 is dout, where torch gives 0."""
RARE = RIGHT.replace(
    "        return np.where(x < 0",
    "        if x.size == 1 and float(x.flat[0]) == 0.375:\n            return -x\n        return np.where(x < 0",
)
"""Wrong for one number alone, which no search comes upon."""
BASE = 'layers = ["layers.py:Relu"]\nexamples = 240\nplanted = false\nseed = 5\n'
KNOWN = """
[[known]]
layer = "layers.py:Relu"
branch = "{branch}"
quantity = "backward.dx"
reason = "at 0 we take the other side"
link = "https://example.org/issues/7"
{more}
"""
BOTH = "".join(KNOWN.format(branch=branch, more="") for branch in ("matrix", "any-rank"))


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of its own, as the current folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def written(text: str, layer: str = TIES) -> None:
    Path("gradconform.toml").write_text(text, encoding="utf-8")
    Path("layers.py").write_text(layer, encoding="utf-8")


def gate(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["run", "--gate", "--workers", "1", "--out", "out", *arguments], catch_exceptions=False)


def keep(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["keep", *map(str, arguments)], catch_exceptions=False)


def found() -> Run:
    return read_run(Path("out/results.jsonl"))


def plain(result: Result) -> str:
    return " ".join(result.output.split())


def test_a_divergence_is_listed_accepted_mended_and_taken_off_the_list() -> None:
    written(BASE)
    first = gate()
    assert first.exit_code == 1 and "layers.py:Relu diverges from PyTorch in 4 rows" in plain(first)
    written(BASE + BOTH)
    listed = gate()
    assert listed.exit_code == 0, listed.output
    assert "but for 4 known divergences." in plain(listed)
    assert "at 0 we take the other side" in listed.output and "https://example.org/issues/7" in listed.output
    assert "still diverges" in listed.output and "gradconform keep" not in listed.output, "what is known is not offered again"
    written(BASE + BOTH, RIGHT)
    stale = gate()
    assert stale.exit_code == 1
    assert "The list of known divergences is out of date." in plain(stale)
    assert "layers.py:Relu matrix backward.dx is listed as known (at 0 we take the other side), but it conforms" in plain(stale)
    assert "remove the entry from gradconform.toml" in plain(stale)
    written(BASE, RIGHT)
    assert gate().exit_code == 0


@pytest.mark.parametrize(
    ("text", "layer", "code", "told"),
    [
        (BASE + KNOWN.format(branch="matrix", more="expires = 2020-01-01"), TIES, 1, "was accepted as known until 2020-01-01"),
        (BASE + KNOWN.format(branch="matrix", more="expires = 2999-12-31"), TIES, 1, "diverges from PyTorch in 2 rows of 60. 2 known"),
        (BASE + KNOWN.format(branch="matrx", more=""), RIGHT, 1, "has no branch matrx (did you mean matrix?)"),
        (BASE + KNOWN.format(branch="matrix", more="dtype = 'float16'"), RIGHT, 1, "has no dtype float16"),
        (BASE + "floor = 60", RIGHT, 0, "layers.py:Relu conforms"),
        (BASE + "floor = 61", RIGHT, 3, "Fewer than 61 cases judged, which is the floor, in layers.py:Relu matrix float64 (60)"),
        (BASE.replace("240", "3"), RIGHT, 3, "never judged"),
        (BASE.replace("layers.py:Relu", "layers.py"), RIGHT, 0, "layers.py:Relu conforms"),
        (BASE.replace('["layers', '["sigmoid", "layers'), RIGHT, 0, "All 2 layers conform"),
        (BASE.replace("layers.py:Relu", "broken.py:Relu") + BOTH.replace("layers.py", "broken.py"), RIGHT, 1, "broken.py"),
    ],
    ids=["expired", "one-of-two", "no-branch", "no-dtype", "floor", "below-floor", "too-few", "whole-file", "ours-too", "not-loaded"],
)
def test_how_a_gate_ends(text: str, layer: str, code: int, told: str) -> None:
    written(text, layer)
    Path("broken.py").write_text("import no_such_module\n", encoding="utf-8")
    result = gate()
    assert (result.exit_code, told in plain(result)) == (code, True), result.output


def test_the_file_decides_and_the_command_line_overrides_it() -> None:
    written(BASE + 'dtypes = ["float32"]\nfloor = 10\n' + BOTH)
    gate()
    asked = found().header
    assert (asked.settings.examples, asked.settings.seed, asked.settings.dtypes) == (240, 5, ("float32",))
    assert asked.gate is not None and (asked.gate.floor, asked.gate.source, len(asked.gate.known)) == (10, "gradconform.toml", 2)
    assert asked.n_planted is None, "planted = false"
    gate("--examples", "300", "--seed", "9", "--dtype", "float64")
    asked = found().header
    assert (asked.settings.examples, asked.settings.seed, asked.settings.dtypes) == (300, 9, ("float64",))


def test_a_module_is_looked_for_beside_the_configuration_from_wherever_the_gate_is_run() -> None:
    written(BASE.replace("layers.py:Relu", "layers:Relu"), RIGHT)
    Path("deeper").mkdir()
    os.chdir("deeper")
    result = gate()
    assert result.exit_code == 0 and found().header.layers[0].name == "layers:Relu", result.output


def test_without_a_seed_each_gate_draws_one_and_records_it() -> None:
    written(BASE.replace("seed = 5\n", ""), RIGHT)
    seeds = []
    for _ in range(2):
        result = gate("--examples", "40")
        seeds.append(found().header.settings.seed)
        assert f"seed {seeds[-1]}" in plain(result)
    assert seeds[0] != seeds[1]


def test_only_named_layers_are_held_to_the_entries_and_cases_of_these() -> None:
    written(BASE.replace('["layers', '["sigmoid", "layers') + BOTH)
    result = gate("sigmoid")
    assert result.exit_code == 0 and found().header.settings.layers == ("Sigmoid",), result.output
    assert gate("layers.py:Relu").exit_code == 0


@pytest.mark.parametrize(
    ("text", "arguments", "told"),
    [
        (None, (), "neither a pyproject.toml with [tool.gradconform] nor a gradconform.toml"),
        ("examples = 3", (), "layers is missing"),
        ("layers = ['Rellu']", (), "Did you mean Relu?"),
        ("layers = ['nowhere.py:Relu']", (), "there is no file"),
        ("layers = ['layers.py:Nope']", (), "Nope"),
        ("layers = ['other.py']", (), "nothing in it is called like a layer we know"),
        ("layers = ['layers.py:Relu']\ncorpus = 'nothing'", (), "cannot read the corpus nothing"),
        ("layers = ['layers.py:Relu']\ncorpus = 'empty'", (), "holds no stored case"),
        ("layers = ['layers.py:Relu']\n[subjects.'layers.py:Relu']\nas = 'Conv9'", (), "layers.py:Relu, as: "),
        ("layers = ['layers.py:Relu']\n[subjects.'layers.py:Relu']\nconvention = 'telepathy'", (), "layers.py:Relu, convention: "),
        ("layers = ['layers.py:Relu']\n[[known]]\nlayer = '\\u001b[31m'", (), "gradconform.toml, known.0"),
    ],
)
def test_wrong_usage_is_2_and_names_what_is_wrong(text: str | None, arguments: tuple[str, ...], told: str) -> None:
    written(text or "", RIGHT)
    if text is None:
        Path("gradconform.toml").unlink()
    Path("other.py").write_text("class Engine:\n    pass\n", encoding="utf-8")
    Path("empty").mkdir()
    result = gate(*arguments)
    assert result.exit_code in ((2,) if "Nope" not in told else (1, 2)), result.output
    assert told in result.output and "\x1b" not in result.output


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


def test_a_blind_gate_is_3_whatever_the_layers_do(monkeypatch: pytest.MonkeyPatch) -> None:
    from oracle.results import Planted

    survivor = Planted(layer="layers.py:Relu", family="values", name="one", fault="The first element is off.", n_cases=240)
    monkeypatch.setattr("oracle.search.jobs.planted", lambda *call: [survivor])
    written(BASE.replace("planted = false\n", ""), RIGHT)
    result = gate()
    assert result.exit_code == 3, result.output
    assert "planted faults went unnoticed: this run is blind to layers.py:Relu: The first element is off." in plain(result)
    written(BASE, RIGHT)
    assert gate().exit_code == 0, "planted = false: none are judged"


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
