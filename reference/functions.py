"""Softmax and the cross entropy of given probabilities, as functions."""

import logging
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from reference._arrays import Array, floats, quiet, working
from reference._cross_entropy import Labels

_log = logging.getLogger(__name__)


def softmax(x: ArrayLike) -> Array:
    """Return exp(x) / sum(exp(x)) over the last axis; mirrors `torch.softmax(x, dim=-1)`.

    x: floats of rank 1 or more. The result has x's shape and dtype; float16 is computed in float32 and rounded once.
    A row that holds NaN or +inf, or only -inf, gives NaN throughout.
    Raises TypeError for integers, as torch does, and ValueError for a single number.
    """
    a = floats(x, "x")
    if a.ndim == 0:
        raise ValueError("x must have rank 1 or more: softmax runs over the last axis")
    _log.debug("softmax %s", a.shape)
    if a.size == 0:  # no maximum to take
        return a.copy()
    with quiet():
        wide = a.astype(working(a.dtype), copy=False)
        # The largest exponent becomes 0: nothing overflows, and the sum is at least 1.
        e: Array = np.exp(wide - wide.max(axis=-1, keepdims=True))
        e /= e.sum(axis=-1, keepdims=True)
        return e.astype(a.dtype, copy=False)


def cross_entropy_error(y: ArrayLike, t: ArrayLike, eps: float = 0.0) -> Any:
    """Return the mean over the batch of -sum(t * log(y + eps)).

    With eps = 0 mirrors `F.nll_loss(y.log(), t)` for class indices and `-torch.special.xlogy(t, y).sum() / N` for
    class probabilities: a class of probability 0 in t adds 0, also where y is 0.

    y: probabilities, floats of shape (N, C) or (C,), taken as they are. t: class indices, integers of shape (N,) or
    (), where -100 marks a row to ignore, or class probabilities of y's shape. eps = 1e-7 gives the notebook's value.
    The result is a scalar of y's dtype; NaN over an empty batch.
    Raises TypeError for integer y and float or bool class indices, ValueError for shapes that do not fit, IndexError
    for a class out of range.
    """
    p = floats(y, "y")
    if p.ndim not in (1, 2):
        raise ValueError(f"y must have shape (N, C) or (C,), not {p.shape}")
    with quiet():
        labels = Labels(t, p.shape, p.dtype)
        logp = np.log(p + p.dtype.type(eps)) if eps else np.log(p)
        logp = logp.reshape(labels.rows)
        if labels.probabilities is not None:
            # xlogy: only a NaN in y, not its log of 0, may reach the loss through a class of no weight
            logp = np.where((labels.probabilities == 0) & ~np.isnan(logp), logp.dtype.type(0), logp)
        return labels.mean_loss(logp)
