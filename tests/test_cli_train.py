"""`gradconform train` from the command line: what it says, writes and exits with."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from oracle.cli import main
from oracle.nets.batches import Data
from oracle.results.training import read_training
from tests.nets.small import SIZES, digits

# the package has the command under the name of its module
command = import_module("oracle.cli.train")
ROOT = Path(__file__).parents[1]
NETS = ROOT / "tests/mutants/nets"
SMALL = ("--steps", "12", "--batch", "20", "--timeout", "60")
ARGS = ("--args", ",".join(map(str, SIZES)))


@pytest.fixture(autouse=True)
def ctrl_c() -> Iterator[None]:
    """Ctrl-C is heard, also where these tests run in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(autouse=True)
def small_data(monkeypatch: pytest.MonkeyPatch) -> None:
    """Data of a second instead of MNIST."""
    monkeypatch.setattr(command, "data_of", lambda kind, seed: digits())


def train(folder: Path, *arguments: str | Path) -> Result:
    given = [str(a) for a in (*SMALL, *arguments)]
    return CliRunner().invoke(main, ["train", "--path", str(ROOT), "--out", str(folder), *given], catch_exceptions=False)


def of_file(name: str) -> tuple[str, ...]:
    return (f"{NETS / name}", *ARGS)


def one_line(text: str) -> str:
    return " ".join(text.split())


def test_our_net_conforms_and_page_and_results_are_written(tmp_path: Path) -> None:
    done = train(tmp_path)
    assert done.exit_code == 0, done.output
    assert "CONFORMS" in done.output and "All 6 deliberately broken nets convicted" in done.output
    assert f"Report:   {tmp_path / 'training.html'}" in done.output and f"Results:  {tmp_path / 'training.jsonl'}" in done.output
    found = read_training(tmp_path / "training.jsonl")
    assert found.header.net.name == "TwoLayerNet" and dict(found.header.net.parameters) == {
        "W1": (12, 50),
        "b1": (50,),
        "W2": (50, 10),
        "b2": (10,),
    }
    assert found.header.settings.dtypes == ("float64", "float32") and found.header.net.source and found.header.settings.epoch == 10
    assert "TwoLayerNet" in (tmp_path / "training.html").read_text()


@pytest.mark.parametrize(
    "target, told",
    [
        ("stale.py:Accumulated", "added up"),
        ("parameters.py:Copied", "that before the update"),
        ("layers.py:WrongOrder", ""),
        ("stale.py:BatchOfTheLastLoss", "that of the batch before"),
        ("stale.py:LossOfTheBatchBefore", "that of the batch before"),
    ],
)
def test_bugs_that_only_a_net_shows_are_convicted_in_a_file_of_the_users(target: str, told: str, tmp_path: Path) -> None:
    done = train(tmp_path, *of_file(target))
    assert done.exit_code == 1 and "DIVERGES" in done.output, done.output
    found = read_training(tmp_path / "training.jsonl")
    first = min(d.step for d in found.divergences)
    assert first <= 2 and f"first at step {first}" in one_line(done.output)
    assert {bool(d.diagnosis) for d in found.divergences if d.quantity != "trajectory"} == {bool(told)}
    assert all(told in d.diagnosis for d in found.divergences if d.step == first and d.quantity != "trajectory")
    assert found.header.net.name.endswith(target)


def test_a_right_net_of_a_file_conforms_in_the_dtype_that_was_asked_for(tmp_path: Path) -> None:
    done = train(
        tmp_path, *of_file("textbook.py:TwoLayerNet"), "--dtype", "float32", "--dtype", "float32", "--label", "mine", "--shadows", "3"
    )
    assert done.exit_code == 0, done.output
    found = read_training(tmp_path / "training.jsonl")
    assert found.header.settings.dtypes == ("float32",) and found.header.label == "mine" and found.header.settings.shadows == 3
    assert set(found.steps) == {"float32"}


def test_a_torch_expression_takes_the_place_of_the_names(tmp_path: Path) -> None:
    source = tmp_path / "mine.py"
    source.write_text(
        "import numpy as np\nclass Mine:\n    def __init__(self, n, m):\n        self.params = {'A': np.zeros((n, m))}\n"
        "    def y(self, x):\n        e = np.exp(x @ self.params['A'])\n        return e / e.sum(1, keepdims=True)\n"
        "    def loss(self, x, t):\n        return -np.log(self.y(x)[np.arange(len(x)), t]).mean()\n"
        "    def gradient(self, x, t):\n        return {'A': x.T @ (self.y(x) - np.eye(4)[t]) / len(x)}\n"
    )
    told = train(tmp_path, source, "--args", "12,4", "--dtype", "float64")
    assert told.exit_code == 2 and "no twin is known for a net with the parameters A" in told.output and "--torch EXPR" in told.output
    done = train(tmp_path, source, "--args", "12,4", "--dtype", "float64", "--torch", "F.cross_entropy(x @ A, t)")
    assert done.exit_code == 0, done.output
    assert read_training(tmp_path / "training.jsonl").header.n_planted == 5


