"""Nets as their authors write them: the notebook's, which hands its parameters to its layers, and others that hold them otherwise."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

X = np.random.default_rng(1).standard_normal((6, 4))
T = np.array([0, 2, 1, 1, 0, 2])


class Dense:
    """x W + b, of the arrays that it was handed."""

    def __init__(self, W: Any, b: Any) -> None:
        self.W, self.b = W, b

    def forward(self, x: Any) -> Any:
        self.x = x
        return x @ self.W + self.b

    def backward(self, dout: Any) -> Any:
        self.dW, self.db = self.x.T @ dout, dout.sum(axis=0)
        return dout @ self.W.T


class BookNet:
    """One layer under a softmax loss; the layer keeps the arrays of params themselves, and the dtype is float64."""

    def __init__(self, inputs: int = 4, outputs: int = 3) -> None:
        rng = np.random.default_rng(2)
        self.params = {"W1": rng.standard_normal((inputs, outputs)), "b1": np.zeros(outputs)}
        self.layers = [Dense(self.params["W1"], self.params["b1"])]

    def predict(self, x: Any) -> Any:
        for layer in self.layers:
            x = layer.forward(x)
        return x

    def loss(self, x: Any, t: Any) -> Any:
        y = self.predict(x)
        e = np.exp(y - y.max(axis=1, keepdims=True))
        self.y = e / e.sum(axis=1, keepdims=True)
        return -np.mean(np.log(self.y[np.arange(len(t)), t]))

    def accuracy(self, x: Any, t: Any) -> float:
        return float(np.mean(self.predict(x).argmax(axis=1) == t))

    def gradient(self, x: Any, t: Any) -> Any:
        self.loss(x, t)
        dout = self.y.copy()
        dout[np.arange(len(t)), t] -= 1
        self.layers[0].backward(dout / self.y.dtype.type(len(t)))
        return {"W1": self.layers[0].dW, "b1": self.layers[0].db}


def net_with(**methods: Callable[..., Any]) -> BookNet:
    """A BookNet some methods of which are others: each is called as `method(net, x, t)`."""
    net: BookNet = type("Net", (BookNet,), methods)()
    return net
