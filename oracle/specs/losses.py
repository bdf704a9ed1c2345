"""SoftmaxWithLoss: cross entropy of scores, with index labels or class probabilities."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from oracle.core.ball import Array, Ball, Precision
from oracle.core.bounds import softmax
from oracle.core.case import Case, Dims
from oracle.core.draw import Draw
from oracle.core.spec import LayerSpec
from oracle.specs.refusals import COTANGENT_SHAPE, LABELS
from reference.losses import SoftmaxWithLoss

LABEL_TORCH = {
    "index": "F.cross_entropy({scores}, t if t.is_floating_point() else t.long())",
    "one-hot": "F.cross_entropy({scores}, t.to(x.dtype))",
    "probabilities": "F.cross_entropy({scores}, t.to(x.dtype))",
}
"""The loss by label form; torch takes index labels as int64 and probabilities in the dtype of the scores."""


def draw_labels(draw: Draw, branch: str, *batch: str) -> Array:
    """Labels t of the form `branch` for scores with axes (*batch, "C")."""
    classes = draw.size("C", least=1)
    if branch == "index":
        return draw.index_labels("t", *batch, classes=classes)
    if branch == "one-hot":
        return draw.one_hot("t", *batch, "C", classes=classes)
    return draw.probabilities("t", *batch, "C")


def _cases(draw: Draw, branch: str) -> Case:
    batch: Dims = () if branch.startswith("unbatched") else ("N",)
    draw.size("C", least=1)
    form = branch.removeprefix("unbatched-")
    limit = 256.0 if draw.dtype == "float16" else None
    x = draw.values("x", *batch, "C", limit=limit)
    return draw.case({"x": x, "t": draw_labels(draw, form, *[str(d) for d in batch])}, cotangents={"loss": draw.cotangent("loss")})


class Targets(NamedTuple):
    """Labels as rows of weights t (N, C); `counted` (N, 1) is 0 for an ignored row; n rows count.

    by_index: they came as index labels. soft: the weights may be anything, not only 0 and 1.
    """

    t: Array
    counted: Array
    n: float
    by_index: bool
    soft: bool


def targets(p: Precision, t: Array, x_shape: tuple[int, ...]) -> Targets:
    """Index labels or probabilities, as weights."""
    rows, classes = int(np.prod(x_shape[:-1], dtype=np.int64)), x_shape[-1]
    if t.ndim == len(x_shape):
        weights = t.reshape(rows, classes).astype(p.wide)
        return Targets(weights, np.ones((rows, 1), p.wide), float(rows), False, t.dtype.kind == "f")
    index = t.reshape(rows, 1).astype(np.int64)
    counted = (index != -100).astype(p.wide)
    return Targets((index == np.arange(classes)).astype(p.wide), counted, float(counted.sum()), True, False)


def cross_entropy(x: Ball, labels: Targets, dout: Ball) -> tuple[Ball, Ball]:
    """(loss, dx) of the mean cross entropy of scores x (N, C): loss = -sum(t * log softmax x) / n, dx = (y sum(t) - t) dout / n.

    A float implementation may take sum(t) for 1 where it is 1 up to rounding; it may form the mean before or after the sum.
    """
    p = x.p
    y, d, log_s = softmax(x)
    t = Ball.exact(p, labels.t)
    terms = t * (d - log_s)
    if labels.by_index:
        # one entry of a row is read, so the others never meet a weight; as probabilities they do, and 0 * -inf is NaN
        picked = labels.t != 0
        terms = Ball(p, np.where(picked, terms.v, 0), np.where(picked, terms.radius, 0))
    total = -terms.sum()
    loss = total / Ball.exact(p, np.asarray(labels.n))
    lost = np.isfinite(d.v) & (np.abs(d.v) > p.limit)
    if lost.any():
        loss = Ball(p, loss.v, np.full_like(loss.radius, np.inf))
    return loss, _scores_grad(y, labels, dout)


def _scores_grad(y: Ball, labels: Targets, dout: Ball) -> Ball:
    p = y.p
    t, n, classes = labels.t, labels.n, labels.t.shape[-1]
    mass = t.sum(axis=-1, keepdims=True)
    base = y.v * np.where(labels.counted > 0, mass, 0) - t
    if n == 0:
        # nothing counts, so nothing has a gradient, whatever dout is; a row with NaN still has it
        return Ball(p, base, np.where(np.isfinite(y.radius), 0.0, np.inf))
    r = y.radius * mass + p.u * (y.v + np.abs(base))
    if labels.soft:
        slack = np.where(np.abs(mass - 1) <= classes * p.u, np.abs(mass - 1), 0)
        r = r + y.v * slack + p.u * (classes * y.v * mass + t)
    scale = np.abs(dout.v) / n
    v = base * np.where(labels.counted > 0, dout.v / n, 1.0)
    radius = r * scale + 3 * p.u * np.abs(v) + p.eta * (2 + np.abs(dout.v) + mass)
    special = np.isnan(v)
    radius = np.where(special, 0.0, radius)
    if not np.abs(dout.v) * max(1.0, float(mass.max(initial=0.0))) <= p.limit:
        radius = np.where(np.isnan(dout.v) | (labels.counted == 0), radius, np.inf)
    return Ball(p, v, radius)


def _bounds(p: Precision, case: Case) -> dict[str, Ball]:
    x = case.inputs["x"]
    labels = targets(p, case.inputs["t"], x.shape)
    scores = Ball.exact(p, x.reshape(-1, x.shape[-1]) if x.ndim == 1 else x)
    loss, dx = cross_entropy(scores, labels, Ball.exact(p, case.cotangents["loss"]))
    return {"forward.loss": loss.reshape(), "backward.dx": dx.reshape(*x.shape)}


def as_one_hot(case: Case, classes: int) -> Case | None:
    """The same case with its index labels written as one-hot; None where one is ignored, for that has no one-hot form."""
    t = case.inputs["t"]
    if (t.astype(np.int64) < 0).any():
        return None
    one_hot = (t[..., None].astype(np.int64) == np.arange(classes)).astype(case.dtype)
    return case._replace(branch="one-hot", inputs={**case.inputs, "t": one_hot})


SOFTMAX_WITH_LOSS = LayerSpec(
    name="SoftmaxWithLoss",
    layer=SoftmaxWithLoss,
    convention="layer",
    torch={
        **{form: text.format(scores="x") for form, text in LABEL_TORCH.items()},
        "unbatched-index": LABEL_TORCH["index"].format(scores="x"),
        "unbatched-probabilities": LABEL_TORCH["probabilities"].format(scores="x"),
    },
    cases=_cases,
    outputs=("loss",),
    wrt=("x",),
    branches=("index", "one-hot", "probabilities", "unbatched-index", "unbatched-probabilities"),
    bounds=_bounds,
    summary="Mean cross entropy of softmax(x) against index labels or class probabilities t; dx = (y sum(t) - t) dout / N.",
    refusals=(COTANGENT_SHAPE, *LABELS),
    other_form={"index": lambda case: as_one_hot(case, case.inputs["x"].shape[-1])},
)