@pytest.mark.parametrize(
    "arguments, told",
    [
        (("nowhere.py",), "nowhere.py"),
        ((f"{NETS / 'textbook.py'}:Absent", *ARGS), "Absent"),
        ((f"{NETS / 'textbook.py'}:Relu",), "Relu"),
        ((f"{NETS / 'textbook.py'}:TwoLayerNet", "--args", "12"), "missing 2 required positional arguments"),
        (("--args", "12,a"), "12,a"),
        (("--args", "12,50,3"), "--args"),
        (("--args", "784,50,10"), "--args"),
        (("--lr", "0"), "--lr"),
        (("--lr", "nan"), "--lr"),
        (("--lr", "inf"), "--lr"),
        (("--lr", "-1"), "--lr"),
        (("--steps", "0"), "--steps"),
        (("--batch", "0"), "--batch"),
        (("--dtype", "float16"), "--dtype"),
        (("--activation", "elu"), "--activation"),
        (("--data", "cifar"), "--data"),
        (("--shadows", "17"), "--shadows"),
        (("--seed", "-1"), "--seed"),
        (("--torch", "F.cross_entropy(x @ W1"), "--torch"),
        (("--torch", "F.cross_entropy(x @ Q, t)"), "--torch"),
        (("--torch", "x @ W1"), "it must give the loss"),
        (("--resume",), "Leave --resume out"),
    ],
)
def test_wrong_usage_names_what_is_wrong_and_writes_nothing(arguments: tuple[str, ...], told: str, tmp_path: Path) -> None:
    done = train(tmp_path, *arguments)
    assert done.exit_code == 2 and told in one_line(done.output), done.output
    assert "Traceback" not in done.output and not (tmp_path / "training.jsonl").exists()


def test_data_that_does_not_fit_the_net_is_told_with_both(tmp_path: Path) -> None:
    told = one_line(train(tmp_path, "--args", "12,50,3").output)
    assert "Target 3 is out of bounds" in told and "an input of 12 numbers with the label 3" in told and "--data" in told


def test_a_net_that_dies_while_it_is_looked_at_is_wrong_usage(tmp_path: Path) -> None:
    source = tmp_path / "dying.py"
    methods = "    def loss(self, x, t): pass\n    def gradient(self, x, t): pass\n"
    source.write_text(f"import os\nclass Net:\n    def __init__(self, *a):\n        os._exit(3)\n{methods}")
    done = train(tmp_path, source)
    assert done.exit_code == 2 and "exit" in done.output and "Traceback" not in done.output


