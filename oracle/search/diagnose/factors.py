"""Gradients that lack a factor of the layer's own derivative, or have another rule at exactly 0."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from oracle.core.case import Array
from oracle.search.diagnose.evidence import Evidence, Trial
from oracle.search.diagnose.guess import Diagnosis, Guess, dout_of

Formula = Callable[[Array, Array, Array], Array]
"""A gradient from dout, x and y = forward(x)."""
_SIGMOID: tuple[tuple[str, str, Formula], ...] = (
    ("factor-y(1-y)-missing", "dout: the factor y (1 - y) is missing", lambda d, x, y: d + 0 * y),
    ("factor-1-y-missing", "dout y: the factor 1 - y is missing", lambda d, x, y: d * y),
    ("factor-y-missing", "dout (1 - y): the factor y is missing", lambda d, x, y: d * (1 - y)),
    ("dout-missing", "y (1 - y): the factor dout is missing", lambda d, x, y: y * (1 - y) + 0 * d),
    ("slope-of-tanh", "dout (1 - y^2): that is the slope of tanh, y (1 - y) belongs there", lambda d, x, y: d * (1 - y * y)),
    ("x-for-y", "dout x (1 - x): x stands where y = sigmoid(x) belongs", lambda d, x, y: d * x * (1 - x)),
    ("sigmoid-of-y", "dout s (1 - s) with s = sigmoid(y): sigmoid is taken twice", lambda d, x, y: d * _logistic(y) * (1 - _logistic(y))),
    ("sign-of-1-y", "dout y (1 + y): the sign in 1 - y is wrong", lambda d, x, y: d * y * (1 + y)),
    ("y-squared", "dout y^2 (1 - y): y is multiplied in twice", lambda d, x, y: d * y * y * (1 - y)),
    ("1-y-squared", "dout y (1 - y)^2: 1 - y is multiplied in twice", lambda d, x, y: d * y * (1 - y) ** 2),
    ("added-dout", "dout + y (1 - y): a sum where the product belongs", lambda d, x, y: d + y * (1 - y)),
)
_RELU: tuple[tuple[str, str, Formula], ...] = (
    ("mask-missing", "dout: the mask x > 0 is missing", lambda d, x, y: d + 0 * y),
    ("mask-reversed", "dout where x <= 0: the mask is reversed", lambda d, x, y: np.where(x > 0, 0, d)),
    ("mask-of-dout", "dout where dout > 0: the mask is taken of dout, not of x", lambda d, x, y: np.where(d > 0, d, 0)),
    ("dout-missing", "1 where x > 0: the factor dout is missing", lambda d, x, y: np.where(x > 0, 1.0, 0.0)),
    ("x-for-mask", "dout x where x > 0: x stands where 1 belongs", lambda d, x, y: np.where(x > 0, d * x, 0)),
    ("mask-minus-one", "dout where x > 0, -dout elsewhere", lambda d, x, y: np.where(x > 0, d, -d)),
    ("mask-not-cut", "max(x, 0), not dout where x > 0", lambda d, x, y: np.maximum(x, 0)),
)
_PRODUCT: tuple[tuple[str, str, Formula], ...] = (
    ("factor-missing", "dout: the other operand is not multiplied in", lambda d, x, y: d),
    ("own-operand", "dout times its own operand: the other operand belongs there", lambda d, x, y: d * x),
    ("output-for-operand", "dout x y: the product stands where the other operand belongs", lambda d, x, y: d * x * y),
    ("dout-missing", "the other operand: the factor dout is missing", lambda d, x, y: y + 0 * d),
    ("both-added", "dout (x + y)", lambda d, x, y: d * (x + y)),
)


def _logistic(x: Array) -> Array:
    return np.asarray(1 / (1 + np.exp(-x)))


def missing_factor(evidence: Evidence) -> Iterator[Guess | Diagnosis]:
    """The local derivative of an elementwise function, with a factor missing or another one in its place."""
    name = evidence.quantity
    if name == "backward.dx" and evidence.bench.spec.name in ("Sigmoid", "Relu"):
        for cause, words, formula in _SIGMOID if evidence.bench.spec.name == "Sigmoid" else _RELU:
            yield Guess(cause, f"{name} is {words}.", lambda t, f=formula: _elementwise(t, f))  # type: ignore[misc]
    if name in ("backward.dx", "backward.dy") and evidence.bench.spec.name == "MulLayer":
        for cause, words, formula in _PRODUCT:
            yield Guess(cause, f"{name} is {words}.", lambda t, f=formula: _of_product(t, name, f))  # type: ignore[misc]


def _elementwise(trial: Trial, formula: Formula) -> Array | None:
    dout = dout_of(trial.case)
    return None if dout is None else np.asarray(formula(dout, trial.case.inputs["x"], trial.expected["forward.out"]))


def _of_product(trial: Trial, name: str, formula: Formula) -> Array | None:
    """Where nothing is stretched; elsewhere it says nothing."""
    own, dout = name[-1], dout_of(trial.case)
    x, y = trial.case.inputs[own], trial.case.inputs["y" if own == "x" else "x"]
    return None if dout is None or x.shape != y.shape else np.asarray(formula(dout, x, y))


def at_zero(evidence: Evidence) -> Iterator[Guess | Diagnosis]:
    """Another rule where x is exactly 0: the gradient is dout, half of it, or its opposite."""
    name = evidence.quantity
    if name != "backward.dx" or "x" not in evidence.first.case.inputs or evidence.bench.spec.name != "Relu":
        return
    for share, words, cause in ((1.0, "dout", "tie-at-0"), (0.5, "dout / 2", "tie-at-0-half")):
        sentence = f"{name} is {words} where x is exactly 0; torch gives 0 there, as for x < 0."
        yield Guess(cause, sentence, lambda t, s=share: _tied(t, s, every=True))  # type: ignore[misc]
        sentence = f"{name} is {words} where x is -0.0; torch gives 0 there."
        yield Guess(f"{cause}-negative", sentence, lambda t, s=share: _tied(t, s, every=False))  # type: ignore[misc]


def _tied(trial: Trial, share: float, every: bool) -> Array | None:
    dout, x = dout_of(trial.case), trial.case.inputs["x"]
    if dout is None:
        return None
    tied = (x == 0) & (True if every else np.signbit(x))
    return np.where(tied, share * dout, trial.expected["backward.dx"])


def not_a_number(evidence: Evidence) -> Iterator[Guess | Diagnosis]:
    """NaN and infinities that are swallowed, or that arise from 0 * inf."""
    name = evidence.quantity
    if name is None:
        return

    def where(cause: str, sentence: str, change: Callable[[Trial, Array], Array]) -> Guess:
        return Guess(cause, f"{name} {sentence}", lambda t: np.asarray(change(t, t.expected[name])) if name in t.expected else None)

    for to in (0.0, 1.0):
        yield Guess(f"nan-becomes-{to:.0f}", f"{name} is {to:.0f} where torch gives NaN.", lambda t, v=to: _filled(t.expected[name], v))  # type: ignore[misc]
    yield where(
        "nan-and-inf-become-numbers", "is torch's with NaN made 0 and infinities made the largest number.", lambda t, e: np.nan_to_num(e)
    )
    dx = name == "backward.dx" and "x" in evidence.first.case.inputs
    if dx:
        yield where(
            "nan-in-x-blocks", "is 0 where x is NaN: the mask x > 0 is false for NaN; torch passes dout.", lambda t, e: _at_nan_of_x(t, e)
        )
        yield where(
            "zero-times-inf",
            "is NaN where dout is NaN or infinite and the slope is 0: dout is multiplied by a mask of 0 and 1, "
            "and 0 * inf is NaN. torch selects.",
            lambda t, e: _product_at_zero(t, e),
        )


def _at_nan_of_x(trial: Trial, e: Array) -> Array:
    x = trial.case.inputs["x"]
    return np.where(np.isnan(x), 0, e) if x.shape == e.shape else e


def _product_at_zero(trial: Trial, e: Array) -> Array:
    dout = dout_of(trial.case)
    return e if dout is None or dout.shape != e.shape else np.where((e == 0) & ~np.isfinite(dout), np.nan, e)


def _filled(e: Array, value: float) -> Array:
    return np.where(np.isnan(e), value, e)
