"""Wrong Affines."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.mutants.honest import Array, HonestAffine
from tests.mutants.registry import planted

_AFTER_WRITING = ("state.fresh", "backward.repeatable")
"""A changed parameter shows in every later answer."""


@planted("Affine", "backward.dW", "dW transposed where W is square")
class AffineTransposesSquare(HonestAffine):
    def weights_grad(self, d: Array) -> Array:
        dW = super().weights_grad(d)
        return np.ascontiguousarray(dW.T) if dW.shape[0] == dW.shape[1] else dW


@planted("Affine", "backward.dW", "dW comes back transposed", also=("results.shape",))
class AffineTransposesDW(HonestAffine):
    def weights_grad(self, d: Array) -> Array:
        return d.T @ self.x


@planted("Affine", "backward.dx", "W instead of its transpose where W is square")
class AffineForgetsTranspose(HonestAffine):
    def input_grad(self, d: Array) -> Array:
        return d @ (self.W if self.W.shape[0] == self.W.shape[1] else self.W.T)


@planted("Affine", "backward.dx", "dx is left flat instead of in the shape of x", also=("results.shape",))
class AffineLeavesDxFlat(HonestAffine):
    def shaped(self, dx: Array) -> Array:
        return dx


@planted("Affine", "backward.dx", "dx goes back to the shape of x in Fortran order")
class AffineShapesByColumns(HonestAffine):
    def shaped(self, dx: Array) -> Array:
        return dx.reshape(self.x_shape, order="F")


@planted("Affine", "backward.dW", "dW is divided by the batch size")
class AffineAveragesDW(HonestAffine):
    def weights_grad(self, d: Array) -> Array:
        return super().weights_grad(d) / max(len(d), 1)


@planted("Affine", "state.fresh", "dW is added up over calls", also=("backward.repeatable",))
class AffineAccumulates(HonestAffine):
    total: Any = 0

    def weights_grad(self, d: Array) -> Array:
        self.total = self.total + super().weights_grad(d)
        return np.array(self.total)


@planted("Affine", "backward.repeatable", "db is added up over calls of backward, cleared by forward")
class AffineAccumulatesDb(HonestAffine):
    def forward(self, x: Array) -> Array:
        self.total: Any = 0
        return super().forward(x)

    def bias_grad(self, d: Array) -> Array:
        self.total = self.total + super().bias_grad(d)
        return np.array(self.total)


@planted("Affine", "backward.db", "the mean over the batch instead of the sum", also=("call.no-warnings",))
class AffineMeanDb(HonestAffine):
    def bias_grad(self, d: Array) -> Array:
        return d.mean(axis=0)


@planted("Affine", "backward.db", "summed over the outputs, where that fits")
class AffineDbOverWrongAxis(HonestAffine):
    def bias_grad(self, d: Array) -> Array:
        return d.sum(axis=1) if d.shape[0] == d.shape[1] else d.sum(axis=0)


@planted("Affine", "results.shape", "db keeps the axis of the batch")
class AffineKeepsDims(HonestAffine):
    def bias_grad(self, d: Array) -> Array:
        return d.sum(axis=0, keepdims=True)


@planted("Affine", "backward.db", "all of dout summed into every entry of db")
class AffineSumsAll(HonestAffine):
    def bias_grad(self, d: Array) -> Array:
        return np.full_like(self.b, d.sum())


@planted("Affine", "cotangent.honoured", "dout is ignored: ones in its place")
class AffineIgnoresDout(HonestAffine):
    def weights_grad(self, d: Array) -> Array:
        return self.x.T @ np.ones_like(d)


@planted("Affine", "forward.out", "the bias is added twice for a batch of one")
class AffineBiasTwice(HonestAffine):
    def value(self, x: Array) -> Array:
        y = super().value(x)
        return y + self.b if len(x) == 1 else y


@planted("Affine", "forward.out", "the bias is forgotten")
class AffineWithoutBias(HonestAffine):
    def value(self, x: Array) -> Array:
        return x @ self.W


@planted("Affine", "forward.out", "a product in blocks of 64 that drops an incomplete last block")
class AffineDropsTail(HonestAffine):
    def value(self, x: Array) -> Array:
        inner = x.shape[1]
        whole = inner if inner < 64 else inner - inner % 64
        return x[:, :whole] @ self.W[:whole] + self.b


@planted("Affine", "call.answers", "an empty batch raises, because -1 is ambiguous there")
class AffineRefusesEmpty(HonestAffine):
    def rows(self, x: Array) -> Array:
        return np.array(x.reshape(x.shape[0], -1))


@planted("Affine", "params.unchanged", "weight decay written into W by backward", also=_AFTER_WRITING)
class AffineDecaysW(HonestAffine):
    def input_grad(self, d: Array) -> Array:
        dx = super().input_grad(d)
        if self.W.flags.writeable:
            self.W *= self.W.dtype.type(0.999)
        return dx


@planted("Affine", "params.unchanged", "the bias is used as the buffer of its gradient", also=_AFTER_WRITING)
class AffineWritesIntoBias(HonestAffine):
    def bias_grad(self, d: Array) -> Array:
        db = super().bias_grad(d)
        if self.b.flags.writeable:
            self.b[...] = db
        return db


@planted("Affine", "results.own-memory", "db is the first row of dout for a batch of one")
class AffineDbIsView(HonestAffine):
    def backward(self, dout: Array) -> Array:
        dx = super().backward(dout)
        if len(dout) == 1:
            self.db = dout[0]
        return dx


@planted("Affine", "state.fresh", "the shape of the first input is kept for dx")
class AffineKeepsFirstShape(HonestAffine):
    first: tuple[int, ...] | None = None

    def shaped(self, dx: Array) -> Array:
        if self.first is None:
            self.first = self.x_shape
        return dx.reshape(-1, *self.first[1:])[: self.first[0]] if dx.size else dx.reshape(self.x_shape)


@planted("Affine", "state.fresh", "x of the first forward is kept while the shape stays the same")
class AffineKeepsFirstX(HonestAffine):
    kept: Array | None = None

    def rows(self, x: Array) -> Array:
        rows = super().rows(x)
        if self.kept is None or self.kept.shape != rows.shape:
            self.kept = rows
        return rows

    def weights_grad(self, d: Array) -> Array:
        return self.kept.T @ d


@planted("Affine", "forward.out", "the product in float32 whatever came in")
class AffineInSingle(HonestAffine):
    def value(self, x: Array) -> Array:
        return (x.astype(np.float32) @ self.W.astype(np.float32)).astype(x.dtype) + self.b


@planted("Affine", "backward.db", "the sum over the batch in float32")
class AffineSumsInSingle(HonestAffine):
    def bias_grad(self, d: Array) -> Array:
        return d.sum(axis=0, dtype=np.float32).astype(d.dtype)


@planted("Affine", "inputs.layout", "rows are read in memory order: Fortran input is shuffled")
class AffineRavelsByMemory(HonestAffine):
    def rows(self, x: Array) -> Array:
        return np.array(x.ravel(order="K").reshape(len(x), self.W.shape[0]))


@planted("Affine", "inputs.layout", "a column-major W is taken for row-major")
class AffineMisreadsW(HonestAffine):
    def __init__(self, W: Array, b: Array) -> None:
        super().__init__(W.ravel(order="A").reshape(W.shape), b)


@planted("Affine", "forward.out", "of a tensor's last axis only the first entry is read, again and again")
class AffineWrongForTensors(HonestAffine):
    def rows(self, x: Array) -> Array:
        return super().rows(np.broadcast_to(x[..., :1], x.shape) if x.ndim > 2 else x)


@planted("Affine", "inputs.refused", "columns of x that W has no row for are left out")
class AffineCutsX(HonestAffine):
    def rows(self, x: Array) -> Array:
        flat = np.array(x.reshape(len(x), int(np.prod(x.shape[1:]))))
        self.surplus = max(flat.shape[1] - self.W.shape[0], 0)
        return flat[:, : self.W.shape[0]]

    def shaped(self, dx: Array) -> Array:
        return super().shaped(np.pad(dx, ((0, 0), (0, self.surplus))))


@planted("Affine", "call.forward-first", "backward before forward silently gives zeros")
class AffineAnswersBeforeForward(HonestAffine):
    def backward(self, dout: Array) -> Array:
        if self.x is None:
            self.dW, self.db = np.zeros_like(self.W), np.zeros_like(self.b)
            return np.zeros((len(dout), self.W.shape[0]), dout.dtype)
        return super().backward(dout)


@planted("Affine", ("backward.dx", "backward.dW"), "backward takes the transposed product for a batch as large as the outputs")
class AffineConfusesBatchAndOutputs(HonestAffine):
    def backward(self, dout: Array) -> Array:
        return super().backward(dout.T if dout.shape[0] == dout.shape[1] else dout)


@planted("Affine", "forward.out", "NaN times 0 is taken for 0: NaN in x is dropped")
class AffineDropsNan(HonestAffine):
    def value(self, x: Array) -> Array:
        return super().value(np.where(np.isnan(x), x.dtype.type(0), x))
