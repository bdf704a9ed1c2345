"""`[tool.gradconform]`: what it may hold, whom it concerns, and what is said where it is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from oracle.config import Config, ConfigError, find_config, read_config

TABLE = """
[tool.gradconform]
not_claimed = ["dout"]

[tool.gradconform.subjects."layers.py:Relu"]
not_claimed = ["nan", "inf"]

[tool.gradconform.subjects."submissions/*.py"]
not_claimed = ["float32"]
"""


def _written(folder: Path, text: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "pyproject.toml").write_text(text, encoding="utf-8")
    return folder


def test_words_go_for_all_and_for_the_targets_that_a_pattern_names(tmp_path: Path) -> None:
    config = read_config(_written(tmp_path, TABLE))
    assert config.not_claimed_by("layers.py:Relu") == ("dout", "nan", "inf")
    assert config.not_claimed_by("submissions/ada.py") == ("dout", "float32")
    assert config.not_claimed_by("layers.py:relu") == config.not_claimed_by("layers.py") == ("dout",)


def test_the_nearest_file_upwards_decides(tmp_path: Path) -> None:
    _written(tmp_path, TABLE)
    inner = _written(tmp_path / "a", '[tool.gradconform]\nnot_claimed = ["nan"]\n')
    (inner / "b" / "c").mkdir(parents=True)
    assert read_config(inner / "b" / "c").not_claimed == ("nan",)
    assert read_config(tmp_path).not_claimed == ("dout",)
    # a nearer file without the table is the project's own, so that the search ends there
    assert read_config(_written(tmp_path / "a" / "b", "[project]\nname = 'b'\n")) == Config()


def test_no_file_claims_everything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("oracle.config.FILE", "no-such-file.toml")
    assert read_config(tmp_path) == Config() and Config().not_claimed_by("x.py") == ()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[tool.gradconform]\nnot_claimed = 'dout'", "tool.gradconform.not_claimed: .*valid tuple.*not_claimed may hold a list of words"),
        ("[tool.gradconform]\nnotclaimed = ['dout']", "tool.gradconform.notclaimed: .*not permitted.*There may be layers, dtypes, .*known"),
        ("[tool.gradconform.subjects.'a.py']\nclaimed = []", "tool.gradconform.subjects.a.py.claimed: .*not permitted"),
        ("[tool.gradconform]\nnot_claimed = [1]", r"tool.gradconform.not_claimed.0: .*valid string"),
        ("[tool]\ngradconform = 3", "tool.gradconform: it must be a table"),
        ("tool = 3", "tool must be a table"),
        ("[tool.gradconform\n", "cannot read .*pyproject.toml: "),
        ("[tool.gradconform]\nexamples = '200'", "examples: .*valid integer.*examples may hold the number of cases"),
        ("[tool.gradconform]\nexamples = 0", "examples: .*greater than or equal to 1"),
        ("[tool.gradconform]\nseed = true", "seed: .*valid integer"),
        ("[tool.gradconform]\nseed = -1", "seed: .*greater than or equal to 0"),
        ("[tool.gradconform]\nseed = 9223372036854775808", "seed: .*less than or equal to"),
        ("[tool.gradconform]\nfloor = 1.5", "floor: .*valid integer"),
        ("[tool.gradconform]\nplanted = 'no'", "planted: .*valid boolean.*planted may hold true or false"),
        ("[tool.gradconform]\ndtypes = ['float65']", "dtypes.0: .*'float64', 'float32' or 'float16'.*dtypes may hold"),
        ("[tool.gradconform]\nlayers = ['']", "layers.0: .*at least 1 character"),
        ("[tool.gradconform]\ncorpus = ['a']", "corpus: .*valid string.*corpus may hold the folder"),
        ("[tool.gradconform.subjects.'a.py']\nas = 3", "subjects.a.py.as: .*valid string.*as \\(a layer of ours\\)"),
        ("[tool.gradconform]\nx = [" + "[" * 5000, "cannot read .*pyproject.toml: "),
        ("[tool.gradconform]\nseed = " + "9" * 5000, "cannot read .*pyproject.toml: "),
    ],
)
def test_what_is_wrong_is_named_with_file_and_key(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told) as caught:
        read_config(_written(tmp_path, text))
    assert str(tmp_path / "pyproject.toml") in str(caught.value)


def test_a_file_that_is_no_text_is_told(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="cannot read"):
        read_config(tmp_path)


GATE = """
layers = ["Relu", "layers.py:Dense"]
dtypes = ["float32"]
examples = 500
floor = 50
corpus = "cases"
planted = false

