"""`[tool.gradconform]`: what it may hold, whom it concerns, and what is said where it is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from oracle.config import Config, ConfigError, read_config

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
        ("[tool.gradconform]\nnot_claimed = 'dout'", "tool.gradconform.not_claimed: .*valid tuple.*It may hold not_claimed"),
        ("[tool.gradconform]\nnotclaimed = ['dout']", "tool.gradconform.notclaimed: .*not permitted"),
        ("[tool.gradconform.subjects.'a.py']\nclaimed = []", "tool.gradconform.subjects.a.py.claimed: .*not permitted"),
        ("[tool.gradconform]\nnot_claimed = [1]", r"tool.gradconform.not_claimed.0: .*valid string"),
        ("[tool]\ngradconform = 3", "tool.gradconform: .*It may hold"),
        ("tool = 3", "tool must be a table"),
        ("[tool.gradconform\n", "cannot read .*pyproject.toml: "),
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
