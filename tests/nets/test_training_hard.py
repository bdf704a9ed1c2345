"""Nets and trainings that go wrong in the middle: told by step and by name, and never a traceback, nor a false conviction."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from oracle.results.training import TrainingRow, training_verdict
from oracle.subjects.isolated_net import Limits
from reports import reporter
from tests.mutants.nets.textbook import TwoLayerNet
from tests.nets.small import PATIENT, digits, failing, isolated, net_of, planned, rows, said, trained


class _AtStep(TwoLayerNet):
    """A net that is right until its seventh gradient."""

    calls = 0

    def gradient(self, x: Any, t: Any) -> dict[str, Any]:
        self.calls += 1
        found = super().gradient(x, t)
        return self.wrong(found) if self.calls == 7 else found

    def wrong(self, found: dict[str, Any]) -> dict[str, Any]:
        raise RuntimeError("the seventh")


def changed(change: Any) -> Any:
    class Changed(_AtStep):
        def wrong(self, found: dict[str, Any]) -> dict[str, Any]:
            return {name: change(g) for name, g in found.items()}

    return Changed


def rendered(found: Any, folder: Path) -> str:
    """The page, which has to be written of anything."""
    page: Path = reporter("training-page")(found, folder / "page.html")
    return page.read_text(encoding="utf-8")


def test_a_net_that_raises_ends_its_dtype_and_no_other(tmp_path: Path) -> None:
    found = trained(planned(net_of(_AtStep)), tmp_path)
    for dtype in ("float64", "float32"):
        assert failing(found, dtype) == {"call.answers": 7} and len(found.steps[dtype].actual) == 6
        row = rows(found, dtype)["call.answers"]
        assert (row.n_judged, row.n_failed) == (7, 1) and "gradient raised RuntimeError: the seventh" in row.message
    assert training_verdict(found).exit_code == 1 and "at step 7" in training_verdict(found).sentence
    assert "the seventh" in rendered(found, tmp_path)


DYING = """
import os, time
from tests.mutants.nets.textbook import TwoLayerNet

class Net(TwoLayerNet):
    calls = 0

    def gradient(self, x, t):
        self.calls += 1
        if self.calls == 7:
            {what}
        return super().gradient(x, t)
