"""Calling conventions: what is called with what, and what is made of the results."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from oracle.specs import all_specs, spec_named
from oracle.subjects import CONVENTIONS, SubjectError, subject_of

PARAMS = {"W": np.ones((2, 3)), "b": np.zeros(3)}
DOUT = {"out": np.ones((4, 3))}


class Noted:
    """A layer that notes what it is given; its results are set from outside."""

    def __init__(self, *params: Any) -> None:
        self.params = params

    def forward(self, *inputs: Any) -> Any:
        self.inputs = inputs
        return 5

    def backward(self, dout: Any) -> Any:
        self.dout = dout
        return self.returned


def noted(name: str, returned: Any, **attributes: Any) -> tuple[Any, Any]:
    subject = subject_of(spec_named(name), Noted)
    state = subject.start(PARAMS if name == "Affine" else {}, {})
    state.returned = returned
    vars(state).update(attributes)
    return subject, state


def test_every_spec_has_a_known_convention() -> None:
    assert {spec.convention for spec in all_specs().values()} == set(CONVENTIONS)


def test_a_layer_is_given_arrays_in_the_order_of_the_spec() -> None:
    subject, state = noted("Affine", 1, dW=2, db=3)
    x = np.ones((4, 2))
    assert subject.forward(state, {"x": x}) == (5,)
    assert state.inputs[0] is x and [p is q for p, q in zip(state.params, PARAMS.values(), strict=True)] == [True, True]
    assert subject.backward(state, DOUT) == (1, 2, 3) and state.dout is DOUT["out"]


def test_gradients_may_also_be_returned_together() -> None:
    subject, state = noted("Affine", (1, 2, 3), dW=-1, db=-1)
    assert subject.backward(state, DOUT) == (1, 2, 3)
    subject, state = noted("Affine", (1, 2), db=3)
    assert subject.backward(state, DOUT) == (1, 2, 3)
    subject, state = noted("AddLayer", (1, 2))
    assert subject.backward(state, DOUT) == (1, 2)


@pytest.mark.parametrize(
    ("name", "returned"),
    [("Affine", 1), ("Affine", (1, 2)), ("Affine", (1, 2, 3, 4)), ("AddLayer", 1), ("AddLayer", (1, 2, 3)), ("Relu", ())],
)
def test_the_wrong_number_of_gradients_is_an_error_that_says_so(name: str, returned: Any) -> None:
    subject, state = noted(name, returned)
    n = len(returned) if isinstance(returned, tuple) else 1
    with pytest.raises(SubjectError, match=rf"returned {n} result\(s\) for the gradients of {', '.join(spec_named(name).wrt)}"):
        subject.backward(state, DOUT)


def test_a_0_d_array_is_handed_over_as_a_scalar() -> None:
    subject, state = noted("AddLayer", (1, 2))
    subject.forward(state, {"x": np.array(2.0, np.float32), "y": np.ones(2)})
    assert isinstance(state.inputs[0], np.float32) and isinstance(state.inputs[1], np.ndarray)
    subject.backward(state, {"out": np.array(1.5)})
    assert isinstance(state.dout, np.float64)


def test_a_function_has_no_backward() -> None:
    subject = subject_of(spec_named("softmax"), lambda x: x + 1)
    assert subject.forward(subject.start({}, {}), {"x": np.zeros(2)})[0].tolist() == [1, 1]
    with pytest.raises(SubjectError, match="no backward"):
        subject.backward(None, {})


def test_a_gradient_is_given_the_function_of_the_configuration() -> None:
    subject = subject_of(spec_named("numerical_gradient"), lambda f, x: f(x))
    x = np.array([1.0, 2.0])
    values = {name: subject.forward(subject.start({}, {"function": name}), {"x": x})[0] for name in ("quadratic", "cubic", "sine")}
    assert values == {"quadratic": 5, "cubic": 9, "sine": pytest.approx(np.sin(1) + np.sin(2))}
    with pytest.raises(SubjectError, match="no backward"):
        subject.backward(None, {})


def test_a_network_is_built_by_its_sizes_and_given_the_parameters() -> None:
    class Net:
        def __init__(self, *sizes: int) -> None:
            self.sizes, self.params = sizes, {}

        def predict(self, x: Any) -> Any:
            return "scores"

        def loss(self, x: Any, t: Any) -> Any:
            return "loss"

        def accuracy(self, x: Any, t: Any) -> Any:
            return "accuracy"

        def gradient(self, x: Any, t: Any) -> Any:
            return {"b2": 4, "W2": 3, "b1": 2, "W1": (x, t)}

    params = {"W1": np.ones((2, 3)), "b1": np.ones(3), "W2": np.ones((3, 5)), "b2": np.ones(5)}
    subject = subject_of(spec_named("TwoLayerNet"), Net)
    state = subject.start(params, {})
    net = state[0]
    assert net.sizes == (2, 3, 5) and all(net.params[name] is a for name, a in params.items())
    assert subject.forward(state, {"x": 1, "t": 2}) == ("scores", "loss", "accuracy")
    assert subject.backward(state, {"loss": np.ones(())}) == ((1, 2), 2, 3, 4)


class _Holds:
    """A net whose one layer holds what it was built with, or a copy, or a view of it."""

    def __init__(self, how: Any) -> None:
        self.params = {name: np.zeros(shape) for name, shape in (("W1", (2, 3)), ("b1", 3), ("W2", (3, 5)), ("b2", 5))}
        self.layers = {"Affine1": [how(self.params["W1"])]}


def test_a_network_whose_layers_hold_its_parameters_is_given_them_there_too() -> None:
    params = {"W1": np.ones((2, 3)), "b1": np.ones(3), "W2": np.ones((3, 5)), "b2": np.ones(5)}
    held, copied = (
        subject_of(spec_named("TwoLayerNet"), lambda *sizes, how=how: _Holds(how)).start(params, {})[0] for how in (lambda a: a, np.copy)
    )
    assert held.layers["Affine1"][0] is params["W1"] is held.params["W1"]
    # a layer with a copy does not see an update of the parameters, which is a fault of the net, and shown as one
    assert not copied.layers["Affine1"][0].any() and copied.params["W1"] is params["W1"]
    with pytest.raises(SubjectError, match=r"params\['W1'\] cannot be set: _Holds.layers\['Affine1'\]\[0\] holds on to a view"):
        subject_of(spec_named("TwoLayerNet"), lambda *sizes: _Holds(np.transpose)).start(params, {})


def test_a_network_that_begins_with_numbers_is_given_arrays_for_them() -> None:
    class Plain:
        def __init__(self, *sizes: int) -> None:
            # one object for both biases, and for whatever else is 0
            self.params: dict[str, Any] = {"W1": np.zeros((2, 3)), "b1": 0, "W2": np.zeros((3, 5)), "b2": 0}
            self.n_calls = 0

    params = {"W1": np.ones((2, 3)), "b1": np.ones(3), "W2": np.ones((3, 5)), "b2": np.ones(5)}
    net = subject_of(spec_named("TwoLayerNet"), Plain).start(params, {})[0]
    assert all(net.params[name] is a for name, a in params.items()) and net.n_calls == 0


def test_a_started_object_is_a_fresh_one() -> None:
    subject = subject_of(spec_named("Relu"))
    assert subject.start({}, {}) is not subject.start({}, {})
