"""Layers put together."""

import logging
from collections import OrderedDict
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from reference._arrays import Array, numbers, own, quiet
from reference.activations import Relu
from reference.affine import Affine
from reference.gradient import numerical_gradient
from reference.losses import SoftmaxWithLoss

_log = logging.getLogger(__name__)


class TwoLayerNet:
    """Scores = relu(x W1 + b1) W2 + b2 under a softmax loss; mirrors Linear, ReLU, Linear and cross_entropy in torch.

    params: W1 (input_size, hidden_size), b1, W2 (hidden_size, output_size), b2. The layers read them at every
    predict, so changing an entry in place and rebinding it both take effect.
    layers: Affine1, Relu1, Affine2, in order; lastLayer: the loss.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        output_size: int,
        weight_init_std: float = 0.01,
        *,
        dtype: DTypeLike = np.float64,
    ) -> None:
        """Draw W1 and W2 as weight_init_std * randn from NumPy's global generator; b1 and b2 start at zero."""
        scale = float(weight_init_std)
        self.params: dict[str, Array] = {
            "W1": (scale * np.random.randn(input_size, hidden_size)).astype(dtype),
            "b1": np.zeros(hidden_size, dtype),
            "W2": (scale * np.random.randn(hidden_size, output_size)).astype(dtype),
            "b2": np.zeros(output_size, dtype),
        }
        self.layers: OrderedDict[str, Any] = OrderedDict()
        self.layers["Affine1"] = Affine(self.params["W1"], self.params["b1"])
        self.layers["Relu1"] = Relu()
        self.layers["Affine2"] = Affine(self.params["W2"], self.params["b2"])
        self.lastLayer = SoftmaxWithLoss()

    def predict(self, x: ArrayLike) -> Array:
        """Return the scores (N, output_size) of x (N, ...), which is converted to the dtype of W1."""
        for name in ("1", "2"):
            affine = self.layers["Affine" + name]
            affine.W, affine.b = self.params["W" + name], self.params["b" + name]
        with quiet():  # a float64 beyond float32 becomes inf, silently
            y = numbers(x, "x").astype(self.params["W1"].dtype, copy=False)
        for layer in self.layers.values():
            y = layer.forward(y)
        return y

    def loss(self, x: ArrayLike, t: ArrayLike) -> Any:
        """Return the mean cross entropy of x against the labels t, in either form that SoftmaxWithLoss takes."""
        return self.lastLayer.forward(self.predict(x), t)

    def accuracy(self, x: ArrayLike, t: ArrayLike) -> float:
        """Return the share of rows whose largest score is at the label; NaN over an empty batch."""
        y = self.predict(x)
        labels = numbers(t, "t")
        if labels.ndim == y.ndim:
            labels = labels.argmax(axis=1)
        if labels.shape != y.shape[:1]:
            raise ValueError(f"t has {labels.shape} labels, but x has {y.shape[0]} rows")
        return float(np.mean(y.argmax(axis=1) == labels)) if len(y) else float("nan")

    def numerical_gradient(self, x: ArrayLike, t: ArrayLike) -> dict[str, Array]:
        """Return the gradient of the loss for each entry of params by central differences: slow, for checking."""
        return {key: numerical_gradient(lambda _: self.loss(x, t), value) for key, value in self.params.items()}

    def gradient(self, x: ArrayLike, t: ArrayLike) -> dict[str, Array]:
        """Return the gradient of the loss for each entry of params by backpropagation, as arrays of their own."""
        self.loss(x, t)
        dout: Any = self.lastLayer.backward(1)
        first, *rest = self.layers.values()
        for layer in reversed(rest):
            dout = layer.backward(dout)
        first.backward_parameters(dout)  # its x are the images: nobody asks for their gradient
        grads = {}
        for name in ("1", "2"):
            affine = self.layers["Affine" + name]
            grads["W" + name], grads["b" + name] = own(affine.dW), own(affine.db)
        return grads
