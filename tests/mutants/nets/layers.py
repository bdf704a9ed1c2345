"""Nets that are put together wrongly: each of their layers is right."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import numpy as np

from tests.mutants.nets.textbook import SoftmaxWithLoss, TwoLayerNet


class WrongOrder(TwoLayerNet):
    """The activation comes after both layers."""

    def __init__(self, *sizes: int, dtype: Any = np.float64) -> None:
        super().__init__(*sizes, dtype=dtype)
        self.layers = OrderedDict((name, self.layers[name]) for name in ("Affine1", "Affine2", "Relu1"))


class BackwardInForwardOrder(TwoLayerNet):
    """backward goes through the layers from the first to the last."""

    def gradient(self, x: Any, t: Any) -> dict[str, Any]:
        self.lastLayer.forward(self.predict(x), t)
        dout = self.lastLayer.backward(1)
        for layer in self.layers.values():
            dout = layer.backward(dout)
        return {"W1": self.layers["Affine1"].dW}


class NoRelu(TwoLayerNet):
    """The activation was left out."""

    def __init__(self, *sizes: int, dtype: Any = np.float64) -> None:
        super().__init__(*sizes, dtype=dtype)
        del self.layers["Relu1"]


class _Shifted(SoftmaxWithLoss):
    def forward(self, x: Any, t: Any) -> Any:
        return super().forward(x, (t + 1) % x.shape[1])


class LabelsShifted(TwoLayerNet):
    """Labels are counted from one."""

    def __init__(self, *sizes: int, dtype: Any = np.float64) -> None:
        super().__init__(*sizes, dtype=dtype)
        self.lastLayer = _Shifted()


class Summed(TwoLayerNet):
    """The mean over the batch is missing in the gradient."""

    def gradient(self, x: Any, t: Any) -> dict[str, Any]:
        return {name: g * len(x) for name, g in super().gradient(x, t).items()}


class SummedLoss(TwoLayerNet):
    """The mean over the batch is missing in the loss."""

    def loss(self, x: Any, t: Any) -> Any:
        return super().loss(x, t) * len(x)


class _ByAHundred(SoftmaxWithLoss):
    def backward(self, dout: Any = 1) -> Any:
        return super().backward(dout) * len(self.t) / 100


class AHundred(TwoLayerNet):
    """The size of the batch is written into the code."""

    def __init__(self, *sizes: int, dtype: Any = np.float64) -> None:
        super().__init__(*sizes, dtype=dtype)
        self.lastLayer = _ByAHundred()


class Widened(TwoLayerNet):
    """Gradients are float64 whatever the net is."""

    def gradient(self, x: Any, t: Any) -> dict[str, Any]:
        return {name: g.astype(np.float64) for name, g in super().gradient(x, t).items()}


class Narrowed(TwoLayerNet):
    """Scores are rounded to float32 on their way."""

    def predict(self, x: Any) -> Any:
        return super().predict(x).astype(np.float32).astype(x.dtype)


class WritesIntoTheBatch(TwoLayerNet):
    """The batch is centred in place."""

    def predict(self, x: Any) -> Any:
        x -= x.mean()
        return super().predict(x)
