"""Small correct layers with hooks: a planted fault overrides one hook and leaves the rest as it should be."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


def silent() -> np.errstate:
    """NaN, inf and overflow pass without a warning, as in torch."""
    return np.errstate(all="ignore")


def checked(dout: Any, shape: tuple[int, ...], dtype: Any) -> Array:
    """A private copy of `dout`; ValueError unless it has the shape of the result."""
    d = np.array(dout, dtype=dtype)
    if d.shape != shape:
        raise ValueError(f"dout has shape {d.shape}, the result had {shape}")
    return d


class Elementwise:
    """y = value(x), dx = slope(dout), with copies kept of x and y."""

    x: Array | None = None
    y: Array | None = None

    def forward(self, x: Any) -> Array:
        self.x = np.array(x)
        with silent():
            y = np.asarray(self.value(self.x))
        self.y = y.copy()
        return y

    def backward(self, dout: Any) -> Array:
        if self.x is None:
            raise RuntimeError("forward comes first")
        d = checked(dout, self.x.shape, self.x.dtype)
        with silent():
            return np.asarray(self.slope(d))

    def value(self, x: Array) -> Array:
        raise NotImplementedError

    def slope(self, d: Array) -> Array:
        raise NotImplementedError


class HonestRelu(Elementwise):
    """max(x, 0)."""

    def value(self, x: Array) -> Array:
        return np.where(x < 0, x.dtype.type(0), x)

    def slope(self, d: Array) -> Array:
        return np.where(self.x <= 0, d.dtype.type(0), d)


class HonestSigmoid(Elementwise):
    """1 / (1 + exp(-x))."""

    def value(self, x: Array) -> Array:
        e = np.exp(-np.abs(x))
        return np.where(x < 0, e / (1 + e), 1 / (1 + e))

    def slope(self, d: Array) -> Array:
        return d * ((1 - self.y) * self.y)


class Binary:
    """z = combine(x, y) with broadcasting; dx = summed(pull_x(dout), x)."""

    x: Array | None = None
    y: Array | None = None

    def forward(self, x: Any, y: Any) -> Array:
        self.x, self.y = np.array(x), np.array(y)
        with silent():
            z = np.asarray(self.combine(self.x, self.y))
        self.shape = z.shape
        return z

    def backward(self, dout: Any) -> tuple[Any, ...]:
        if self.x is None or self.y is None:
            raise RuntimeError("forward comes first")
        d = checked(dout, self.shape, self.x.dtype)
        with silent():
            return self.summed(self.pull_x(d), self.x), self.summed(self.pull_y(d), self.y)

    def summed(self, grad: Array, operand: Array) -> Any:
        """`grad` added up over every axis along which `operand` was stretched."""
        while grad.ndim > operand.ndim:
            grad = grad.sum(axis=0)
        for axis, n in enumerate(operand.shape):
            if n == 1 and grad.shape[axis] != 1:
                grad = grad.sum(axis=axis, keepdims=True)
        return np.array(grad)

    def combine(self, x: Array, y: Array) -> Array:
        raise NotImplementedError

    def pull_x(self, d: Array) -> Array:
        raise NotImplementedError

    def pull_y(self, d: Array) -> Array:
        raise NotImplementedError


class HonestAdd(Binary):
    """x + y."""

    def combine(self, x: Array, y: Array) -> Array:
        return x + y

    def pull_x(self, d: Array) -> Array:
        return d

    def pull_y(self, d: Array) -> Array:
        return d


class HonestMul(Binary):
    """x * y."""

    def combine(self, x: Array, y: Array) -> Array:
        return x * y

    def pull_x(self, d: Array) -> Array:
        return d * self.y

    def pull_y(self, d: Array) -> Array:
        return d * self.x


class HonestAffine:
    """x W + b on x flattened to rows."""

    x: Array | None = None

    def __init__(self, W: Array, b: Array) -> None:
        self.W, self.b = W, b

    def forward(self, x: Array) -> Array:
        self.x_shape = x.shape
        self.x = self.rows(x)
        with silent():
            return self.value(self.x)

    def backward(self, dout: Array) -> Array:
        if self.x is None:
            raise RuntimeError("forward comes first")
        d = checked(dout, (len(self.x), self.W.shape[1]), self.x.dtype)
        with silent():
            self.dW, self.db = self.weights_grad(d), self.bias_grad(d)
            return self.shaped(self.input_grad(d))

    def rows(self, x: Array) -> Array:
        width = int(np.prod(x.shape[1:]))
        if width != self.W.shape[0]:
            raise ValueError(f"rows of {width} values, W takes {self.W.shape[0]}")
        return np.array(x.reshape(len(x), width))

    def value(self, x: Array) -> Array:
        return x @ self.W + self.b

    def input_grad(self, d: Array) -> Array:
        return d @ self.W.T

    def weights_grad(self, d: Array) -> Array:
        return self.x.T @ d

    def bias_grad(self, d: Array) -> Array:
        return d.sum(axis=0)

    def shaped(self, dx: Array) -> Array:
        return dx.reshape(self.x_shape)


class HonestLoss:
    """Mean cross entropy of softmax(x); labels are turned into rows of weights, ignored rows into none."""

    t: Array | None = None

    def forward(self, x: Array, t: Any) -> Any:
        t = np.asarray(t)
        self.shape = x.shape
        scores = np.array(x).reshape(-1, x.shape[-1])
        with silent():
            self.logp = self.log_softmax(scores)
            self.y = np.exp(self.logp)
            self.t, self.counted = self.weights(t, scores)
            self.n = self.rows_counted()
            return np.asarray(self.mean(self.terms(t.ndim < x.ndim)), x.dtype)

    def backward(self, dout: Any = 1.0) -> Array:
        if self.t is None:
            raise RuntimeError("forward comes first")
        d = checked(dout, (), self.y.dtype)
        with silent():
            return np.asarray(self.scores_grad(d), self.y.dtype).reshape(self.shape)

    def log_softmax(self, x: Array) -> Array:
        if x.size == 0:
            return x.copy()
        d = x - x.max(axis=1, keepdims=True)
        return d - np.log(np.exp(d).sum(axis=1, keepdims=True))

    def weights(self, t: Array, scores: Array) -> tuple[Array, Array]:
        """Rows of weights, and which of the rows count."""
        n, classes = scores.shape
        if t.ndim == len(self.shape):
            if t.shape != self.shape:
                raise ValueError(f"t has shape {t.shape}, x has {self.shape}")
            return t.reshape(n, classes).astype(scores.dtype), np.ones((n, 1), bool)
        if t.dtype.kind not in "iu" or t.shape != self.shape[:-1]:
            raise ValueError(f"t cannot be index labels: {t.dtype} of shape {t.shape}")
        index = t.reshape(n, 1).astype(np.int64)
        counted = self.not_ignored(index)
        if (counted & ((index < 0) | (index >= classes))).any():
            raise IndexError("a label is out of range")
        return (counted & (index == np.arange(classes))).astype(scores.dtype), counted

    def not_ignored(self, index: Array) -> Array:
        return index != -100

    def rows_counted(self) -> Any:
        return self.logp.dtype.type(self.counted.sum())

    def terms(self, index_form: bool) -> Array:
        """t log y; of index labels only the entry at the label is read, so that 0 * -inf is no matter."""
        products = self.t * self.logp
        return np.where(self.t == 0, self.t, products) if index_form else products

    def mean(self, terms: Array) -> Any:
        return -terms.sum() / self.n

    def scores_grad(self, d: Array) -> Array:
        mass = self.t.sum(axis=1, keepdims=True)
        # a product: an ignored row whose scores are NaN has a NaN gradient in torch
        return (self.y * mass - self.t) * np.where(self.counted, d / self.n, d.dtype.type(0))


class HonestNet:
    """Affine, relu, affine and the loss; parameters are read at every predict."""

    def __init__(self, inputs: int, hidden: int, outputs: int) -> None:
        rng = np.random.default_rng(0)
        self.params: dict[str, Array] = {
            "W1": rng.standard_normal((inputs, hidden)) * 0.01,
            "b1": np.zeros(hidden),
            "W2": rng.standard_normal((hidden, outputs)) * 0.01,
            "b2": np.zeros(outputs),
        }

    def predict(self, x: Array) -> Array:
        self.first = HonestAffine(self.params["W1"], self.params["b1"])
        self.relu = HonestRelu()
        self.second = HonestAffine(self.params["W2"], self.params["b2"])
        return self.second.forward(self.relu.forward(self.first.forward(x)))

    def loss(self, x: Array, t: Array) -> Any:
        self.last = HonestLoss()
        return self.last.forward(self.predict(x), t)

    def accuracy(self, x: Array, t: Array) -> float:
        y = self.predict(x)
        if len(y) == 0:
            return float("nan")
        return float(np.mean(y.argmax(axis=1) == (t.argmax(axis=1) if t.ndim == 2 else t)))

    def gradient(self, x: Array, t: Array) -> dict[str, Array]:
        self.loss(x, t)
        self.first.backward(self.relu.backward(self.second.backward(self.last.backward())))
        return {"W1": self.first.dW, "b1": self.first.db, "W2": self.second.dW, "b2": self.second.db}
