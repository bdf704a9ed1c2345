"""Nets whose parameters are not those that the training loop updates, or are updated by somebody else too."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.mutants.nets.textbook import Affine, TwoLayerNet


class Copied(TwoLayerNet):
    """The layers hold copies, made at construction: updates are lost."""

    def __init__(self, *sizes: int, dtype: Any = np.float64) -> None:
        super().__init__(*sizes, dtype=dtype)
        self.layers["Affine1"] = Affine(self.params["W1"].copy(), self.params["b1"].copy())
        self.layers["Affine2"] = Affine(self.params["W2"].copy(), self.params["b2"].copy())


class CopiedBias(TwoLayerNet):
    """The last layer holds a copy of its bias, which is never updated."""

    def __init__(self, *sizes: int, dtype: Any = np.float64) -> None:
        super().__init__(*sizes, dtype=dtype)
        self.layers["Affine2"].b = self.params["b2"].copy()


class Rebound(TwoLayerNet):
    """gradient binds params to new arrays, and the layers keep the old ones."""

    def gradient(self, x: Any, t: Any) -> dict[str, Any]:
        grads = super().gradient(x, t)
        self.params = {name: a.copy() for name, a in self.params.items()}
        return grads


class OneLate(TwoLayerNet):
    """The layers are given the parameters at the end of a gradient, so that they lag behind by an update."""

    def __init__(self, *sizes: int, dtype: Any = np.float64) -> None:
        super().__init__(*sizes, dtype=dtype)
        self._hand_over()

    def _hand_over(self) -> None:
        for i in "12":
            self.layers["Affine" + i].W, self.layers["Affine" + i].b = self.params["W" + i].copy(), self.params["b" + i].copy()

    def gradient(self, x: Any, t: Any) -> dict[str, Any]:
        grads = super().gradient(x, t)
        self._hand_over()
        return grads


class UpdatesItself(TwoLayerNet):
    """gradient takes the step as well."""

    def gradient(self, x: Any, t: Any) -> dict[str, Any]:
        grads = super().gradient(x, t)
        for name, g in grads.items():
            self.params[name] -= 0.1 * g
        return grads


class GradsAreParams(TwoLayerNet):
    """grads is params: two names for one dict."""

    def gradient(self, x: Any, t: Any) -> dict[str, Any]:
        grads = self.params
        grads.update(super().gradient(x, t))
        return grads


class BiasForgotten(TwoLayerNet):
    """The gradient of the first bias is left at zero."""

    def gradient(self, x: Any, t: Any) -> dict[str, Any]:
        return {**super().gradient(x, t), "b1": np.zeros_like(self.params["b1"])}


class Decay(TwoLayerNet):
    """A weight decay that the loss knows nothing of."""

    def gradient(self, x: Any, t: Any) -> dict[str, Any]:
        return {name: g + 1e-3 * self.params[name] for name, g in super().gradient(x, t).items()}


class Tied(TwoLayerNet):
    """Both biases are one array."""

    def __init__(self, *sizes: int, dtype: Any = np.float64) -> None:
        super().__init__(*sizes, dtype=dtype)
        n = min(len(self.params["b1"]), len(self.params["b2"]))
        self.params["b1"][:n] = 0
        self.params["b2"] = self.params["b1"][: len(self.params["b2"])]
        self.layers["Affine2"].b = self.params["b2"]


class TrainsWhileMeasured(TwoLayerNet):
    """accuracy makes the weights smaller."""

    def accuracy(self, x: Any, t: Any) -> float:
        self.params["W1"] *= 0.99
        return super().accuracy(x, t)
