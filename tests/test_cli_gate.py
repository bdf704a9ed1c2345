"""`gradconform run --gate` as a user meets it: what is accepted, what is not, and how each ends."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.gating import BASE, BOTH, KNOWN, RIGHT, TIES, found, gate, plain, written


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of its own, as the current folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


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
        ("layers = ['Relu']", ("--shard", "1/2"), "the shards of a gate need the same seed"),
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
