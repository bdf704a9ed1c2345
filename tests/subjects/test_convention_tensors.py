"""An own Tensor class, and Adapters: recognised, and judged as what they are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from connecting import connected, found

from oracle.core.draw import calm_case
from oracle.core.observe import SubjectError
from oracle.specs import spec_named
from oracle.subjects.adapter import Adapter
from oracle.subjects.conventions import ConventionError


class Tensor:
    """Reverse mode on arrays; each operation leaves a function that adds to its operands' gradients."""

    def __init__(self, data: Any, parents: tuple[Any, ...] = ()) -> None:
        self.data = np.asarray(data)
        self.grad = np.zeros_like(self.data)
        self._parents = parents
        self._step: Callable[[], None] = lambda: None

    def __add__(self, other: Any) -> Any:
        out = type(self)(self.data + other.data, (self, other))

        def step() -> None:
            for t in (self, other):
                extra = out.grad.ndim - t.data.ndim
                g = out.grad.sum(axis=tuple(range(extra)))
                t.grad = t.grad + g.sum(axis=tuple(i for i, n in enumerate(t.data.shape) if n == 1 != g.shape[i]), keepdims=True)

        out._step = step
        return out

    def __mul__(self, other: Any) -> Any:
        out = type(self)(self.data * other.data, (self, other))

        def step() -> None:
            self.grad = self.grad + out.grad * other.data
            other.grad = other.grad + out.grad * self.data

        out._step = step
        return out

    def __matmul__(self, other: Any) -> Any:
        out = type(self)(self.data @ other.data, (self, other))

        def step() -> None:
            self.grad = self.grad + out.grad @ other.data.T
            other.grad = other.grad + self.data.T @ out.grad

        out._step = step
        return out

    def relu(self) -> Any:
        out = type(self)(np.where(self.data > 0, self.data, 0), (self,))

        def step() -> None:
            self.grad = self.grad + np.where(self.data > 0, out.grad, 0)

        out._step = step
        return out

    def _walk(self) -> None:
        order: list[Any] = []

        def visit(t: Any) -> None:
            if t not in order:
                for parent in t._parents:
                    visit(parent)
                order.append(t)

        visit(self)
        for t in reversed(order):
            t._step()

    def backward(self) -> None:
        self.grad = np.ones_like(self.data)
        self._walk()


class SeedTensor(Tensor):
    def backward(self, g: Any) -> None:  # type: ignore[override]
        self.grad = np.array(g)
        self._walk()


class GradFirst(Tensor):
    def backward(self) -> None:
        self._walk()


class Dense:
    def __init__(self, n_in: int, n_out: int, tensor: Any = Tensor) -> None:
        self.w, self.b = tensor(np.random.randn(n_in, n_out)), tensor(np.zeros(n_out))

    def __call__(self, x: Any) -> Any:
        return x @ self.w + self.b


def dense(x: Any, W: Any, b: Any) -> Any:
    return x @ W + b


def relu_of_tensor(x: Any) -> Any:
    return x.relu()


@pytest.mark.parametrize(
    ("spec", "name", "thing", "branch"),
    [
        ("Affine", "Tensor", Tensor, "matrix"),
        ("Affine", "dense", dense, "matrix"),
        ("Affine", "Dense", Dense, "matrix"),
        ("Relu", "Tensor", Tensor, "matrix"),
        ("Relu", "relu_of_tensor", relu_of_tensor, "any-rank"),
        ("MulLayer", "Tensor", Tensor, "same"),
    ],
)
def test_an_own_tensor_class(spec: str, name: str, thing: Any, branch: str) -> None:
    connection = connected(spec, name, {"Tensor": Tensor, name: thing})
    assert connection.convention == "autograd" and "on Tensor; (y * dout).backward()" in connection.details
    assert found(spec, connection, branch) == set()