[subjects."layers.py:*"]
as = "Affine"
convention = "classic"

[[known]]
layer = "Relu"
branch = "matrix"
quantity = "backward.dx"
dtype = "float32"
reason = "ties"
link = "https://example.org/1"
expires = 2027-01-31

[[known]]
layer = "layers.py:Dense"
branch = "matrix"
contract = "state.fresh"
reason = "keeps its shape"
"""


def test_a_gate_is_read_from_either_file(tmp_path: Path) -> None:
    own = tmp_path / "own"
    own.mkdir()
    (own / "gradconform.toml").write_text(GATE, encoding="utf-8")
    tables = GATE.replace("[[known]]", "[[tool.gradconform.known]]").replace("[subjects", "[tool.gradconform.subjects")
    _written(tmp_path, "[tool.gradconform]" + tables)
    config, path = find_config(own)
    assert path == own / "gradconform.toml" and config == read_config(tmp_path)
    assert (config.layers, config.dtypes, config.examples, config.seed) == (("Relu", "layers.py:Dense"), ("float32",), 500, None)
    assert (config.like("layers.py:Dense"), config.convention("layers.py:Dense")) == ("Affine", "classic")
    assert config.like("Relu") is config.convention("Relu") is None
    gate = config.gate("here")
    assert (gate.floor, gate.source, config.corpus, config.planted) == (50, "here", "cases", False)
    assert [(k.layer, k.quantity, k.dtype, k.link, k.expires) for k in gate.known] == [
        ("Relu", "backward.dx", "float32", "https://example.org/1", "2027-01-31"),
        ("layers.py:Dense", "state.fresh", "", "", ""),
    ]


def test_two_files_with_a_table_each_are_both_named(tmp_path: Path) -> None:
    (tmp_path / "gradconform.toml").write_text("examples = 7\n", encoding="utf-8")
    _written(tmp_path, "[project]\nname = 'a'\n")
    assert read_config(tmp_path).examples == 7, "a pyproject.toml without the table says nothing"
    _written(tmp_path, "[tool.gradconform]\nexamples = 8\n")
    with pytest.raises(ConfigError, match="keep one of them") as caught:
        read_config(tmp_path)
    assert str(tmp_path / "pyproject.toml") in str(caught.value) and str(tmp_path / "gradconform.toml") in str(caught.value)


ENTRY = {"layer": "'Relu'", "branch": "'matrix'", "quantity": "'backward.dx'", "reason": "'ties'"}


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"reason": None}, r"known.0.reason: Field required.*known may hold tables with layer"),
        ({"reason": "'  '"}, r"known.0.reason: say why it is accepted\."),
        ({"quantity": None}, r"known.0: name either a quantity or a contract\."),
        ({"contract": "'state.fresh'"}, r"known.0: name either a quantity or a contract\."),
        ({"layer": None}, r"known.0.layer: Field required"),
        ({"expires": "'2027-01-31'"}, r"known.0.expires: .*valid date.*expires \(a date, unquoted\)"),
        ({"expires": "2027-01-31T10:00:00"}, r"known.0.expires: .*valid date"),
        ({"expires": "7"}, r"known.0.expires: .*valid date"),
        ({"link": "'javascript:alert(1)'"}, r"known.0.link: a link begins with https:// or http://\."),
        ({"until": "2027-01-31"}, r"known.0.until: .*not permitted"),
        ({"layer": "'" + "x" * 201 + "'"}, r"known.0.layer: .*at most 200 characters"),
        ({'"\\u001b[31m"': "1"}, r"known.0.\\x1b\[31m: .*not permitted"),
    ],
)
def test_an_entry_that_is_wrong_is_named(tmp_path: Path, changes: dict[str, str | None], told: str) -> None:
    lines = [f"{key} = {value}" for key, value in {**ENTRY, **changes}.items() if value is not None]
    (tmp_path / "gradconform.toml").write_text("\n".join(["[[known]]", *lines]), encoding="utf-8")
    with pytest.raises(ConfigError, match=told) as caught:
        read_config(tmp_path)
    assert "gradconform.toml, known" in str(caught.value) and "\x1b" not in str(caught.value)


def test_an_entry_is_listed_once(tmp_path: Path) -> None:
    entry = "\n".join(["[[known]]", *(f"{key} = {value}" for key, value in ENTRY.items()), ""])
    (tmp_path / "gradconform.toml").write_text(entry * 2, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"known: Relu matrix backward.dx is listed twice\."):
        read_config(tmp_path)
