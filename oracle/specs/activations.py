"""Relu, Sigmoid: elementwise functions of one array."""

from __future__ import annotations

from oracle.core import bounds
from oracle.core.ball import Ball, Precision
from oracle.core.case import Case, Dims
from oracle.core.draw import Draw
from oracle.core.spec import LayerSpec
from oracle.specs.refusals import COTANGENT_SHAPE
from reference.activations import Relu, Sigmoid

_RANKS: dict[str, tuple[Dims, ...]] = {
    "matrix": (("A", "B"),),
    "any-rank": ((), ("A",), ("A", "B", "C"), ("A", "B", "C", "D")),
}


def _cases(draw: Draw, branch: str) -> Case:
    dims = draw.choice(_RANKS[branch])
    return draw.case({"x": draw.values("x", *dims)}, cotangents={"out": draw.cotangent("out", *dims)})


def _relu_bounds(p: Precision, case: Case) -> dict[str, Ball]:
    x, dout = Ball.exact(p, case.inputs["x"]), Ball.exact(p, case.cotangents["out"])
    return {"forward.out": bounds.relu(x), "backward.dx": bounds.gated(dout, x)}


def _sigmoid_bounds(p: Precision, case: Case) -> dict[str, Ball]:
    y, rest = bounds.sigmoid(Ball.exact(p, case.inputs["x"]))
    return {"forward.out": y, "backward.dx": Ball.exact(p, case.cotangents["out"]) * (y * rest)}


RELU = LayerSpec(
    name="Relu",
    layer=Relu,
    convention="layer",
    torch="F.relu(x)",
    cases=_cases,
    outputs=("out",),
    wrt=("x",),
    branches=tuple(_RANKS),
    bounds=_relu_bounds,
    summary="max(x, 0); the gradient is dout where not (x <= 0), so 0 at 0 and -0, and dout at NaN.",
    refusals=(COTANGENT_SHAPE,),
)

SIGMOID = LayerSpec(
    name="Sigmoid",
    layer=Sigmoid,
    convention="layer",
    torch="torch.sigmoid(x)",
    cases=_cases,
    outputs=("out",),
    wrt=("x",),
    branches=tuple(_RANKS),
    bounds=_sigmoid_bounds,
    summary="y = 1 / (1 + exp(-x)); the gradient is dout * y * (1 - y).",
    refusals=(COTANGENT_SHAPE,),
)
