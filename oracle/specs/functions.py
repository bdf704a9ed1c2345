"""softmax, cross_entropy_error: functions without a backward of their own."""

from __future__ import annotations

import numpy as np

from oracle.core import bounds
from oracle.core.ball import Ball, Precision
from oracle.core.case import Case, Dims
from oracle.core.draw import Draw
from oracle.core.spec import LayerSpec, Refusal
from oracle.specs.losses import draw_labels, targets
from reference.functions import cross_entropy_error, softmax

_SOFTMAX_RANKS: dict[str, tuple[Dims, ...]] = {
    "matrix": (("N", "C"),),
    "any-rank": (("C",), ("N", "L", "C"), ("N", "L", "M", "C")),
}


def _softmax_cases(draw: Draw, branch: str) -> Case:
    dims = draw.choice(_SOFTMAX_RANKS[branch])
    return draw.case({"x": draw.values("x", *dims, limit=256.0 if draw.dtype == "float16" else None)})


def _softmax_bounds(p: Precision, case: Case) -> dict[str, Ball]:
    y, _, _ = bounds.softmax(Ball.exact(p, case.inputs["x"]))
    return {"forward.y": y}


def _loss_cases(draw: Draw, branch: str) -> Case:
    draw.size("C", least=1)
    return draw.case({"y": draw.probabilities("y", "N", "C"), "t": draw_labels(draw, branch, "N")})


def _loss_bounds(p: Precision, case: Case) -> dict[str, Ball]:
    y = Ball.exact(p, case.inputs["y"])
    labels = targets(p, case.inputs["t"], y.shape)
    terms = Ball.exact(p, labels.t) * bounds.log(y)
    # x log y is 0 at x = 0, whatever y is: an outcome that never happens costs nothing
    counts = labels.t != 0
    terms = Ball(p, np.where(counts, terms.v, 0), np.where(counts, terms.radius, 0))
    return {"forward.loss": -terms.sum() / Ball.exact(p, np.asarray(labels.n))}


def _index_out_of_range(case: Case, draw: Draw) -> Case:
    t = np.full(max(case.inputs["t"].size, 1), case.inputs["y"].shape[1], np.int64)
    y = np.ones((len(t), case.inputs["y"].shape[1]), case.dtype)
    return case._replace(inputs={"y": y, "t": t})


SOFTMAX = LayerSpec(
    name="softmax",
    layer=softmax,
    convention="function",
    torch="F.softmax(x, -1)",
    cases=_softmax_cases,
    outputs=("y",),
    wrt=(),
    branches=tuple(_SOFTMAX_RANKS),
    bounds=_softmax_bounds,
    summary="exp(x) / sum(exp(x)) over the last axis.",
    protocols=("plain",),
)

CROSS_ENTROPY_ERROR = LayerSpec(
    name="cross_entropy_error",
    layer=cross_entropy_error,
    convention="function",
    torch={
        "index": "F.nll_loss(torch.log(y), t.long())",
        "one-hot": "-torch.special.xlogy(t.to(y.dtype), y).sum() / t.shape[0]",
        "probabilities": "-torch.special.xlogy(t.to(y.dtype), y).sum() / t.shape[0]",
    },
    cases=_loss_cases,
    outputs=("loss",),
    wrt=(),
    branches=("index", "one-hot", "probabilities"),
    bounds=_loss_bounds,
    summary="-sum(t log y) / N of probabilities y against index labels or class probabilities t.",
    refusals=(Refusal("index-label-too-large", _index_out_of_range, ("index",)),),
    protocols=("plain",),
)
