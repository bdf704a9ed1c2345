"""The state of a training on disk: every bit of it back, or none of it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from oracle.nets.checkpoints import State, forget_others, read_checkpoint, write_arrays, write_checkpoint
from oracle.results import WritingStopped
from oracle.results.training import Checkpoint

LIKE = {"W1": (3, 2), "b1": (2,), "s": ()}


def state(dtype: str = "float64", step: int = 7) -> State:
    rng = np.random.default_rng(step)

    def params() -> dict[str, Any]:
        found = {name: np.asarray(rng.standard_normal(shape), dtype) for name, shape in LIKE.items()}
        # neither NaN nor the sign of zero is lost, nor how an array lies in memory
        found["b1"][...] = [-0.0, np.nan]
        return {**found, "W1": np.asfortranarray(found["W1"])}

    return State(step, params(), params(), params(), (params(), params()), 0.125 + 2**-50, 3.0 + 2**-50)


def bits(a: State) -> Any:
    sides = (a.net, a.twin, a.start, *a.shadows)
    return a.step, a.injected, a.allowed, [{name: (p.dtype, p.shape, p.tobytes()) for name, p in side.items()} for side in sides]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_every_bit_comes_back(dtype: str, tmp_path: Path) -> None:
    kept = state(dtype)
    said = write_checkpoint(tmp_path, dtype, kept)
    assert (said.dtype, said.step, said.file) == (dtype, 7, f"checkpoint-{dtype}-7.safetensors")
    found = read_checkpoint(tmp_path, said, LIKE, 2)
    assert found is not None and bits(found) == bits(kept)
    assert [p.name for p in tmp_path.iterdir()] == [said.file]


def test_a_file_that_was_changed_is_none(tmp_path: Path) -> None:
    said = write_checkpoint(tmp_path, "float64", state())
    path = tmp_path / said.file
    data = path.read_bytes()
    for spoilt in (b"", data[:-1], data + b"\0", bytes([data[0] ^ 1]) + data[1:], data[:-1] + bytes([data[-1] ^ 128])):
        path.write_bytes(spoilt)
        assert read_checkpoint(tmp_path, said, LIKE, 2) is None
    path.unlink()
    assert read_checkpoint(tmp_path, said, LIKE, 2) is None
    path.mkdir()
    assert read_checkpoint(tmp_path, said, LIKE, 2) is None


def rewritten(folder: Path, said: Checkpoint, change: Any) -> Checkpoint:
    """A checkpoint of other arrays under a digest that fits: a forged one."""
    import hashlib

    arrays = load_file(folder / said.file)
    change(arrays)
    save_file(arrays, folder / said.file)
    return said.model_copy(update={"sha256": hashlib.sha256((folder / said.file).read_bytes()).hexdigest()})


@pytest.mark.parametrize(
    "change",
    [
        lambda a: a.pop("net.W1"),
        lambda a: a.pop("sums"),
        lambda a: a.update({"sums": np.zeros(1)}),
        lambda a: a.pop("shadow1.b1"),
        lambda a: a.update({"twin.W1": np.zeros((2, 3))}),
        lambda a: a.update({"start.b1": np.zeros(2, np.float32)}),
    ],
)
def test_what_does_not_fit_the_net_is_none(change: Any, tmp_path: Path) -> None:
    said = write_checkpoint(tmp_path, "float64", state())
    assert read_checkpoint(tmp_path, rewritten(tmp_path, said, lambda a: None), LIKE, 2) is not None
    assert read_checkpoint(tmp_path, rewritten(tmp_path, said, change), LIKE, 2) is None


def test_no_safetensors_at_all_is_none(tmp_path: Path) -> None:
    import hashlib

    for data in (b"no safetensors", b"\xff" * 200, b"\x02\0\0\0\0\0\0\0{}"):
        (tmp_path / "f").write_bytes(data)
        said = Checkpoint(dtype="float64", step=1, file="f", sha256=hashlib.sha256(data).hexdigest())
        assert read_checkpoint(tmp_path, said, LIKE, 2) is None


def test_more_shadows_than_there_are_is_none(tmp_path: Path) -> None:
    said = write_checkpoint(tmp_path, "float64", state())
    assert read_checkpoint(tmp_path, said, LIKE, 3) is None


def test_the_older_ones_of_the_same_dtype_are_forgotten(tmp_path: Path) -> None:
    other = write_checkpoint(tmp_path, "float32", state("float32"))
    write_checkpoint(tmp_path, "float64", state())
    last = write_checkpoint(tmp_path, "float64", state(step=8))
    (tmp_path / "checkpoint-notes.txt").write_text("mine")
    forget_others(tmp_path, last)
    assert {p.name for p in tmp_path.iterdir()} == {other.file, last.file, "checkpoint-notes.txt"}


def test_a_checkpoint_that_breaks_off_leaves_the_one_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = write_checkpoint(tmp_path, "float64", state())

    def full(self: Path, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(WritingStopped, match=r"checkpoint-float64-8\.safetensors cannot be written: No space left.*--out"):
        write_checkpoint(tmp_path, "float64", state(step=8))
    monkeypatch.undo()
    assert read_checkpoint(tmp_path, kept, LIKE, 2) is not None and len(os.listdir(tmp_path)) == 1


def test_arrays_are_written_as_they_look_not_as_they_lie(tmp_path: Path) -> None:
    a = np.arange(12.0).reshape(3, 4)
    arrays = {"fortran": np.asfortranarray(a), "strided": a[::-1, ::2], "still": np.broadcast_to(a[0], (3, 4))}
    write_arrays(tmp_path / "a.safetensors", arrays)
    found = load_file(tmp_path / "a.safetensors")
    assert all(np.array_equal(found[name], b) for name, b in arrays.items())
