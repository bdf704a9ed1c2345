"""The softmax loss, softmax and the cross entropy as they are got wrong."""

from __future__ import annotations

import numpy as np

from tests.mutants.blind.record import blind


def stable_softmax(x):
    e = np.exp(x - np.max(x, axis=-1, keepdims=True, initial=-np.inf))
    return e / e.sum(axis=-1, keepdims=True)


def log_probabilities(x):
    d = x - np.max(x, axis=-1, keepdims=True, initial=-np.inf)
    return d - np.log(np.exp(d).sum(axis=-1, keepdims=True))


def rows_of(t, x):
    """Labels of either form as rows of weights."""
    return t if np.ndim(t) == np.ndim(x) else np.eye(x.shape[-1])[np.asarray(t, int)]


@blind("SoftmaxWithLoss", "cotangent.honoured", "backward is (y - t) / N: dout is forgotten", "dout", branch="one-hot")
class TextbookLoss:
    def __init__(self):
        self.loss = self.y = self.t = None

    def forward(self, x, t):
        self.t = rows_of(t, x).astype(x.dtype)
        self.y = stable_softmax(x)
        self.loss = -np.sum(self.t * log_probabilities(x)) / self.t.shape[0]
        return self.loss

    def backward(self, dout=1):
        return (self.y - self.t) / np.asarray(len(self.t), self.y.dtype)


@blind(
    "SoftmaxWithLoss", "backward.dx", "the gradient is not divided by the batch size", "times n", " n ", " n:", "n times", branch="one-hot"
)
def softmax_sum_grad_forward(x, t):
    t = rows_of(t, x).astype(x.dtype)
    return -np.sum(t * log_probabilities(x)) / len(t), (stable_softmax(x), t)


def softmax_sum_grad_backward(dout, cache):
    y, t = cache
    return dout * (y - t)


@blind("SoftmaxWithLoss", "forward.loss", "1e-7 is added inside the logarithm", "1e-7", "1e-07", branch="one-hot")
class LossWithDelta:
    def forward(self, x, t):
        self.t = rows_of(t, x).astype(x.dtype)
        self.y = stable_softmax(x)
        return -np.sum(self.t * np.log(self.y + self.y.dtype.type(1e-7))) / len(self.t)

    def backward(self, dout=1):
        return dout * (self.y - self.t) / np.asarray(len(self.t), self.y.dtype)


@blind(
    "SoftmaxWithLoss", "forward.loss", "the loss is summed over the batch, not averaged", " n ", "sum", "mean", "averag", branch="one-hot"
)
class LossSummed:
    def forward(self, x, t):
        self.t = rows_of(t, x).astype(x.dtype)
        self.y = stable_softmax(x)
        return -np.sum(self.t * log_probabilities(x))

    def backward(self, dout=1):
        return dout * (self.y - self.t)


@blind("SoftmaxWithLoss", "forward.loss", "softmax is taken down the batch, over axis 0", "axis", branch="one-hot")
class LossAlongBatch:
    def forward(self, x, t):
        e = np.exp(x - x.max(axis=0, initial=-np.inf))
        self.y, self.t = e / e.sum(axis=0), rows_of(t, x).astype(x.dtype)
        return -np.sum(self.t * np.log(self.y)) / len(self.t)

    def backward(self, dout=1):
        return dout * (self.y - self.t) / np.asarray(len(self.t), self.y.dtype)


@blind("SoftmaxWithLoss", "forward.loss", "np.mean over all entries, so it is divided by N C", "c", "classes", branch="one-hot")
class LossMeanOfAll:
    def forward(self, x, t):
        self.t = rows_of(t, x).astype(x.dtype)
        self.y = stable_softmax(x)
        return np.mean(-self.t * log_probabilities(x))

    def backward(self, dout=1):
        return dout * (self.y - self.t) / np.asarray(self.t.size, self.y.dtype)


@blind(
    "SoftmaxWithLoss",
    "forward.loss",
    "probabilities are clipped to [1e-7, 1 - 1e-7] before the logarithm",
    "1e-7",
    "1e-07",
    "clip",
    branch="one-hot",
)
class ActivationSoftmaxLossCategoricalCrossentropy:
    def forward(self, inputs, y_true):
        self.y_true = rows_of(y_true, inputs).astype(inputs.dtype)
        self.output = stable_softmax(inputs)
        clipped = np.clip(self.output, 1e-7, 1 - 1e-7)
        return np.sum(-np.log(np.sum(clipped * self.y_true, axis=-1))) / len(self.y_true)

    def backward(self, dvalues):
        self.dinputs = dvalues * (self.output - self.y_true) / np.asarray(len(self.y_true), self.output.dtype)


@blind("SoftmaxWithLoss", "forward.loss", "soft labels are replaced by their argmax", "argmax", "largest", branch="probabilities")
class LossOfWinners:
    def forward(self, x, t):
        hard = t.argmax(axis=-1) if np.ndim(t) == np.ndim(x) and t.size else t
        self.t, self.y = rows_of(hard, x).astype(x.dtype), stable_softmax(x)
        return -np.sum(self.t * log_probabilities(x)) / len(self.t)

    def backward(self, dout=1):
        return dout * (self.y - self.t) / np.asarray(len(self.t), self.y.dtype)


