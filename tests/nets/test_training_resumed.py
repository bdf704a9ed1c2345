"""A training that was stopped, killed or damaged and is gone on with ends as one that never was: the same rows, columns and verdict."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from oracle.nets import training
from oracle.nets.plan import TrainingPlan
from oracle.results import ResultsError, WritingStopped
from oracle.results.model import Footer
from oracle.results.training import Training, TrainingWriter, read_training, training_verdict
from tests.mutants.nets import textbook
from tests.mutants.nets.parameters import Decay
from tests.nets.small import ROOT, isolated, lasting, net_of, planned, trained

STEPS = 24


def plan_of(net: Any = textbook.TwoLayerNet, **how: Any) -> TrainingPlan:
    return planned(net_of(net), **{"steps": STEPS, "planted": True, **how})


def interrupting(at: int, times: int = 1) -> Callable[[str, int], None]:
    """Progress that presses Ctrl-C once `at` steps of both dtypes together are done."""
    done = [0]

    def advance(dtype: str, n: int) -> None:
        done[0] += n
        if done[0] == at:
            for _ in range(times):
                os.kill(os.getpid(), signal.SIGINT)

    return advance


def is_whole(found: Training, whole: Training) -> bool:
    """Whether both say the same."""
    a, b = lasting(found), lasting(whole)
    for field in type(a).model_fields:
        assert getattr(a, field) == getattr(b, field), field
    return training_verdict(found).sentence == training_verdict(whole).sentence


@pytest.fixture(autouse=True)
def ctrl_c() -> Iterator[None]:
    """Ctrl-C is heard, also where these tests run in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def whole(tmp_path: Path) -> Training:
    folder = tmp_path / "whole"
    folder.mkdir()
    return trained(plan_of(), folder)


@pytest.fixture
def always(monkeypatch: pytest.MonkeyPatch) -> None:
    """A checkpoint after every step."""
    monkeypatch.setattr(training, "CHECKPOINT_SECONDS", -1.0)


@pytest.mark.parametrize("at", [1, 13, 20, STEPS, STEPS + 9, 2 * STEPS])
def test_after_ctrl_c_it_ends_as_one_that_was_never_stopped(at: int, whole: Training, tmp_path: Path) -> None:
    part = trained(plan_of(), tmp_path, progress=interrupting(at))
    assert part.footer is not None and part.footer.outcome == "interrupted" and "--resume" in part.footer.message
    assert sum(len(s.actual) for s in part.steps.values()) == at
    verdict = training_verdict(part)
    assert verdict.exit_code == 3 and "was interrupted" in verdict.sentence
    assert is_whole(trained(plan_of(), tmp_path, resume=True), whole)


def test_a_divergence_survives_a_stop(tmp_path: Path) -> None:
    folder = tmp_path / "whole"
    folder.mkdir()
    whole = trained(plan_of(Decay), folder)
    part = trained(plan_of(Decay), tmp_path, progress=interrupting(STEPS + 4))
    assert training_verdict(part).exit_code == 1 and "was interrupted" in training_verdict(part).sentence
    found = trained(plan_of(Decay), tmp_path, resume=True)
    assert is_whole(found, whole) and found.divergences and all((tmp_path / d.file).exists() for d in found.divergences)


def test_a_second_ctrl_c_ends_at_once_and_loses_no_more_than_since_the_last_checkpoint(
    whole: Training, always: None, tmp_path: Path
) -> None:
    part = trained(plan_of(), tmp_path, progress=interrupting(13, times=2))
    assert part.footer is not None and part.footer.outcome == "interrupted"
    assert part.checkpoints[0].step == 12 and part.n_damaged == 0
    assert is_whole(trained(plan_of(), tmp_path, resume=True), whole)


def test_ctrl_c_while_the_accuracy_is_measured(whole: Training, tmp_path: Path) -> None:
    class Slow(textbook.TwoLayerNet):
        asked = 0

        def accuracy(self, x: Any, t: Any) -> float:
            Slow.asked += 1
            if Slow.asked == 3:
                os.kill(os.getpid(), signal.SIGINT)
            return super().accuracy(x, t)

    part = trained(plan_of(Slow), tmp_path)
    assert part.footer is not None and part.footer.outcome == "interrupted" and len(part.steps["float64"].actual) == 10
    assert is_whole(trained(plan_of(Slow), tmp_path, resume=True), whole)


