"""Losses."""

import logging
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from reference._arrays import Array, cotangent, floats, forward_first, own, quiet
from reference._cross_entropy import Labels, log_softmax

_log = logging.getLogger(__name__)


class SoftmaxWithLoss:
    """L = the mean over the batch of -sum(t * log softmax(x)); mirrors `torch.nn.functional.cross_entropy`.

    Gradient: dx = dout / N * (y * sum(t) - t) with y = softmax(x); for a class index t is the one-hot row, and the
    sum is 1. The logarithm is taken of the softmax in closed form, so no eps is needed and no loss is cut off.

    After forward the attributes hold the loss, y (the softmax, in x's shape and dtype) and t (a copy of the labels).
    """

    def __init__(self) -> None:
        self.loss: Any = None
        self.y: Array | None = None
        self.t: Array | None = None
        self._state: tuple[Array, Labels, tuple[int, ...]] | None = None

    def forward(self, x: ArrayLike, t: ArrayLike) -> Any:
        """Return the loss, a scalar of x's dtype; NaN over an empty batch, or where every row is ignored.

        x: scores, floats of shape (N, C) or (C,).
        t: class indices, integers of shape (N,) or (), where -100 marks a row to ignore; or class probabilities of
        x's shape and any dtype, converted to x's, which need not sum to 1. Rank and dtype tell which.
        Raises TypeError for integer x and for float or bool class indices, ValueError for shapes that do not fit,
        IndexError for a class out of range. Accepting other integers than int64 and uint8, and integer, bool or
        wider probabilities, goes beyond torch.
        """
        self._state = self.loss = self.y = self.t = None
        a = floats(x, "x")
        if a.ndim not in (1, 2):
            raise ValueError(f"x must have shape (N, C) or (C,), not {a.shape}")
        with quiet():
            labels = Labels(t, a.shape, a.dtype)
            wide = log_softmax(a.reshape(labels.rows))
            self.y = np.exp(wide).reshape(a.shape).astype(a.dtype, copy=False)
            logp = wide.astype(a.dtype, copy=False)
            self.loss = labels.mean_loss(logp)
        self.t = own(t)
        self._state = logp, labels, a.shape
        _log.debug("SoftmaxWithLoss.forward x %s, t %s -> %s", a.shape, self.t.shape, self.loss)
        return self.loss

    def backward(self, dout: ArrayLike = 1) -> Array:
        """Return dx in x's shape and dtype; ignored rows get 0.

        dout: the cotangent of the loss, one number. Raises ValueError for a shape, RuntimeError before forward.
        """
        if self._state is None:
            raise forward_first(self)
        logp, labels, shape = self._state
        with quiet():
            return labels.gradient(logp, cotangent(dout, (), logp.dtype)).reshape(shape)
