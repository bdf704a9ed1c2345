"""Wrong TwoLayerNets."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.mutants.honest import Array, HonestNet, silent
from tests.mutants.registry import planted


@planted("TwoLayerNet", "forward.scores", "another relu after the second affine")
class NetWithSecondRelu(HonestNet):
    def predict(self, x: Array) -> Array:
        y = super().predict(x)
        return np.where(y < 0, y.dtype.type(0), y)


@planted("TwoLayerNet", "forward.scores", "no relu at all")
class NetWithoutRelu(HonestNet):
    def predict(self, x: Array) -> Array:
        super().predict(x)
        self.relu.value = lambda a: a
        return self.second.forward(self.first.forward(x))


@planted("TwoLayerNet", "backward.dW2", "dW2 from what stands before the relu")
class NetW2FromPreActivation(HonestNet):
    def gradient(self, x: Array, t: Array) -> dict[str, Array]:
        grads = super().gradient(x, t)
        with silent():
            grads["W2"] = self.relu.x.T @ self.last.backward()
        return grads


@planted("TwoLayerNet", "backward.db1", "db1 stays 0")
class NetWithoutB1(HonestNet):
    def gradient(self, x: Array, t: Array) -> dict[str, Array]:
        grads = super().gradient(x, t)
        return {**grads, "b1": np.zeros_like(grads["b1"])}


@planted("TwoLayerNet", ("backward.dW1", "backward.db1"), "backward skips the relu")
class NetSkipsReluBackward(HonestNet):
    def gradient(self, x: Array, t: Array) -> dict[str, Array]:
        grads = super().gradient(x, t)
        self.first.backward(self.second.backward(self.last.backward()))
        return {**grads, "W1": self.first.dW, "b1": self.first.db}


@planted("TwoLayerNet", ("backward.dW1", "backward.dW2"), "the loss divides by N, and gradient once more")
class NetScalesGradients(HonestNet):
    def gradient(self, x: Array, t: Array) -> dict[str, Array]:
        return {name: g / g.dtype.type(max(len(x), 1)) for name, g in super().gradient(x, t).items()}


@planted("TwoLayerNet", "forward.accuracy", "accuracy along the wrong axis, where that fits")
class NetAccuracyWrongAxis(HonestNet):
    def accuracy(self, x: Array, t: Array) -> float:
        y = self.predict(x)
        if y.shape[0] != y.shape[1]:
            return super().accuracy(x, t)
        return float(np.mean(y.argmax(axis=0) == (t.argmax(axis=1) if t.ndim == 2 else t)))


@planted("TwoLayerNet", "forward.accuracy", "accuracy is a count instead of a share")
class NetCountsHits(HonestNet):
    def accuracy(self, x: Array, t: Array) -> float:
        return super().accuracy(x, t) * len(x)


@planted("TwoLayerNet", "forward.accuracy", "accuracy compares with argmin")
class NetAccuracyOfWorst(HonestNet):
    def accuracy(self, x: Array, t: Array) -> float:
        y = -self.predict(x)
        return float(np.mean(y.argmax(axis=1) == (t.argmax(axis=1) if t.ndim == 2 else t))) if len(y) else float("nan")


@planted("TwoLayerNet", ("forward.scores", "backward.dW1"), "parameters are copied at construction")
class NetCopiesParameters(HonestNet):
    def __init__(self, inputs: int, hidden: int, outputs: int) -> None:
        super().__init__(inputs, hidden, outputs)
        self.kept = {name: a.copy() for name, a in self.params.items()}

    def predict(self, x: Array) -> Array:
        given, self.params = self.params, {n: a.astype(x.dtype) for n, a in self.kept.items()}
        y = super().predict(x)
        self.params = given
        return y


@planted("TwoLayerNet", ("state.fresh", "backward.repeatable"), "gradients are added up over calls")
class NetAccumulates(HonestNet):
    sums: dict[str, Array] | None = None

    def gradient(self, x: Array, t: Array) -> dict[str, Array]:
        grads = super().gradient(x, t)
        self.sums = grads if self.sums is None else {name: self.sums[name] + g for name, g in grads.items()}
        return {name: g.copy() for name, g in self.sums.items()}


@planted("TwoLayerNet", "state.fresh", "the loss is that of the previous batch")
class NetPreviousLoss(HonestNet):
    previous: Any = None

    def loss(self, x: Array, t: Array) -> Any:
        now = super().loss(x, t)
        shown = now if self.previous is None else self.previous
        self.previous = now
        return shown


@planted("TwoLayerNet", "backward.db2", "db2 is the mean over the batch")
class NetMeanB2(HonestNet):
    def gradient(self, x: Array, t: Array) -> dict[str, Array]:
        grads = super().gradient(x, t)
        return {**grads, "b2": grads["b2"] / grads["b2"].dtype.type(max(len(x), 1))}


@planted("TwoLayerNet", "backward.dW1", "W2 untransposed where it is square")
class NetForgetsTranspose(HonestNet):
    def gradient(self, x: Array, t: Array) -> dict[str, Array]:
        grads = super().gradient(x, t)
        W2 = self.params["W2"]
        if W2.shape[0] == W2.shape[1]:
            with silent():
                self.first.backward(self.relu.backward(self.last.backward() @ W2))
            grads["W1"] = self.first.dW
        return grads


@planted("TwoLayerNet", "backward.db1", "the relu passes the gradient at 0")
class NetReluPassesAtZero(HonestNet):
    def gradient(self, x: Array, t: Array) -> dict[str, Array]:
        grads = super().gradient(x, t)
        d = self.second.backward(self.last.backward())
        self.first.backward(np.where(self.relu.x < 0, d.dtype.type(0), d))
        return {**grads, "W1": self.first.dW, "b1": self.first.db}


@planted("TwoLayerNet", "params.unchanged", "gradient takes a step of learning at once", also=("state.fresh", "backward.repeatable"))
class NetLearns(HonestNet):
    def gradient(self, x: Array, t: Array) -> dict[str, Array]:
        grads = super().gradient(x, t)
        if self.params["b2"].flags.writeable:
            with silent():
                self.params["b2"] -= grads["b2"]
        return grads


@planted("TwoLayerNet", ("backward.dW1", "backward.dW2"), "weight decay of 1e-4 in the gradients")
class NetDecaysWeights(HonestNet):
    def gradient(self, x: Array, t: Array) -> dict[str, Array]:
        grads = super().gradient(x, t)
        for name in ("W1", "W2"):
            grads[name] = grads[name] + self.params[name] * grads[name].dtype.type(1e-4)
        return grads


@planted("TwoLayerNet", "forward.loss", "the loss has weight decay of 1e-4, the gradient has not")
class NetDecaysLoss(HonestNet):
    def loss(self, x: Array, t: Array) -> Any:
        loss = super().loss(x, t)
        with silent():
            return (loss + loss.dtype.type(1e-4) * (self.params["W1"] ** 2).sum()).astype(loss.dtype)


@planted("TwoLayerNet", "forward.scores", "the first bias is forgotten")
class NetForgetsB1(HonestNet):
    def predict(self, x: Array) -> Array:
        kept = self.params["b1"]
        self.params["b1"] = np.zeros_like(kept)
        y = super().predict(x)
        self.params["b1"] = kept
        return y
