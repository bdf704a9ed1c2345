"""The state of a training on disk: the parameters of every side after a step, as safetensors."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from oracle.core.case import Array, Arrays
from oracle.results import WritingStopped
from oracle.results.training import Checkpoint

SUMS = "sums"
"""The tensor of `injected` and `allowed`."""


class State(NamedTuple):
    """Everything that a training goes on from. start: the parameters that both sides began with. injected: what all pushes add
    up to, over the norm of the twin's parameters. allowed: how far both sides may be apart, in the 2-norm."""

    step: int
    net: Arrays
    twin: Arrays
    start: Arrays
    shadows: tuple[Arrays, ...]
    injected: float
    allowed: float


def write_checkpoint(folder: Path, dtype: str, state: State) -> Checkpoint:
    """Write `state`, under its final name only once it is whole. Raises WritingStopped."""
    parts = {"net": state.net, "twin": state.twin, "start": state.start, **{f"shadow{k}": s for k, s in enumerate(state.shadows)}}
    tensors = {f"{side}.{name}": a for side, arrays in parts.items() for name, a in arrays.items()}
    name = f"checkpoint-{dtype}-{state.step}.safetensors"
    digest = write_arrays(folder / name, {**tensors, SUMS: np.asarray([state.injected, state.allowed])})
    return Checkpoint(dtype=dtype, step=state.step, file=name, sha256=digest)


def write_arrays(path: Path, arrays: Mapping[str, Array]) -> str:
    """Write arrays by name to `path`, and give its SHA-256. Raises WritingStopped."""
    # safetensors writes an array as it lies in memory
    data = save({name: np.array(a, order="C") for name, a in arrays.items()})
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        partial.write_bytes(data)
        os.replace(partial, path)
    except OSError as error:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
        raise WritingStopped(f"{path} cannot be written: {error.strerror}. Make room, or choose another folder with --out.") from error
    return hashlib.sha256(data).hexdigest()


def read_checkpoint(folder: Path, said: Checkpoint, like: Mapping[str, tuple[int, ...]], shadows: int) -> State | None:
    """The state that `said` names; None where its file is missing, is another one, or does not fit the parameters `like`."""
    try:
        data = (folder / said.file).read_bytes()
        if hashlib.sha256(data).hexdigest() != said.sha256:
            return None
        tensors = load(data)
    except (OSError, SafetensorError, ValueError, KeyError):
        return None
    sides = ["net", "twin", "start", *[f"shadow{k}" for k in range(shadows)]]
    found = {side: {name: tensors.get(f"{side}.{name}") for name in like} for side in sides}
    arrays = [(a, like[name]) for side in found.values() for name, a in side.items()]
    sums = tensors.get(SUMS, np.empty(0))
    if any(a is None or a.shape != shape or a.dtype.name != said.dtype for a, shape in arrays) or sums.shape != (2,):
        return None
    whole: dict[str, Arrays] = found  # type: ignore[assignment]
    return State(said.step, whole["net"], whole["twin"], whole["start"], tuple(whole[s] for s in sides[3:]), *sums.tolist())


def forget_others(folder: Path, kept: Checkpoint) -> None:
    """Delete the older checkpoints of the same dtype."""
    for path in folder.glob(f"checkpoint-{kept.dtype}-*.safetensors"):
        if path.name != kept.file:
            with suppress(OSError):
                path.unlink()
