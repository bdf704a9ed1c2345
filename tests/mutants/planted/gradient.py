"""Wrong numerical_gradients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tests.mutants.honest import Array
from tests.mutants.registry import planted

Function = Callable[[Array], Any]


def _central(f: Function, x: Array, h: float, divisor: float) -> Array:
    grad = np.empty_like(x, order="C")
    for index in np.ndindex(x.shape):
        kept = x[index]
        x[index] = float(kept) + h
        above = float(f(x))
        x[index] = float(kept) - h
        below = float(f(x))
        x[index] = kept
        grad[index] = (above - below) / divisor
    return grad


def _step(x: Array) -> float:
    return 1e-4 if x.dtype == np.float64 else 2.0**-8


@planted("numerical_gradient", "forward.grad", "a forward difference")
def gradient_forward_difference(f: Function, x: Array) -> Array:
    grad = np.empty_like(x, order="C")
    for index in np.ndindex(x.shape):
        kept, before = x[index], float(f(x))
        x[index] = float(kept) + _step(x)
        grad[index] = (float(f(x)) - before) / _step(x)
        x[index] = kept
    return grad


@planted("numerical_gradient", "inputs.unchanged", "x is not restored")
def gradient_leaves_x(f: Function, x: Array) -> Array:
    grad = _central(f, x, _step(x), 2 * _step(x))
    if x.size:
        x[(0,) * x.ndim] += x.dtype.type(_step(x))
    return grad


@planted("numerical_gradient", "inputs.unchanged", "x is restored by adding h again: off by a rounding")
def gradient_restores_by_adding(f: Function, x: Array) -> Array:
    grad = np.empty_like(x, order="C")
    h = x.dtype.type(_step(x))
    for index in np.ndindex(x.shape):
        x[index] += h
        above = float(f(x))
        x[index] -= 2 * h
        below = float(f(x))
        x[index] += h
        grad[index] = (above - below) / (2 * h)
    return grad


@planted("numerical_gradient", "forward.grad", "h = 0.1: the truncation shows")
def gradient_large_step(f: Function, x: Array) -> Array:
    return _central(f, x, 0.1, 0.2)


@planted("numerical_gradient", "forward.grad", "h = 1e-50: x + h is x")
def gradient_vanishing_step(f: Function, x: Array) -> Array:
    return _central(f, x, 1e-50, 2e-50)


@planted("numerical_gradient", "forward.grad", "divided by h instead of 2h")
def gradient_without_two(f: Function, x: Array) -> Array:
    return _central(f, x, _step(x), _step(x))


@planted("numerical_gradient", "forward.grad", "f(x - h) - f(x + h)")
def gradient_negative(f: Function, x: Array) -> Array:
    return -_central(f, x, _step(x), 2 * _step(x))


@planted("numerical_gradient", "forward.grad", "moves along the first axis only: all entries of a row move together")
def gradient_by_rows(f: Function, x: Array) -> Array:
    if x.ndim < 2:
        return _central(f, x, _step(x), 2 * _step(x))
    grad = np.empty_like(x, order="C")
    for i in range(len(x)):
        kept = x[i].copy()
        x[i] = kept + x.dtype.type(_step(x))
        above = float(f(x))
        x[i] = kept - x.dtype.type(_step(x))
        grad[i] = (above - float(f(x))) / (2 * _step(x))
        x[i] = kept
    return grad


@planted("numerical_gradient", "inputs.layout", "flattens x: a copy is moved where x is not contiguous")
def gradient_over_copy(f: Function, x: Array) -> Array:
    flat = x.reshape(-1)
    grad = np.zeros_like(flat)
    h = _step(x)
    for i in range(flat.size):
        kept = flat[i]
        flat[i] = float(kept) + h
        above = float(f(x))
        flat[i] = float(kept) - h
        grad[i] = (above - float(f(x))) / (2 * h)
        flat[i] = kept
    return grad.reshape(x.shape)


@planted("numerical_gradient", "results.shape", "the gradient comes back flat")
def gradient_flat(f: Function, x: Array) -> Array:
    return _central(f, x, _step(x), 2 * _step(x)).reshape(-1)


@planted("numerical_gradient", "call.answers", "single numbers and empty arrays raise: a last axis is taken for granted")
def gradient_needs_axes(f: Function, x: Array) -> Array:
    if x.shape[-1] == 0:
        raise ValueError("nothing to differentiate")
    return _central(f, x, _step(x), 2 * _step(x))
