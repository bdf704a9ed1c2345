"""AddLayer, MulLayer: elementwise arithmetic with broadcasting."""

from __future__ import annotations

from oracle.core.ball import Ball, Precision
from oracle.core.case import Case, Dims
from oracle.core.draw import Draw
from oracle.core.spec import LayerSpec, Refusal
from oracle.specs.refusals import COTANGENT_SHAPE
from reference.arithmetic import AddLayer, MulLayer

_SAME: tuple[Dims, ...] = (("A",), ("A", "B"), ("A", "B", "C"), ("A", "B", "C", "D"))
# x, y and what they broadcast to
_BROADCAST: tuple[tuple[Dims, Dims, Dims], ...] = (
    (("A", "B"), ("B",), ("A", "B")),
    (("A", "B"), ("A", 1), ("A", "B")),
    (("B",), ("A", "B"), ("A", "B")),
    ((1, "B"), ("A", 1), ("A", "B")),
    (("A", "B", "C"), ("B", 1), ("A", "B", "C")),
    (("A", "B"), (), ("A", "B")),
    (("A", 1, "C"), (1, "B", 1), ("A", "B", "C")),
    (("A", "B"), (1, 1), ("A", "B")),
)


def _cases(draw: Draw, branch: str) -> Case:
    if branch == "broadcast":
        x, y, out = draw.choice(_BROADCAST)
    else:
        x = y = out = () if branch == "scalar" else draw.choice(_SAME)
    return draw.case({"x": draw.values("x", *x), "y": draw.values("y", *y)}, cotangents={"out": draw.cotangent("out", *out)})


def _not_broadcastable(case: Case, draw: Draw) -> Case:
    fresh = Draw(draw.source, draw.dtype, sizes={"A": 2, "B": 3})
    x, y, dout = fresh.values("x", "A", "B"), fresh.values("y", "B", "A"), fresh.cotangent("out", "A", "B")
    return case._replace(inputs={"x": x, "y": y}, cotangents={"out": dout}, dims=fresh.dims)


def _operands(p: Precision, case: Case) -> tuple[Ball, Ball, Ball]:
    return Ball.exact(p, case.inputs["x"]), Ball.exact(p, case.inputs["y"]), Ball.exact(p, case.cotangents["out"])


def _add_bounds(p: Precision, case: Case) -> dict[str, Ball]:
    x, y, dout = _operands(p, case)
    return {"forward.out": x + y, "backward.dx": dout.summed_to(x.shape), "backward.dy": dout.summed_to(y.shape)}


def _mul_bounds(p: Precision, case: Case) -> dict[str, Ball]:
    x, y, dout = _operands(p, case)
    return {"forward.out": x * y, "backward.dx": (dout * y).summed_to(x.shape), "backward.dy": (dout * x).summed_to(y.shape)}


_BRANCHES = ("same", "broadcast", "scalar")
_REFUSALS = (COTANGENT_SHAPE, Refusal("shapes-that-do-not-broadcast", _not_broadcastable))

ADD = LayerSpec(
    name="AddLayer",
    layer=AddLayer,
    convention="layer",
    torch="x + y",
    cases=_cases,
    outputs=("out",),
    wrt=("x", "y"),
    branches=_BRANCHES,
    bounds=_add_bounds,
    summary="x + y with broadcasting; each gradient is dout summed back to its operand's shape.",
    refusals=_REFUSALS,
)

MUL = LayerSpec(
    name="MulLayer",
    layer=MulLayer,
    convention="layer",
    torch="x * y",
    cases=_cases,
    outputs=("out",),
    wrt=("x", "y"),
    branches=_BRANCHES,
    bounds=_mul_bounds,
    summary="x * y with broadcasting; dx = dout * y and dy = dout * x, summed back to the operand's shape.",
    refusals=_REFUSALS,
)
