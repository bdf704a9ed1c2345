"""Nets for the gradient check: right ones in other styles, and ones with a single fault each."""

from __future__ import annotations

from typing import Any

import numpy as np

Arrays = dict[str, np.ndarray]


class Net:
    """Affine layers with relu between them under the softmax loss, written plainly; faults are planted by overriding."""

    sizes = (6, 5, 5, 4)

    def __init__(self, seed: int = 0, dtype: Any = np.float64, sizes: tuple[int, ...] | None = None) -> None:
        rng = np.random.default_rng(seed)
        sizes = sizes or self.sizes
        self.depth = len(sizes) - 1
        self.params: Arrays = {}
        for i in range(1, self.depth + 1):
            self.params[f"W{i}"] = rng.normal(size=sizes[i - 1 : i + 1]).astype(dtype)
            self.params[f"b{i}"] = rng.normal(size=sizes[i]).astype(dtype)

    def activate(self, h: np.ndarray) -> np.ndarray:
        return np.maximum(h, 0)

    def slope(self, h: np.ndarray) -> np.ndarray:
        return (h > 0).astype(h.dtype)

    def forward(self, x: np.ndarray) -> np.ndarray:
        self.inputs, self.before, h = [], [], x
        for i in range(1, self.depth + 1):
            self.inputs.append(h)
            self.before.append(h @ self.params[f"W{i}"] + self.params[f"b{i}"])
            h = self.activate(self.before[-1]) if i < self.depth else self.before[-1]
        return h

    def softmax(self, x: np.ndarray) -> np.ndarray:
        e = np.exp(self.forward(x) - self.before[-1].max(1, keepdims=True))
        return e / e.sum(1, keepdims=True)

    def loss(self, x: np.ndarray, t: np.ndarray) -> Any:
        shifted = self.forward(x) - self.before[-1].max(1, keepdims=True)
        return (np.log(np.exp(shifted).sum(1)) - shifted[np.arange(len(x)), t]).mean()

    def gradient(self, x: np.ndarray, t: np.ndarray) -> Arrays:
        d = self.softmax(x)
        d[np.arange(len(x)), t] -= 1
        return self.back(d / len(x))

    def back(self, d: np.ndarray) -> Arrays:
        grads = {}
        for i in range(self.depth, 0, -1):
            grads[f"W{i}"], grads[f"b{i}"] = self.inputs[i - 1].T @ d, d.sum(0)
            if i > 1:
                d = (d @ self.params[f"W{i}"].T) * self.slope(self.before[i - 2])
        return {name: grads[name] for name in self.params}


class Sigmoid(Net):
    def activate(self, h: np.ndarray) -> np.ndarray:
        return 1 / (1 + np.exp(-h))

    def slope(self, h: np.ndarray) -> np.ndarray:
        return self.activate(h) * (1 - self.activate(h))


class Narrow(Net):
    """Computes in float32 whatever its parameters are."""

    def forward(self, x: np.ndarray) -> np.ndarray:
        shown = self.params
        self.params = {name: a.astype(np.float32) for name, a in shown.items()}
        try:
            return super().forward(x.astype(np.float32))
        finally:
            self.params = shown


class Regression:
    """A net with names of its own: the mean square of tanh(x A) B - t."""

    torch = "((torch.tanh(x @ A) @ B - t) ** 2).mean()"

    def __init__(self, seed: int = 0, dtype: Any = np.float64) -> None:
        rng = np.random.default_rng(seed)
        self.params = {"A": rng.normal(size=(6, 5)).astype(dtype), "B": rng.normal(size=(5, 2)).astype(dtype)}

    def loss(self, x: np.ndarray, t: np.ndarray) -> Any:
        return np.mean((np.tanh(x @ self.params["A"]) @ self.params["B"] - t) ** 2)

    def gradient(self, x: np.ndarray, t: np.ndarray) -> Arrays:
        h = np.tanh(x @ self.params["A"])
        d = 2 * (h @ self.params["B"] - t) / t.size
        return {"A": x.T @ (d @ self.params["B"].T * (1 - h * h)), "B": h.T @ d}


class Twice(Net):
    def back(self, d: np.ndarray) -> Arrays:
        grads = super().back(d)
        return {**grads, "W2": grads["W2"] * 2}


class Sign(Net):
    def back(self, d: np.ndarray) -> Arrays:
        grads = super().back(d)
        return {**grads, "b1": -grads["b1"]}


class Unaveraged(Net):
    def back(self, d: np.ndarray) -> Arrays:
        return super().back(d * len(d))


class WrongOrder(Net):
    """Of two square hidden layers, the backward goes through the weights of the other."""

    sizes = (6, 5, 5, 5)

    def back(self, d: np.ndarray) -> Arrays:
        p = self.params
        self.params = {**p, "W2": p["W3"], "W3": p["W2"]}
        grads = super().back(d)
        self.params = p
        return grads


class TwiceTheLoss(Net):
    def loss(self, x: np.ndarray, t: np.ndarray) -> Any:
        return 2 * super().loss(x, t)


class SummedLoss(Net):
    def loss(self, x: np.ndarray, t: np.ndarray) -> Any:
        return len(x) * super().loss(x, t)


class EpsInLog(Net):
    def loss(self, x: np.ndarray, t: np.ndarray) -> Any:
        return -np.log(self.softmax(x)[np.arange(len(x)), t] + 1e-7).mean()


class LeakyMask(Net):
    """The gradient of relu at 0 is taken for 1."""

    def slope(self, h: np.ndarray) -> np.ndarray:
        return (h >= 0).astype(h.dtype)


class StaleBatch(Net):
    """The backward runs on what the forward of the batch before has left."""

    held: Any = None

    def gradient(self, x: np.ndarray, t: np.ndarray) -> Arrays:
        given, self.held = self.held or (x, t), self.held or (x, t)
        return super().gradient(*given)


class BatchOfTheLastLoss(Net):
    """The backward runs on what the last loss has left."""

    held: Any = None

    def loss(self, x: np.ndarray, t: np.ndarray) -> Any:
        self.held = x, t
        return super().loss(x, t)

    def gradient(self, x: np.ndarray, t: np.ndarray) -> Arrays:
        return super().gradient(*(self.held or (x, t)))


class StaleLoss(Net):
    """The loss is that of the first batch there was."""

    held: Any = None

    def loss(self, x: np.ndarray, t: np.ndarray) -> Any:
        self.held = self.held or (x, t)
        return super().loss(*self.held)


class Accumulating(Net):
    total: Any = None

    def gradient(self, x: np.ndarray, t: np.ndarray) -> Arrays:
        grads = super().gradient(x, t)
        self.total = grads if self.total is None else {name: g + grads[name] for name, g in self.total.items()}
        return dict(self.total)


class Copied(Net):
    """Works with a copy of its parameters made at the beginning."""

    own: Any = None

    def forward(self, x: np.ndarray) -> np.ndarray:
        shown = self.params
        self.own = self.own or {name: a.copy() for name, a in shown.items()}
        self.params = self.own
        try:
            return super().forward(x)
        finally:
            self.params = shown


class WritesIntoItsInput(Net):
    def loss(self, x: np.ndarray, t: np.ndarray) -> Any:
        found = super().loss(x, t)
        x[0] = 0
        return found
