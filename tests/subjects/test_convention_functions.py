"""Functions and their gradients: recognised, and judged as what they are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from connecting import connected, found

from oracle.core.draw import calm_case
from oracle.core.judge import judge
from oracle.specs import spec_named


def affine_forward(x: Any, w: Any, b: Any) -> Any:
    return x.reshape(len(x), -1) @ w + b, (x, w, b)


def affine_backward(dout: Any, cache: Any) -> Any:
    x, w, _ = cache
    return (dout @ w.T).reshape(x.shape), x.reshape(len(x), -1).T @ dout, dout.sum(axis=0)


def linear_forward(W: Any, b: Any, x: Any) -> Any:
    assert b.shape == (1, len(W))
    return x @ W.T + b, x, W


def linear_backward(grad: Any, x: Any, W: Any) -> Any:
    return {"db": grad.sum(axis=0, keepdims=True), "dW": grad.T @ x, "dx": grad @ W}


def affine_backward_halved(dout: Any, cache: Any) -> Any:
    dx, dw, db = affine_backward(dout, cache)
    return dx, dw / 2, db


def affine_backward_transposed(dout: Any, cache: Any) -> Any:
    dx, dw, db = affine_backward(dout, cache)
    return dx, dw.T, db


@pytest.mark.parametrize(
    ("name", "pair", "details", "branch"),
    [
        ("affine_forward", (affine_forward, affine_backward), "W (in, out); b (D,); gradients by affine_backward", "tensor"),
        ("linear_forward", (linear_forward, linear_backward), "W (out, in); b (1, D); gradients by linear_backward", "matrix"),
    ],
)
def test_a_pair_of_functions(name: str, pair: tuple[Any, Any], details: str, branch: str) -> None:
    connection = connected("Affine", name, {f.__name__: f for f in pair})
    assert connection[1:] == ("functions", details, "")
    assert found("Affine", connection, branch) == set()


@pytest.mark.parametrize(
    ("backward", "rows"),
    [(affine_backward_halved, {"backward.dW"}), (affine_backward_transposed, {"backward.dW", "results.shape"})],
)
def test_a_wrong_backward_is_found_and_judged(backward: Callable[..., Any], rows: set[str]) -> None:
    connection = connected("Affine", "affine_forward", {"affine_forward": affine_forward, "affine_backward": backward})
    assert connection.convention == "functions" and found("Affine", connection, "matrix") == rows


def test_a_cache_is_not_taken_for_gradients() -> None:
    connection = connected("Affine", "affine_forward", {"affine_forward": affine_forward})
    assert connection.convention == "function"
    assert connection.forward_only.startswith("no derivative of affine_forward was found (looked for affine_prime, ")


def relu(x: Any) -> Any:
    return np.where(x > 0, x, 0)


def relu_backward(dout: Any, x: Any) -> Any:
    return np.where(x > 0, dout, 0)


def test_a_function_without_a_cache_is_given_its_input_again() -> None:
    connection = connected("Relu", "relu", {"relu": relu, "relu_backward": relu_backward})
    assert connection.convention == "functions" and found("Relu", connection, "any-rank") == set()


def softmax_loss(x: Any, y: Any) -> Any:
    e = np.exp(x - x.max(axis=1, keepdims=True))
    p = e / e.sum(axis=1, keepdims=True)
    dx = p.copy()
    dx[np.arange(len(x)), y] -= 1
    return -np.log(p[np.arange(len(x)), y]).mean(), dx / len(x)


def test_a_loss_that_returns_its_gradient_beside_its_value() -> None:
    connection = connected("SoftmaxWithLoss", "softmax_loss", {"softmax_loss": softmax_loss})
    assert connection[1:] == ("functions", "gradients returned with the value; dout is not handed over", "")
    bound = spec_named("SoftmaxWithLoss")
    case = calm_case(bound, np.random.default_rng(5), "index")
    assert judge(bound, connection.subject, case._replace(cotangents={"loss": np.ones(())})).findings == ()
    assert {f.name for f in judge(bound, connection.subject, case).findings} == {"cotangent.honoured"}


def sigmoid(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


def of_input(x: Any) -> Any:
    return sigmoid(x) * (1 - sigmoid(x))


def of_output(y: Any) -> Any:
    return y * (1 - y)


def nonlin(x: Any, deriv: bool = False) -> Any:
    return x * (1 - x) if deriv else sigmoid(x)


def flagged(x: Any, grad: bool = False) -> Any:
    return of_input(x) if grad else sigmoid(x)


class SigmoidClass:
    def __call__(self, x: Any) -> Any:
        return sigmoid(x)

    def derivative(self, x: Any) -> Any:
        return of_input(x)


@pytest.mark.parametrize(
    ("name", "namespace", "details"),
    [
        *[
            ("sigmoid", {"sigmoid": sigmoid, other: of_input}, f"gradient is dout times {other} of the input")
            for other in (
                "sigmoid_prime",
                "sigmoid_derivative",
                "sigmoid_grad",
                "sigmoid_backward",
                "d_sigmoid",
                "sigmoidPrime",
                "dsigmoid_dx",
            )
        ],
        ("f", {"f": sigmoid, "dfdx": of_input}, "gradient is dout times dfdx of the input"),
        ("sigmoid", {"sigmoid": sigmoid, "sigmoid_prime": of_output}, "gradient is dout times sigmoid_prime of the output"),
        ("nonlin", {"nonlin": nonlin}, "gradient is dout times deriv=True of the output"),
        ("flagged", {"flagged": flagged}, "gradient is dout times grad=True of the input"),
        ("SigmoidClass", {"SigmoidClass": SigmoidClass}, "gradient is dout times .derivative of the input"),
    ],
)
def test_a_function_with_its_derivative(name: str, namespace: dict[str, Any], details: str) -> None:
    connection = connected("Sigmoid", name, namespace)
    assert connection[1:] == ("derivative", details, "")
    assert found("Sigmoid", connection, "any-rank") == set()


def test_a_wrong_derivative_is_that_of_the_input() -> None:
    connection = connected("Sigmoid", "sigmoid", {"sigmoid": sigmoid, "sigmoid_prime": lambda x: 1 - sigmoid(x)})
    assert connection.details == "gradient is dout times sigmoid_prime of the input"
    assert found("Sigmoid", connection, "matrix") == {"backward.dx"}


def test_a_function_alone_is_judged_on_its_value() -> None:
    connection = connected("Sigmoid", "sigmoid", {"sigmoid": sigmoid})
    assert connection.convention == "function"
    assert connection.forward_only.startswith("no derivative of sigmoid was found (looked for sigmoid_prime, sigmoid_derivative, ")
    state = connection.subject.start({}, {})
    assert connection.subject.forward(state, {"x": np.zeros(2)})[0].tolist() == [0.5, 0.5]
    assert connection.subject.backward(state, {"out": np.ones(2)}) == ()


def softmax(x: Any) -> Any:
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


class SoftmaxClass:
    def forward(self, inputs: Any) -> None:
        self.output = softmax(inputs)


def test_a_spec_without_gradients() -> None:
    assert connected("softmax", "softmax", {"softmax": softmax})[1:] == ("function", "", "")
    connection = connected("softmax", "SoftmaxClass", {"SoftmaxClass": SoftmaxClass})
    assert connection.convention == "attributes" and found("softmax", connection, "matrix") == set()


def test_the_own_conventions_of_two_specs() -> None:
    for name in ("numerical_gradient", "TwoLayerNet"):
        bound = spec_named(name)
        connection = connected(name, "theirs", {"theirs": bound.layer})
        assert connection.convention == bound.convention and found(name, connection, bound.branches[0]) == set()


def test_backward_before_forward_is_refused_by_the_convention_itself() -> None:
    for spec, name, namespace in (
        ("Affine", "affine_forward", {"affine_forward": affine_forward, "affine_backward": affine_backward}),
        ("Sigmoid", "sigmoid", {"sigmoid": sigmoid, "sigmoid_prime": of_input}),
    ):
        case = calm_case(spec_named(spec), np.random.default_rng(5), "matrix")._replace(protocol="backward-first")
        assert judge(spec_named(spec), connected(spec, name, namespace).subject, case).findings == ()


def test_a_product_that_the_convention_makes_refuses_another_shape() -> None:
    subject = connected("Sigmoid", "sigmoid", {"sigmoid": sigmoid, "sigmoid_prime": of_input}).subject
    state = subject.start({}, {})
    subject.forward(state, {"x": np.zeros((2, 3))})
    with pytest.raises(ValueError, match=r"dout has shape \(3,\), the result \(2, 3\)"):
        subject.backward(state, {"out": np.ones(3)})