def test_ctrl_c_in_a_net_of_another_process(tmp_path: Path) -> None:
    folder = tmp_path / "whole"
    folder.mkdir()
    whole = trained(planned(isolated, 20), folder)
    part = trained(planned(isolated, 20), tmp_path, progress=interrupting(13))
    assert part.footer is not None and part.footer.outcome == "interrupted" and len(part.steps["float64"].actual) == 13
    assert not [r for r in part.rows if r.status == "failed"]
    assert is_whole(trained(planned(isolated, 20), tmp_path, resume=True), whole)


def test_ctrl_c_outside_of_a_training_is_what_it_was(tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGINT)
    trained(plan_of(planted=False), tmp_path, progress=interrupting(3))
    assert signal.getsignal(signal.SIGINT) is before


def test_where_ctrl_c_is_ignored_it_stays_so(whole: Training, tmp_path: Path) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    assert is_whole(trained(plan_of(), tmp_path, progress=interrupting(3, times=2)), whole)
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN


KILLED = """
import os, signal, sys
from pathlib import Path
from oracle.nets import training
from tests.nets.small import trained
from tests.nets.test_training_resumed import plan_of
training.CHECKPOINT_SECONDS = training.FLUSH_SECONDS = -1.0
done = []
def advance(dtype, n):
    done.append(n)
    if len(done) == 33:
        os.kill(os.getpid(), signal.SIGKILL)
trained(plan_of(), Path(sys.argv[1]), progress=advance)
"""


def test_one_that_was_killed_is_gone_on_with(whole: Training, tmp_path: Path) -> None:
    died = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert died.returncode == -signal.SIGKILL, died.stderr
    part = read_training(tmp_path / "training.jsonl")
    assert part.footer is None and "cut off" in training_verdict(part).sentence and training_verdict(part).exit_code == 3
    assert [(c.dtype, c.step) for c in part.checkpoints] == [("float64", 24), ("float32", 8)]
    assert is_whole(trained(plan_of(), tmp_path, resume=True), whole)


def flipped(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-9] ^= 1
    path.write_bytes(data)


def deleted(path: Path) -> None:
    path.unlink()


