"""The vectors that come with gradconform: enough, of everything, small, and right. Needs neither torch nor Hypothesis."""

from __future__ import annotations

import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

from oracle.core import contracts
from oracle.core.profiles import BOUNDARIES, boundaries
from oracle.results import read_run, verdict
from oracle.specs import all_specs
from oracle.vectors.reading import Vector, read_manifest, read_vectors, shipped

ROOT = Path(__file__).parents[2]
WRONG = """
import numpy as np

class Relu:
    def forward(self, x):
        self.x = x.copy()
        return np.maximum(x, 0) if {value} is None else np.where(x <= 0, x.dtype.type({value}), x)

    def backward(self, dout):
        return np.where(self.x < 0, dout.dtype.type(0), dout)
"""


@pytest.fixture(scope="module")
def vectors() -> dict[str, list[Vector]]:
    folder = shipped()
    return {layer.layer: list(read_vectors(folder, layer)) for layer in read_manifest(folder).layers}


def blocked(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """The command in a process that can import neither torch nor Hypothesis."""
    command = [sys.executable, "-m", "tests.vectors.blocked", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)


def test_there_are_enough_and_they_are_small(vectors: dict[str, list[Vector]]) -> None:
    assert sum(map(len, vectors.values())) >= 1500
    assert sum(path.stat().st_size for path in shipped().iterdir()) < 2_000_000
    assert vectors.keys() == all_specs().keys()


@pytest.mark.parametrize("name", all_specs())
def test_every_row_of_a_layer_is_put_to_the_test(name: str, vectors: dict[str, list[Vector]]) -> None:
    spec, cases = all_specs()[name], [v.case for v in vectors[name]]
    rows = defaultdict(set)
    for case in cases:
        rows[(case.branch, case.dtype)] |= set(contracts.tested(spec, contracts.handling(case)))
    for branch in spec.branches:
        for dtype in ("float64", "float32", "float16"):
            assert set(contracts.declared(spec, branch)) <= rows[(branch, dtype)], (branch, dtype)
    assert {case.layout for case in cases} == set(spec.layouts)
    assert {case.refusal for case in cases} == {None, *(refusal.id for refusal in spec.refusals)}


def test_every_boundary_and_profile_is_hit(vectors: dict[str, list[Vector]]) -> None:
    hit, profiles = set(), set()
    for name in ("Relu", "Sigmoid", "Affine", "SoftmaxWithLoss"):
        for vector in vectors[name]:
            profiles |= set(vector.case.profiles)
            for a in vector.case.arrays.values():
                hit |= set(boundaries(a))
    assert hit == {name for name in BOUNDARIES if name not in ("batch-1", "one-class")}
    assert any(v.case.inputs["x"].shape[-1] == 1 for v in vectors["SoftmaxWithLoss"])
    assert any(len(v.case.inputs["x"]) == 1 for v in vectors["Affine"])
    wanted = {"ints", "normal", "uniform", "ties", "mixed", "scaled", "scales", "outlier", "cancelling", "subnormal", "saturating",
              "thresholds", "offset", "rows", "small", "special"}  # fmt: skip
    assert wanted <= profiles


def test_our_layers_conform_without_torch_and_hypothesis(tmp_path: Path) -> None:
    done = blocked("replay", "--corpus", "--out", tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    run = read_run(tmp_path / "results.jsonl")
    said = verdict(run)
    assert said.outcome == "conforms" and sum(d.n_cases for d in run.depths) >= 1500
    assert all(r.n_replayed == r.n_judged for r in run.results) and len(run.samples) > 50


@pytest.mark.parametrize(("value", "rows"), [("None", {"backward.dx"}), ("1e-9", {"forward.out", "backward.dx"})])
def test_a_wrong_layer_of_the_user_is_convicted_without_torch(value: str, rows: set[str], tmp_path: Path) -> None:
    (tmp_path / "layers.py").write_text(WRONG.format(value=value))
    done = blocked("replay", "--corpus", tmp_path / "layers.py:Relu", "--out", tmp_path / "out", "--not-claimed", "errors")
    assert done.returncode == 1, done.stdout + done.stderr
    run = read_run(tmp_path / "out" / "results.jsonl")
    assert rows <= {r.quantity for r in run.results if r.status == "failed"}
    assert all(c.lane == "corpus" for c in run.counterexamples) and run.counterexamples


def test_a_right_layer_of_the_user_conforms(tmp_path: Path) -> None:
    text = WRONG.format(value="None").replace("self.x < 0", "self.x <= 0").replace("np.maximum(x, 0)", "np.where(x <= 0, x * 0, x)")
    (tmp_path / "layers.py").write_text(text.replace("x * 0", "np.where(x == 0, x, x.dtype.type(0))"))
    done = blocked("replay", "--corpus", tmp_path / "layers.py:Relu", "--out", tmp_path / "out", "--not-claimed", "errors,views")
    assert done.returncode == 0, done.stdout + done.stderr