@pytest.mark.parametrize(
    ("tensor", "details"), [(SeedTensor, "on SeedTensor; y.backward(dout)"), (GradFirst, "on GradFirst; y.grad = dout, then y.backward()")]
)
def test_the_ways_in_which_dout_gets_into_a_graph(tensor: Any, details: str) -> None:
    connection = connected("Affine", "dense", {tensor.__name__: tensor, "dense": dense})
    assert connection.convention == "autograd" and connection.details.endswith(details)
    assert found("Affine", connection, "matrix") == set()


def test_a_product_that_the_convention_makes_refuses_another_shape() -> None:
    subject = connected("Relu", "Tensor", {"Tensor": Tensor}).subject
    state = subject.start({}, {})
    subject.forward(state, {"x": np.zeros((2, 3))})
    with pytest.raises(ValueError, match=r"dout has shape \(3,\), the result \(2, 3\)"):
        subject.backward(state, {"out": np.ones(3)})


class WrongTensor(SeedTensor):
    def __matmul__(self, other: Any) -> Any:
        out = super().__matmul__(other)
        right = out._step

        def step() -> None:
            right()
            other.grad = other.grad * 2

        out._step = step
        return out


def test_a_wrong_operation_of_a_tensor_is_seen() -> None:
    connection = connected("Affine", "WrongTensor", {"WrongTensor": WrongTensor})
    assert connection.convention == "autograd" and found("Affine", connection, "matrix") == {"backward.dW"}


class Odd:
    """A dense layer that is called in no known way."""

    def run(self, weights: Any, shift: Any, batch: Any) -> Any:
        self.kept = weights, batch
        return batch @ weights.T + shift

    def undo(self, g: Any) -> Any:
        weights, batch = self.kept
        return g.sum(axis=0), g.T @ batch, g @ weights


class MyDense(Adapter):
    like = "Affine"

    def start(self, b: Any, W: Any) -> Any:
        return Odd(), W, b

    def forward(self, layer: Any, x: Any) -> Any:
        odd, W, b = layer
        return odd.run(W.T, b, x)

    def backward(self, layer: Any, dout: Any) -> Any:
        db, dW, dx = layer[0].undo(dout)
        return dx, dW.T, db


class ForwardAlone(Adapter):
    like = "Sigmoid"

    def forward(self, layer: Any, x: Any) -> Any:
        assert layer is None
        return 1 / (1 + np.exp(-x))


class TooFew(MyDense):
    def backward(self, layer: Any, dout: Any) -> Any:
        return super().backward(layer, dout)[:2]


class NoForward(Adapter):
    like = "Relu"


def test_an_adapter_calls_what_no_convention_knows() -> None:
    with pytest.raises(ConventionError, match="Odd cannot be called as Affine"):
        connected("Affine", "Odd", {"Odd": Odd})
    for thing in (MyDense, MyDense()):
        connection = connected("Affine", "mine", {"mine": thing})
        assert connection[1:] == ("adapter", "", "") and found("Affine", connection, "matrix") == set()


def test_an_adapter_may_leave_backward_out_but_not_forward() -> None:
    connection = connected("Sigmoid", "ForwardAlone", {"ForwardAlone": ForwardAlone})
    assert connection.forward_only == "ForwardAlone has no backward"
    assert connection.subject.backward(None, {"out": np.ones(2)}) == ()
    with pytest.raises(ConventionError, match=r"adapter: NoForward: NotImplementedError: NoForward needs a forward\(self, layer, ...\)"):
        connected("Relu", "NoForward", {"NoForward": NoForward})


def test_an_adapter_that_returns_too_few_gradients_is_told_so() -> None:
    connection = connected("Affine", "TooFew", {"TooFew": TooFew})
    case = calm_case(spec_named("Affine"), np.random.default_rng(0), "matrix")
    state = connection.subject.start(case.params, {})
    connection.subject.forward(state, case.inputs)
    with pytest.raises(SubjectError, match=r"the Adapter's backward returned 2 result\(s\) for x, W, b"):
        connection.subject.backward(state, case.cotangents)
