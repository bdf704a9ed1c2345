"""Right softmaxes, losses, differences and nets in other styles."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from tests.mutants.honest import Array, HonestLoss, HonestNet, silent
from tests.mutants.registry import right


@right("softmax", "columns first: the transposed array, over its first axis")
def softmax_by_columns(x: Array) -> Array:
    if x.size == 0:
        return x.copy()
    with silent():
        columns = np.moveaxis(x, -1, 0)
        e = np.exp(columns - columns.max(axis=0))
        return np.moveaxis(e / e.sum(axis=0), 0, -1)


@right("softmax", "row by row, with sums by math.fsum")
def softmax_by_rows(x: Array) -> Array:
    y = np.empty(x.shape, x.dtype)
    with silent():
        for index in np.ndindex(x.shape[:-1]):
            if x.shape[-1]:
                e = np.exp(x[index] - x[index].max())
                y[index] = e / x.dtype.type(math.fsum(e.tolist()))
    return y


@right("softmax", "exp of the log-softmax")
def softmax_by_logarithms(x: Array) -> Array:
    if x.size == 0:
        return x.copy()
    with silent():
        d = x - x.max(axis=-1, keepdims=True)
        return np.exp(d - np.log(np.exp(d).sum(axis=-1, keepdims=True)))


@right("softmax", "in float64, then cast back; a reciprocal instead of a quotient")
def softmax_in_double(x: Array) -> Array:
    if x.size == 0:
        return x.copy()
    with silent():
        wide = x.astype(np.float64)
        e = np.exp(wide - wide.max(axis=-1, keepdims=True))
        return (e * (1 / e.sum(axis=-1, keepdims=True))).astype(x.dtype)


@right("SoftmaxWithLoss", "the gradient in torch's own order: step times labels taken off step times softmax")
class LossStepByStep(HonestLoss):
    def log_softmax(self, x: Array) -> Array:
        if x.size == 0:
            return x.copy()
        columns = x.T - x.T.max(axis=0)
        return (columns - np.log(np.add.reduce(np.exp(columns[::-1]), axis=0))).T

    def scores_grad(self, d: Array) -> Array:
        step = np.where(self.counted, d / self.n, d.dtype.type(0))
        return self.y * (step * self.t.sum(axis=1, keepdims=True)) - step * self.t


@right("SoftmaxWithLoss", "in float64, then cast back")
class LossInDouble(HonestLoss):
    def log_softmax(self, x: Array) -> Array:
        return super().log_softmax(x.astype(np.float64))

    def backward(self, dout: Any = 1.0) -> Array:
        return super().backward(dout).astype(self.dtype)

    def forward(self, x: Array, t: Any) -> Any:
        self.dtype = x.dtype
        return super().forward(x, t)


@right("SoftmaxWithLoss", "the mean of row losses, added up row by row")
class LossByRows(HonestLoss):
    def mean(self, terms: Array) -> Any:
        total = terms.dtype.type(0)
        for row in terms[::-1]:
            total = total - row.sum()
        return total / self.n


@right("SoftmaxWithLoss", "softmax by division kept for the gradient, not exp of the logarithm")
class LossWithQuotient(HonestLoss):
    def log_softmax(self, x: Array) -> Array:
        if x.size:
            e = np.exp(x - x.max(axis=1, keepdims=True))
            self.quotient = e / e.sum(axis=1, keepdims=True)
        else:
            self.quotient = x.copy()
        return super().log_softmax(x)

    def scores_grad(self, d: Array) -> Array:
        self.y = self.quotient
        return super().scores_grad(d)


@right("cross_entropy_error", "by np.where and fancy indexing")
def cross_entropy_picked(y: Array, t: Array) -> Any:
    with silent():
        if t.ndim == y.ndim:
            t = t.astype(y.dtype)
            inner = np.zeros_like(y, order="C")
            inner[t != 0] = np.log(y[t != 0]) * t[t != 0]
            return -inner.sum(axis=1).sum() / y.dtype.type(len(y))
        rows = np.flatnonzero(t.astype(np.int64) != -100)
        index = t[rows].astype(np.int64)
        if index.size and (index.min() < 0 or index.max() >= y.shape[1]):
            raise IndexError("a label is out of range")
        return -np.log(y[rows, index]).sum() / y.dtype.type(len(rows))


@right("cross_entropy_error", "in float64, each term divided by N before the sum")
def cross_entropy_in_double(y: Array, t: Array) -> Any:
    wide = y.astype(np.float64)
    with silent():
        if t.ndim == y.ndim:
            weights, n = t.astype(y.dtype).astype(np.float64), len(y)
        else:
            index = t.astype(np.int64)[:, None]
            used = index != -100
            if (used & ((index < 0) | (index >= y.shape[1]))).any():
                raise IndexError("a label is out of range")
            weights, n = (index == np.arange(y.shape[1])).astype(np.float64), int(used.sum())
        if n == 0:
            return y.dtype.type(np.nan)
        return y.dtype.type(-np.where(weights == 0, 0.0, np.log(wide) * weights / n).sum())


@right("numerical_gradient", "on a private copy, over a flat view of it")
def gradient_on_copy(f: Callable[[Array], Any], x: Array) -> Array:
    work = np.array(x, order="C")
    flat = work.reshape(-1)
    grad = np.empty(flat.shape, x.dtype)
    h = 1e-4 if x.dtype == np.float64 else 2.0**-8
    with silent():
        for i, kept in enumerate(flat.tolist()):
            flat[i] = kept + h
            above = float(f(work))
            flat[i] = kept - h
            grad[i] = (above - float(f(work))) / (2 * h)
            flat[i] = kept
    return grad.reshape(x.shape)


@right("numerical_gradient", "divided by the step that was really taken")
def gradient_by_true_step(f: Callable[[Array], Any], x: Array) -> Array:
    grad = np.empty(x.shape, x.dtype)
    h = x.dtype.type(1e-4 if x.dtype == np.float64 else 2.0**-8)
    with silent():
        for index in np.ndindex(x.shape):
            kept = x[index]
            x[index] = kept + h
            upper, above = float(x[index]), float(f(x))
            x[index] = kept - h
            lower, below = float(x[index]), float(f(x))
            x[index] = kept
            grad[index] = (above - below) / (upper - lower)
    return grad


@right("TwoLayerNet", "one function without layers")
class NetInOneFunction(HonestNet):
    def gradient(self, x: Array, t: Array) -> dict[str, Array]:
        with silent():
            before = np.einsum("nd,dh->nh", x, self.params["W1"]) + self.params["b1"]
            hidden = np.maximum(before, before.dtype.type(0))
            loss = HonestLoss()
            loss.forward(hidden @ self.params["W2"] + self.params["b2"], t)
            d = loss.backward()
            dh = np.where(before <= 0, d.dtype.type(0), d @ self.params["W2"].T)
            return {"W1": x.T @ dh, "b1": dh.sum(axis=0), "W2": hidden.T @ d, "b2": d.sum(axis=0)}


@right("TwoLayerNet", "the honest layers, one after the other")
class NetOfLayers(HonestNet):
    pass