@pytest.mark.parametrize("arguments", [(), of_file("textbook.py:TwoLayerNet")], ids=["ours", "a file's"])
def test_ctrl_c_and_resume(arguments: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = train(tmp_path / "whole", *arguments)
    from oracle.nets.training import Training

    one, done = Training._one, [0]

    def interrupted(self: Training) -> None:
        one(self)
        done[0] += 1
        if done[0] == 7:
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(Training, "_one", interrupted)
    part = train(tmp_path / "part", *arguments)
    assert part.exit_code == 3 and "INCOMPLETE" in part.output and "--resume" in part.output
    assert "7 in float64 and 0 in float32" in one_line(part.output)
    rest = train(tmp_path / "part", *arguments, "--resume")
    assert whole.exit_code == rest.exit_code == 0 and done[0] == 24
    a, b = (read_training(tmp_path / name / "training.jsonl") for name in ("whole", "part"))
    assert a.steps == b.steps and a.rows == b.rows and a.epochs == b.epochs and a.planted == b.planted
    longer = train(tmp_path / "part", *arguments, "--resume", "--steps", "15")
    assert longer.exit_code == 0 and done[0] == 30


def test_another_training_is_not_gone_on_with(tmp_path: Path) -> None:
    assert train(tmp_path).exit_code == 0
    before = (tmp_path / "training.jsonl").read_bytes()
    for arguments, told in (
        (("--seed", "4"), "seed was 0 and is now 4"),
        (("--lr", "0.2"), "lr was 0.1 and is now 0.2"),
        (("--batch", "21"), "batch was 20 and is now 21"),
        (("--dtype", "float64"), "dtypes was"),
        (of_file("textbook.py:TwoLayerNet"), "name was TwoLayerNet and is now"),
    ):
        done = train(tmp_path, "--resume", *arguments)
        assert done.exit_code == 2 and told in one_line(done.output), done.output
    assert (tmp_path / "training.jsonl").read_bytes() == before


def test_code_that_has_changed_is_not_gone_on_with(tmp_path: Path) -> None:
    source = tmp_path / "mine.py"
    source.write_text((NETS / "textbook.py").read_text())
    arguments = (f"{source}:TwoLayerNet", *ARGS, "--dtype", "float64")
    assert train(tmp_path, *arguments).exit_code == 0
    source.write_text(source.read_text().replace("x <= 0", "x < 0"))
    done = train(tmp_path, *arguments, "--resume")
    assert done.exit_code == 2 and "the net's code has changed since" in one_line(done.output)


def test_a_lost_checkpoint_is_told_and_the_training_begins_again(tmp_path: Path) -> None:
    assert train(tmp_path).exit_code == 0
    for path in tmp_path.glob("checkpoint-*"):
        path.unlink()
    done = train(tmp_path, "--resume")
    assert done.exit_code == 0 and "There is no whole checkpoint in" in done.output


@pytest.mark.skipif(os.geteuid() == 0 and not Path("/proc").is_dir(), reason="everything can be written here")
def test_a_folder_that_cannot_be_written_is_named() -> None:
    done = train(Path("/proc/nothing/here"))
    assert done.exit_code == 2 and "/proc/nothing/here" in done.output and "--out" in done.output and "Traceback" not in done.output


def test_a_page_that_cannot_be_written_keeps_the_verdict(tmp_path: Path) -> None:
    (tmp_path / "training.html").mkdir()
    done = train(tmp_path)
    assert done.exit_code == 2 and "CONFORMS" in done.output and "cannot write the report" in done.output and "--out" in done.output


LIMITED = """
import resource
from importlib import import_module
from oracle.cli import main
from tests.nets.small import digits
import_module("oracle.cli.train").data_of = lambda kind, seed: digits()
resource.setrlimit(resource.RLIMIT_FSIZE, ({size}, {size}))
main()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there are no limits on files here")
@pytest.mark.parametrize("size", [6_000, 25_000])
def test_a_full_disk_stops_it_with_a_word_and_what_was_found(size: int, tmp_path: Path) -> None:
    given = ["train", "--steps", "300", "--batch", "20", "--dtype", "float64", "--args", "12,7,4", "--out", str(tmp_path)]
    done = subprocess.run([sys.executable, "-c", LIMITED.format(size=size), *given], cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 2, done.stderr
    assert "INCOMPLETE" in done.stdout and "Traceback" not in done.stderr
    assert "File too large" in done.stderr and "--out" in done.stderr
    assert read_training(tmp_path / "training.jsonl").footer is None


def test_the_help_teaches_and_names_every_option() -> None:
    told = CliRunner().invoke(main, ["train", "--help"], catch_exceptions=False).output
    for option in (*(p.opts[0] for p in command.train.params if p.opts[0].startswith("--")),):
        assert option in told
    for word in ("Exit codes", "--resume", "784-50-10", "params", "docs/nets.md", "torch twin", "shadows", "gradconform train mynet.py"):
        assert word in one_line(told)
    assert (ROOT / "docs/nets.md").is_file()


@pytest.mark.parametrize("kind", ["random", "auto", "digits"])
def test_data_that_is_here(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from oracle.cli.nets import data_of

    pytest.importorskip("sklearn")
    monkeypatch.delenv("MNIST_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", "/nonexistent")
    monkeypatch.setenv("HOME", "/nonexistent")
    found: Data = data_of(kind, 0)
    wide = 784 if kind == "random" else 64
    assert found.x_train.shape[1] == found.x_test.shape[1] == wide and found.x_train.dtype == np.float32
    assert found.x_train.min() >= 0 and 0 < found.x_train.max() <= 1 and set(found.t_train.tolist()) == set(range(10))
    assert f"{len(found.x_train):,} to train on, {len(found.x_test):,} to test on" in found.text
    again: Any = data_of(kind, 0)
    assert np.array_equal(found.x_train, again.x_train)


def test_mnist_that_is_not_here_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from oracle.cli.nets import data_of

    monkeypatch.setenv("MNIST_DIR", str(tmp_path))
    with pytest.raises(Exception, match="--data mnist: ") as told:
        data_of("mnist", 0)
    assert getattr(told.value, "exit_code", None) == 2 and "train-images" in str(told.value)


@pytest.mark.parametrize("made", ["make", "net", "MyNet"])
def test_a_net_that_is_made_of_nothing_needs_no_arguments(tmp_path: Path, made: str) -> None:
    inputs, _, outputs = SIZES
    file = tmp_path / "made.py"
    file.write_text(
        f"from reference import TwoLayerNet\n\ndef make():\n    return TwoLayerNet({inputs}, 5, {outputs})\n\nnet = make()\n\n"
        f"class MyNet(TwoLayerNet):\n    def __init__(self, hidden=4):\n        super().__init__({inputs}, hidden, {outputs})\n"
    )
    found = train(tmp_path, f"{file}:{made}", "--dtype", "float64")
    assert found.exit_code == 0, found.output
    header = read_training(tmp_path / "training.jsonl").header
    assert header.net.parameters["W1"] == (inputs, 4 if made == "MyNet" else 5)


def test_a_net_of_the_users_draws_the_same_parameters_for_the_same_seed(tmp_path: Path) -> None:
    file = tmp_path / "drawn.py"
    file.write_text("from reference import TwoLayerNet\n\n\nclass MyNet(TwoLayerNet):\n    pass\n")
    losses = []
    for name in ("once", "again"):
        found = train(tmp_path / name, f"{file}:MyNet", *ARGS, "--dtype", "float64", "--seed", "3")
        assert found.exit_code == 0, found.output
        losses.append(read_training(tmp_path / name / "training.jsonl").steps["float64"].actual)
    assert losses[0] == losses[1]
