"""TwoLayerNet: affine, relu, affine and the softmax loss in one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from oracle.core import bounds
from oracle.core.ball import Array, Ball, Precision
from oracle.core.case import Case
from oracle.core.compare import FACTOR
from oracle.core.draw import Draw
from oracle.core.spec import LayerSpec
from oracle.specs.affine import affine
from oracle.specs.losses import as_one_hot, cross_entropy, draw_labels, targets
from oracle.specs.refusals import LABELS
from reference.networks import TwoLayerNet

_SCORES = "F.linear(F.relu(F.linear(x, W1.T, b1)), W2.T, b2)"


def _expression(labels: str, index: str) -> str:
    """Scores, loss and accuracy as one torch expression."""
    return f"(scores := {_SCORES}, F.cross_entropy(scores, {labels}), (scores.argmax(1) == {index}).double().mean())"


def _cases(draw: Draw, branch: str) -> Case:
    draw.size("C", least=1)
    arrays = {
        "W1": draw.values("W1", "D", "H"),
        "b1": draw.values("b1", "H"),
        "W2": draw.values("W2", "H", "C"),
        "b2": draw.values("b2", "C"),
    }
    x = draw.values("x", "N", "D")
    return draw.case({"x": x, "t": draw_labels(draw, branch, "N")}, arrays, {"loss": np.ones((), draw.dtype)})


class Pass(NamedTuple):
    """Forward and backward of a net: its scores, the loss, and (dW, db) of every layer in order."""

    scores: Ball
    loss: Ball
    grads: tuple[tuple[Ball, Ball], ...]


def relu_net(x: Ball, layers: Sequence[tuple[Ball, Ball]], t: Array, dout: Ball | None) -> Pass:
    """Affine layers (W, b) with relu between them, under the softmax loss against the labels t; without a dout, forward alone."""
    inputs, before = [x], []
    for W, b in layers:
        before.append(affine(inputs[-1], W, b))
        inputs.append(bounds.relu(before[-1]))
    scores = before[-1]
    one = Ball.exact(x.p, np.ones(()))
    loss, dscores = cross_entropy(scores, targets(x.p, t, scores.shape), one if dout is None else dout)
    if dout is None:
        return Pass(scores, loss.reshape(), ())
    grads = []
    for i in range(len(layers) - 1, -1, -1):
        grads.append((inputs[i].T @ dscores, dscores.sum(axis=0)))
        if i:
            dscores = bounds.gated(dscores @ layers[i][0].T, before[i - 1])
    return Pass(scores, loss.reshape(), tuple(reversed(grads)))


def _bounds(p: Precision, case: Case) -> dict[str, Ball]:
    W1, b1, W2, b2 = (Ball.exact(p, case.params[name]) for name in ("W1", "b1", "W2", "b2"))
    x, dout = Ball.exact(p, case.inputs["x"]), Ball.exact(p, case.cotangents["loss"])
    scores, loss, ((dW1, db1), (dW2, db2)) = relu_net(x, ((W1, b1), (W2, b2)), case.inputs["t"], dout)
    return {
        "forward.scores": scores,
        "forward.loss": loss,
        "forward.accuracy": _accuracy(p, scores, case.inputs["t"]),
        "backward.dW1": dW1,
        "backward.db1": db1,
        "backward.dW2": dW2,
        "backward.db2": db2,
    }


def _accuracy(p: Precision, scores: Ball, t: Array) -> Ball:
    """The share of rows won by the label; a row whose two best scores are within their allowed errors may go either way."""
    rows = scores.shape[0]
    if rows == 0:
        return Ball(p, np.asarray(np.nan), np.asarray(0.0))
    index = t.argmax(1) if t.ndim == 2 else t
    best = scores.v.argmax(1)
    spread = FACTOR * scores.radius
    top = np.take_along_axis(scores.v - spread, best[:, None], 1)
    rivals = (scores.v + spread >= top).sum(1) > 1
    open_ = int((rivals | ~np.isfinite(top[:, 0]) | ~np.isfinite(spread).all(1)).sum())
    share = float((best == index).mean())
    return Ball(p, np.asarray(share), np.asarray(open_ / rows + share * p.u))


TWO_LAYER_NET = LayerSpec(
    name="TwoLayerNet",
    layer=TwoLayerNet,
    convention="network",
    torch={
        "index": _expression("t if t.is_floating_point() else t.long()", "t.long()"),
        "one-hot": _expression("t.to(x.dtype)", "t.double().argmax(1)"),
    },
    cases=_cases,
    outputs=("scores", "loss", "accuracy"),
    params=("W1", "b1", "W2", "b2"),
    wrt=("W1", "b1", "W2", "b2"),
    branches=("index", "one-hot"),
    bounds=_bounds,
    summary="predict, loss, accuracy and gradient of relu(x W1 + b1) W2 + b2 under the softmax loss.",
    refusals=LABELS,
    other_form={"index": lambda case: as_one_hot(case, case.params["W2"].shape[-1])},
    protocols=("plain", "reused", "reshaped", "backward-twice"),
    vacuous=("cotangent.honoured", "cotangent.unchanged"),
)
