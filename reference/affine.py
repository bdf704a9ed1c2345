"""The fully connected layer."""

import logging
import math

import numpy as np
from numpy.typing import ArrayLike

from reference._arrays import Array, cotangent, forward_first, numbers, own, product, quiet, total, working

_log = logging.getLogger(__name__)


class Affine:
    """Y = X W + b, where X is x flattened to (N, D); mirrors `torch.nn.functional.linear(x.flatten(1), W.T, b)`.

    Gradients: dX = dout W^T in x's shape, dW = X^T dout, db = the sum of dout over the batch.

    W: (D, M), b: (M,). The attributes W and b are the caller's own arrays, so updating them in place or rebinding
    them takes effect at the next forward. dW and db are None until backward, and new arrays after each.
    """

    def __init__(self, W: ArrayLike, b: ArrayLike) -> None:
        """Raise ValueError where W is not (D, M) or b not (M,), TypeError for anything but real numbers."""
        self.W = np.asarray(W)
        self.b = np.asarray(b)
        self.dW: Array | None = None
        self.db: Array | None = None
        self._seen: tuple[Array, Array] | None = None
        self._shape: tuple[int, ...] = ()
        self._parameters()

    def _parameters(self) -> tuple[Array, Array]:
        """Return W and b checked; at each forward, because a caller may have rebound them."""
        W, b = numbers(self.W, "W"), numbers(self.b, "b")
        if W.ndim != 2:
            raise ValueError(f"W must be a matrix (D, M), not of shape {W.shape}")
        if b.shape != W.shape[1:]:
            raise ValueError(f"b must have shape {W.shape[1:]} to match W of shape {W.shape}, not {b.shape}")
        return W, b

    def forward(self, x: ArrayLike) -> Array:
        """Return x W + b of shape (N, M).

        x: (N, ...) of rank 2 or more whose axes after the first multiply to D; N = 0 and D = 0 are fine.
        dtype: the widest float dtype among x, W and b, to which integers are converted too; without a float, NumPy's
        integer arithmetic. Raises ValueError for shapes that do not fit.
        """
        self._seen = self.dW = self.db = None
        W, b = self._parameters()
        a = numbers(x, "x")
        if a.ndim < 2:
            raise ValueError(f"x must have rank 2 or more, (N, ...), not shape {a.shape}")
        n, d = a.shape[0], math.prod(a.shape[1:])
        if d != W.shape[0]:
            raise ValueError(f"x of shape {a.shape} has {d} values a row, but W of shape {W.shape} takes {W.shape[0]}")
        dtype = a.dtype if a.dtype == W.dtype == b.dtype else _one_dtype(a, W, b)
        with quiet():
            # Copies, so that backward differentiates this forward even if x or W is changed in between.
            # The width is spelled out: reshape(0, -1) has no answer.
            X, W = own(a.reshape(n, d), dtype), own(W, dtype)
            wide = working(dtype)
            y: Array = X.astype(wide, copy=False) @ W.astype(wide, copy=False)
            y += b.astype(wide, copy=False)
            y = y.astype(dtype, copy=False)
        self._seen, self._shape = (X, W), a.shape
        _log.debug("Affine.forward x %s, W %s, b %s -> %s", a.shape, W.shape, b.shape, y.shape)
        return y

    def backward(self, dout: ArrayLike) -> Array:
        """Return dx in x's shape and set dW and db; an empty batch gives zeros for both.

        dout: the cotangent, (N, M). Raises ValueError for another shape, RuntimeError before forward.
        """
        self.backward_parameters(dout)
        _, W, d = self._checked(dout)
        with quiet():
            dx = product(d, W.T)
        return dx if dx.shape == self._shape else dx.reshape(self._shape)

    def backward_parameters(self, dout: ArrayLike) -> None:
        """Set dW and db as backward does, without dx: a third of the products saved where x is data, not a layer's output."""
        X, _, d = self._checked(dout)
        with quiet():
            self.dW = product(X.T, d)
            self.db = total(d, axis=0)

    def _checked(self, dout: ArrayLike) -> tuple[Array, Array, Array]:
        """Return X and W as forward saw them, and dout in the shape and dtype of its result."""
        if self._seen is None:
            raise forward_first(self)
        X, W = self._seen
        with quiet():
            return X, W, cotangent(dout, (X.shape[0], W.shape[1]), X.dtype)


def _one_dtype(x: Array, W: Array, b: Array) -> np.dtype[np.generic]:
    """Return the dtype to compute in: the widest float of the three, else NumPy's integer promotion.

    torch refuses a mixture of float dtypes; a notebook feeds float32 images to float64 weights, so here they widen.
    """
    floats = [array.dtype for array in (x, W, b) if array.dtype.kind == "f"]
    return np.result_type(*(floats or (x.dtype, W.dtype, b.dtype)))
