"""What the cross entropies share: log-softmax, and labels in two forms told apart by rank and dtype, never by size."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from reference._arrays import Array, numbers, own, total, working

IGNORE_INDEX = -100

_INT64_MAX = np.iinfo(np.int64).max


def log_softmax(x: Array) -> Array:
    """Return x - max - log(sum(exp(x - max))) over the last axis; float32 for float16.

    A row that holds NaN or +inf, or only -inf, gives NaN throughout, as in torch.
    """
    a = x.astype(working(x.dtype), copy=False)
    if a.size == 0:  # no maximum to take
        return a.copy()
    shifted: Array = a - a.max(axis=-1, keepdims=True)
    shifted -= np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return shifted


class Labels:
    """Labels checked against scores of shape (N, C) or (C,), as rows: either class indices or class probabilities.

    index: (N,) int64 with ignored rows set to class 0, or None; used: (N,) bool, or None where no row is ignored;
    probabilities: (N, C) in the scores' dtype, or None. rows: the shape (N, C). count: the rows in the mean.
    """

    def __init__(self, t: ArrayLike, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        self.index: Array | None = None
        self.used: Array | None = None
        self.probabilities: Array | None = None
        labels = numbers(t, "t")
        self.rows = shape if len(shape) == 2 else (1, *shape)
        self.count = self.rows[0]
        if labels.ndim == len(shape):
            if labels.shape != shape:
                raise ValueError(f"t has shape {labels.shape}, but class probabilities need the scores' shape {shape}")
            self.probabilities = own(labels, dtype).reshape(self.rows)
        elif labels.ndim == len(shape) - 1:
            self._take_index(labels, shape)
        else:
            raise ValueError(
                f"t has shape {labels.shape}: scores of shape {shape} take class indices of shape {shape[:-1]} "
                f"or class probabilities of shape {shape}"
            )

    def _take_index(self, labels: Array, shape: tuple[int, ...]) -> None:
        if labels.dtype.kind not in "iu":
            raise TypeError(f"t of shape {labels.shape} are class indices and must be integers, not {labels.dtype}")
        if labels.shape != shape[:-1]:
            raise ValueError(f"t has shape {labels.shape}, but scores of shape {shape} need {shape[:-1]}")
        # A uint64 beyond int64 would wrap, even to -100: stop it at the top, where it is out of range all the same.
        index = np.minimum(labels, _INT64_MAX) if labels.dtype == np.uint64 else labels
        index = own(index, np.int64).reshape(-1)
        if index.size and (index.min() < 0 or index.max() >= shape[-1]):
            self.used = index != IGNORE_INDEX
            wrong = np.flatnonzero(self.used & ((index < 0) | (index >= shape[-1])))
            if wrong.size:
                raise IndexError(
                    f"t holds the class {labels.reshape(-1)[wrong[0]]} at position {wrong[0]}, outside 0 to "
                    f"{shape[-1] - 1} for {shape[-1]} classes (only {IGNORE_INDEX} marks a row to ignore)"
                )
            self.count = int(self.used.sum())
            index[~self.used] = 0
        self.index = index

    def mean_loss(self, logp: Array) -> Any:
        """Return the mean of -sum(t * logp) as a scalar of logp's dtype, logp of shape (N, C); NaN over no rows."""
        if logp.size == 0 or self.count == 0:
            return logp.dtype.type(np.nan)
        if self.probabilities is not None:
            return _quotient(-total(logp * self.probabilities), self.count, logp.dtype)
        # Indexing, not a product with one-hot rows: 0 * -inf elsewhere in a row would be NaN.
        picked = logp[np.arange(len(logp)), self.index]
        if self.used is not None:
            picked = picked[self.used]
        return _quotient(-total(picked), self.count, logp.dtype)

    def gradient(self, logp: Array, dout: Array) -> Array:
        """Return dout / N * (p * sum(t) - t) with p = exp(logp) of shape (N, C), for the mean loss of log-softmax.

        In torch's order, which decides where NaN and inf arise: g = -dout / N * t first, then g - p * sum(g).
        """
        if logp.size == 0:
            return logp.copy()
        wide = working(logp.dtype)
        p: Array = np.exp(logp.astype(wide, copy=False))
        # Over no rows at all there is nothing to scale: torch hands back zeros, whatever dout is.
        step = _quotient(dout, self.count, logp.dtype) if self.count else logp.dtype.type(0)
        if self.probabilities is not None:
            g = (-step * self.probabilities).astype(wide, copy=False)
            dx: Array = g - p * g.sum(axis=-1, keepdims=True)
        else:
            # One-hot rows: sum(g) is -step, so p * step is left everywhere and step is taken off at the label.
            steps = step if self.used is None else np.where(self.used, step, step.dtype.type(0))
            dx = p * (steps if self.used is None else steps[:, np.newaxis])
            dx[np.arange(len(p)), self.index] -= steps
        return dx.astype(logp.dtype, copy=False)


def _quotient(value: Any, count: int, dtype: np.dtype[Any]) -> Any:
    """Return value / count as a scalar of `dtype`; float16 is divided in float32, where every count is finite."""
    wide = working(dtype).type
    return dtype.type(wide(value) / wide(count))