"""


@pytest.mark.parametrize(
    "what, limits, told",
    [("os._exit(3)", PATIENT, "exit"), ("time.sleep(600)", Limits()._replace(case_seconds=1.0), "1 s"), ("os.abort()", PATIENT, "SIGABRT")],
    ids=["exits", "hangs", "aborts"],
)
def test_a_net_whose_process_ends_is_told(what: str, limits: Limits, told: str, tmp_path: Path) -> None:
    source = tmp_path / "net.py"
    source.write_text(DYING.format(what=what))

    def make(dtype: str) -> Any:
        return isolated(dtype, Path(f"{source}:Net"), limits)

    found = trained(planned(make, 12, dtypes=("float64",)), tmp_path)
    assert failing(found) == {"call.answers": 7} and len(found.steps["float64"].actual) == 6
    assert told in rows(found)["call.answers"].message
    assert found.footer is not None and found.footer.outcome == "complete" and training_verdict(found).exit_code == 1


def test_a_net_whose_process_ends_while_it_is_measured_last_is_told(tmp_path: Path) -> None:
    source = tmp_path / "net.py"
    measured = (
        "\n    def accuracy(self, x, t):\n        if self.calls == 9:\n            os._exit(3)\n        return super().accuracy(x, t)\n"
    )
    source.write_text(DYING.format(what="pass") + measured)

    def make(dtype: str) -> Any:
        return isolated(dtype, Path(f"{source}:Net"))

    found = trained(planned(make, 9, dtypes=("float64",)), tmp_path)
    assert failing(found) == {"call.answers": 9} and len(found.steps["float64"].actual) == 9
    assert "has ended in accuracy" in rows(found)["call.answers"].message and found.epochs[-1].actual_train is None


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_gradient_of_nan_is_convicted_at_its_step_and_shadows_survive(dtype: str, tmp_path: Path) -> None:
    found = trained(planned(net_of(changed(lambda g: g * np.nan)), 12, dtypes=(dtype,)), tmp_path)
    failed = failing(found, dtype)
    # the loss is asked for at parameters that are NaN by then, and is NaN on both sides
    assert failed == {**{f"backward.d{n}": 7 for n in ("W1", "b1", "W2", "b2")}, "trajectory": 7}
    assert said(found, dtype) == {} and all(d.comparison.reason == "nan" for d in found.divergences)
    steps = found.steps[dtype]
    assert len(steps.actual) == 12 and math.isnan(steps.actual[6]) and not any(map(math.isnan, steps.expected))
    assert steps.distance[5] < 1e-4 and steps.distance[6] == math.inf
    assert all(math.isfinite(s) and s > 0 for s in steps.shadow) and all(map(math.isfinite, steps.injected))
    row = rows(found, dtype)["trajectory"]
    # from the next step on nothing is bounded, at parameters that are NaN
    assert (row.n_judged, row.n_failed, row.n_undetermined, row.margin) == (7, 1, 5, math.inf)
    assert "nan" in rendered(found, tmp_path)


@pytest.mark.parametrize("value, name", [(np.inf, "inf"), (-np.inf, "-inf")])
def test_an_infinite_gradient_is_convicted(value: float, name: str, tmp_path: Path) -> None:
    found = trained(planned(net_of(changed(lambda g: np.full_like(g, value))), 9), tmp_path)
    assert failing(found)["backward.dW1"] == failing(found, "float32")["backward.dW1"] == 7
    assert f"is {name}, torch gives" in rows(found)["backward.db2"].message and rendered(found, tmp_path)


def test_one_wrong_nan_is_enough(tmp_path: Path) -> None:
    class One(_AtStep):
        def wrong(self, found: dict[str, Any]) -> dict[str, Any]:
            found["b2"][1] = np.nan
            return found

    found = trained(planned(net_of(One), 9), tmp_path)
    assert failing(found)["backward.db2"] == 7 and "backward.dW1" not in failing(found)
    assert "backward.db2[1] is nan" in rows(found)["backward.db2"].message


@pytest.mark.parametrize(
    "lr, steps, dtypes", [(1e6, 25, ("float64", "float32")), (1e30, 25, ("float64", "float32")), (1e30, 80, ("float64",))]
)
def test_a_training_that_overflows_is_no_divergence(lr: float, steps: int, dtypes: tuple[str, ...], tmp_path: Path) -> None:
    found = trained(planned(net_of(TwoLayerNet), steps, lr=lr, dtypes=dtypes, planted=False), tmp_path)
    verdict = training_verdict(found)
    assert verdict.exit_code == 0, verdict.sentence
    for dtype in dtypes:
        of = rows(found, dtype)
        assert len(found.steps[dtype].actual) == steps and not any(math.isnan(d) for d in found.steps[dtype].distance)
        assert of["trajectory"].n_judged + of["trajectory"].n_undetermined == steps
        assert not any(math.isnan(r.margin) for r in of.values() if r.margin is not None)
    assert rendered(found, tmp_path)


def test_overflow_is_reached_and_then_nothing_is_said_of_the_trajectory(tmp_path: Path) -> None:
    class Exploding(TwoLayerNet):
        """Parameters so large that their products are beyond float32."""

        def __init__(self, *sizes: int, dtype: Any = np.float64) -> None:
            super().__init__(*sizes, dtype=dtype)
            for a in self.params.values():
                a *= dtype(1e25)

    found = trained(planned(net_of(Exploding), 12, dtypes=("float32",)), tmp_path)
    row = rows(found, "float32")["trajectory"]
    assert row.n_undetermined == 12 and row.n_judged == 0 and training_verdict(found).failing == ()
    part = trained(planned(net_of(Exploding), 12, dtypes=("float32",)), tmp_path, resume=True)
    assert rows(part, "float32")["trajectory"] == row


def test_parameters_of_float64_beyond_the_root_of_the_largest_number(tmp_path: Path) -> None:
    class Large(TwoLayerNet):
        def __init__(self, *sizes: int, dtype: Any = np.float64) -> None:
            super().__init__(*sizes, dtype=dtype)
            self.params["b1"] += 1e170
            self.params["b1"] -= 0

    found = trained(planned(net_of(Large), 5, dtypes=("float64",)), tmp_path)
    assert not training_verdict(found).failing and all(math.isfinite(d) for d in found.steps["float64"].distance)


@pytest.mark.parametrize(
    "change, dtype",
    [
        (lambda g: g.astype(np.longdouble), "float64"),
        (lambda g: g.astype(np.float16), "float32"),
        (lambda g: np.round(g).astype(np.int64), "float64"),
        (lambda g: g > 0, "float32"),
    ],
    ids=["longdouble", "float16", "int64", "bool"],
)
def test_gradients_of_another_dtype_are_told_and_their_arrays_kept(change: Any, dtype: str, tmp_path: Path) -> None:
    found = trained(planned(net_of(changed(lambda g: change(g * 1.5))), 9, dtypes=(dtype,)), tmp_path)
    assert failing(found, dtype)["results.dtype"] == 7 and failing(found, dtype)["backward.dW1"] == 7
    assert all((tmp_path / d.file).is_file() for d in found.divergences if d.file) and found.divergences[0].file
    assert rendered(found, tmp_path)


@pytest.mark.parametrize("other", ["float32", "a row more"])
def test_a_net_that_becomes_another_ends_its_training(other: str, tmp_path: Path) -> None:
    class Becoming(_AtStep):
        def wrong(self, found: dict[str, Any]) -> dict[str, Any]:
            a = self.params["W1"]
            self.params["W1"] = a.astype(np.float32) if other == "float32" else np.vstack([a, a[:1]])
            return {**found, "W1": np.zeros_like(self.params["W1"])}

    found = trained(planned(net_of(Becoming), 12, dtypes=("float64",)), tmp_path)
    assert failing(found)["params.unchanged"] == 7 and failing(found)["call.answers"] == 8
    assert "params['W1'] has become" in rows(found)["call.answers"].message and len(found.steps["float64"].actual) == 7


def test_a_net_that_cannot_be_made_again_ends_the_training_with_its_reason(tmp_path: Path) -> None:
    class Once(TwoLayerNet):
        left = 2

        @property  # type: ignore[override]
        def params(self) -> Any:
            Once.left -= 1
            if Once.left < 0 and self.ready:
                raise RuntimeError("used up")
            return self._own

        @params.setter
        def params(self, value: Any) -> None:
            self._own, self.ready = value, False

    plan = planned(net_of(TwoLayerNet))

    def make(dtype: str) -> Any:
        net = net_of(Once)(dtype)
        net._net.ready, Once.left = True, 0
        return net

    found = trained(replace(plan, net_of=make), tmp_path)
    verdict = training_verdict(found)
    assert verdict.exit_code == 3 and "broke off: params raised RuntimeError: used up" in verdict.sentence


def test_labels_that_torch_has_no_score_for_break_it_off(tmp_path: Path) -> None:
    class Lenient(TwoLayerNet):
        def gradient(self, x: Any, t: Any) -> dict[str, Any]:
            return super().gradient(x, t % 4)

        def loss(self, x: Any, t: Any) -> Any:
            return super().loss(x, t % 4)

        def accuracy(self, x: Any, t: Any) -> float:
            return 0.5

    for planted in (True, False):
        found = trained(planned(net_of(Lenient), 5, digits(classes=6), planted=planted), tmp_path)
        verdict = training_verdict(found)
        assert verdict.exit_code == 3 and "torch's side of the net" in verdict.sentence and "out of bounds" in verdict.sentence


def test_an_accuracy_that_is_none_is_left_out_and_no_divergence(tmp_path: Path) -> None:
    for answer in (float("nan"), 7.0, -1.0):

        class Odd(TwoLayerNet):
            said = answer

            def accuracy(self, x: Any, t: Any) -> float:
                return self.said

        found = trained(planned(net_of(Odd), 3, dtypes=("float64",)), tmp_path)
        assert {e.actual_train for e in found.epochs} == {None} and training_verdict(found).exit_code == 0


def test_names_of_foreign_code_are_text_on_the_page(tmp_path: Path) -> None:
    class Hostile(_AtStep):
        def wrong(self, found: dict[str, Any]) -> dict[str, Any]:
            raise RuntimeError("<script>alert(1)</script>\x1b[31m")

    found = trained(planned(net_of(Hostile), 9, name="<b>Net</b>"), tmp_path)
    page = rendered(found, tmp_path)
    assert "<script>alert(1)" not in page and "<b>Net</b>" not in page and "\x1b" not in page
    assert isinstance(rows(found)["call.answers"], TrainingRow)
