"""Wrong softmax and cross_entropy_error."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.mutants.honest import Array, silent
from tests.mutants.registry import planted


def _softmax(x: Array, axis: int | None = -1) -> Array:
    if x.size == 0:
        return x.copy()
    with silent():
        e = np.exp(x - x.max(axis=axis, keepdims=True))
        return e / e.sum(axis=axis, keepdims=True)


@planted("softmax", "forward.y", "the maximum is not taken off: exp overflows")
def softmax_unshifted(x: Array) -> Array:
    with silent():
        e = np.exp(x)
        return e / e.sum(axis=-1, keepdims=True)


@planted("softmax", "call.no-warnings", "the right answer, after an overflow that is heard")
def softmax_warns(x: Array) -> Array:
    np.exp(x)
    return _softmax(x)


@planted("softmax", "forward.y", "over the first axis")
def softmax_over_first_axis(x: Array) -> Array:
    return _softmax(x, axis=0)


@planted("softmax", "forward.y", "over the whole array")
def softmax_over_all(x: Array) -> Array:
    return _softmax(x, axis=None)


@planted("softmax", "forward.y", "the maximum of the whole array is taken off: rows far below give 0 / 0")
def softmax_global_max(x: Array) -> Array:
    if x.size == 0:
        return x.copy()
    with silent():
        e = np.exp(x - x.max())
        return e / e.sum(axis=-1, keepdims=True)


@planted("softmax", "forward.y", "1e-7 in the denominator")
def softmax_with_epsilon(x: Array) -> Array:
    y = _softmax(x)
    return y / (1 + y.dtype.type(1e-7))


@planted("softmax", "forward.y", "the mean absolute value instead of the maximum is taken off")
def softmax_shifts_by_mean(x: Array) -> Array:
    if x.size == 0:
        return x.copy()
    with silent():
        e = np.exp(x - np.abs(x).mean(axis=-1, keepdims=True))
        return e / e.sum(axis=-1, keepdims=True)


@planted("softmax", "forward.y", "the second axis, as if there were always two")
def softmax_over_axis_1(x: Array) -> Array:
    return _softmax(x, axis=1 if x.ndim > 1 else 0)


@planted("softmax", "forward.y", "computed in float16 whatever came in")
def softmax_in_half(x: Array) -> Array:
    return _softmax(np.clip(x, -6e4, 6e4).astype(np.float16)).astype(x.dtype)


@planted("softmax", "inputs.unchanged", "takes the maximum off in place")
def softmax_in_place(x: Array) -> Array:
    y = _softmax(x)
    if x.size and x.flags.writeable:
        with silent():
            x -= x.max(axis=-1, keepdims=True)
    return y


@planted("softmax", "forward.y", "NaN is dropped from its row")
def softmax_skips_nan(x: Array) -> Array:
    return _softmax(np.where(np.isnan(x), x.dtype.type(-np.inf), x))


@planted("softmax", "results.dtype", "float64 whatever came in")
def softmax_double(x: Array) -> Array:
    return _softmax(x.astype(np.float64))


@planted("softmax", "call.answers", "an empty batch raises: max of nothing")
def softmax_refuses_empty(x: Array) -> Array:
    x.max()
    return _softmax(x)


@planted("softmax", "forward.y", "only the first 128 classes are added up")
def softmax_short_sum(x: Array) -> Array:
    if x.size == 0:
        return x.copy()
    with silent():
        e = np.exp(x - x.max(axis=-1, keepdims=True))
        return e / e[..., :128].sum(axis=-1, keepdims=True)


def _terms(y: Array, t: Array) -> tuple[Array, int]:
    """t log y by row, and how many rows count."""
    n = len(y)
    with silent():
        if t.ndim == y.ndim:
            t = t.astype(y.dtype)
            return np.where(t == 0, t, t * np.log(y)), n
        t = t.astype(np.int64)
        used = t != -100
        if (used & ((t < 0) | (t >= y.shape[1]))).any():
            raise IndexError("a label is out of range")
        picked = y[np.arange(n), np.where(used, t, 0)] if y.size else np.ones(n, y.dtype)
        return np.where(used, np.log(picked), y.dtype.type(0)), int(used.sum())


def _mean(terms: Array, n: float) -> Any:
    with silent():
        return -terms.sum() / terms.dtype.type(n)


@planted("cross_entropy_error", "forward.loss", "log(y + 1e-7)")
def cross_entropy_with_epsilon(y: Array, t: Array) -> Any:
    return _mean(*_terms(y + y.dtype.type(1e-7), t))


@planted("cross_entropy_error", "forward.loss", "y clipped to [1e-12, 1]")
def cross_entropy_clipped(y: Array, t: Array) -> Any:
    return _mean(*_terms(np.clip(y, y.dtype.type(1e-12), 1), t))


@planted("cross_entropy_error", "forward.loss", "the sum instead of the mean")
def cross_entropy_sums(y: Array, t: Array) -> Any:
    terms, _ = _terms(y, t)
    return _mean(terms, 1)


@planted("cross_entropy_error", "forward.loss", "ignored rows are counted in the mean")
def cross_entropy_counts_ignored(y: Array, t: Array) -> Any:
    terms, _ = _terms(y, t)
    return _mean(terms, len(y))


@planted("cross_entropy_error", "forward.loss", "0 log 0 is NaN")
def cross_entropy_nan_at_zero(y: Array, t: Array) -> Any:
    if t.ndim < y.ndim:
        return _mean(*_terms(y, t))
    with silent():
        return _mean(t.astype(y.dtype) * np.log(y), len(y))


@planted("cross_entropy_error", "forward.loss", "soft labels are turned into one class by argmax")
def cross_entropy_hardens(y: Array, t: Array) -> Any:
    if t.ndim == y.ndim and t.size:
        t = t.argmax(axis=1)
    return _mean(*_terms(y, t))


@planted("cross_entropy_error", "forward.loss", "logarithm to base 2")
def cross_entropy_in_bits(y: Array, t: Array) -> Any:
    terms, n = _terms(y, t)
    return _mean(terms / terms.dtype.type(np.log(2)), n)


@planted("cross_entropy_error", "inputs.refused", "labels beyond the last class are clipped to it")
def cross_entropy_clips_labels(y: Array, t: Array) -> Any:
    return _mean(*_terms(y, np.minimum(t, y.shape[1] - 1) if t.ndim < y.ndim else t))


@planted("cross_entropy_error", "forward.loss", "the terms are added up in float32")
def cross_entropy_in_single(y: Array, t: Array) -> Any:
    terms, n = _terms(y, t)
    return _mean(terms.astype(np.float32), n).astype(y.dtype)


@planted(
    "cross_entropy_error",
    "forward.loss",
    "an empty batch, and one with all rows ignored, cost 0 instead of NaN",
)
def cross_entropy_zero_when_empty(y: Array, t: Array) -> Any:
    terms, n = _terms(y, t)
    return _mean(terms, n) if n else y.dtype.type(0)
