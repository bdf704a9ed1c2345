"""Planted faults of a training: each is another fault, convicted where it shows, and by contrast only."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from oracle.nets import planted
from oracle.nets.batches import batch
from oracle.nets.planted import FAULTS, STEPS, RightNet, faults_for, planted_in
from oracle.nets.twin import twin_of, wrong_order_of
from tests.mutants.nets.textbook import TwoLayerNet
from tests.nets.small import SIZES, digits

DATA = digits()
GRADIENTS = {"backward.dW1", "backward.db1", "backward.dW2", "backward.db2"}
WHERE: dict[str, tuple[int, set[str]]] = {
    "accumulated": (2, GRADIENTS),
    "copied-parameters": (1, {"forward.loss"}),
    "wrong-order": (1, {"forward.loss", *GRADIENTS}),
    "stale-batch": (2, GRADIENTS),
    "loss-of-another-batch": (2, {"forward.loss"}),
    "stale-parameters": (2, GRADIENTS),
}


def found(dtype: str = "float64", lr: float = 0.1, seed: int = 0, activation: str = "relu") -> dict[str, Any]:
    params = TwoLayerNet(*SIZES, dtype=getattr(np, dtype)).params
    spec, wrong = twin_of(params, None, activation), wrong_order_of(params, None, activation)
    told = planted_in(spec, wrong, params, lambda number: batch(DATA, seed, number, 20, dtype), lr, "Net")
    return {p.name: p for p in told}


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("activation", ["relu", "sigmoid", "tanh"])
def test_each_is_convicted_at_once_on_its_own_rows(dtype: str, activation: str) -> None:
    for seed in range(3):
        told = found(dtype, seed=seed, activation=activation)
        assert {name: (p.n_cases, set(p.rows)) for name, p in told.items()} == WHERE
        assert all(p.layer == "Net" and p.family == "net" and p.fault and p.convicted for p in told.values())


def test_there_is_one_for_every_fault_that_was_asked_for() -> None:
    assert len(FAULTS) == len(WHERE) and len({f.__doc__ for f in FAULTS}) == len(FAULTS)
    assert WHERE.keys() - {"stale-parameters"} >= {
        "accumulated",
        "copied-parameters",
        "wrong-order",
        "stale-batch",
        "loss-of-another-batch",
    }


def test_a_net_without_layers_has_no_wrong_order() -> None:
    params = {"W1": np.ones((3, 2)), "b1": np.ones(2)}
    assert wrong_order_of(params) is None and [f.__name__ for f in faults_for(None)] == [
        f.__name__ for f in FAULTS if f.__name__ != "WrongOrder"
    ]


def test_a_step_that_cannot_be_seen_leaves_survivors() -> None:
    told = found(lr=1e-30)
    assert {name for name, p in told.items() if not p.convicted} == {"copied-parameters", "stale-parameters"}
    assert all(p.n_cases == STEPS for p in told.values() if not p.convicted)


def test_what_the_right_net_fails_too_convicts_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    right = RightNet.loss

    def off(self: RightNet, b: Any) -> Any:
        return right(self, b) * 2

    monkeypatch.setattr(RightNet, "loss", off)
    told = found()
    # those that only the loss shows are not seen; the others are convicted without it
    assert not told["loss-of-another-batch"].convicted
    assert all("forward.loss" not in p.rows for p in told.values()) and set(told["accumulated"].rows) == GRADIENTS


def test_planting_changes_no_parameters() -> None:
    params = TwoLayerNet(*SIZES).params
    before = {name: a.copy() for name, a in params.items()}
    list(planted_in(twin_of(params), wrong_order_of(params), params, lambda n: batch(DATA, 0, n, 20, "float64"), 0.1, "Net"))
    assert all(np.array_equal(a, before[name]) for name, a in params.items())


def test_a_batch_is_a_function_of_seed_and_number() -> None:
    first = batch(DATA, 3, 5, 20, "float32")
    assert first.x.dtype == np.float32 and first.t.dtype == np.int64 and first.x.shape == (20, 12)
    again, other = batch(DATA, 3, 5, 20, "float64"), batch(DATA, 3, 6, 20, "float32")
    assert np.array_equal(first.x, again.x) and np.array_equal(first.t, again.t) and not np.array_equal(first.x, other.x)
    assert not np.array_equal(batch(DATA, 4, 5, 20, "float32").x, first.x)
    rows = {tuple(row) for row in DATA.x_train}
    assert all(tuple(row) in rows for row in first.x)


def test_the_names_of_faults_are_stable() -> None:
    assert [p.name for p in found().values()] == list(WHERE) and planted.FAMILY == "net"