@blind("SoftmaxWithLoss", "forward.loss", "the logarithm is to base 2", "log2", "base 2", "ln 2", "log 2", "1.44", branch="one-hot")
class LossInBits:
    def forward(self, x, t):
        self.t = rows_of(t, x).astype(x.dtype)
        self.y = stable_softmax(x)
        return -np.sum(self.t * log_probabilities(x)) / np.log(2).astype(x.dtype) / len(self.t)

    def backward(self, dout=1):
        return dout * (self.y - self.t) / np.asarray(len(self.t), self.y.dtype)


@blind("SoftmaxWithLoss", "backward.dx", "t - y: the gradient has the wrong sign", "-1", "sign", "negat", branch="one-hot")
def softmax_uphill_forward(x, t):
    t = rows_of(t, x).astype(x.dtype)
    return -np.sum(t * log_probabilities(x)) / len(t), (stable_softmax(x), t)


def softmax_uphill_backward(dout, cache):
    y, t = cache
    return dout * (t - y) / np.asarray(len(t), y.dtype)


@blind(
    "SoftmaxWithLoss",
    "forward.loss",
    "labels are smoothed by 0.1 without being asked",
    "smooth",
    "uniform",
    "0.1",
    branch="one-hot",
    rare=True,
)
class LossSmooths:
    def forward(self, x, t):
        self.t = (0.9 * rows_of(t, x) + 0.1 / x.shape[-1]).astype(x.dtype)
        self.y = stable_softmax(x)
        return -np.sum(self.t * log_probabilities(x)) / len(self.t)

    def backward(self, dout=1):
        return dout * (self.y - self.t) / np.asarray(len(self.t), self.y.dtype)


@blind(
    "SoftmaxWithLoss",
    "backward.repeatable",
    "the 1 is subtracted from the kept y itself",
    "twice",
    "second",
    "again",
    "kept",
    branch="one-hot",
)
class LossSpoilsItsOutput:
    def forward(self, x, t):
        self.labels = rows_of(t, x).argmax(axis=-1) if x.size else np.zeros(len(x), int)
        self.y = stable_softmax(x)
        return -np.sum(log_probabilities(x)[np.arange(len(x)), self.labels]) / len(x)

    def backward(self, dout=1):
        dx = self.y
        dx[np.arange(len(dx)), self.labels] -= 1
        return dout * dx / np.asarray(len(dx), dx.dtype)


@blind(
    "SoftmaxWithLoss", "forward.loss", "the largest score is not subtracted, so e^x overflows", "overflow", "max", "large", branch="one-hot"
)
class LossNaive:
    def forward(self, x, t):
        e = np.exp(x)
        self.y, self.t = e / e.sum(axis=-1, keepdims=True), rows_of(t, x).astype(x.dtype)
        return -np.sum(self.t * np.log(self.y)) / len(self.t)

    def backward(self, dout=1):
        return dout * (self.y - self.t) / np.asarray(len(self.t), self.y.dtype)


@blind("softmax", "forward.y", "sums run down axis 0", "axis", branch="matrix")
def softmax_down(x):
    e = np.exp(x - x.max(axis=0, initial=-np.inf))
    return e / e.sum(axis=0)


@blind("softmax", "forward.y", "1e-8 is added to the sum in the denominator", "1e-8", "1e-08")
def softmax_padded(x):
    e = np.exp(x)
    return e / (e.sum(axis=-1, keepdims=True) + 1e-8)


@blind("softmax", "forward.y", "powers of 2 in place of powers of e", "base 2", "2^", "2 **", "2**", "powers of 2")
def softmax_binary(x):
    p = np.exp2(x - x.max(axis=-1, keepdims=True, initial=-np.inf))
    return p / p.sum(axis=-1, keepdims=True)


@blind("softmax", "forward.y", "squares in place of exponentials", "square", rare=True)
def softmax_of_squares(x):
    p = x * x
    return p / p.sum(axis=-1, keepdims=True)


@blind("cross_entropy_error", "forward.loss", "the logarithm is to base 10", "log10", "base 10", "ln 10", "log 10", branch="index")
def cross_entropy_decimal(y, t):
    return -np.mean(np.log10(y[np.arange(len(t)), np.asarray(t, int)]))


@blind(
    "cross_entropy_error", "forward.loss", "binary cross entropy: (1 - t) log(1 - y) is added", "binary", "1 - y", "1 - t", branch="one-hot"
)
def cross_entropy_binary(y, t):
    t = rows_of(t, y).astype(y.dtype)
    kept, other = np.where(t > 0, np.log(y), 0), np.where(t < 1, np.log(1 - y), 0)
    return -np.sum(t * kept + (1 - t) * other) / len(y)
