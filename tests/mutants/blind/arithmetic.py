"""AddLayer and MulLayer as they are got wrong."""

from __future__ import annotations

import numpy as np

from tests.mutants.blind.record import blind


def fold_back(grad, shape):
    """Sum `grad` over the axes along which an operand of `shape` was stretched."""
    while np.ndim(grad) > len(shape):
        grad = grad.sum(axis=0)
    for axis, size in enumerate(shape):
        if size == 1 and np.shape(grad)[axis] != 1:
            grad = grad.sum(axis=axis, keepdims=True)
    return grad


@blind("AddLayer", "results.shape", "both gradients are dout as it comes, whatever was broadcast", "broadcast", "sum", branch="broadcast")
class AddNeverSums:
    def forward(self, x, y):
        return x + y

    def backward(self, dout):
        return np.copy(dout), np.copy(dout)


@blind("AddLayer", "results.own-memory", "dout itself is handed back twice", "same", "share", "dout", branch="same")
class AddHandsBack:
    def forward(self, x, y):
        self.shapes = np.shape(x), np.shape(y)
        return x + y

    def backward(self, dout):
        return fold_back(dout, self.shapes[0]), fold_back(dout, self.shapes[1])


@blind("AddLayer", "backward.dy", "dy is -dout, left over from a subtraction", "-1", "sign", "minus", "negat")
def add_forward(x, y):
    return x + y, (np.shape(x), np.shape(y))


def add_backward(dout, cache):
    sx, sy = cache
    return fold_back(np.array(dout), sx), fold_back(-np.array(dout), sy)


@blind("AddLayer", "backward.dx", "the gradient is shared out: half to each operand", "1/2", "half", "0.5", " 2")
class AddShares:
    def forward(self, x, y):
        self.shapes = np.shape(x), np.shape(y)
        return x + y

    def backward(self, dout):
        return fold_back(dout / 2, self.shapes[0]), fold_back(dout / 2, self.shapes[1])


@blind(
    "MulLayer",
    "backward.dx",
    "dx and dy are not crossed: dx = dout x, dy = dout y",
    "swap",
    "exchang",
    "dout * x",
    "x in place",
    "own",
    "dy",
)
class MulUncrossed:
    def forward(self, x, y):
        self.x, self.y = x, y
        return x * y

    def backward(self, dout):
        return fold_back(dout * self.x, np.shape(self.x)), fold_back(dout * self.y, np.shape(self.y))


@blind("MulLayer", "backward.dy", "where y was broadcast its gradient is averaged, not summed", "mean", "averag", branch="broadcast")
class MulAverages:
    def forward(self, x, y):
        self.x, self.y = x, y
        return x * y

    def backward(self, dout):
        dx = fold_back(dout * self.y, np.shape(self.x))
        dy = fold_back(dout * self.x, np.shape(self.y))
        n = np.asarray(np.size(dout) / max(np.size(self.y), 1)).astype(dout.dtype)
        return dx, (dy / n).astype(dout.dtype)


@blind("MulLayer", "cotangent.honoured", "the local derivatives y and x are returned without dout", "dout", branch="same")
def mul_forward(x, y):
    return x * y, (x, y)


def mul_backward(dout, cache):
    x, y = cache
    return fold_back(np.array(y), np.shape(x)), fold_back(np.array(x), np.shape(y))


@blind("MulLayer", "backward.dy", "dx is used for dy: dout y x, the chain rule twice", "times y", "y", "factor", rare=True)
class MulTwice:
    def forward(self, x, y):
        self.x, self.y = x, y
        return x * y

    def backward(self, dout):
        dx = dout * self.y
        return fold_back(dx, np.shape(self.x)), fold_back(dx * self.x, np.shape(self.y))
