"""Affine layers in the ways people write them, and wrong ones."""

from __future__ import annotations

from typing import Any

import numpy as np


class Book1:
    """Parameters in the constructor, gradients in .dW and .db; x of any rank."""

    def __init__(self, W: Any, b: Any) -> None:
        self.W, self.b = W, b

    def forward(self, x: Any) -> Any:
        self.shape = x.shape
        self.x = x.reshape(len(x), -1)
        return self.x @ self.W + self.b

    def backward(self, dout: Any) -> Any:
        self.dW, self.db = self.x.T @ dout, dout.sum(axis=0)
        return (dout @ self.W.T).reshape(self.shape)


class Book2:
    """Lists of parameters and of gradients, the latter filled in place."""

    def __init__(self, W: Any, b: Any) -> None:
        self.params = [W, b]
        self.grads = [np.zeros_like(W), np.zeros_like(b)]

    def forward(self, x: Any) -> Any:
        self.x = x
        return x @ self.params[0] + self.params[1]

    def backward(self, dout: Any) -> Any:
        self.grads[0][...] = self.x.T @ dout
        self.grads[1][...] = dout.sum(axis=0)
        return dout @ self.params[0].T


class Dicts:
    """Dicts of parameters and gradients, made by sizes."""

    def __init__(self, n_in: int, n_out: int) -> None:
        self.params = {"W": np.random.randn(n_in, n_out), "b": np.zeros(n_out)}
        self.grads: dict[str, Any] = {}

    def forward(self, x: Any) -> Any:
        self.x = x
        return x @ self.params["W"] + self.params["b"]

    def backward(self, dout: Any) -> Any:
        self.grads["W"], self.grads["b"] = self.x.T @ dout, dout.sum(axis=0)
        return dout @ self.params["W"].T


class SizesAndLists(Book2):
    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__(np.random.randn(n_in, n_out) * n_in**-0.5, np.zeros(n_out))


class Scratch:
    """Results in attributes, weights made by sizes, bias (1, D)."""

    def __init__(self, n_inputs: int, n_neurons: int) -> None:
        self.weights = 0.01 * np.random.randn(n_inputs, n_neurons)
        self.biases = np.zeros((1, n_neurons))

    def forward(self, inputs: Any) -> None:
        self.inputs = inputs
        self.output = np.dot(inputs, self.weights) + self.biases

    def backward(self, dvalues: Any) -> None:
        self.dweights = np.dot(self.inputs.T, dvalues)
        self.dbiases = np.sum(dvalues, axis=0, keepdims=True)
        self.dinputs = np.dot(dvalues, self.weights.T)


class Returns:
    """All gradients returned, bias (1, D)."""

    def __init__(self, W: Any, b: Any) -> None:
        assert b.ndim == 2 and len(b) == 1, "b must be (1, D)"
        self.W, self.b = W, b

    def forward(self, X: Any) -> Any:
        self.X = X
        return X @ self.W + self.b

    def backward(self, dLdy: Any) -> Any:
        return dLdy @ self.W.T, self.X.T @ dLdy, dLdy.sum(axis=0, keepdims=True)


class TorchLike:
    """Weight (out, in), called, gradients beside the parameters."""

    def __init__(self, in_features: int, out_features: int) -> None:
        self.weight = np.random.randn(out_features, in_features)
        self.bias = np.zeros(out_features)

    def __call__(self, x: Any) -> Any:
        self.x = x
        return x @ self.weight.T + self.bias

    def backward(self, grad_output: Any) -> Any:
        self.weight_grad, self.bias_grad = grad_output.T @ self.x, grad_output.sum(axis=0)
        return grad_output @ self.weight


class Parameter:
    def __init__(self, data: Any) -> None:
        self.data, self.grad = data, None


class WithParameters:
    """Parameters are objects with .data and .grad."""

    def __init__(self, in_features: int, out_features: int) -> None:
        self.weight = Parameter(np.random.randn(out_features, in_features))
        self.bias = Parameter(np.zeros(out_features))

    def __call__(self, x: Any) -> Any:
        self.x = x
        return x @ self.weight.data.T + self.bias.data

    def backward(self, grad: Any) -> Any:
        self.weight.grad, self.bias.grad = grad.T @ self.x, grad.sum(axis=0)
        return grad @ self.weight.data


class Column:
    """Weights (out, in) and bias (D, 1) in the constructor, and in another order."""

    def __init__(self, bias: Any, weights: Any) -> None:
        assert bias.shape == (len(weights), 1)
        self.weights, self.bias = weights, bias

    def __call__(self, x: Any) -> Any:
        self.x = x
        return (self.weights @ x.T + self.bias).T

    def backward(self, delta: Any) -> Any:
        self.grads = {"weights": delta.T @ self.x, "bias": delta.sum(axis=0)[:, None]}
        return delta @ self.weights


class Flagged(Scratch):
    def forward(self, inputs: Any, training: bool) -> None:  # type: ignore[override]
        assert training
        super().forward(inputs)


class TransposedGradient(Book1):
    def backward(self, dout: Any) -> Any:
        dx = super().backward(dout)
        self.dW = self.dW.T
        return dx


class HalfGradient(TorchLike):
    def backward(self, grad_output: Any) -> Any:
        dx = super().backward(grad_output)
        self.weight_grad = self.weight_grad / 2
        return dx


class NoSum(Scratch):
    def backward(self, dvalues: Any) -> None:
        super().backward(dvalues)
        self.dbiases = dvalues


class Breaks(Scratch):
    def backward(self, dvalues: Any) -> None:
        raise ZeroDivisionError("not written yet")


class Accumulates(Dicts):
    def backward(self, dout: Any) -> Any:
        before = self.grads.get("W", 0)
        dx = super().backward(dout)
        self.grads["W"] = self.grads["W"] + before
        return dx


class WritesIntoDout(TorchLike):
    def backward(self, grad_output: Any) -> Any:
        dx = super().backward(grad_output)
        grad_output *= 2
        return dx


class WritesIntoW(Scratch):
    def backward(self, dvalues: Any) -> None:
        super().backward(dvalues)
        self.weights -= self.dweights
