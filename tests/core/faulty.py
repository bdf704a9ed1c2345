"""Deliberately wrong layers: each breaks one contract and nothing else."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from oracle.core.case import Array


class Right:
    """y = x W + b, as it should be."""

    def __init__(self, W: Array, b: Array) -> None:
        self.W, self.b = W, b
        self.x: Array | None = None

    def forward(self, x: Array) -> Array:
        self.x = x.copy()
        return np.asarray(x.reshape(len(x), self.W.shape[0]) @ self.W + self.b)

    def backward(self, dout: Array) -> Array:
        if self.x is None:
            raise RuntimeError("forward comes first")
        rows = self.x.reshape(len(self.x), self.W.shape[0])
        if dout.shape != (len(rows), self.W.shape[1]):
            raise ValueError("dout has another shape than the result")
        self.dW = rows.T @ dout
        self.db = dout.sum(axis=0)
        return np.asarray(dout @ self.W.T).reshape(self.x.shape)


class WritesX(Right):
    def forward(self, x: Array) -> Array:
        y = super().forward(x)
        if x.flags.writeable and x.strides and all(x.strides):
            x += 1
        return y


class WritesW(Right):
    """Works on copies, and writes into the array that it was given."""

    def __init__(self, W: Array, b: Array) -> None:
        super().__init__(W.copy(), b.copy())
        self.given = W

    def backward(self, dout: Array) -> Array:
        if self.given.flags.writeable and all(self.given.strides):
            self.given *= 2
        return super().backward(dout)


class WritesDout(Right):
    def backward(self, dout: Array) -> Array:
        dx = super().backward(dout.copy())
        if dout.flags.writeable and all(dout.strides):
            dout[...] = 7
        return dx


class IgnoresDout(Right):
    def backward(self, dout: Array) -> Array:
        return super().backward(np.ones_like(dout))


class SharedBuffer(Right):
    """backward writes its result into the array that forward returned."""

    def forward(self, x: Array) -> Array:
        self.y = super().forward(x)
        return self.y

    def backward(self, dout: Array) -> Array:
        dx = super().backward(dout)
        self.y[...] = 0.5
        return dx


class WrongDtype(Right):
    def forward(self, x: Array) -> Array:
        return super().forward(x).astype(np.longdouble)


class WrongShape(Right):
    def forward(self, x: Array) -> Array:
        return super().forward(x)[..., None]


class Warns(Right):
    def forward(self, x: Array) -> Array:
        warnings.warn("this is slow", RuntimeWarning, stacklevel=2)
        return super().forward(x)


class Raises(Right):
    def forward(self, x: Array) -> Array:
        raise KeyError("no such layer")


class Answers(Right):
    """Bad input is answered: dout of any shape."""

    def backward(self, dout: Array) -> Array:
        return super().backward(dout.reshape(len(self.x), self.W.shape[1]) if self.x is not None else dout)


class BackwardFirst(Right):
    def backward(self, dout: Array) -> Array:
        if self.x is None:
            self.dW, self.db = self.W * 0, self.b * 0
            return np.zeros((1, 1))
        return super().backward(dout)


class SecondBackward(Right):
    """Gradients of parameters add up over calls of backward."""

    def forward(self, x: Array) -> Array:
        self.calls = 0
        return super().forward(x)

    def backward(self, dout: Array) -> Array:
        dx = super().backward(dout)
        self.calls += 1
        self.dW = self.dW * self.calls
        return dx


class Stale(Right):
    """The input of the first forward is kept for ever."""

    def forward(self, x: Array) -> Array:
        first, y = self.x, super().forward(x)
        self.x = self.x if first is None or first.shape != x.shape else first
        return y


class StaleShape(Right):
    """The batch size of the first forward is kept for ever."""

    n: int | None = None

    def forward(self, x: Array) -> Array:
        self.n = self.n or len(x)
        if len(x) != self.n:
            raise ValueError("another batch size")
        return super().forward(x)


class NeedsC(Right):
    """Only memory in C order is read rightly."""

    def forward(self, x: Array) -> Array:
        return super().forward(x) if x.flags.c_contiguous else super().forward(x) + 1


class TwoFaults(Right):
    """Wrong dW, and a write into dout."""

    def backward(self, dout: Array) -> Array:
        dx = super().backward(dout.copy())
        self.dW = self.dW * 2
        if dout.flags.writeable and all(dout.strides):
            dout[...] = 7
        return dx


class AliasOfDout:
    """x + y whose gradients are dout itself, twice."""

    def forward(self, x: Array, y: Array) -> Array:
        return np.asarray(x + y)

    def backward(self, dout: Array) -> tuple[Array, Array]:
        return dout, dout


def loss_with_forms(base: type, scale: float) -> Any:
    """A loss whose gradient for index labels is `scale` times that for one-hot labels, within its allowed error or not."""

    class Forms(base):  # type: ignore[misc]
        def forward(self, x: Array, t: Array) -> Any:
            self.by_index = np.asarray(t).ndim < x.ndim
            return super().forward(x, t)

        def backward(self, dout: Any = 1) -> Array:
            dx = super().backward(dout)
            return np.asarray(dx if self.by_index else dx * dx.dtype.type(scale))

    return Forms
