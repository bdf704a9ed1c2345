"""A failing case becomes small and simple, still fails for the same reason, and can be shown with NumPy and torch alone."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from oracle.core.case import Case
from oracle.core.judge import judge
from oracle.core.stored import restored_case
from oracle.search import jobs
from oracle.search.entrant import Assignment, Entrant, hold
from oracle.search.minimise import Minimiser
from oracle.search.numbered import cases
from oracle.search.replay import replayed
from oracle.specs import spec_named
from oracle.subjects import subject_of
from reference import Affine, MulLayer, Relu, SoftmaxWithLoss

DTYPES = ("float64", "float32")


class DbHalved(Affine):
    def backward(self, dout: Any) -> Any:
        dx = super().backward(dout)
        self.db = self.db * self.db.dtype.type(0.5)
        return dx


class ReluAtZero(Relu):
    """The gradient at 0 is dout."""

    def forward(self, x: Any) -> Any:
        self.zero = np.asarray(x) == 0
        return super().forward(x)

    def backward(self, dout: Any) -> Any:
        dx = super().backward(dout)
        return np.where(self.zero, dout, dx).astype(dx.dtype)[()] if dx.ndim == 0 else np.where(self.zero, dout, dx)


class LossNotMeaned(SoftmaxWithLoss):
    """The mean over the batch is missing in the gradient."""

    def backward(self, dout: Any = 1) -> Any:
        dx = super().backward(dout)
        return dx * dx.dtype.type(len(dx) if dx.ndim == 2 else 1)


class MulSwapped(MulLayer):
    """The gradients of square operands are exchanged."""

    def backward(self, dout: Any) -> Any:
        dx, dy = super().backward(dout)
        return (dy, dx) if np.shape(dx) == np.shape(dy) else (dx, dy)


# the row, the layer, and the most elements of x that the smallest failing case has
FAULTS: dict[str, tuple[type, str, int]] = {
    "Affine": (DbHalved, "backward.db", 1),
    "Relu": (ReluAtZero, "backward.dx", 1),
    "SoftmaxWithLoss": (LossNotMeaned, "backward.dx", 4),
    "MulLayer": (MulSwapped, "backward.dx", 1),
}


def _failing(name: str, n: int) -> list[tuple[int, Case]]:
    """The first n cases on which the fault shows in its row, of shapes that can be made smaller."""
    layer, row, _ = FAULTS[name]
    spec, found = spec_named(name), []
    for index, case in cases(spec, 2, DTYPES, 0, 600):
        if case.inputs["x"].size > 6 and any(f.key == (row, "value") for f in judge(spec, subject_of(spec, layer), case).findings):
            found.append((index, case))
            if len(found) == n:
                break
    return found


@pytest.mark.parametrize("name", FAULTS)
def test_a_failing_case_becomes_minimal_and_still_fails(name: str) -> None:
    layer, row, most = FAULTS[name]
    spec = spec_named(name)
    subject = subject_of(spec, layer)
    failing = _failing(name, 3)
    assert len(failing) == 3
    for _, case in failing:
        before = case.digest()
        search = Minimiser(spec, subject, (row, "value"))
        small = search.smaller(case)
        found = search.finding(small)
        assert found is not None and found.key == (row, "value")
        assert small.inputs["x"].size <= most, small
        assert small.protocol == "plain" and small.layout == "C" and small.prior is None
        floats = [a for a in small.arrays.values() if a.dtype.kind == "f"]
        assert all(a.size == 0 or ((np.abs(a) <= 9).all() and (a == np.round(a)).all()) for a in floats), small
        assert case.digest() == before, "the case that was drawn is left alone"


@pytest.mark.parametrize("budget", [0, 1, 7, 40])
def test_the_budget_is_kept_and_no_passing_case_returned(budget: int, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = spec_named("Affine")
    ((_, case),) = _failing("Affine", 1)
    search = Minimiser(spec, subject_of(spec, DbHalved), ("backward.db", "value"), budget)
    spent = []
    monkeypatch.setattr("oracle.search.minimise.minimiser.judge", lambda *given, **named: spent.append(1) or judge(*given, **named))
    small = search.smaller(case)
    assert len(spent) <= budget
    monkeypatch.undo()
    assert search.finding(small) is not None
    if budget == 0:
        assert small is case


def test_a_case_that_does_not_fail_is_given_back() -> None:
    spec = spec_named("Affine")
    ((_, case),) = _failing("Affine", 1)
    assert Minimiser(spec, subject_of(spec), ("backward.db", "value")).smaller(case) is case


def test_a_fault_of_a_layout_keeps_its_layout() -> None:
    class NeedsC(Relu):
        def forward(self, x: Any) -> Any:
            y = super().forward(x)
            return y if np.asarray(x).flags.c_contiguous else y + y.dtype.type(1)

    spec = spec_named("Relu")
    subject = subject_of(spec, NeedsC)
    wanted = ("inputs.layout", "value")
    case = next(c for _, c in cases(spec, 2, DTYPES, 0, 900) if any(f.key == wanted for f in judge(spec, subject, c).findings))
    search = Minimiser(spec, subject, wanted)
    small = search.smaller(case)
    assert search.finding(small) is not None and small.layout != "C" and small.inputs["x"].size <= 4


@pytest.mark.parametrize("name", FAULTS)
def test_the_stored_counterexample_runs_without_us(name: str, tmp_path: Path) -> None:
    layer, row, _ = FAULTS[name]
    spec = spec_named(name)
    ((index, case),) = _failing(name, 1)
    wrong = Assignment(Entrant(name, name), spec, subject_of(spec, layer))
    found = jobs.minimised(hold(wrong).entrant, 2, DTYPES, index, (case.branch, case.dtype, row))
    assert found is not None and found.minimised is not None and found.minimised_comparison is not None
    assert found.minimised_comparison.margin is not None and found.minimised_comparison.margin > 1
    small = restored_case(found.minimised)
    assert any(f.name == row for f in judge(spec, subject_of(spec, layer), small).findings)
    assert "oracle" not in found.snippet and "reference" not in found.snippet and "gradconform" not in found.snippet
    script = tmp_path / "shown.py"
    script.write_text(found.snippet, encoding="utf-8")
    done = subprocess.run([sys.executable, "-I", str(script)], capture_output=True, text=True, cwd=tmp_path, timeout=100)
    assert done.returncode == 0, done.stderr
    for quantity in spec.quantities:
        assert f"torch  {quantity}:" in done.stdout
    assert f"layer  {row}:" in done.stdout
    shown = {line.split(":")[0]: line.split(":", 1)[1].strip() for line in done.stdout.splitlines() if ":" in line}
    assert shown[f"layer  {row}"] != shown[f"torch  {row}"]
    hold(wrong)
    assert not replayed(found).holds
    hold(wrong)
    assert not replayed(found, raw=True).holds
    assert replayed(found).holds, "our own layer is right"


def test_a_counterexample_that_passes_when_run_again_is_none() -> None:
    assert jobs.minimised(Entrant("Relu", "Relu"), 2, DTYPES, 0, ("matrix", "float64", "backward.dx")) is None
