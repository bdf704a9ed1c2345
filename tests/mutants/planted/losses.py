"""Wrong gradients and states of SoftmaxWithLoss."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.mutants.honest import Array, HonestLoss, silent
from tests.mutants.registry import planted


@planted("SoftmaxWithLoss", "backward.dx", "the factor 1/N is missing")
class LossWithoutMean(HonestLoss):
    def scores_grad(self, d: Array) -> Array:
        return super().scores_grad(d) * self.n


@planted("SoftmaxWithLoss", "backward.dx", "divided by N twice")
class LossMeanTwice(HonestLoss):
    def scores_grad(self, d: Array) -> Array:
        return super().scores_grad(d) / self.n


@planted("SoftmaxWithLoss", "backward.dx", "divided by N C")
class LossMeanOverAll(HonestLoss):
    def scores_grad(self, d: Array) -> Array:
        return super().scores_grad(d) / self.y.dtype.type(self.y.shape[1])


@planted("SoftmaxWithLoss", "forward.loss", "the sum over the batch instead of the mean")
class LossSums(HonestLoss):
    def mean(self, terms: Array) -> Any:
        return -terms.sum() if terms.size else np.nan


@planted("SoftmaxWithLoss", "forward.loss", "the mean over rows and classes")
class LossMeanOfTerms(HonestLoss):
    def mean(self, terms: Array) -> Any:
        return super().mean(terms) / terms.shape[1]


@planted("SoftmaxWithLoss", "cotangent.honoured", "dout is ignored")
class LossIgnoresDout(HonestLoss):
    def scores_grad(self, d: Array) -> Array:
        return super().scores_grad(np.ones_like(d))


@planted("SoftmaxWithLoss", "backward.dx", "dout squared")
class LossSquaresDout(HonestLoss):
    def scores_grad(self, d: Array) -> Array:
        return super().scores_grad(d * d)


@planted("SoftmaxWithLoss", "backward.dx", "t - y: the sign is wrong")
class LossNegated(HonestLoss):
    def scores_grad(self, d: Array) -> Array:
        return -super().scores_grad(d)


@planted("SoftmaxWithLoss", "backward.dx", "the labels are not taken off: dx = y dout / N")
class LossWithoutLabels(HonestLoss):
    def scores_grad(self, d: Array) -> Array:
        self.t, kept = np.zeros_like(self.t), self.t
        dx = np.where(self.counted, self.y * d / self.n, d.dtype.type(0))
        self.t = kept
        return dx


@planted("SoftmaxWithLoss", "backward.dx", "y - t also where the labels do not sum to 1")
class LossAssumesNormalised(HonestLoss):
    def scores_grad(self, d: Array) -> Array:
        return np.where(self.counted, (self.y - self.t) * (d / self.n), self.y * 0)


@planted("SoftmaxWithLoss", "backward.dx", "soft labels are turned into one-hot by argmax")
class LossHardensLabels(HonestLoss):
    def scores_grad(self, d: Array) -> Array:
        kept = self.t
        if self.t.size:
            self.t = (np.arange(self.t.shape[1]) == self.t.argmax(axis=1)[:, None]) * self.t.sum(axis=1, keepdims=True)
            self.t = self.t.astype(kept.dtype)
        dx = super().scores_grad(d)
        self.t = kept
        return dx


@planted("SoftmaxWithLoss", "backward.repeatable", "y is turned into the gradient in place")
class LossOverwritesY(HonestLoss):
    def scores_grad(self, d: Array) -> Array:
        dx = super().scores_grad(d)
        self.y[...] = dx
        return dx


@planted("SoftmaxWithLoss", "results.own-memory", "the gradient is the kept y, overwritten again by the next backward")
class LossReturnsItsState(HonestLoss):
    def backward(self, dout: Any = 1.0) -> Array:
        dx = super().backward(dout)
        if getattr(self, "buffer", None) is None or self.buffer.shape != dx.shape:
            self.buffer = np.empty_like(dx)
        self.buffer[...] = dx
        return self.buffer


@planted("SoftmaxWithLoss", "state.fresh", "labels of the first forward are kept while the shape stays the same")
class LossKeepsFirstLabels(HonestLoss):
    first: Array | None = None

    def scores_grad(self, d: Array) -> Array:
        if self.first is None or self.first.shape != self.t.shape:
            self.first = self.t
        now, self.t = self.t, self.first
        dx = super().scores_grad(d)
        self.t = now
        return dx


@planted("SoftmaxWithLoss", "state.fresh", "divides by the batch size of the first forward")
class LossKeepsFirstBatchSize(HonestLoss):
    first: Any = None

    def rows_counted(self) -> Any:
        if self.first is None:
            self.first = super().rows_counted()
        return self.first


@planted("SoftmaxWithLoss", "call.forward-first", "backward before forward gives 0")
class LossAnswersBeforeForward(HonestLoss):
    def backward(self, dout: Any = 1.0) -> Any:
        return np.zeros(1) if self.t is None else super().backward(dout)


@planted("SoftmaxWithLoss", "inputs.refused", "any cotangent is accepted and broadcast")
class LossAcceptsAnyDout(HonestLoss):
    def backward(self, dout: Any = 1.0) -> Array:
        return super().backward(np.asarray(dout).reshape(-1)[0])


@planted("SoftmaxWithLoss", "inputs.unchanged", "labels are taken off the caller's own scores")
class LossWritesIntoScores(HonestLoss):
    def forward(self, x: Array, t: Any) -> Any:
        loss = super().forward(x, t)
        if x.flags.writeable and x.size:
            with silent():
                x -= x.max(axis=-1, keepdims=True)
        return loss


@planted("SoftmaxWithLoss", "results.dtype", "the gradient is float64 whatever the scores are")
class LossGradientDouble(HonestLoss):
    def backward(self, dout: Any = 1.0) -> Array:
        return super().backward(dout).astype(np.float64)


@planted("SoftmaxWithLoss", "results.shape", "dx of single scores keeps a batch axis")
class LossKeepsBatchAxis(HonestLoss):
    def backward(self, dout: Any = 1.0) -> Array:
        dx = super().backward(dout)
        return dx[None] if dx.ndim == 1 else dx


@planted("SoftmaxWithLoss", "backward.dx", "one class is taken for a sigmoid: its gradient is not 0")
class LossOneClass(HonestLoss):
    def scores_grad(self, d: Array) -> Array:
        if self.y.shape[1] == 1:
            return (1 / (1 + np.exp(-self.logp)) - self.t) * d / self.n
        return super().scores_grad(d)


@planted("SoftmaxWithLoss", "backward.dx", "gradient clipped to +-1")
class LossClipsGradient(HonestLoss):
    def scores_grad(self, d: Array) -> Array:
        return np.clip(super().scores_grad(d), -1, 1)


@planted("SoftmaxWithLoss", "backward.dx", "a tiny softmax is cut to 0 in the gradient")
class LossCutsTails(HonestLoss):
    def scores_grad(self, d: Array) -> Array:
        kept = self.y
        self.y = np.where(self.y < 1e-12, self.y.dtype.type(0), self.y)
        dx = super().scores_grad(d)
        self.y = kept
        return dx
