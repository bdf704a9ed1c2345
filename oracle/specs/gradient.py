"""numerical_gradient: central differences, which agree with autograd up to truncation and the rounding of two function values."""

from __future__ import annotations

import numpy as np

from oracle.core import bounds
from oracle.core.ball import Array, Ball, K, Precision
from oracle.core.case import Case, Dims
from oracle.core.draw import Draw
from oracle.core.spec import LayerSpec
from reference.gradient import numerical_gradient

_RANKS: tuple[Dims, ...] = (("A", "B"), ("A",), ("A", "B", "C"), ())
STEPS = {"float64": (1e-4, 1e-4), "float32": (1e-4, 2.0**-8), "float16": (1e-4, 2.0**-4)}
"""Smallest and largest step that the bound allows: the notebook's 1e-4, and the larger one that fewer digits call for."""


def _cases(draw: Draw, branch: str) -> Case:
    dims = draw.choice(_RANKS)
    for name in dims:
        draw.size(str(name), most=5)
    return draw.case({"x": draw.values("x", *dims, limit=10.0)}, function=branch)


def _bounds(p: Precision, case: Case) -> dict[str, Ball]:
    """Error of (f(x+h) - f(x-h)) / 2h for an h between the two steps: truncation h^2/6 max abs f''' at the larger one, and at the smaller
    one the rounding of f at both points over 2h, that of x +- h itself, and that of the quotient."""
    x = case.inputs["x"].astype(p.wide)
    least, most = STEPS[case.dtype]
    value, slope, third = _derivatives(case.config["function"], np.abs(x) + most)
    total, gradient, _ = _derivatives(case.config["function"], x)
    function = Ball(p, total, total * 0 + _rounding(p, case.config["function"], np.abs(x) + most)).sum()
    r = most**2 / 6 * third + (function.radius + np.abs(slope) * p.u * (np.abs(x) + most)) / least
    r = r + p.u * (K * np.abs(gradient) + np.abs(value) / least)
    return {"forward.grad": Ball(p, gradient, np.where(np.isfinite(x).all(), r, np.inf))}


def _derivatives(function: str, x: Array) -> tuple[Array, Array, Array]:
    """Term, its first derivative and a bound of its third one at x."""
    if function == "quadratic":
        return x * x, 2 * x, np.zeros_like(x)
    if function == "cubic":
        return x**3, 3 * x * x, np.full_like(x, 6.0)
    return np.sin(x), np.cos(x), np.ones_like(x)


def _rounding(p: Precision, function: str, size: Array) -> Array:
    """The rounding of one term of f, at the largest magnitude that x may have there."""
    x = Ball.exact(p, size)
    term = bounds.sin(x) if function == "sine" else x * x if function == "quadratic" else x * x * x
    return term.radius


NUMERICAL_GRADIENT = LayerSpec(
    name="numerical_gradient",
    layer=numerical_gradient,
    convention="gradient",
    torch={
        "quadratic": "torch.func.grad(lambda x: (x * x).sum())(x)",
        "cubic": "torch.func.grad(lambda x: (x * x * x).sum())(x)",
        "sine": "torch.func.grad(lambda x: torch.sin(x).sum())(x)",
    },
    cases=_cases,
    outputs=("grad",),
    wrt=(),
    branches=("quadratic", "cubic", "sine"),
    bounds=_bounds,
    summary="(f(x + h) - f(x - h)) / 2h for every element of x; x is changed while it runs and restored bit by bit. In float16 a step of"
    " 1e-4 leaves no digits: there even a gradient of zeros is within what rounding can do.",
    protocols=("plain",),
    layouts=("C", "fortran", "strided", "negative-stride"),
)
