"""The two-layer net as it is got wrong: affine, relu, affine and the softmax loss written out."""

from __future__ import annotations

import numpy as np

from tests.mutants.blind.losses import log_probabilities, rows_of, stable_softmax
from tests.mutants.blind.record import blind


class Net:
    """What the nets share: a hidden layer, scores, loss and accuracy."""

    def __init__(self, inputs, hidden, outputs):
        self.params = {"W1": np.zeros((inputs, hidden)), "b1": 0, "W2": np.zeros((hidden, outputs)), "b2": 0}

    def hidden(self, x):
        return np.maximum(x @ self.params["W1"] + self.params["b1"], 0)

    def predict(self, x):
        return self.hidden(x) @ self.params["W2"] + self.params["b2"]

    def loss(self, x, t):
        z = self.predict(x)
        return -np.sum(rows_of(t, z).astype(z.dtype) * log_probabilities(z)) / len(z)

    def accuracy(self, x, t):
        return np.mean(self.predict(x).argmax(axis=1) == (t.argmax(axis=1) if t.ndim == 2 else t))

    def gradient(self, x, t):
        z, h = self.predict(x), self.hidden(x)
        dz = (stable_softmax(z) - rows_of(t, z)).astype(z.dtype) / np.asarray(len(z), z.dtype)
        dh = self.gate(dz @ self.params["W2"].T, h)
        return {"W1": x.T @ dh, "b1": dh.sum(axis=0), "W2": h.T @ dz, "b2": dz.sum(axis=0)}

    def gate(self, dh, h):
        return np.where(h > 0, dh, 0)


@blind("TwoLayerNet", "backward.dW1", "the gradient goes past the relu ungated", "relu", "gate", "mask", branch="one-hot")
class NetWithoutGate(Net):
    def gate(self, dh, h):
        return dh


@blind("TwoLayerNet", "forward.scores", "the hidden layer is a sigmoid", "sigmoid", "hidden", branch="one-hot")
class NetWithSigmoid(Net):
    def hidden(self, x):
        return 0.5 * (1 + np.tanh(0.5 * (x @ self.params["W1"] + self.params["b1"])))

    def gate(self, dh, h):
        return dh * h * (1 - h)


@blind(
    "TwoLayerNet",
    "forward.loss",
    "0.05 of the squares of the weights is added to the loss",
    "weight",
    "squares",
    "regular",
    "decay",
    branch="one-hot",
    rare=True,
)
class NetRegularised(Net):
    def loss(self, x, t):
        return super().loss(x, t) + 0.05 * sum(np.sum(self.params[name] ** 2) for name in ("W1", "W2"))


@blind(
    "TwoLayerNet",
    "forward.accuracy",
    "the hits are counted, not their share",
    " n ",
    "count",
    "share",
    "n times",
    branch="one-hot",
    rare=True,
)
class NetCountsHits(Net):
    def accuracy(self, x, t):
        return float(super().accuracy(x, t) * len(x))
