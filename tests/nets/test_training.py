"""A net beside its twin: right nets conform, and every number that is written is what a plain loop gives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

from oracle.nets import accuracies, planted
from oracle.nets.checkpoints import read_checkpoint
from oracle.results.training import training_verdict
from reference import TwoLayerNet
from tests.mutants.nets import textbook
from tests.mutants.nets.right import Unmeasured
from tests.nets import broken_nets
from tests.nets.small import BATCH, SIZES, digits, isolated, net_of, planned, rows, trained


class OneLayer:
    """Softmax regression under names of its own."""

    torch = "F.cross_entropy(x @ weights + offset, t)"

    def __init__(self, n_in: int, n_out: int, dtype: Any = np.float64) -> None:
        self.params = {"weights": np.random.randn(n_in, n_out).astype(dtype), "offset": np.zeros(n_out, dtype)}

    def loss(self, x: Any, t: Any) -> Any:
        return textbook.SoftmaxWithLoss().forward(x @ self.params["weights"] + self.params["offset"], t)

    def gradient(self, x: Any, t: Any) -> Any:
        last = textbook.SoftmaxWithLoss()
        last.forward(x @ self.params["weights"] + self.params["offset"], t)
        d = last.backward()
        return {"weights": x.T @ d, "offset": d.sum(0)}


NETS: list[tuple[str, Any, dict[str, Any]]] = [
    ("ours", net_of(TwoLayerNet), {}),
    ("of a file, in a process of its own", isolated, {}),
    ("three layers", net_of(broken_nets.Net, (0,)), {"data": digits(inputs=6)}),
    ("sigmoid", net_of(broken_nets.Sigmoid, (0,)), {"data": digits(inputs=6), "activation": "sigmoid"}),
    ("other names", net_of(OneLayer, (12, 4)), {"torch": OneLayer.torch}),
    ("nothing to measure", net_of(Unmeasured), {}),
]


@pytest.mark.parametrize("make, how", [pytest.param(make, how, id=name) for name, make, how in NETS])
def test_a_right_net_conforms_and_every_planted_fault_is_convicted_at_once(make: Any, how: dict[str, Any], tmp_path: Path) -> None:
    plan = planned(make, 40, planted=True, **how)
    found = trained(plan, tmp_path)
    verdict = training_verdict(found)
    assert (verdict.exit_code, verdict.failing, verdict.gaps) == (0, (), ()), verdict.sentence
    n_planted = 5 if "torch" in how else 6
    assert found.header.n_planted == n_planted == len({p.name for p in found.planted})
    assert all(p.rows and 1 <= p.n_cases <= 2 for p in found.planted)
    for dtype in ("float64", "float32"):
        of = rows(found, dtype)
        assert set(of) == {*plan_quantities(plan), *planted_contracts(), "trajectory"}
        assert all(r.n_judged == 40 and r.n_failed == 0 for name, r in of.items() if name != "params.updated")
        assert of["params.updated"].n_judged == 4
        assert 0 < (of["trajectory"].margin or 0) < 0.5
        assert all(
            of[name].margin is not None and of[name].n_inconclusive == of[name].n_undetermined == 0 for name in plan_quantities(plan)
        )


def plan_quantities(plan: Any) -> list[str]:
    return ["forward.loss", *[f"backward.d{name}" for name in plan.parameters]]


def planted_contracts() -> tuple[str, ...]:
    return ("call.answers", "inputs.unchanged", "params.unchanged", "results.shape", "results.dtype", "params.updated")


def by_hand(dtype: str, steps: int, plan: Any) -> tuple[Any, Any, list[tuple[float, float, float]]]:
    """Net and twin trained in plain loops; the losses and the distance after every step."""
    net = textbook.TwoLayerNet(*SIZES, dtype=getattr(np, dtype))
    leaves = {name: torch.tensor(a, requires_grad=True) for name, a in net.params.items()}
    sgd = torch.optim.SGD(leaves.values(), lr=0.1)

    def loss(x: Any, t: Any) -> Any:
        hidden = functional.relu(functional.linear(x, leaves["W1"].T, leaves["b1"]))
        return functional.cross_entropy(functional.linear(hidden, leaves["W2"].T, leaves["b2"]), t)

    told = []
    for number in range(1, steps + 1):
        x, t = plan.batch(number, dtype)
        for name, g in net.gradient(x, t).items():
            net.params[name] -= 0.1 * g
        sgd.zero_grad()
        loss(torch.from_numpy(x), torch.from_numpy(t)).backward()
        sgd.step()
        own, other = (np.concatenate([np.asarray(a, np.float64).ravel() for a in side]) for side in (net.params.values(), values(leaves)))
        apart = float(np.linalg.norm(own - other) / np.linalg.norm(other))
        with torch.no_grad():
            told.append((float(net.loss(x, t)), float(loss(torch.from_numpy(x), torch.from_numpy(t))), apart))
    return net, leaves, told


def values(leaves: Any) -> list[Any]:
    return [p.detach().numpy() for p in leaves.values()]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_losses_distances_accuracies_and_checkpoints_are_those_of_plain_loops(dtype: str, tmp_path: Path) -> None:
    plan = planned(net_of(textbook.TwoLayerNet), 25, dtypes=(dtype,))
    found = trained(plan, tmp_path)
    net, leaves, told = by_hand(dtype, 25, plan)
    steps = found.steps[dtype]
    assert steps.first == 1 and len(steps.actual) == 25
    # the twin's loops differ from optim's by nothing; sums of squares are added in another order
    np.testing.assert_allclose(np.array([steps.actual, steps.expected]).T, [row[:2] for row in told], rtol=1e-9)
    np.testing.assert_allclose(steps.distance, [row[2] for row in told], rtol=1e-8)
    state = read_checkpoint(tmp_path, found.checkpoints[0], plan.parameters, 2)
    assert state is not None and state.step == 25
    assert all(np.array_equal(state.net[name], a) for name, a in net.params.items())
    assert all(np.array_equal(state.twin[name], a.detach().numpy()) for name, a in leaves.items())
    assert [(e.epoch, e.step) for e in found.epochs] == [(0, 0), (1, 10), (2, 20), (3, 25)]
    x, t = plan.data.x_test.astype(dtype), plan.data.t_test
    assert found.epochs[-1].actual_test == pytest.approx(net.accuracy(x, t)) == found.epochs[-1].expected_test
    x, t = plan.data.x_train.astype(dtype), plan.data.t_train
    assert found.epochs[-1].actual_train == pytest.approx(net.accuracy(x, t)) and (found.epochs[-1].actual_train or 0) > 0.5
    assert found.epochs[0].actual_train != found.epochs[-1].actual_train


def test_rows_count_what_was_judged_and_columns_hold_the_margins(tmp_path: Path) -> None:
    found = trained(planned(net_of(textbook.TwoLayerNet), 33), tmp_path)
    for dtype in ("float64", "float32"):
        of, steps = rows(found, dtype), found.steps[dtype]
        # measured closely at steps 1, 17 and 33, and wherever a unit that no row of the batch wakes makes a ratio 0 / 0
        elements = of["backward.dW1"].n_elements
        assert elements >= 3 * 12 * 7 and elements % (12 * 7) == 0 and of["forward.loss"].n_elements == 3
        for name, column in steps.margins.items():
            known = [m for m in column if m is not None]
            assert len(known) == 33 and of[name].margin == pytest.approx(max(known), rel=1e-8)
            assert known[(of[name].worst or 0) - 1] == max(known)
        assert set(steps.distances) == {"W1", "b1", "W2", "b2"} and all(len(c) == 33 for c in steps.distances.values())
        assert list(steps.injected) == sorted(steps.injected) and steps.injected[0] > 0
        (timing,) = (t for t in found.timings if t.dtype == dtype)
        assert timing.steps == 33 and timing.actual_seconds > 0 and timing.expected_seconds > 0
    assert found.footer is not None and found.footer.outcome == "complete"


def test_the_sides_that_cannot_tell_have_no_accuracy(tmp_path: Path) -> None:
    torch_only = trained(planned(net_of(Unmeasured), 5, dtypes=("float64",)), tmp_path)
    assert {e.actual_train for e in torch_only.epochs} == {None} and None not in {e.expected_train for e in torch_only.epochs}
    own_only = trained(planned(net_of(OneLayer, (12, 4)), 5, dtypes=("float64",), torch=OneLayer.torch), tmp_path)
    assert {(e.actual_train, e.expected_train) for e in own_only.epochs} == {(None, None)}


def test_an_accuracy_in_parts_is_that_of_the_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = planned(net_of(textbook.TwoLayerNet), 5)
    whole = trained(plan, tmp_path)
    monkeypatch.setattr(accuracies, "ROWS_AT_ONCE", 17)
    for a, b in zip(trained(plan, tmp_path).epochs, whole.epochs, strict=True):
        assert a.actual_train == pytest.approx(b.actual_train) and a.actual_test == pytest.approx(b.actual_test)
        assert (a.expected_train, a.expected_test) == (b.expected_train, b.expected_test)


def test_a_training_that_sees_a_planted_fault_for_right_is_blind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Harmless(planted.RightNet):
        """A fault that is none"""

    monkeypatch.setattr(planted, "FAULTS", [*planted.FAULTS, Harmless])
    found = trained(planned(net_of(textbook.TwoLayerNet), 5, planted=True), tmp_path)
    assert [(p.name, p.n_cases) for p in found.planted if not p.convicted] == [("harmless", planted.STEPS)]
    verdict = training_verdict(found)
    assert verdict.exit_code == 3 and "blind to A fault that is none" in verdict.sentence


@pytest.mark.parametrize(
    "data, how",
    [
        (digits(n_test=0), {}),
        (digits(n=8), {"batch": 50}),
        (digits(classes=1), {}),
        (digits(n=1), {"batch": 1}),
    ],
    ids=["no test rows", "a batch larger than the data", "one class", "one row"],
)
def test_odd_data_is_no_divergence(data: Any, how: dict[str, Any], tmp_path: Path) -> None:
    found = trained(planned(net_of(textbook.TwoLayerNet), 20, data, **how), tmp_path)
    assert training_verdict(found).exit_code == 0, training_verdict(found).sentence
    assert all((e.actual_test is None) == (not len(data.x_test)) for e in found.epochs)
    assert rows(found)["forward.loss"].n_judged == 20 and len(found.steps["float32"].actual) == 20
    assert BATCH < 50
