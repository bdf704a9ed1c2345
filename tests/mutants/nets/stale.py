"""Nets that answer with what was, or with more than was asked for: each of its layers is right."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.mutants.nets.textbook import TwoLayerNet


class Accumulated(TwoLayerNet):
    """The gradients are added up and never set back."""

    def __init__(self, *sizes: int, dtype: Any = np.float64) -> None:
        super().__init__(*sizes, dtype=dtype)
        self.grads = {name: np.zeros_like(a) for name, a in self.params.items()}

    def gradient(self, x: Any, t: Any) -> dict[str, Any]:
        for name, g in super().gradient(x, t).items():
            self.grads[name] += g
        return self.grads


class BatchOfTheLastLoss(TwoLayerNet):
    """gradient goes backward through the batch that loss was given last."""

    held: Any = None

    def loss(self, x: Any, t: Any) -> Any:
        self.held = x, t
        return super().loss(x, t)

    def gradient(self, x: Any, t: Any) -> dict[str, Any]:
        return super().gradient(*(self.held or (x, t)))


class FirstBatch(TwoLayerNet):
    """gradient keeps the first batch for ever."""

    held: Any = None

    def gradient(self, x: Any, t: Any) -> dict[str, Any]:
        self.held = self.held or (x.copy(), t.copy())
        return super().gradient(*self.held)


class NoForward(TwoLayerNet):
    """gradient relies on a loss that nobody has asked for yet."""

    def gradient(self, x: Any, t: Any) -> dict[str, Any]:
        dout = self.lastLayer.backward(1)
        for layer in reversed(self.layers.values()):
            dout = layer.backward(dout)
        first, second = self.layers["Affine1"], self.layers["Affine2"]
        return {"W1": first.dW, "b1": first.db, "W2": second.dW, "b2": second.db}


class LossOfTheBatchBefore(TwoLayerNet):
    """loss answers for the batch that it was given before this one."""

    held: Any = None

    def loss(self, x: Any, t: Any) -> Any:
        before, self.held = self.held or (x, t), (x, t)
        return super().loss(*before)


class Momentum(TwoLayerNet):
    """The gradients of the steps before live on in those of this one."""

    def __init__(self, *sizes: int, dtype: Any = np.float64) -> None:
        super().__init__(*sizes, dtype=dtype)
        self.v = {name: np.zeros_like(a) for name, a in self.params.items()}

    def gradient(self, x: Any, t: Any) -> dict[str, Any]:
        for name, g in super().gradient(x, t).items():
            self.v[name] = 0.9 * self.v[name] + g
        return self.v


class Dropout(TwoLayerNet):
    """A dropout that is never switched off."""

    def predict(self, x: Any) -> Any:
        x = self.layers["Relu1"].forward(self.layers["Affine1"].forward(x))
        self.layers["Relu1"].mask |= np.random.rand(*x.shape) < 0.2
        return self.layers["Affine2"].forward(np.where(self.layers["Relu1"].mask, 0, x))
