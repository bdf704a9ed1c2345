"""What is said of a row of a gradient check: who stands alone, and the cause where one explains every element."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from oracle.core.ball import PRECISIONS, Array
from oracle.core.case import Case
from oracle.core.compare import FACTOR, allowed_error
from oracle.core.evaluation import Evaluation
from oracle.core.spec import LayerSpec
from oracle.nets.twin import answer
from oracle.results.gradcheck import Alone
from oracle.search.diagnose.ratio import CONSTANTS, NEAR_ONE, ratio_of

if TYPE_CHECKING:
    from oracle.nets.gradcheck_rows import Held, Sides

_NEAR = 1e-4
"""A ratio nearer than this to a named one is that one."""
ADDED = (1e-7, 1e-8, 1e-6, 1e-9, 1e-10, 1e-5, 1e-12, 1e-15)
"""What people add to a probability so that its logarithm is finite."""
_TINY = 1e-300


class Evidence:
    """The case that is judged, and the one that the net was given before; torch's answer to that one is asked for when it is needed.

    scores: the torch expression of the net's scores; empty where only the loss is known.
    """

    def __init__(self, spec: LayerSpec, case: Case, before: Case, scores: str = "") -> None:
        self.spec, self.case, self.before, self.scores = spec, case, before, scores
        self.rows = len(case.inputs["x"])

    def loss_with(self, inside: float) -> float:
        """The loss with `inside` added to each probability before its logarithm is taken; NaN where the scores are not known."""
        if not self.scores:
            return math.nan
        logs = f"(torch.softmax({self.scores}, 1) + {inside!r}).log()"
        texts = {"index": f"-{logs}.gather(1, t.long()[:, None]).mean()", "one-hot": f"-(t.to(x.dtype) * {logs}).sum(1).mean()"}
        return float(answer(replace(self.spec, torch=texts, wrt=(), function=None), self.case).outputs[0])

    @cached_property
    def earlier(self) -> Evaluation:
        """Torch's answer to the batch before."""
        return answer(self.spec, self.before)

    def gradient_before(self, name: str) -> tuple[Array, Array]:
        """Torch's gradient for the batch before, and its allowed error."""
        ball = self.spec.bounds(PRECISIONS[self.before.dtype], self.before)[f"backward.d{name}"]
        return self.earlier.grads[self.spec.wrt.index(name)].astype(float), allowed_error(ball)


def told(two: Sides, found: Held, alone: Alone, by_differences: bool, evidence: Evidence) -> tuple[str, str]:
    """A sentence on who stands alone, and one on the cause; both empty where nobody does and differences could tell."""
    if alone == "nobody":
        return ("" if by_differences else _silent(found)), ""
    with np.errstate(all="ignore"):
        if alone == "backprop":
            return _backprop(two, found, by_differences), next(_backprop_causes(two, evidence), "")
        if alone == "numerical":
            return _numerical(found), next(_numerical_causes(two, found, evidence), "")
    if alone == "autograd":
        return f"autograd stands alone: backprop and differences of the net's own loss {_agree(found.ratio_backprop)}.", (
            "Torch's side computes another net: name the activation with --activation, or its loss with --torch."
        )
    return "No two of the three agree.", next(_backprop_causes(two, evidence), "")


def _silent(found: Held) -> str:
    if not found.tried.at.size:
        return "No difference was taken."
    if found.scale == 0:
        return "Differences can tell nothing here: torch's gradient is 0 in every element, and so is every difference."
    kinks = int((found.states == "kink").sum())
    rest = found.tried.at.size - kinks
    causes = [f"{kinks} lie at a kink"] if kinks else []
    causes += [f"{rest} are too uncertain by rounding, of the loss or of the gradient"] if rest else []
    return f"Differences can tell nothing here: of {found.tried.at.size} elements tried {', '.join(causes)}."


def _agree(ratios: Array) -> str:
    """How well two of the three agree: within what is allowed, or at least far better than with the third."""
    worst = float(np.nanmax(ratios))
    return "agree" if worst <= 1 else f"are far closer to each other, if {_times(worst)} what is allowed apart"


def _backprop(two: Sides, found: Held, by_differences: bool) -> str:
    off = np.abs(two.backprop.astype(float) - two.autograd.astype(float))
    far = float(np.nan_to_num(off, nan=math.inf).max())
    worst = f"off by up to {_brief(far)}, {_beyond(two.compared.margin, far)}"
    if by_differences:
        agree = _agree(found.ratio_autograd)
        return f"backprop stands alone: torch.autograd and differences of the net's own loss {agree}; backprop is {worst}."
    why = "they lie at a kink of the loss, or it is known too little there"
    return f"backprop is not torch.autograd's, {worst}. Differences cannot tell in those elements ({why}), so torch decides."


