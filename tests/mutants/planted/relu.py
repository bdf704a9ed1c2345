"""Wrong Relus."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.mutants.honest import Array, Elementwise, HonestRelu, checked, silent
from tests.mutants.registry import planted


@planted("Relu", "cotangent.honoured", "ignores dout: the gradient is 1 or 0")
class ReluIgnoresDout(HonestRelu):
    def slope(self, d: Array) -> Array:
        return np.where(self.x <= 0, d.dtype.type(0), d.dtype.type(1))


@planted("Relu", "backward.dx", "mask x < 0 instead of x <= 0: passes the gradient at 0")
class ReluPassesAtZero(HonestRelu):
    def slope(self, d: Array) -> Array:
        return np.where(self.x < 0, d.dtype.type(0), d)


@planted("Relu", "backward.dx", "half of the gradient at 0, as maximum has it")
class ReluHalfAtZero(HonestRelu):
    def slope(self, d: Array) -> Array:
        return np.where(self.x == 0, d / 2, super().slope(d))


@planted("Relu", "backward.dx", "leaks: slope 1e-6 below 0")
class ReluLeaks(HonestRelu):
    def slope(self, d: Array) -> Array:
        return np.where(self.x <= 0, d * d.dtype.type(1e-6), d)


@planted("Relu", "forward.out", "NaN becomes 0, because fmax prefers the number")
class ReluSwallowsNan(HonestRelu):
    def value(self, x: Array) -> Array:
        return np.fmax(x, x.dtype.type(0))


@planted("Relu", "forward.out", "x * (x > 0): -inf gives NaN")
class ReluByProduct(HonestRelu):
    def value(self, x: Array) -> Array:
        return x * (x > 0)


@planted("Relu", "backward.dx", "dout * (x > 0): an infinite dout gives NaN where torch selects 0")
class ReluGradientByProduct(HonestRelu):
    def slope(self, d: Array) -> Array:
        return d * ~(self.x <= 0)


@planted("Relu", "backward.dx", "mask x > 0 also at NaN: the gradient is lost there")
class ReluLosesGradientAtNan(HonestRelu):
    def slope(self, d: Array) -> Array:
        return np.where(self.x > 0, d, d.dtype.type(0))


@planted("Relu", "backward.dx", "the mask comes from the gradient's sign, not from x")
class ReluMasksByDout(HonestRelu):
    def slope(self, d: Array) -> Array:
        return np.where(d <= 0, d.dtype.type(0), d)


@planted("Relu", "forward.out", "capped at 6, as relu6 is")
class ReluSix(HonestRelu):
    def value(self, x: Array) -> Array:
        return np.minimum(super().value(x), x.dtype.type(6))


@planted("Relu", "state.fresh", "keeps the mask of the first forward")
class ReluKeepsFirstMask(HonestRelu):
    mask: Array | None = None

    def forward(self, x: Any) -> Array:
        y = super().forward(x)
        if self.mask is None or self.mask.shape != self.x.shape:
            self.mask = self.x <= 0
        return y

    def slope(self, d: Array) -> Array:
        return np.where(self.mask, d.dtype.type(0), d)


@planted("Relu", "cotangent.unchanged", "masks dout in place")
class ReluWritesIntoDout(HonestRelu):
    def backward(self, dout: Any) -> Array:
        dx = super().backward(dout)
        if isinstance(dout, np.ndarray) and dout.flags.writeable:
            dout[self.x <= 0] = 0
        return dx


@planted("Relu", "inputs.unchanged", "cuts x in place")
class ReluWritesIntoX(HonestRelu):
    def forward(self, x: Any) -> Array:
        y = super().forward(x)
        if isinstance(x, np.ndarray) and x.flags.writeable:
            x[x < 0] = 0
        return y


@planted("Relu", "results.own-memory", "hands dout itself back where nothing is blocked")
class ReluReturnsDout(HonestRelu):
    def backward(self, dout: Any) -> Array:
        dx = super().backward(dout)
        return dout if isinstance(dout, np.ndarray) and not (self.x <= 0).any() else dx


@planted("Relu", "results.own-memory", "returns x itself where nothing is negative")
class ReluReturnsX(HonestRelu):
    def forward(self, x: Any) -> Array:
        y = super().forward(x)
        return x if isinstance(x, np.ndarray) and not (x < 0).any() else y


@planted("Relu", "results.own-memory", "writes every result of one shape into the same buffer")
class ReluSharesBuffer(HonestRelu):
    def __init__(self) -> None:
        self.buffers: dict[Any, Array] = {}

    def slope(self, d: Array) -> Array:
        buffer = self.buffers.setdefault((d.shape, d.dtype), np.empty_like(d))
        buffer[...] = super().slope(d)
        return buffer


@planted("Relu", "backward.repeatable", "backward throws its mask away, and the second one passes everything")
class ReluConsumesState(HonestRelu):
    def slope(self, d: Array) -> Array:
        dx = super().slope(d)
        self.x = np.ones_like(d)
        return dx


@planted("Relu", "call.forward-first", "backward before forward silently gives zeros")
class ReluAnswersBeforeForward(HonestRelu):
    def backward(self, dout: Any) -> Array:
        return np.zeros_like(dout) if self.x is None else super().backward(dout)


@planted("Relu", "inputs.refused", "lets dout broadcast: a cotangent of another shape is accepted")
class ReluAcceptsAnyDout(HonestRelu):
    def backward(self, dout: Any) -> Array:
        if self.x is None:
            raise RuntimeError("forward comes first")
        return self.slope(np.array(dout))


@planted("Relu", "inputs.layout", "ravel in memory order, reshape in C order: elements move in Fortran arrays")
class ReluRavelsByMemory(Elementwise):
    def forward(self, x: Any) -> Array:
        self.x = np.array(x)
        flat = np.asarray(x).ravel(order="K")
        return np.where(flat < 0, flat.dtype.type(0), flat).reshape(self.x.shape)

    def slope(self, d: Array) -> Array:
        return np.where(self.x <= 0, d.dtype.type(0), d)


@planted("Relu", "inputs.layout", "reads the strides by size only: a negative stride is read forwards")
class ReluIgnoresSignOfStride(HonestRelu):
    def forward(self, x: Any) -> Array:
        if isinstance(x, np.ndarray) and any(s < 0 for s in x.strides):
            x = x[tuple(slice(None, None, -1) if s < 0 else slice(None) for s in x.strides)]
        return super().forward(x)


@planted("Relu", "call.answers", "looks for the largest element first: an empty batch raises")
class ReluRefusesEmpty(HonestRelu):
    def forward(self, x: Any) -> Array:
        if np.size(x) == 0:
            raise ValueError("zero-size array to reduction operation maximum which has no identity")
        return super().forward(x)


@planted("Relu", "inputs.layout", "works on dout in place and puts it back: read-only memory raises")
class ReluBorrowsDout(HonestRelu):
    def backward(self, dout: Any) -> Array:
        dx = super().backward(dout)
        if isinstance(dout, np.ndarray):
            dout[...] = dout
        return dx


@planted("Relu", "results.dtype", "the result is float64 whatever came in")
class ReluAlwaysDouble(HonestRelu):
    def forward(self, x: Any) -> Array:
        return super().forward(x).astype(np.float64)


@planted("Relu", "results.shape", "drops axes of size 1")
class ReluSqueezes(HonestRelu):
    def forward(self, x: Any) -> Array:
        return super().forward(x).squeeze()


@planted("Relu", "results.shape", "a single number comes back as an array of one")
class ReluLiftsScalars(HonestRelu):
    def forward(self, x: Any) -> Array:
        return np.atleast_1d(super().forward(x))


@planted("Relu", "forward.out", "a loop over at most 64 columns: the tail is left as it was")
class ReluDropsTail(HonestRelu):
    def value(self, x: Array) -> Array:
        y = x.copy()
        head = y[..., :64] if y.ndim else y
        head[...] = super().value(head)
        return y


@planted("Relu", "call.no-warnings", "takes exp(x) on the way and lets its overflow be heard")
class ReluWarns(Elementwise):
    def forward(self, x: Any) -> Array:
        self.x = np.array(x)
        np.exp(self.x)
        with silent():
            return np.where(self.x < 0, self.x.dtype.type(0), self.x)

    def backward(self, dout: Any) -> Array:
        if self.x is None:
            raise RuntimeError("forward comes first")
        d = checked(dout, self.x.shape, self.x.dtype)
        return np.where(self.x <= 0, d.dtype.type(0), d)