def emptied(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("spoilt", [flipped, deleted, emptied])
def test_a_checkpoint_that_is_not_whole_is_not_gone_on_from(
    spoilt: Callable[[Path], None], dtype: str, whole: Training, tmp_path: Path
) -> None:
    trained(plan_of(), tmp_path, progress=interrupting(STEPS + 9))
    (path,) = tmp_path.glob(f"checkpoint-{dtype}-*.safetensors")
    spoilt(path)
    begun: list[str] = []
    found = trained(plan_of(), tmp_path, resume=True, progress=lambda dtype, n: begun.append(dtype))
    assert begun.count(dtype) == STEPS and is_whole(found, whole)


@pytest.mark.parametrize("lost", [10, 1_000, 20_000])
def test_a_file_that_was_cut_in_the_middle_of_a_line_is_gone_on_with(lost: int, whole: Training, always: None, tmp_path: Path) -> None:
    trained(plan_of(), tmp_path)
    path = tmp_path / "training.jsonl"
    path.write_bytes(path.read_bytes()[:-lost])
    assert read_training(path).n_damaged <= 1 and read_training(path).footer is None
    found = trained(plan_of(), tmp_path, resume=True)
    assert found.n_damaged == 0 and is_whole(found, whole)


def test_one_that_is_complete_can_be_resumed_and_says_the_same(whole: Training, tmp_path: Path) -> None:
    done: list[int] = []
    found = trained(plan_of(), tmp_path / "whole", resume=True, progress=lambda dtype, n: done.append(n))
    assert not done and is_whole(found, whole)


def test_more_steps_go_on_from_the_last(tmp_path: Path) -> None:
    folder = tmp_path / "whole"
    folder.mkdir()
    whole = trained(plan_of(steps=40), folder)
    trained(plan_of(), tmp_path)
    done: list[int] = []
    found = trained(plan_of(steps=40), tmp_path, resume=True, progress=lambda dtype, n: done.append(n))
    assert len(done) == 2 * (40 - STEPS)
    # the one look more is that at the end of the shorter one
    assert {r.n_judged for r in found.rows if r.quantity == "params.updated"} == {5}
    rows = tuple(r.model_copy(update={"n_judged": 4}) if r.quantity == "params.updated" else r for r in found.rows)
    assert is_whole(found.model_copy(update={"rows": rows}), whole)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_more_steps_after_a_checkpoint_was_lost(dtype: str, tmp_path: Path) -> None:
    folder = tmp_path / "whole"
    folder.mkdir()
    whole = trained(plan_of(steps=40), folder)
    trained(plan_of(), tmp_path)
    (path,) = tmp_path.glob(f"checkpoint-{dtype}-*.safetensors")
    path.unlink()
    found = trained(plan_of(steps=40), tmp_path, resume=True)
    assert lasting(found).steps == lasting(whole).steps and lasting(found).planted == lasting(whole).planted
    assert {(e.dtype, e.step): e for e in found.epochs} == {(e.dtype, e.step): e for e in whole.epochs}


@pytest.mark.parametrize(
    "change, told",
    [
        ({"seed": 1}, "seed was 0 and is now 1"),
        ({"batch": 21}, "batch was 20 and is now 21"),
        ({"lr": 0.2}, "lr was 0.1 and is now 0.2"),
        ({"shadows": 3}, "shadows was 2 and is now 3"),
        ({"dtypes": ("float64",)}, "dtypes was"),
        ({"name": "Other"}, "name was Net and is now Other"),
        ({"source": "abc"}, "the net's code has changed since"),
        ({"activation": "sigmoid"}, "torch was"),
    ],
)
def test_another_training_is_refused_by_name(change: dict[str, Any], told: str, tmp_path: Path) -> None:
    trained(plan_of(planted=False), tmp_path, progress=interrupting(3))
    before = (tmp_path / "training.jsonl").read_bytes()
    with pytest.raises(ResultsError, match=f"cannot be gone on with: {told}.*without --resume"):
        trained(plan_of(planted=False, **change), tmp_path, resume=True)
    assert (tmp_path / "training.jsonl").read_bytes() == before


def test_there_is_nothing_to_go_on_with_in_an_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(ResultsError, match="there is no training to go on with.*Leave --resume out"):
        trained(plan_of(), tmp_path, resume=True)


@pytest.mark.parametrize("after", [30, 70, 200])
def test_a_full_disk_stops_it_and_room_lets_it_go_on(
    after: int, whole: Training, always: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, lines = TrainingWriter.write, [0]

    def until_full(self: TrainingWriter, record: Any) -> None:
        lines[0] += 1
        if lines[0] > after:
            raise WritingStopped("no further")
        write(self, record)

    monkeypatch.setattr(TrainingWriter, "write", until_full)
    with pytest.raises(WritingStopped):
        trained(plan_of(), tmp_path)
    monkeypatch.undo()
    part = read_training(tmp_path / "training.jsonl")
    assert part.footer is None and training_verdict(part).exit_code == 3
    assert is_whole(trained(plan_of(), tmp_path, resume=True), whole)


def test_checkpoints_that_cannot_be_written_stop_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(source: Any, target: Any) -> None:
        raise OSError(28, "No space left on device")

    with TrainingWriter(tmp_path / "training.jsonl", plan_of().header()) as writer:
        monkeypatch.setattr(os, "replace", full)
        with pytest.raises(WritingStopped, match="checkpoint-float64-24.safetensors cannot be written: No space left.*--out"):
            training.train(plan_of(), writer, {}, lambda dtype, n: None)
    assert not list(tmp_path.glob("*checkpoint*")) and not list(tmp_path.glob(".checkpoint*"))
    assert len(read_training(tmp_path / "training.jsonl").steps["float64"].actual) == STEPS


def test_two_trainings_do_not_write_to_one_folder(tmp_path: Path) -> None:
    code = (
        "import sys\nfrom pathlib import Path\nfrom tests.nets.test_training_resumed import plan_of\nfrom tests.nets.small import trained\n"
    )
    code += "from oracle.results import ResultsError\ntry: trained(plan_of(), Path(sys.argv[1]))\nexcept ResultsError as e: print(e)"
    with TrainingWriter(tmp_path / "training.jsonl", plan_of().header()) as writer:
        second = subprocess.run([sys.executable, "-c", code, str(tmp_path)], cwd=ROOT, capture_output=True, text=True, timeout=300)
        assert "another run is writing to" in second.stdout, second.stderr
        writer.write(Footer(finished="now", seconds=0, outcome="complete"))
    assert read_training(tmp_path / "training.jsonl").footer is not None


def test_another_net_in_the_same_code_is_refused_by_its_parameters(tmp_path: Path) -> None:
    trained(plan_of(planted=False), tmp_path, progress=interrupting(3))
    plan = plan_of(planted=False)
    with pytest.raises(ResultsError, match="parameters was"):
        trained(replace(plan, parameters={**plan.parameters, "b2": (5,)}), tmp_path, resume=True)
