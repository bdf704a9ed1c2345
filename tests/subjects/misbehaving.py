"""Subjects that misbehave: a right relu that does something else where its input begins with 13."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from oracle.core.case import Case
from oracle.core.observe import Observation
from oracle.specs import spec_named
from oracle.subjects.isolated import Isolated, Limits
from oracle.subjects.target import parse_target

QUICK = Limits(case_seconds=1.0, load_seconds=20.0, total_seconds=60.0, memory_mb=512, output_bytes=1 << 20)

RELU = """
import ctypes, os, signal, socket, subprocess, sys, threading, time, warnings
import numpy as np

{before}


def misbehave(x):
{body}


class Relu:
    def forward(self, x):
        self.mask = x > 0
        if x.size and x.flat[0] == 13:
            found = misbehave(x)
            if found is not None:
                return found
        return np.where(self.mask, x, np.zeros((), x.dtype))

    def backward(self, dout):
        return np.where(self.mask, dout, np.zeros((), dout.dtype))
"""


def case(*values: float) -> Case:
    x = np.array(values, float)
    return Case("Relu", "tensor", "float64", {"x": x}, {}, {"out": np.arange(1.0, x.size + 1)}, {}, {"x": ("N",), "dout": ("N",)})


BAD, GOOD = case(13, -1, 2), case(3, -1, 2)


def written(folder: Path, body: str = "pass", before: str = "") -> Path:
    path = folder / "layers.py"
    path.write_text(RELU.format(before=before, body="\n".join("    " + line for line in body.splitlines())))
    return path


@contextmanager
def isolated(path: Path, limits: Limits = QUICK) -> Iterator[Isolated]:
    with Isolated(parse_target(f"{path}:Relu"), limits=limits) as subject:
        subject.connect("Relu", spec_named("Relu").signature, [case(1, -2, 3)], "layer")
        yield subject


def tried(folder: Path, body: str, before: str = "", cases: Sequence[Case] = (BAD, GOOD), limits: Limits = QUICK) -> list[Observation]:
    """What the subject makes of the cases, the last of which must be answered well."""
    with isolated(written(folder, body, before), limits) as subject:
        seen = list(subject.observations(cases))
    assert_well(seen[-1])
    return seen


def assert_well(seen: Observation) -> None:
    assert seen.evaluation.error is None and not seen.died, seen.evaluation.error
    (y,), (dx,) = seen.evaluation.outputs, seen.evaluation.grads
    assert y.tolist() == [3, 0, 2] and dx.tolist() == [1, 0, 3] and seen.breaches == () and seen.warned == ()


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def ends(pid: int) -> bool:
    """Whether the process comes to its end; killing takes a moment."""
    deadline = time.monotonic() + 10
    while alive(pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    return not alive(pid)


def living_children() -> set[int]:
    mine = str(os.getpid())
    pids = [int(p.name) for p in Path("/proc").iterdir() if p.name.isdigit()]
    return {pid for pid in pids if alive(pid) and Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1] == mine}
