"""A net in this process: what it is asked, and how it is guarded."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import numpy as np
import pytest
from somenets import BookNet, Dense, T, X, net_with

from oracle.subjects.nets import NetError, NetSubject, made
from reference import TwoLayerNet


def two_layers(dtype: str = "float64") -> NetSubject:
    np.random.seed(3)
    return made(TwoLayerNet, (4, 5, 3), dtype)


def test_a_step_is_what_a_training_loop_does() -> None:
    subject, net = two_layers(), TwoLayerNet(4, 5, 3)
    for name, a in subject.params().items():
        net.params[name][...] = a
    for _ in range(3):
        grads, loss, breaches = subject.step(X, T, 0.1)
        expected = net.gradient(X, T)
        for name in net.params:
            net.params[name] -= 0.1 * expected[name]
        assert loss.tobytes() == net.loss(X, T).tobytes() and loss.shape == () and breaches == ()
        assert {name: g.tobytes() for name, g in grads.items()} == {name: g.tobytes() for name, g in expected.items()}
    assert all(a.tobytes() == net.params[name].tobytes() for name, a in subject.params().items())


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_step_is_gradient_update_and_loss(dtype: str) -> None:
    at_once, one_by_one = two_layers(dtype), two_layers(dtype)
    x = X.astype(dtype)
    step = at_once.step(x, T, 0.1)
    gradients = one_by_one.gradient(x, T)
    one_by_one.update(None, 0.1)
    assert {n: g.tobytes() for n, g in step.grads.items()} == {n: g.tobytes() for n, g in gradients.grads.items()}
    assert step.loss.tobytes() == one_by_one.loss(x, T).tobytes() and step.loss.dtype == dtype
    assert all(a.dtype == dtype for a in at_once.params().values())


def test_params_are_copies_in_the_order_of_the_net() -> None:
    subject = two_layers()
    assert subject.names == ("W1", "b1", "W2", "b2") == tuple(subject.params())
    subject.params()["W1"][...] = 7
    assert not (subject.params()["W1"] == 7).any()


def test_assign_writes_into_the_arrays_of_the_net() -> None:
    net = BookNet()
    own = net.params["W1"]
    NetSubject(net).assign({"b1": np.arange(3.0), "W1": np.ones((4, 3))})
    assert net.params["W1"] is own is net.layers[0].W and (own == 1).all() and net.layers[0].b.tolist() == [0, 1, 2]


@pytest.mark.parametrize("params", [{}, {"W1": np.ones((4, 3))}, {"W1": np.ones((4, 3)), "b1": np.ones(3), "b2": np.ones(3)}])
def test_assign_takes_all_parameters_and_no_others(params: Any) -> None:
    with pytest.raises(NetError, match="the net has W1, b1"):
        NetSubject(BookNet()).assign(params)


def test_assign_takes_floats_only() -> None:
    with pytest.raises(NetError, match=r"params\['b1'\] is an array of int64 with shape \(3,\)"):
        NetSubject(BookNet()).assign({"W1": np.ones((4, 3)), "b1": np.arange(3)})


def test_update_with_other_gradients_and_their_faults() -> None:
    net = BookNet()
    subject, before = NetSubject(net), net.params["b1"].copy()
    subject.update({"W1": np.zeros((4, 3)), "b1": np.ones(3)}, 0.5)
    assert (net.layers[0].b == before - 0.5).all()
    with pytest.raises(NetError, match="call gradient first"):
        subject.update(None, 0.5)
    with pytest.raises(NetError, match="update has no gradient of b1"):
        subject.update({"W1": np.zeros((4, 3))}, 0.5)
    with pytest.raises(NetError, match=r"grads\[name\] raised ValueError: "):
        subject.update({"W1": np.zeros(7), "b1": np.ones(3)}, 0.5)


def test_a_gradient_that_failed_leaves_none_to_update_with() -> None:
    net = net_with()
    subject = NetSubject(net)
    subject.gradient(X, T)
    net.loss = lambda x, t: [][0]
    with pytest.raises(NetError, match="gradient raised IndexError"):
        subject.gradient(X, T)
    with pytest.raises(NetError, match="call gradient first"):
        subject.update(None, 0.5)


def test_update_does_not_reach_copies() -> None:
    """A net that copied its parameters keeps the old ones: the fault is to be seen, not made good."""
    net = BookNet()
    net.layers = [Dense(net.params["W1"].copy(), net.params["b1"].copy())]
    subject = NetSubject(net)
    before = subject.loss(X, T)
    assert subject.step(X, T, 0.5).loss == before
    assert NetSubject(BookNet()).step(X, T, 0.5).loss < before


def test_gradients_do_not_change_when_the_net_reuses_its_buffers() -> None:
    buffers = {"W1": np.zeros((4, 3)), "b1": np.zeros(3)}

    def gradient(net: Any, x: Any, t: Any) -> Any:
        for name, g in BookNet.gradient(net, x, t).items():
            buffers[name][...] = g
        return buffers

    def loss(net: Any, x: Any, t: Any) -> Any:
        buffers["W1"][...] = np.nan
        return BookNet.loss(net, x, t)

    grads = NetSubject(net_with(gradient=gradient, loss=loss)).step(X, T, 0.1).grads
    assert not np.isnan(grads["W1"]).any()


@pytest.mark.parametrize("spelling", ["d{}", "grad_{}", "d_{}", "{}_grad", "D{}"])
def test_other_spellings_of_gradients(spelling: str) -> None:
    def gradient(net: Any, x: Any, t: Any) -> Any:
        return OrderedDict([(spelling.format(name), g) for name, g in reversed(BookNet.gradient(net, x, t).items())])

    found, expected = NetSubject(net_with(gradient=gradient)).gradient(X, T).grads, NetSubject(BookNet()).gradient(X, T).grads
    assert tuple(found) == ("W1", "b1") and all(found[name].tobytes() == g.tobytes() for name, g in expected.items())


def test_accuracy_with_and_without_a_method() -> None:
    net = BookNet()
    share = float(np.mean(net.predict(X).argmax(axis=1) == T))
    assert 0 < share < 1 and NetSubject(net).accuracy(X, T) == share
    without = NetSubject(net_with(accuracy=None))
    assert without.accuracy(X, T) == share == without.accuracy(X, np.eye(3)[T])
    with pytest.raises(NetError, match="Net has neither accuracy"):
        NetSubject(net_with(accuracy=None, predict=None)).accuracy(X, T)
    with pytest.raises(NetError, match="at least one"):
        without.accuracy(X[:0], T[:0])


def test_accuracy_of_many_rows_is_asked_in_parts() -> None:
    asked = []

    def accuracy(net: Any, x: Any, t: Any) -> float:
        asked.append(len(x))
        return BookNet.accuracy(net, x, t)

    rng = np.random.default_rng(0)
    x, t = rng.standard_normal((25_000, 4)), rng.integers(0, 3, 25_000)
    assert NetSubject(net_with(accuracy=accuracy)).accuracy(x, t) == pytest.approx(BookNet().accuracy(x, t), rel=1e-12)
    assert asked == [10_000, 10_000, 5_000]


def test_losses_move_one_element_and_put_it_back() -> None:
    net = BookNet()
    net.params["W1"] = net.layers[0].W = np.asfortranarray(net.params["W1"])
    subject, before = NetSubject(net), {name: a.tobytes() for name, a in net.params.items()}
    found = subject.losses("W1", [4, 0], [0.5, -0.25, 0.0], X, T)
    for i, index in enumerate([4, 0]):
        for j, offset in enumerate([0.5, -0.25, 0.0]):
            other = BookNet()
            other.params["W1"][divmod(index, 3)] += offset
            assert found[i, j] == other.loss(X, T)
    assert {name: a.tobytes() for name, a in net.params.items()} == before and subject.breaches == ()
    assert subject.losses("b1", [], [1.0, 2.0], X, T).shape == (0, 2)


def test_losses_restore_the_element_of_a_net_that_raises() -> None:
    calls = []

    def loss(net: Any, x: Any, t: Any) -> Any:
        calls.append(net.params["W1"].flat[1])
        return BookNet.loss(net, x, t) if len(calls) < 2 else "no number"

    net = net_with(loss=loss)
    before = net.params["W1"].copy()
    with pytest.raises(NetError, match="loss returned of type str, not a number") as caught:
        NetSubject(net).losses("W1", [1], [1.0, 2.0], X, T)
    assert calls == [before.flat[1] + 1, before.flat[1] + 2] and (net.params["W1"] == before).all() and caught.value
    with pytest.raises(NetError, match="no element 12 in a parameter of 12"):
        NetSubject(net).losses("W1", [12], [1.0], X, T)
    with pytest.raises(NetError, match="no parameter 'W2'; the net has W1, b1"):
        NetSubject(net).losses("W2", [0], [1.0], X, T)


def writes(array: str) -> Any:
    def gradient(net: Any, x: Any, t: Any) -> Any:
        {"x": x, "t": t, **net.params}[array].flat[0] -= 1
        return BookNet.gradient(net, x, t)

    return gradient


@pytest.mark.parametrize(
    ("array", "contract", "says"),
    [
        ("x", "inputs.unchanged", "gradient wrote into x"),
        ("t", "inputs.unchanged", "gradient wrote into t"),
        ("W1", "params.unchanged", "gradient changed params['W1']"),
        ("b1", "params.unchanged", "gradient changed params['b1']"),
    ],
)
def test_what_gradient_must_not_change(array: str, contract: str, says: str) -> None:
    x, t = X.copy(), T.copy()
    subject = NetSubject(net_with(gradient=writes(array)))
    assert [tuple(b) for b in subject.gradient(x, t).breaches] == [(contract, says)]
    assert [tuple(b) for b in subject.step(x, t, 0.1).breaches] == [(contract, says)]
    assert (x == X).all() and (t == T).all()
    subject.loss(x, t)
    assert subject.breaches == ()


def test_what_loss_must_not_change() -> None:
    def loss(net: Any, x: Any, t: Any) -> Any:
        x[0] = 0
        net.params["b1"] = net.params["b1"] + 1
        return BookNet.loss(net, x, t)

    subject = NetSubject(net_with(loss=loss))
    subject.loss(X, T)
    assert [b.message for b in subject.breaches] == ["loss changed params['b1']", "loss wrote into x"]
    subject.losses("W1", [0], [0.1], X, T)
    assert [b.message for b in subject.breaches] == ["loss changed params['b1']", "loss wrote into x"]
    blamed = [b.message for b in subject.step(X, T, 0.1).breaches]
    assert blamed == [f"{method} {what}" for method in ("gradient", "loss") for what in ("changed params['b1']", "wrote into x")]


def test_the_loss_of_a_step_gets_the_very_arrays_of_its_gradient_unless_they_were_changed() -> None:
    """A net that remembers its last batch by identity is only found out that way."""
    seen: list[Any] = []

    def loss(net: Any, x: Any, t: Any) -> Any:
        seen.append(x)
        return BookNet.loss(net, x, t)

    NetSubject(net_with(loss=loss)).step(X, T, 0.1)
    assert len(seen) == 2 and seen[0] is seen[1] and seen[0] is not X
    seen.clear()
    NetSubject(net_with(loss=loss, gradient=writes("x"))).step(X, T, 0.1)
    assert seen[0] is not seen[1] and (seen[1] == X).all()


def test_bits_are_compared_not_values() -> None:
    def loss(net: Any, x: Any, t: Any) -> Any:
        x[1] *= -1.0
        return 0.0

    x = np.zeros((2, 4))
    x[0] = np.nan
    kept, changed = NetSubject(net_with(loss=lambda net, x, t: 0.0)), NetSubject(net_with(loss=loss))
    kept.loss(x, T)
    changed.loss(x, T)
    assert kept.breaches == () and [b.message for b in changed.breaches] == ["loss wrote into x"]


def test_breaches_are_those_of_the_last_accuracy() -> None:
    def accuracy(net: Any, x: Any, t: Any) -> float:
        x[x > 9] = 0
        return 1.0

    subject = NetSubject(net_with(accuracy=accuracy))
    subject.accuracy(X + 10, T)
    assert [b.message for b in subject.breaches] == ["accuracy wrote into x"]
    subject.accuracy(X, T)
    assert subject.breaches == ()
