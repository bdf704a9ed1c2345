"""`gradconform gradcheck`: our net and nets of the user's, exit codes, errors that say what to do, what an interrupt keeps."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from oracle.cli import main

RIGHT = """
import numpy as np

class MyNet:
    def __init__(self, inputs, hidden, outputs, dtype=np.float64):
        rng = np.random.default_rng(np.dtype(dtype).itemsize)
        self.params = {
            "W1": rng.normal(size=(inputs, hidden)).astype(dtype) / 8, "b1": np.zeros(hidden, dtype),
            "W2": rng.normal(size=(hidden, outputs)).astype(dtype) / 8, "b2": np.zeros(outputs, dtype),
        }

    def loss(self, x, t):
        self.x = x
        self.h = np.maximum(x @ self.params["W1"] + self.params["b1"], 0)
        s = self.h @ self.params["W2"] + self.params["b2"]
        s = s - s.max(1, keepdims=True)
        self.y = np.exp(s) / np.exp(s).sum(1, keepdims=True)
        return (np.log(np.exp(s).sum(1)) - s[np.arange(len(x)), t]).mean()

    def gradient(self, x, t):
        self.loss(x, t)
        d = self.y.copy()
        d[np.arange(len(x)), t] -= 1
        d /= len(x)
        back = d @ self.params["W2"].T * (self.h > 0)
        return {"W1": self.x.T @ back, "b1": back.sum(0), "W2": self.h.T @ d, "b2": d.sum(0)}
"""
FAULTY = {
    "backprop": RIGHT.replace('"b1": back.sum(0)', '"b1": 2 * back.sum(0)'),
    "numerical": RIGHT.replace("- s[np.arange(len(x)), t]).mean()", "- s[np.arange(len(x)), t]).sum()"),
    "autograd": RIGHT.replace("np.maximum(x @", "np.abs(x @").replace("+ self.params[\"b1\"], 0)", "+ self.params[\"b1\"])").replace(
        "* (self.h > 0)", "* np.sign(self.x @ self.params[\"W1\"] + self.params[\"b1\"])"
    ),
}  # fmt: skip
OTHER = """
import numpy as np

class Line:
    def __init__(self, *sizes):
        self.params = {"a": np.full((784, 10), 0.01), "c": np.zeros(10)}

    def loss(self, x, t):
        return ((x @ self.params["a"] + self.params["c"] - np.eye(10)[t]) ** 2).mean()

    def gradient(self, x, t):
        d = 2 * (x @ self.params["a"] + self.params["c"] - np.eye(10)[t]) / (10 * len(x))
        return {"a": x.T @ d, "c": d.sum(0)}
