"""Affine: the fully connected layer."""

from __future__ import annotations

import numpy as np

from oracle.core.ball import Ball, Precision
from oracle.core.case import Case, Dims
from oracle.core.draw import Draw
from oracle.core.spec import LayerSpec, Refusal
from oracle.specs.refusals import COTANGENT_SHAPE
from reference.affine import Affine


def _cases(draw: Draw, branch: str) -> Case:
    x: Dims = ("N", "D")
    if branch == "tensor":
        x, features = _tensor_axes(draw)
    else:
        features = "D"
    return draw.case(
        {"x": draw.values("x", *x)},
        {"W": draw.values("W", features, "M"), "b": draw.values("b", "M")},
        {"out": draw.cotangent("out", "N", "M")},
    )


def _tensor_axes(draw: Draw) -> tuple[Dims, str]:
    """Axes of an input of rank 3 or 4, and the name of the axis that they are flattened to."""
    if "P" in draw.sizes or draw.chance(0.7):
        return (("N", "P", "Q", "R"), "P*Q*R") if "R" in draw.sizes else (("N", "P", "Q"), "P*Q")
    draw.size("N"), draw.size("P", most=8), draw.size("Q", most=8), draw.size("R", most=8)
    return ("N", "P", "Q", "R"), "P*Q*R"


def affine(x: Ball, W: Ball, b: Ball) -> Ball:
    """x W + b."""
    return (x @ W).plus_bias(b, W.shape[0])


def affine_grads(x: Ball, W: Ball, dout: Ball) -> tuple[Ball, Ball, Ball]:
    """(dx, dW, db)."""
    return dout @ W.T, x.T @ dout, dout.sum(axis=0)


def _bounds(p: Precision, case: Case) -> dict[str, Ball]:
    raw = case.inputs["x"]
    W, b = (Ball.exact(p, case.params[name]) for name in ("W", "b"))
    dout = Ball.exact(p, case.cotangents["out"])
    x = Ball.exact(p, raw.reshape(len(raw), W.shape[0]))
    dx, dW, db = affine_grads(x, W, dout)
    return {"forward.out": affine(x, W, b), "backward.dx": dx.reshape(*raw.shape), "backward.dW": dW, "backward.db": db}


def _wrong_width(case: Case, draw: Draw) -> Case:
    x = case.inputs["x"]
    return case._replace(inputs={"x": np.concatenate([x, np.ones((*x.shape[:-1], 1), x.dtype)], axis=-1)})


AFFINE = LayerSpec(
    name="Affine",
    layer=Affine,
    convention="layer",
    torch="F.linear(x.flatten(1), W.T, b)",
    cases=_cases,
    outputs=("out",),
    params=("W", "b"),
    wrt=("x", "W", "b"),
    branches=("matrix", "tensor"),
    bounds=_bounds,
    summary="x W + b on x of shape (N, D), or of any higher rank flattened to that; dx comes back in the shape of x.",
    refusals=(COTANGENT_SHAPE, Refusal("x-of-another-width", _wrong_width, ("matrix",))),
)