def _numerical(found: Held) -> str:
    worst = np.nanmax(np.maximum(found.ratio_backprop, found.ratio_autograd))
    return (
        "numerical stands alone: backprop is torch.autograd's gradient, but the loss that the net gives moves otherwise, "
        f"{_times(float(worst))} what is allowed. What `loss` returns is not what `gradient` is the gradient of."
    )


def _beyond(margin: float, far: float) -> str:
    """By how much what is allowed is exceeded; nothing is allowed where a gradient is exactly 0, whoever computes it."""
    if math.isfinite(far) and not math.isfinite(margin):
        return "where nothing is allowed"
    return f"{_times(margin)} what is allowed"


def _times(margin: float) -> str:
    return f"{_brief(margin)} times" if math.isfinite(margin) else "with no number where the other has one, far beyond"


def _brief(value: float) -> str:
    return f"{value:.3g}"


def _backprop_causes(two: Sides, evidence: Evidence) -> Iterator[str]:
    """What explains backprop's gradient in every element, from what torch gives."""
    b, a = two.backprop.astype(float), two.autograd.astype(float)
    own = allowed_error(two.ball)
    ratio = ratio_of(b, a, own)
    if ratio is not None and _within(b, ratio * a, (1 + abs(ratio)) * own) and (text := _ratio_text(ratio, evidence.rows)):
        yield f"The gradient of {two.name} is {text} torch's."
    earlier, allowed = evidence.gradient_before(two.name)
    if _within(b, earlier, own + allowed):
        yield "It is the gradient of the batch that the net was given before: something of that batch is kept."
    if _within(b, a + earlier, 2 * (own + allowed)):
        yield "It is this batch's gradient and that of the batch before, added up: gradients are not cleared between two calls."


def _numerical_causes(two: Sides, found: Held, evidence: Evidence) -> Iterator[str]:
    """What explains how the loss moves, in every element that differences can tell."""
    resolved = found.states == "resolved"
    d, error = found.tried.value[resolved], FACTOR * (found.tried.error + found.radius)[resolved]
    a = two.autograd.reshape(-1)[found.tried.at].astype(float)[resolved]
    if (np.abs(d) <= error).all():
        yield f"The loss does not move with {two.name}: the net works with a copy of params[{two.name!r}], which an update will not reach."
        return
    ratio = ratio_of(d, a, error)
    near = max(_NEAR, float(error.max()) / max(abs(a).max(), _TINY))
    if ratio is not None and _within(d, ratio * a, (1 + abs(ratio)) * error) and (text := _ratio_text(ratio, evidence.rows, near)):
        yield f"The loss moves by {text} what its gradient says."
    earlier, allowed = evidence.gradient_before(two.name)
    if _within(d, earlier.reshape(-1)[found.tried.at][resolved], error + allowed.reshape(-1)[found.tried.at][resolved]):
        yield "It is the loss of the batch that the net was given before."


def _within(actual: Array, predicted: Array, allowed: Array) -> bool:
    """Whether the prediction holds in every element, and says more than that everything is 0."""
    return bool((np.abs(actual - predicted) <= allowed).all() and (np.abs(predicted) > allowed).any())


def _ratio_text(ratio: float, rows: int, near: float = _NEAR) -> str:
    """A ratio in words: a named constant, the size of the batch, or the number; empty where it is 1."""
    if abs(ratio - 1) < max(NEAR_ONE, near):
        return ""
    sign = "minus " if ratio < 0 else ""
    named = {"": 1.0, f"{rows} times (the size of the batch)": float(rows), f"1/{rows} of (the batch has {rows} rows)": 1 / rows}
    named |= {text: value for value, text in CONSTANTS.values()}
    for text, value in named.items():
        if abs(abs(ratio) - value) <= near * value:
            return f"{sign}{text}".strip()
    return f"{_brief(ratio)} times"


def loss_cause(actual: float, expected: float, allowed: float, evidence: Evidence) -> str:
    """What explains a loss that is not torch's; empty where nothing does."""
    if abs(actual - float(evidence.earlier.outputs[0])) <= allowed:
        return "It is the loss of the batch that the net was given before."
    ratio = actual / expected if expected else math.inf
    if math.isfinite(ratio) and (text := _ratio_text(ratio, evidence.rows)) and not text.endswith(" times"):
        return f"The loss is {text} torch's."
    for inside in ADDED:
        if abs(evidence.loss_with(inside) - actual) <= allowed:
            return (
                f"It adds {inside:g} to each probability before it takes the logarithm, so its gradient is not quite what backprop gives."
            )
    return ""