"""


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Runs the command in an empty folder, on random images unless data are named."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")

    def called(*arguments: str, data: str = "random") -> Result:
        return CliRunner().invoke(main, ["gradcheck", *arguments, "--data", data, "--out", "out"], catch_exceptions=False)

    return called


def written(name: str, text: str) -> str:
    Path(name).write_text(text)
    return name


def test_our_own_net_conforms_in_both_dtypes(run: Callable[..., Result]) -> None:
    found = run("--json", "g.json")
    assert found.exit_code == 0 and "CONFORMS  The gradients of TwoLayerNet are right" in found.output
    assert "64 of 39,200" in found.output and "central differences of the loss of the same net in float64" in found.output
    assert "gradient check of TwoLayerNet" in Path("out/gradcheck.html").read_text()
    document = json.loads(Path("g.json").read_text())
    assert [row["parameter"] for row in document["rows"]] == ["W1", "b1", "W2", "b2"] * 2
    assert {row["alone"] for row in document["rows"]} == {"nobody"} and document["settings"]["samples"] == 64


def test_the_same_seed_tries_the_same_elements_and_gives_the_same_numbers(run: Callable[..., Result]) -> None:
    told = []
    for seed in ("1", "1", "2"):
        run("--json", "g.json", "--seed", seed, "--dtype", "float64", "--samples", "8")
        told.append(json.loads(Path("g.json").read_text())["rows"])
    assert told[0] == told[1] != told[2] and told[0][0]["n_tried"] == 8


def test_every_element_is_tried_with_full(run: Callable[..., Result]) -> None:
    found = run("--full", "--dtype", "float64", "--args", "784,2,10", "--json", "g.json")
    assert found.exit_code == 0 and all(row["n_tried"] == row["n_elements"] for row in json.loads(Path("g.json").read_text())["rows"])


def test_a_right_net_of_the_users_conforms(run: Callable[..., Result]) -> None:
    found = run(written("mynet.py", RIGHT), "--args", "784,8,10")
    assert found.exit_code == 0, found.output


@pytest.mark.parametrize("side", FAULTY)
def test_a_faulty_net_of_the_users_diverges_and_the_right_side_stands_alone(run: Callable[..., Result], side: str) -> None:
    found = run(written("mynet.py", FAULTY[side]) + ":MyNet", "--args", "784,8,10", "--json", "g.json")
    alone = {row["alone"] for row in json.loads(Path("g.json").read_text())["rows"]} - {"nobody"}
    assert found.exit_code == 1 and alone == {side}, found.output
    assert f"{side} stands alone" in found.output and "DIVERGES" in found.output


def test_the_loss_of_the_notebook_is_explained(run: Callable[..., Result]) -> None:
    right, added = "(np.log(np.exp(s).sum(1)) - s[np.arange(len(x)), t]).mean()", "-np.log(self.y[np.arange(len(x)), t] + 1e-7).mean()"
    found = run(written("mynet.py", RIGHT.replace(right, added)), "--args", "784,8,10", "--dtype", "float64")
    assert found.exit_code == 1 and "It adds 1e-07 to each probability before it takes the logarithm" in found.output


def test_a_net_of_another_kind_is_checked_against_the_users_expression(run: Callable[..., Result]) -> None:
    expression = "((x @ a + c - F.one_hot(t, 10)) ** 2).mean()"
    assert run(written("line.py", OTHER)).exit_code == 2
    assert run("line.py:Line", "--torch", expression).exit_code == 0
    found = run(written("wrong.py", OTHER.replace("(10 * len(x))", "len(x)")), "--torch", expression)
    assert found.exit_code == 1 and "The gradient of a is 10 times torch's." in found.output


def test_a_dtype_that_the_net_cannot_be_had_in_is_left_out_unless_it_was_chosen(run: Callable[..., Result]) -> None:
    text = RIGHT.replace("dtype=np.float64):", "dtype=np.float64):\n        if dtype == np.float32: raise ValueError('float64 only')")
    found = run(written("mynet.py", text), "--args", "784,8,10")
    assert found.exit_code == 0 and "float32 is left out" in found.output and "float64 only" in found.output
    chosen = run("mynet.py", "--args", "784,8,10", "--dtype", "float32")
    assert chosen.exit_code == 2 and "float64 only" in chosen.output


def test_differences_are_taken_in_the_nets_own_dtype_where_it_cannot_be_had_in_float64(run: Callable[..., Result]) -> None:
    text = RIGHT.replace("dtype=np.float64):", "dtype=np.float64):\n        if dtype == np.float64: raise ValueError('float32 only')")
    found = run(written("mynet.py", text), "--args", "784,8,10", "--dtype", "float32")
    assert found.exit_code == 0 and "cannot be had in float64" in found.output and "can tell little" in found.output


@pytest.mark.parametrize(
    "arguments, message",
    [
        (("--full", "--samples", "3"), "--samples and --full"),
        (("--batch", "9000"), "--batch: 9,000 rows"),
        (("nothing.py",), "nothing.py"),
        (("--torch", "F.nothing(x)"), "--torch: F.nothing(x) does not compute"),
        (("--torch", "F.linear(x"), "--torch"),
        (("--args", "784,x"), "no list of numbers"),
        (("--args", "12,5,10"), "gradient raised"),
        (("--activation", "gelu"), "gelu"),
        (("--samples", "0"), "--samples"),
    ],
)
def test_what_cannot_be_done_is_told_with_what_to_do(run: Callable[..., Result], arguments: tuple[str, ...], message: str) -> None:
    found = run(*arguments)
    assert found.exit_code == 2 and message in found.output and "Traceback" not in found.output


def test_a_net_without_a_twin_is_told_of_the_option(run: Callable[..., Result]) -> None:
    found = run(written("mynet.py", RIGHT.replace('"b1"', '"bias"')), "--args", "784,8,10")
    assert found.exit_code == 2 and "no twin is known" in found.output and "--torch EXPR" in found.output


def test_files_that_cannot_be_written_are_told_after_the_verdict(run: Callable[..., Result]) -> None:
    Path("out/gradcheck.html").mkdir(parents=True)
    Path("file").write_text("")
    found = run("--dtype", "float64", "--samples", "2", "--json", "file/g.json")
    assert found.exit_code == 2 and "CONFORMS" in found.output
    assert "--out: Report cannot be written" in found.output and "--json: JSON cannot be written" in found.output


def test_an_interrupt_keeps_what_is_done(run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch) -> None:
    @contextmanager
    def interrupting(what: str, total: int) -> Iterator[Callable[[str], None]]:
        done: list[str] = []

        def advance(name: str) -> None:
            done.append(name)
            if len(done) == 70:
                raise KeyboardInterrupt

        yield advance

    monkeypatch.setattr("oracle.progress.counting", interrupting)
    found = run("--json", "g.json")
    document = json.loads(Path("g.json").read_text())
    assert found.exit_code == 3 and "INCOMPLETE" in found.output and "interrupted" in found.output
    assert [row["n_tried"] for row in document["rows"]] == [64, 6, 0, 0] and "Nothing was checked in float32" in document["sentence"]


def test_it_takes_digits_where_there_is_no_mnist_and_says_which(run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MNIST_DIR", str(Path.cwd() / "nowhere"))
    pytest.importorskip("sklearn")
    found = run("--dtype", "float64", "--samples", "4", "--json", "g.json", data="auto")
    document = json.loads(Path("g.json").read_text())
    assert found.exit_code == 0 and "digits" in document["settings"]["data"] and document["rows"][0]["shape"] == [64, 50]
    assert run("--dtype", "float64", data="mnist").exit_code == 2


def test_the_gradient_of_the_first_rows_is_what_is_judged(run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch) -> None:
    import oracle.nets.gradcheck as judge

    asked: list[Any] = []
    kept = judge.gradcheck
    monkeypatch.setattr(judge, "gradcheck", lambda net, spec, question, *rest: asked.append(question) or kept(net, spec, question, *rest))
    run("--dtype", "float64", "--samples", "1", "--batch", "4")
    from oracle.cli.nets import data_of

    data = data_of("random", 0)
    assert np.array_equal(asked[0].batch.x, data.x_train[:4]) and np.array_equal(asked[0].before.t, data.t_train[4:8])


def test_help_teaches() -> None:
    text = CliRunner().invoke(main, ["gradcheck", "--help"]).output
    assert "backprop alone: the backward is wrong" in " ".join(text.split()) and "Exit codes" in text
