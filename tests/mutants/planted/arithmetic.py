"""Wrong AddLayers and MulLayers."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.mutants.honest import Array, HonestAdd, HonestMul, silent
from tests.mutants.registry import planted


@planted("AddLayer", "backward.dy", "y is taken away in backward: its gradient is negative")
class AddNegatesDy(HonestAdd):
    def pull_y(self, d: Array) -> Array:
        return -d


@planted("AddLayer", "cotangent.honoured", "dout is ignored: ones of its shape")
class AddIgnoresDout(HonestAdd):
    def pull_x(self, d: Array) -> Array:
        return np.ones_like(d)


@planted("AddLayer", "backward.dy", "the gradient of a broadcast operand is not summed", also=("results.shape",))
class AddNeverSums(HonestAdd):
    def summed(self, grad: Array, operand: Array) -> Any:
        return np.array(grad)


@planted("AddLayer", "backward.dy", "summed over the last axes instead of the first ones, where that fits")
class AddSumsWrongAxis(HonestAdd):
    def summed(self, grad: Array, operand: Array) -> Any:
        if grad.ndim == operand.ndim + 1 and grad.shape[:-1] == operand.shape:
            return grad.sum(axis=-1)
        return super().summed(grad, operand)


@planted("AddLayer", "backward.dy", "the mean over the stretched axes instead of the sum")
class AddAverages(HonestAdd):
    def summed(self, grad: Array, operand: Array) -> Any:
        whole = super().summed(grad, operand)
        return whole * grad.dtype.type(operand.size / max(grad.size, 1))


@planted("AddLayer", ("backward.dx", "backward.dy"), "axes of size 1 are forgotten, only missing ones are summed", also=("results.shape",))
class AddForgetsKeptAxes(HonestAdd):
    def summed(self, grad: Array, operand: Array) -> Any:
        while grad.ndim > operand.ndim:
            grad = grad.sum(axis=0)
        return np.array(grad)


@planted("AddLayer", "backward.dx", "the sum over the batch in float32")
class AddSumsInSingle(HonestAdd):
    def summed(self, grad: Array, operand: Array) -> Any:
        return super().summed(grad.astype(np.float32), operand).astype(grad.dtype)


@planted("AddLayer", "results.shape", "the summed axis is kept with size 1")
class AddKeepsAxes(HonestAdd):
    def summed(self, grad: Array, operand: Array) -> Any:
        out = super().summed(grad, operand)
        return out[None] if grad.ndim > operand.ndim else out


@planted("AddLayer", "results.own-memory", "both gradients are the same array")
class AddSharesGradients(HonestAdd):
    def backward(self, dout: Any) -> tuple[Any, ...]:
        dx, dy = super().backward(dout)
        return (dx, dx) if self.x.shape == self.y.shape else (dx, dy)


@planted("AddLayer", "results.own-memory", "dout is handed through")
class AddReturnsDout(HonestAdd):
    def backward(self, dout: Any) -> tuple[Any, ...]:
        dx, dy = super().backward(dout)
        return (dout, dy) if self.x.shape == np.shape(dout) else (dx, dy)


@planted("AddLayer", "inputs.unchanged", "adds y to x in place")
class AddInPlace(HonestAdd):
    def forward(self, x: Any, y: Any) -> Array:
        z = super().forward(x, y)
        if isinstance(x, np.ndarray) and x.flags.writeable and x.shape == z.shape:
            x += y
        return z


@planted("AddLayer", "call.forward-first", "needs nothing from forward, so it answers before it")
class AddStateless(HonestAdd):
    def backward(self, dout: Any) -> tuple[Any, ...]:
        return (np.array(dout), np.array(dout)) if self.x is None else super().backward(dout)


@planted("AddLayer", "state.fresh", "the shape of the first y is kept")
class AddKeepsFirstShape(HonestAdd):
    first: Array | None = None

    def forward(self, x: Any, y: Any) -> Array:
        z = super().forward(x, y)
        self.first = self.y if self.first is None else self.first
        return z

    def backward(self, dout: Any) -> tuple[Any, ...]:
        self.y, current = self.first, self.y
        try:
            return super().backward(dout)
        finally:
            self.y = current


@planted("AddLayer", "inputs.refused", "cuts operands that do not broadcast to their common part")
class AddCuts(HonestAdd):
    def forward(self, x: Any, y: Any) -> Array:
        x, y = np.asarray(x), np.asarray(y)
        if x.ndim == y.ndim == 2 and any(a != b and 1 not in (a, b) for a, b in zip(x.shape, y.shape, strict=True)):
            rows, columns = np.minimum(x.shape, y.shape)
            x, y = x[:rows, :columns], y[:rows, :columns]
            self.cut = True
        return super().forward(x, y)

    def backward(self, dout: Any) -> tuple[Any, ...]:
        if getattr(self, "cut", False):
            dout = np.asarray(dout)[: self.shape[0], : self.shape[1]]
        return super().backward(dout)


@planted("AddLayer", "forward.out", "inf - inf is taken for 0")
class AddDropsNan(HonestAdd):
    def combine(self, x: Array, y: Array) -> Array:
        z = x + y
        return np.where(np.isnan(z) & ~np.isnan(x) & ~np.isnan(y), z.dtype.type(0), z)


@planted("MulLayer", ("backward.dx", "backward.dy"), "x and y are not exchanged: dx = dout x")
class MulNotExchanged(HonestMul):
    def pull_x(self, d: Array) -> Array:
        return d * self.x

    def pull_y(self, d: Array) -> Array:
        return d * self.y


@planted("MulLayer", "cotangent.honoured", "dx = y: dout is ignored")
class MulIgnoresDout(HonestMul):
    def pull_x(self, d: Array) -> Array:
        return np.ones_like(d) * self.y


@planted("MulLayer", "backward.dy", "summed before it is multiplied by x")
class MulSumsTooEarly(HonestMul):
    def backward(self, dout: Any) -> tuple[Any, ...]:
        dx, dy = super().backward(dout)
        if self.y.ndim < self.x.ndim and self.y.ndim:
            with silent():
                dy = np.array(np.asarray(dout).sum(axis=0) * self.x[0]).reshape(self.y.shape) if self.x.ndim == 2 and len(self.x) else dy
        return dx, dy


@planted("MulLayer", "forward.out", "by the sum of logarithms: only good for positive numbers, and imprecise")
class MulByLogarithms(HonestMul):
    def combine(self, x: Array, y: Array) -> Array:
        return np.exp(np.log(np.abs(x)) + np.log(np.abs(y))) * np.sign(x) * np.sign(y)


@planted("MulLayer", "forward.out", "((x + y)**2 - (x - y)**2) / 4: cancels")
class MulByQuarterSquares(HonestMul):
    def combine(self, x: Array, y: Array) -> Array:
        return ((x + y) ** 2 - (x - y) ** 2) / 4


@planted("MulLayer", "state.fresh", "views of x and y of the first forward are kept while the shape stays the same")
class MulKeepsFirstOperands(HonestMul):
    first: tuple[Array, Array] | None = None

    def forward(self, x: Any, y: Any) -> Array:
        z = super().forward(x, y)
        if self.first is None or (self.first[0].shape, self.first[1].shape) != (self.x.shape, self.y.shape):
            self.first = self.x, self.y
        return z

    def pull_x(self, d: Array) -> Array:
        return d * self.first[1]


@planted("MulLayer", "backward.repeatable", "backward scales the kept y by dout in place")
class MulOverwritesOperand(HonestMul):
    def pull_x(self, d: Array) -> Array:
        if self.y.shape != d.shape:
            return d * self.y
        self.y *= d
        return self.y


@planted("MulLayer", "backward.dx", "multiplied in float16")
class MulInHalf(HonestMul):
    def pull_x(self, d: Array) -> Array:
        return (d.astype(np.float16) * self.y.astype(np.float16)).astype(d.dtype)


@planted("MulLayer", "backward.dx", "divides the result by x to get y back: wrong at 0")
class MulDividesBack(HonestMul):
    def pull_x(self, d: Array) -> Array:
        y = self.x * self.y / np.where(self.x == 0, 1, self.x)
        return d * y


@planted("MulLayer", "backward.dy", "transposed operand where x is square")
class MulTransposesSquare(HonestMul):
    def pull_y(self, d: Array) -> Array:
        square = self.x.ndim == 2 and self.x.shape[0] == self.x.shape[1]
        return d * (self.x.T if square else self.x)


@planted("MulLayer", "forward.out", "0 times anything is taken for 0, so NaN and inf are lost")
class MulShortcutsZero(HonestMul):
    def combine(self, x: Array, y: Array) -> Array:
        z = x * y
        return np.where((x == 0) | (y == 0), z.dtype.type(0), z)


@planted("MulLayer", "forward.out", "results below 1e-30 are cut to 0")
class MulFlushes(HonestMul):
    def combine(self, x: Array, y: Array) -> Array:
        z = x * y
        return np.where(np.abs(z) < 1e-30, z.dtype.type(0), z)


@planted("MulLayer", "results.shape", "a single number comes back as an array of one")
class MulLiftsScalars(HonestMul):
    def forward(self, x: Any, y: Any) -> Array:
        return np.atleast_1d(super().forward(x, y))
