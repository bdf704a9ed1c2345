"""Objects with forward and backward: recognised, judged as what they are, and refused with what was tried."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from connecting import found, object_connected, samples
from subjectlayers import TorchLike

from oracle.core.draw import calm_case
from oracle.core.judge import judge
from oracle.specs import spec_named
from oracle.subjects.conventions import ConventionError, connect


class Add:
    def forward(self, x: Any, y: Any) -> Any:
        return x + y

    def backward(self, dout: Any) -> Any:
        return dout.copy(), dout.copy()


class AttributeAdd:
    def forward(self, x: Any, y: Any) -> None:
        self.out = x + y

    def backward(self, dout: Any) -> None:
        self.dx, self.dy = dout * 1, dout * 1


class ReluOfArguments:
    """backward wants the input once more, and before dout."""

    def forward(self, x: Any) -> Any:
        return np.maximum(x, 0)

    def backward(self, x: Any, dout: Any) -> Any:
        return np.where(x > 0, dout, 0)


class ReluWithCache:
    def forward(self, x: Any) -> Any:
        return np.maximum(x, 0), x > 0

    def backward(self, dout: Any, cache: Any) -> Any:
        return np.where(cache, dout, 0)


class CalledRelu:
    def __call__(self, x: Any) -> Any:
        self.mask = x > 0
        return np.where(self.mask, x, 0)

    def backward(self, dout: Any) -> Any:
        return np.where(self.mask, dout, 0)


@pytest.mark.parametrize(
    ("name", "thing", "convention", "branch"),
    [
        ("AddLayer", Add, "layer", "same"),
        ("AddLayer", AttributeAdd, "attributes", "same"),
        ("Relu", ReluOfArguments, "layer", "matrix"),
        ("Relu", ReluWithCache, "layer", "matrix"),
        ("Relu", CalledRelu, "layer", "any-rank"),
        ("Relu", CalledRelu(), "layer", "matrix"),
    ],
)
def test_layers_without_parameters(name: str, thing: Any, convention: str, branch: str) -> None:
    connection = object_connected(name, thing)
    assert connection.convention == convention
    assert found(name, connection, branch) == set()


def test_an_object_is_copied_for_every_case() -> None:
    made = CalledRelu()
    subject = object_connected("Relu", made).subject
    states = [subject.start({}, {}) for _ in range(2)]
    assert len({id(made), *(id(s.layer) for s in states)}) == 3 and not hasattr(made, "mask")


class Loss:
    """Index labels only, and a backward that has dout as an option."""

    def forward(self, x: Any, t: Any) -> Any:
        e = np.exp(x - x.max(axis=1, keepdims=True))
        self.y, self.t = e / e.sum(axis=1, keepdims=True), t
        return -np.log(self.y[np.arange(len(t)), t]).mean()

    def backward(self, dout: Any = 1) -> Any:
        dx = self.y.copy()
        dx[np.arange(len(dx)), self.t] -= 1
        return dx * dout / len(dx)


class LossWithoutDout(Loss):
    def backward(self) -> Any:  # type: ignore[override]
        return super().backward(1)


class CombinedLoss:
    """backward is given the softmax output and the labels."""

    def forward(self, inputs: Any, y_true: Any) -> Any:
        e = np.exp(inputs - inputs.max(axis=1, keepdims=True))
        self.output = e / e.sum(axis=1, keepdims=True)
        return -np.log(self.output[range(len(inputs)), y_true]).mean()

    def backward(self, dvalues: Any, y_true: Any) -> None:
        self.dinputs = dvalues.copy()
        self.dinputs[range(len(dvalues)), y_true] -= 1
        self.dinputs = self.dinputs / len(dvalues)


def test_a_loss_that_takes_dout_conforms_on_the_labels_that_it_knows() -> None:
    connection = object_connected("SoftmaxWithLoss", Loss)
    assert connection.convention == "layer" and found("SoftmaxWithLoss", connection, "index") == set()


@pytest.mark.parametrize(
    ("thing", "convention", "details"),
    [
        (LossWithoutDout, "layer", "backward takes no dout"),
        (CombinedLoss, "attributes", "backward is given the layer's output and the labels; dout is not handed over"),
    ],
)
def test_a_loss_without_dout_is_right_where_dout_is_1_and_nowhere_else(thing: Any, convention: str, details: str) -> None:
    connection = object_connected("SoftmaxWithLoss", thing)
    assert connection.convention == convention and details in connection.details
    assert found("SoftmaxWithLoss", connection, "index") == {"cotangent.honoured"}
    spec = spec_named("SoftmaxWithLoss")
    case = calm_case(spec, np.random.default_rng(5), "index")._replace(cotangents={"loss": np.ones(())})
    assert judge(spec, connection.subject, case).findings == ()


def test_backward_before_forward_is_refused() -> None:
    spec = spec_named("SoftmaxWithLoss")
    for thing in (Loss, LossWithoutDout, CombinedLoss):
        case = calm_case(spec, np.random.default_rng(5), "index")._replace(protocol="backward-first", cotangents={"loss": np.ones(())})
        assert judge(spec, object_connected("SoftmaxWithLoss", thing).subject, case).findings == ()


class OnlyForward:
    def forward(self, x: Any) -> Any:
        return np.where(x > 0, x, 0.0)


def test_a_layer_without_backward_is_judged_on_forward_alone() -> None:
    connection = object_connected("Relu", OnlyForward)
    assert connection.convention == "layer"
    assert connection.forward_only == "no backward of it was found (looked for backward, bprop, backward_pass, backprop, backpropagate ...)"
    state = connection.subject.start({}, {})
    assert connection.subject.forward(state, {"x": np.array([[-1.0, 2.0]])})[0].tolist() == [[0, 2]]
    assert connection.subject.backward(state, {"out": np.ones((1, 2))}) == ()


def test_a_convention_that_is_asked_for_is_the_only_one_tried() -> None:
    assert object_connected("Affine", TorchLike, "layer").convention == "layer"
    with pytest.raises(ConventionError, match="nothing in it looks like attributes"):
        object_connected("Affine", TorchLike, "attributes")
    with pytest.raises(ConventionError, match="there is no convention 'layers'; choose from adapter, layer, functions"):
        object_connected("Affine", TorchLike, "layers")


class Needy:
    def __init__(self, units: int, activation: str, extra: Any) -> None: ...

    def forward(self, x: Any) -> Any: ...

    def backward(self, dout: Any) -> Any: ...


def test_what_fits_nothing_is_told_with_what_was_tried() -> None:
    with pytest.raises(ConventionError) as caught:
        object_connected("Affine", Needy)
    message = str(caught.value)
    lines = message.splitlines()
    assert lines[0] == "Needy cannot be called as Affine. Tried:"
    assert any(line.startswith("  layer: Needy(W, b): TypeError: ") and "'extra'" in line for line in lines)
    assert "  nothing in it looks like functions, derivative, torch-like, autograd, function" in lines
    assert "--convention" in lines[-1] and "Adapter" in lines[-1] and len(lines) < 20


def test_names_that_are_not_there_and_samples_that_are_not_given() -> None:
    signature = spec_named("Relu").signature
    with pytest.raises(ConventionError, match="there is no 'Relu' in what was loaded"):
        connect(signature, "Relu", {}, samples("Relu"))
    with pytest.raises(ConventionError, match="samples are empty"):
        connect(signature, "Relu", {"Relu": CalledRelu}, [])
