"""SoftmaxWithLoss with wrong softmax, logarithm or labels."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.mutants.honest import Array, HonestLoss
from tests.mutants.registry import planted


@planted("SoftmaxWithLoss", "forward.loss", "softmax without taking the maximum off: exp overflows")
class LossOverflows(HonestLoss):
    def log_softmax(self, x: Array) -> Array:
        return x - np.log(np.exp(x).sum(axis=1, keepdims=True)) if x.size else x.copy()


@planted("SoftmaxWithLoss", "forward.loss", "log(y + 1e-7), as the notebook has it")
class LossWithEpsilon(HonestLoss):
    def terms(self, index_form: bool) -> Array:
        logs = np.log(np.exp(self.logp) + self.logp.dtype.type(1e-7))
        return np.where((self.t == 0) & index_form, self.t, self.t * logs)


@planted("SoftmaxWithLoss", "forward.loss", "log of probabilities clipped to [1e-15, 1 - 1e-15]")
class LossClipsProbabilities(HonestLoss):
    def terms(self, index_form: bool) -> Array:
        logs = np.log(np.clip(np.exp(self.logp), 1e-15, 1 - 1e-15))
        return np.where((self.t == 0) & index_form, self.t, self.t * logs)


@planted(
    "SoftmaxWithLoss",
    "forward.loss",
    "log(softmax) in two steps: -inf where the softmax rounds to 0",
    also=("labels.forms-agree",),
)
class LossInTwoSteps(HonestLoss):
    def terms(self, index_form: bool) -> Array:
        logs = np.log(np.exp(self.logp))
        return np.where((self.t == 0) & index_form, self.t, self.t * logs)


@planted("SoftmaxWithLoss", ("forward.loss", "backward.dx"), "softmax over the batch instead of the classes")
class LossOverBatch(HonestLoss):
    def log_softmax(self, x: Array) -> Array:
        return np.ascontiguousarray(super().log_softmax(np.ascontiguousarray(x.T)).T)


@planted("SoftmaxWithLoss", ("forward.loss", "backward.dx"), "softmax over the whole array")
class LossOverAll(HonestLoss):
    def log_softmax(self, x: Array) -> Array:
        return super().log_softmax(x.reshape(1, -1)).reshape(x.shape) if x.size else x.copy()


@planted("SoftmaxWithLoss", "forward.loss", "the maximum of the whole array is taken off: rows far below it underflow")
class LossShiftsByGlobalMax(HonestLoss):
    def log_softmax(self, x: Array) -> Array:
        if x.size == 0:
            return x.copy()
        d = x - x.max()
        return d - np.log(np.exp(d).sum(axis=1, keepdims=True))


@planted(
    "SoftmaxWithLoss",
    "forward.loss",
    "log-sum-exp with the maximum added back: large scores that tie lose log(sum)",
)
class LossAddsMaximumBack(HonestLoss):
    def log_softmax(self, x: Array) -> Array:
        if x.size == 0:
            return x.copy()
        top = x.max(axis=1, keepdims=True)
        return x - (top + np.log(np.exp(x - top).sum(axis=1, keepdims=True)))


@planted("SoftmaxWithLoss", "forward.loss", "computed in float32 whatever came in")
class LossInSingle(HonestLoss):
    def log_softmax(self, x: Array) -> Array:
        return super().log_softmax(x.astype(np.float32)).astype(x.dtype)


@planted(
    "SoftmaxWithLoss",
    "forward.loss",
    "label form told by size: one class with index labels is taken for one-hot",
    also=("inputs.refused",),
)
class LossTellsFormBySize(HonestLoss):
    def weights(self, t: Array, scores: Array) -> tuple[Array, Array]:
        if t.size == scores.size and t.ndim < len(self.shape):
            return t.reshape(scores.shape).astype(scores.dtype), np.ones((len(scores), 1), bool)
        return super().weights(t, scores)


@planted("SoftmaxWithLoss", ("forward.loss", "backward.dx"), "index labels count from 1")
class LossLabelsFromOne(HonestLoss):
    def weights(self, t: Array, scores: Array) -> tuple[Array, Array]:
        weights, counted = super().weights(t, scores)
        return (np.roll(weights, -1, axis=1), counted) if t.ndim < len(self.shape) else (weights, counted)


@planted("SoftmaxWithLoss", "forward.loss", "the ignored label -100 is taken for class 0")
class LossNeverIgnores(HonestLoss):
    def weights(self, t: Array, scores: Array) -> tuple[Array, Array]:
        if t.ndim < len(self.shape) and t.dtype.kind == "i":
            t = np.where(t == -100, t.dtype.type(0), t)
        return super().weights(t, scores)


@planted("SoftmaxWithLoss", ("forward.loss", "backward.dx"), "ignored rows are counted in the mean")
class LossCountsIgnoredRows(HonestLoss):
    def rows_counted(self) -> Any:
        return self.logp.dtype.type(len(self.counted))


@planted(
    "SoftmaxWithLoss",
    "forward.loss",
    "all rows ignored: the loss is 0 instead of NaN",
)
class LossZeroWhenAllIgnored(HonestLoss):
    def mean(self, terms: Array) -> Any:
        return super().mean(terms) if self.n else terms.dtype.type(0)


@planted("SoftmaxWithLoss", "backward.dx", "ignored rows get the gradient of the softmax")
class LossIgnoresInForwardOnly(HonestLoss):
    def scores_grad(self, d: Array) -> Array:
        mass = np.where(self.counted, self.t.sum(axis=1, keepdims=True), self.t.dtype.type(1))
        return (self.y * mass - self.t) * (d / self.n) if self.n else self.y * 0


@planted("SoftmaxWithLoss", "inputs.refused", "a negative label counts from the end, as NumPy indexes do")
class LossWrapsNegativeLabels(HonestLoss):
    def weights(self, t: Array, scores: Array) -> tuple[Array, Array]:
        if t.ndim < len(self.shape) and t.dtype.kind == "i":
            t = np.where((t < 0) & (t != -100), t + scores.shape[1], t)
        return super().weights(t, scores)


@planted("SoftmaxWithLoss", "inputs.refused", "labels beyond the last class are clipped to it")
class LossClipsLabels(HonestLoss):
    def weights(self, t: Array, scores: Array) -> tuple[Array, Array]:
        if t.ndim < len(self.shape) and t.dtype.kind in "iu":
            t = np.minimum(t.astype(np.int64), scores.shape[1] - 1)
        return super().weights(t, scores)


@planted("SoftmaxWithLoss", "inputs.refused", "labels of float are cut to integers")
class LossTakesFloatLabels(HonestLoss):
    def weights(self, t: Array, scores: Array) -> tuple[Array, Array]:
        return super().weights(t.astype(np.int64) if t.ndim < len(self.shape) else t, scores)


@planted("SoftmaxWithLoss", "inputs.refused", "labels without a row of scores are dropped")
class LossDropsExtraLabels(HonestLoss):
    def weights(self, t: Array, scores: Array) -> tuple[Array, Array]:
        return super().weights(t[: len(scores)] if len(self.shape) == 2 else t, scores)


@planted("SoftmaxWithLoss", "call.answers", "labels of uint8 are refused")
class LossRefusesUint8(HonestLoss):
    def weights(self, t: Array, scores: Array) -> tuple[Array, Array]:
        if t.dtype == np.uint8:
            raise TypeError("labels must be signed integers")
        return super().weights(t, scores)


@planted("SoftmaxWithLoss", "call.answers", "an empty batch raises: max of nothing")
class LossRefusesEmpty(HonestLoss):
    def log_softmax(self, x: Array) -> Array:
        x.max()
        return super().log_softmax(x)


@planted("SoftmaxWithLoss", "call.answers", "a single row of scores without batch axis raises")
class LossNeedsBatch(HonestLoss):
    def forward(self, x: Array, t: Any) -> Any:
        _, _ = x.shape
        return super().forward(x, t)


@planted("SoftmaxWithLoss", "labels.forms-agree", "one-hot labels are smoothed by 1e-3, index labels are not")
class LossSmoothsOneHot(HonestLoss):
    def weights(self, t: Array, scores: Array) -> tuple[Array, Array]:
        weights, counted = super().weights(t, scores)
        if t.ndim == len(self.shape) and scores.size:
            weights = weights * weights.dtype.type(0.999) + weights.dtype.type(0.001 / scores.shape[1])
        return weights, counted


@planted("SoftmaxWithLoss", "forward.loss", "NaN and infinite scores are replaced by numbers")
class LossDropsNan(HonestLoss):
    def log_softmax(self, x: Array) -> Array:
        return super().log_softmax(np.nan_to_num(x))


@planted("SoftmaxWithLoss", "inputs.layout", "flattens in memory order: Fortran scores are shuffled")
class LossRavelsByMemory(HonestLoss):
    def forward(self, x: Array, t: Any) -> Any:
        return super().forward(x.ravel(order="K").reshape(x.shape), t)
