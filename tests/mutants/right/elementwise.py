"""Right elementwise layers in other styles."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tests.mutants.honest import Array, HonestAdd, HonestMul, HonestRelu, HonestSigmoid, checked
from tests.mutants.registry import right


@right("Relu", "boolean masks, and a private copy cut in place")
class ReluByMask(HonestRelu):
    def forward(self, x: Any) -> Array:
        y = np.array(x)
        self.x = y.copy()
        self.blocked = y <= 0
        y[y < 0] = 0
        return y

    def slope(self, d: Array) -> Array:
        d[self.blocked] = 0
        return d


@right("Relu", "np.maximum, which gives +0 for -0")
class ReluByMaximum(HonestRelu):
    def value(self, x: Array) -> Array:
        return np.maximum(x, x.dtype.type(0))


@right("Relu", "the mask is read from the result: kept y is 0 exactly where x <= 0")
class ReluFromResult(HonestRelu):
    def slope(self, d: Array) -> Array:
        return np.where(self.y == 0, d.dtype.type(0), d)


@right("Relu", "an explicit loop over a flat iterator")
class ReluByLoop(HonestRelu):
    def value(self, x: Array) -> Array:
        y = x.copy(order="C")
        flat = y.reshape(-1)
        for i, v in enumerate(flat.tolist()):
            if v <= 0:
                flat[i] = 0
        return y


@right("Relu", "(x + |x|) / 2, with the infinities put right")
class ReluByAbsolute(HonestRelu):
    def value(self, x: Array) -> Array:
        half = x.dtype.type(0.5)
        y = half * x + half * np.abs(x)
        return np.where(x == -np.inf, x.dtype.type(0), np.where(np.abs(x) < np.finfo(x.dtype).tiny * 4, np.maximum(x, 0), y))


@right("Sigmoid", "1 / (1 + exp(-x)), silenced")
class SigmoidTextbook(HonestSigmoid):
    def value(self, x: Array) -> Array:
        return 1 / (1 + np.exp(-x))


@right("Sigmoid", "in float64, then cast back")
class SigmoidInDouble(HonestSigmoid):
    def value(self, x: Array) -> Array:
        return super().value(x.astype(np.float64)).astype(x.dtype)


@right("Sigmoid", "in extended precision, then cast back")
class SigmoidExtended(HonestSigmoid):
    def value(self, x: Array) -> Array:
        return super().value(x.astype(np.longdouble)).astype(x.dtype)


@right("Sigmoid", "exp(-logaddexp(0, -x))")
class SigmoidByLogarithm(HonestSigmoid):
    def value(self, x: Array) -> Array:
        return np.exp(-np.logaddexp(x.dtype.type(0), -x))


@right("Sigmoid", "by expm1: 1 / (2 + expm1(-x))")
class SigmoidByExpm1(HonestSigmoid):
    def value(self, x: Array) -> Array:
        return 1 / (2 + np.expm1(-x))


@right("Sigmoid", "(1 + tanh(x / 2)) / 2 above 0, its textbook form below")
class SigmoidByTanh(HonestSigmoid):
    def value(self, x: Array) -> Array:
        half = x.dtype.type(0.5)
        e = np.exp(-np.abs(x))
        return np.where(x < 0, e / (1 + e), half + half * np.tanh(half * x))


@right("Sigmoid", "slope as (dout y) (1 - y), grouped the other way")
class SigmoidSlopeRegrouped(HonestSigmoid):
    def slope(self, d: Array) -> Array:
        return (d * self.y) * (1 - self.y)


@right("Sigmoid", "math.exp in a loop over Python floats")
class SigmoidByLoop(HonestSigmoid):
    def value(self, x: Array) -> Array:
        y = np.empty(x.shape, x.dtype)
        flat = y.reshape(-1)
        for i, v in enumerate(np.ravel(x).tolist()):
            e = math.exp(-abs(v))
            flat[i] = e / (1 + e) if v < 0 else 1 / (1 + e)
        return y


@right("AddLayer", "summed over all stretched axes at once by np.add.reduce")
class AddByReduce(HonestAdd):
    def summed(self, grad: Array, operand: Array) -> Any:
        lead = grad.ndim - operand.ndim
        axes = tuple(range(lead)) + tuple(i + lead for i, n in enumerate(operand.shape) if n == 1)
        return np.array(np.add.reduce(grad, axis=axes, keepdims=True).reshape(operand.shape)) if axes else np.array(grad)


@right("AddLayer", "summed in reversed order, one slice after the other")
class AddBackwards(HonestAdd):
    def summed(self, grad: Array, operand: Array) -> Any:
        while grad.ndim > operand.ndim:
            total = np.zeros(grad.shape[1:], grad.dtype)
            for i in reversed(range(len(grad))):
                total = total + grad[i]
            grad = total
        return super().summed(grad, operand)


@right("AddLayer", "exactly rounded sums by math.fsum where everything is finite")
class AddByFsum(HonestAdd):
    def summed(self, grad: Array, operand: Array) -> Any:
        if operand.ndim == 0 and grad.ndim and np.isfinite(grad).all():
            try:
                return grad.dtype.type(math.fsum(grad.ravel().tolist()))
            except OverflowError:
                return super().summed(grad, operand)
        return super().summed(grad, operand)


@right("AddLayer", "plain + and sum, that warn of overflow where the result is infinite")
class AddOutspoken(HonestAdd):
    def forward(self, x: Any, y: Any) -> Array:
        z = np.array(x) + np.array(y)
        super().forward(x, y)
        return np.asarray(z)


@right("MulLayer", "plain *, that warns of overflow where the result is infinite")
class MulOutspoken(HonestMul):
    def forward(self, x: Any, y: Any) -> Array:
        z = np.array(x) * np.array(y)
        super().forward(x, y)
        return np.asarray(z)


@right("MulLayer", "products in float64, sums in float64, cast at the end")
class MulInDouble(HonestMul):
    def pull_x(self, d: Array) -> Array:
        return d.astype(np.float64) * self.y

    def pull_y(self, d: Array) -> Array:
        return d.astype(np.float64) * self.x

    def summed(self, grad: Array, operand: Array) -> Any:
        return super().summed(grad, operand).astype(operand.dtype)


@right("MulLayer", "an in-place product on private copies of full shape")
class MulInPlace(HonestMul):
    def combine(self, x: Array, y: Array) -> Array:
        z = np.broadcast_to(x, np.broadcast_shapes(x.shape, y.shape)).copy()
        z *= y
        return z

    def pull_x(self, d: Array) -> Array:
        d = d.copy()
        d *= self.y
        return d


@right("MulLayer", "einsum for two axes, otherwise *")
class MulByEinsum(HonestMul):
    def backward(self, dout: Any) -> tuple[Any, ...]:
        dx, dy = super().backward(dout)
        if self.x.ndim == 2 and self.y.ndim == 1 and self.x.shape[1] == self.y.shape[0]:
            with np.errstate(all="ignore"):
                dy = np.einsum("ab,ab->b", checked(dout, self.shape, self.x.dtype), self.x)
        return dx, dy
