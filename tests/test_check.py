"""`gradconform check` as a user meets it: what is found, what is said, and how it ends."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from oracle.cli import main
from oracle.results import read_run

RIGHT = """
import numpy as np

class {name}:
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
TWICE = RIGHT.replace("dout.dtype.type(0), dout)", "dout.dtype.type(0), 2 * dout)")
EXITS = (
    "class Relu:\n    def forward(self, x):\n        import os\n        os._exit(3)\n    def backward(self, dout):\n        return dout\n"
)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of its own, as the current one."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def check(*arguments: str, examples: int = 240) -> Result:
    return CliRunner().invoke(main, ["check", *arguments, "--examples", str(examples), "--out", "out"], catch_exceptions=False)


def written(name: str, text: str) -> str:
    Path(name).write_text(text, encoding="utf-8")
    return name


def test_a_right_layer_conforms_and_the_table_says_so() -> None:
    result = check(written("layers.py", RIGHT.format(name="ReLU")))
    assert result.exit_code == 0, result.output
    assert "layers.py:ReLU is judged as Relu" in result.output
    assert "backward.dx" in result.output and "holds" in result.output and "CONFORMS" in result.output
    stored = read_run(Path("out/results.jsonl"))
    (layer,) = stored.header.layers
    assert (layer.name, layer.spec, layer.target) == ("layers.py:ReLU", "Relu", "layers.py")
    assert Path("out/index.html").read_text(encoding="utf-8").count("layers.py:ReLU") > 1


def test_a_wrong_layer_diverges_with_its_cause_and_can_be_replayed_and_mended() -> None:
    written("layers.py", TWICE.format(name="Relu"))
    result = check("layers.py:Relu", "--json", "out/outcome.json")
    assert result.exit_code == 1
    assert "Why: backward.dx is twice what torch gives" in " ".join(result.output.split())
    assert json.loads(Path("out/outcome.json").read_text(encoding="utf-8"))
    example = next(c for c in read_run(Path("out/results.jsonl")).counterexamples if c.minimised)
    again = ["replay", example.id, "--results", "out/results.jsonl"]
    assert "say where the code is now with --target" in CliRunner().invoke(main, again).output
    assert CliRunner().invoke(main, [*again, "--target", "layers.py"]).exit_code == 1
    written("layers.py", RIGHT.format(name="Relu"))
    mended = CliRunner().invoke(main, [*again, "--target", "layers.py"])
    assert (mended.exit_code, mended.output.split()[0]) == (0, "holds")


def test_what_is_not_claimed_is_neither_judged_nor_passed() -> None:
    written("layers.py", TWICE.format(name="Relu"))
    result = check("layers.py", "--not-claimed", "backward.dx,cotangent.honoured,results.own-memory")
    assert result.exit_code == 0, result.output
    rows = [r for r in read_run(Path("out/results.jsonl")).results if r.quantity == "backward.dx"]
    assert rows and {r.status for r in rows} == {"not-claimed"}
    assert "not claimed" in result.output


def test_claims_of_the_project_hold_as_well() -> None:
    written("pyproject.toml", '[tool.gradconform.subjects."lay*.py"]\nnot_claimed = ["dx"]\n')
    result = check(written("layers.py", TWICE.format(name="Relu")))
    assert result.exit_code == 0, result.output
    written("pyproject.toml", "[tool.gradconform]\nnot_claimd = []\n")
    wrong = check("layers.py")
    assert wrong.exit_code == 2 and "not_claimd" in wrong.output


def test_many_are_graded_in_one_table_and_a_csv() -> None:
    Path("submissions").mkdir()
    files = [
        written("submissions/ann.py", RIGHT.format(name="Relu")),
        written("submissions/bob.py", TWICE.format(name="Relu")),
        written("submissions/cleo.py", "import no_such_module\n"),
        written("submissions/dan.py", EXITS),
        written("submissions/eve.py", "class Relu:\n    syntax error\n"),
    ]
    result = check(*files, "--as", "Relu", "--workers", "2")
    assert result.exit_code == 1
    with Path("out/subjects.csv").open(encoding="utf-8", newline="") as file:
        rows = {row["subject"].split("/")[-1].split(".")[0]: row for row in csv.DictReader(file)}
    assert set(rows) == {"ann", "bob", "cleo", "dan", "eve"}
    assert rows["ann"]["verdict"] == "conforms" and rows["bob"]["verdict"] == "diverges"
    assert "twice" in rows["bob"]["diagnosis"]
    assert "no_such_module" in result.output and "SyntaxError" in result.output
    assert all(name in result.output for name in ("ann.py", "bob.py", "cleo.py", "dan.py", "eve.py"))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("missing.py",), "missing.py"),
        (("layers.py:Nope",), "Nope"),
        (("layers.py", "--as", "Conv9"), "Conv9"),
        (("layers.py", "--convention", "telepathy"), "telepathy"),
        (("layers.py", "--not-claimed", "everything"), "everything"),
        (("other.py",), "nothing in it is called like a layer we know"),
    ],
)
def test_wrong_usage_is_2_and_names_what_is_wrong(arguments: tuple[str, ...], said: str) -> None:
    written("layers.py", RIGHT.format(name="Relu"))
    written("other.py", "class Engine:\n    pass\n")
    result = check(*arguments)
    assert result.exit_code in ((2,) if said != "Nope" else (1, 2)), result.output
    assert said in result.output


def test_a_function_without_derivative_is_judged_on_its_values() -> None:
    result = check(written("layers.py", "import numpy as np\n\ndef relu(x):\n    return np.where(x < 0, x.dtype.type(0), x)\n"))
    assert result.exit_code == 0, result.output
    rows = {r.status for r in read_run(Path("out/results.jsonl")).results if r.quantity == "backward.dx"}
    assert rows == {"not-claimed"} and "no derivative" in result.output
