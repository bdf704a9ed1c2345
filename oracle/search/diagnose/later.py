"""Causes that were written after the faults that they explain had been seen, planted or blind; they are counted apart."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator

import numpy as np

from oracle.core.case import Array
from oracle.search.diagnose.evidence import Evidence, Trial, agrees
from oracle.search.diagnose.guess import Diagnosis, Guess, answer, asked, dout_of, with_input
from oracle.search.diagnose.smallprint import EPSILONS, probabilities

DIGITS = 1e-3
"""How near to a round number a solved one has to be, relatively, before it is tried as that."""


def special_values(evidence: Evidence) -> Iterator[Guess | Diagnosis]:
    """Infinities and zeros that meet."""
    name, layer = evidence.quantity, evidence.bench.spec.name
    if name == "forward.out" and layer == "Relu":
        sentence = f"{name} is NaN where x is -inf: x is multiplied by a mask of 0 and 1, and 0 * -inf is NaN. torch selects."
        yield Guess("zero-times-inf", sentence, lambda t: np.where(np.isneginf(t.case.inputs["x"]), np.nan, t.expected["forward.out"]))
    if name == "forward.out" and layer == "AddLayer":
        sentence = f"{name} is 0 where infinities of opposite sign are added; torch gives NaN there."
        yield Guess("inf-less-inf", sentence, _infinities_to_0)
    if name == "forward.out" and layer == "MulLayer":
        sentence = f"{name} is 0 wherever an operand is 0; torch gives NaN where the other one is NaN or infinite."
        yield Guess("zero-times-anything", sentence, _zeros)


def _infinities_to_0(trial: Trial) -> Array:
    x, y = np.broadcast_arrays(trial.case.inputs["x"], trial.case.inputs["y"])
    return np.where(np.isinf(x) & np.isinf(y) & (x != y), 0, trial.expected["forward.out"])


def _zeros(trial: Trial) -> Array:
    x, y = np.broadcast_arrays(trial.case.inputs["x"], trial.case.inputs["y"])
    return np.where((x == 0) | (y == 0), 0, trial.expected["forward.out"])


def labels(evidence: Evidence) -> Iterator[Guess | Diagnosis]:
    """Ignored rows that count in the mean, labels that are not taken off, the batch size of another call, the logarithm of a softmax."""
    name, spec = evidence.quantity, evidence.bench.spec
    if name is None or "t" not in evidence.first.case.inputs:
        return
    sentence = f"{name} is divided by all rows: rows with the ignored label -100 are left out of the sum, but counted in the mean."
    yield Guess("counts-ignored", sentence, lambda t: _by_all_rows(t, name))
    if name == "backward.dx":
        yield Guess("labels-not-taken-off", f"{name} is y dout / N: the labels t are not taken off y.", _without_labels)
    if evidence.bench.row[0] == "state.fresh":
        sentence = f"{name} of a used layer is divided by the batch size of the case before."
        yield Guess("stale-batch-size", sentence, lambda t: _other_batch(t, name))
    if spec.name == "SoftmaxWithLoss" and name == "forward.loss":
        sentence = f"{name} is the logarithm of a softmax, in two steps: it is infinite or NaN where the softmax rounds to 0."
        yield _of_terms(evidence, "log-of-softmax", sentence, "torch.log(F.softmax(v, -1))")
        if _overflows(evidence, name):
            sentence = f"{name} is formed from exp(x) without taking off the largest score: exp overflows to inf, and inf / inf is NaN."
            yield _of_terms(evidence, "naive-softmax", sentence, "torch.log(torch.exp(v) / torch.exp(v).sum(-1, keepdim=True))")


def _overflows(evidence: Evidence, name: str) -> bool:
    """Whether scores that are all large, and near each other, give no finite answer: what a NaN elsewhere does not prove."""
    case = evidence.bench.calm()
    trial = evidence.bench.tried(with_input(case, "x", case.inputs["x"] + 800))
    actual = None if trial is None else answer(evidence, trial)
    return actual is not None and not np.isfinite(actual).all()


def _of_terms(evidence: Evidence, cause: str, sentence: str, terms: str) -> Guess:
    """The loss with `terms`, an expression of v, in the place of the log softmax."""
    soft = f"-({terms} * t).sum() / (v.shape[0] if v.ndim > 1 else 1)"
    instead = f"(lambda v, t: F.nll_loss({terms}, t) if t.ndim < v.ndim else {soft})(x,"
    return _instead(evidence, cause, sentence, "F.cross_entropy(x,", instead)


def _instead(evidence: Evidence, cause: str, sentence: str, piece: str, other: str) -> Guess:
    """The answer of the spec's expression with another piece in it."""
    spec, name = evidence.bench.spec, evidence.quantity or ""
    changed = dataclasses.replace(spec, torch=spec.expression(evidence.bench.branch).replace(piece, other))
    return Guess(cause, sentence, lambda t: asked(changed, name, t.case))


def _by_all_rows(trial: Trial, name: str) -> Array | None:
    t = trial.case.inputs["t"]
    counted = int((t.astype(np.float64) != -100).sum())
    if t.dtype.kind not in "iu" or t.size == 0 or t.ndim != 1:
        return trial.expected[name]
    if counted == 0:
        return np.zeros_like(trial.expected[name])
    return np.asarray(trial.expected[name] * (counted / t.size))


def _without_labels(trial: Trial) -> Array | None:
    y, dout, t = probabilities(trial.case), dout_of(trial.case), trial.case.inputs["t"]
    if y is None or dout is None or t.size == 0 or (t.astype(np.float64) == -100).any():
        return None
    return np.asarray(y * dout / (len(y) if y.ndim > 1 else 1))


def _other_batch(trial: Trial, name: str) -> Array | None:
    prior = trial.case.prior
    if prior is None or not {"N"} <= set(trial.case.sizes) & set(prior.sizes) or not prior.sizes["N"]:
        return None
    if any((c.inputs["t"].astype(np.float64) == -100).any() for c in (trial.case, prior)):
        return None
    return np.asarray(trial.expected[name] * (trial.case.sizes["N"] / prior.sizes["N"]))


def shapes(evidence: Evidence) -> Iterator[Guess | Diagnosis]:
    """Transposed only where that fits; of a first shape that is kept."""
    name = evidence.quantity
    if name is not None:
        sentence = f"{name} holds torch's numbers transposed where it is square, and only there."
        yield Guess("transposed-square", sentence, lambda t: _square(t.expected[name]))
    row, reason = evidence.bench.row
    if row == "state.fresh" and reason == "shape" and all(_shape_of_prior(evidence, t) for t in [evidence.first, *evidence.failing]):
        yield Diagnosis("stale-shape", "A used layer gives a result the shape of the case before: the shape is kept, not renewed.")


def _square(e: Array) -> Array:
    return e.T if e.ndim == 2 and e.shape[0] == e.shape[1] else e


def _shape_of_prior(evidence: Evidence, trial: Trial) -> bool:
    """Whether every result of another shape than torch's has the shape that it would have for the case before."""
    prior = trial.case.prior
    if prior is None:
        return False
    wrong = [n for n, a in trial.actual.items() if n in trial.expected and a.shape != trial.expected[n].shape]
    before = {n: asked(evidence.bench.spec, n, prior) for n in wrong}
    return bool(wrong) and all(b is not None and b.shape == trial.actual[n].shape for n, b in before.items())


def solved(evidence: Evidence) -> Iterator[Guess | Diagnosis]:
    """A number that is read off one trial, must be a round one, and is then held against all the others."""
    name, layer = evidence.quantity, evidence.bench.spec.name
    if name is None or not evidence.calm:
        return
    trial = evidence.failing[0]
    mine = answer(evidence, trial)
    if mine is None or mine.shape != trial.expected[name].shape:
        return
    if layer == "Relu":
        yield from _slope(evidence, trial, mine, name)
    if layer == "softmax":
        yield from _denominator(trial, mine, name)
    for w in evidence.bench.spec.params:
        if name == f"backward.d{w}":
            yield from _decay(trial, mine, name, w)


def _slope(evidence: Evidence, trial: Trial, mine: Array, name: str) -> Iterator[Guess]:
    x = trial.case.inputs["x"]
    base = dout_of(trial.case) if name.startswith("backward") else x
    if base is None or not (x < 0).any():
        return
    slope = round_number(float(np.median(mine[x < 0] / base[x < 0])))
    if slope is not None:
        backward = name.startswith("backward")
        sentence = f"{name} is {slope:g} times {'dout' if backward else 'x'} where x < 0: a leaky relu, torch's gives 0 there."
        yield Guess(f"leaky-{slope:g}", sentence, lambda t: np.where(t.case.inputs["x"] < 0, slope * _base(t, backward), t.expected[name]))


def _base(trial: Trial, backward: bool) -> Array:
    dout = dout_of(trial.case)
    return trial.case.inputs["x"] if not backward or dout is None else dout


def _denominator(trial: Trial, mine: Array, name: str) -> Iterator[Guess]:
    """softmax with e / (s + eps), s the sum of e^(x - max)."""
    total = _sum_of_exp(trial)
    eps = round_number(float(np.median(total * (trial.expected[name] / mine - 1))))
    if eps is not None and eps in EPSILONS:
        sentence = f"{name} is e / (s + {eps:g}) with s the sum of e = exp(x - max x): {eps:g} is added to the denominator."
        yield Guess(f"epsilon-below {eps:g}", sentence, lambda t: t.expected[name] * (_sum_of_exp(t) / (_sum_of_exp(t) + eps)))
    raw = round_number(float(np.median(np.exp(trial.case.inputs["x"]).sum(axis=-1, keepdims=True) * (trial.expected[name] / mine - 1))))
    if raw is not None and raw in EPSILONS:
        sentence = f"{name} is e / (s + {raw:g}) with s the sum of e = exp(x), no maximum taken off: {raw:g} is added to the denominator."
        yield Guess(f"epsilon-below-raw {raw:g}", sentence, lambda t: _padded(t.case.inputs["x"], raw))


def _padded(x: Array, eps: float) -> Array:
    e = np.exp(x)
    return np.asarray(e / (e.sum(axis=-1, keepdims=True) + x.dtype.type(eps)))


def _sum_of_exp(trial: Trial) -> Array:
    x = trial.case.inputs["x"]
    return np.asarray(np.exp(x - x.max(axis=-1, keepdims=True)).sum(axis=-1, keepdims=True))


def _decay(trial: Trial, mine: Array, name: str, w: str) -> Iterator[Guess]:
    """The gradient has a share of the parameter itself added."""
    rate = round_number(float(np.median((mine - trial.expected[name]) / trial.case.params[w])))
    if rate is not None:
        sentence = f"{name} is torch's plus {rate:g} {w}: weight decay is added to the gradient."
        add: Callable[[Trial], Array] = lambda t: t.expected[name] + rate * t.case.params[w]  # noqa: E731
        yield Guess(f"decay {rate:g}", sentence, add)


def round_number(value: float) -> float | None:
    """`value` as a number of one digit if it is one, up to DIGITS; None otherwise, and for 0."""
    if not np.isfinite(value) or value == 0:
        return None
    rounded = float(f"{value:.0e}")
    return rounded if abs(rounded - value) <= DIGITS * abs(value) else None


def slips(evidence: Evidence) -> Iterator[Guess | Diagnosis]:
    """A mask that is open at 0, a relu that is not gone back through, a scaled product, what the first backward left behind."""
    name, spec = evidence.quantity, evidence.bench.spec
    if name is None:
        return
    if spec.name == "Relu" and name == "backward.dx":
        sentence = f"{name} is dout where x >= 0, so also at exactly 0, where torch gives 0; at NaN, where torch gives dout, it is 0."
        yield Guess("mask-from-0", sentence, _mask_from_0)
    if spec.convention == "network" and name.startswith("backward."):
        sentence = f"{name} is formed as if the relu were not there: its mask is not applied on the way back."
        yield _instead(evidence, "relu-not-gone-back", sentence, "F.relu(", "(lambda v: F.relu(v).detach() + v - v.detach())(")
    if spec.name == "Affine" and name in ("forward.out", "backward.dx"):
        sentence = f"{name} is what torch gives for W / sqrt(D), with D the number of inputs: the product is scaled."
        yield Guess("product-scaled", sentence, lambda t: asked(spec, name, with_input(t.case, "W", _by_root(t.case.params["W"]))))
    if spec.name == "softmax" and not _overflows(evidence, name):
        shifted = "torch.exp(x - x.max())"
        sentence = (
            f"{name} takes the largest score of the whole array off, not each row's own: rows far below it underflow, and 0 / 0 is NaN."
        )
        yield _instead(evidence, "whole-maximum", sentence, "F.softmax(x, -1)", f"({shifted} / {shifted}.sum(-1, keepdim=True))")
    elif spec.name == "softmax":
        sentence = f"{name} is formed from exp(x) without taking off the largest score: exp overflows to inf, and inf / inf is NaN."
        yield _instead(evidence, "naive-softmax", sentence, "F.softmax(x, -1)", "(torch.exp(x) / torch.exp(x).sum(-1, keepdim=True))")
    if evidence.bench.row[0] == "backward.repeatable":
        yield from _spoiled(name, spec.name)


def _mask_from_0(trial: Trial) -> Array | None:
    dout = dout_of(trial.case)
    return None if dout is None else np.where(trial.case.inputs["x"] >= 0, dout, 0)


def _by_root(w: Array) -> Array:
    return np.asarray(w / np.sqrt(max(len(w), 1))).astype(w.dtype)


def _spoiled(name: str, layer: str) -> Iterator[Guess]:
    """The second backward, where the first one worked in the array that it needs."""
    if layer == "Sigmoid":
        sentence = f"{name} of the second backward has y (1 - y) where y belongs: the first one wrote its product over the kept output."
        yield Guess("second-from-slope", sentence, _from_slope)
    if layer == "SoftmaxWithLoss":
        sentence = f"{name} of the second backward has the labels taken off twice: the first one took them off the kept y itself."
        yield Guess("second-labels-twice", sentence, _labels_twice)


def _from_slope(trial: Trial) -> Array | None:
    dout, y = dout_of(trial.case), trial.expected["forward.out"]
    slope = y * (1 - y)
    return None if dout is None else np.asarray(dout * slope * (1 - slope))


def _labels_twice(trial: Trial) -> Array | None:
    dout, t, e = dout_of(trial.case), trial.case.inputs["t"], trial.expected["backward.dx"]
    if dout is None or t.size == 0 or (t.astype(np.float64) == -100).any():
        return None
    rows = t if t.ndim == e.ndim else np.eye(e.shape[-1])[t.astype(np.int64)]
    return np.asarray(e - dout * rows / (len(e) if e.ndim > 1 else 1))


def transposed(evidence: Evidence) -> Iterator[Guess | Diagnosis]:
    """A result of another shape that is torch's once its axes are exchanged."""
    trials = [evidence.first, *evidence.failing]
    if evidence.bench.row[1] != "shape":
        return
    wrong = {n for t in trials for n, a in t.actual.items() if n in t.expected and a.shape != t.expected[n].shape}
    if len(wrong) == 1 and all(_is_transposed(t, name := next(iter(wrong))) for t in trials):
        shapes = evidence.first.actual[name].shape, evidence.first.expected[name].shape
        yield Diagnosis("transposed", f"{name} is transposed: shape {shapes[0]} where torch's is {shapes[1]}.")


def _is_transposed(trial: Trial, name: str) -> bool:
    a = trial.actual.get(name)
    return a is not None and a.ndim == 2 and agrees(a.T, trial.expected[name], trial.allowed[name], trial.case.dtype)


_GRID, _REACH = 512, 4.0
_SMOOTH, _LEAST, _MOST = 0.01, 1e-6, 0.05
"""The largest second difference of a smooth error, as a share of it; the errors of an approximation: less may be an epsilon somewhere."""


def approximated(evidence: Evidence) -> Iterator[Guess | Diagnosis]:
    """A function of one array that stays near torch's and whose error is a smooth curve. A fault of rounding has a ragged one."""
    name, bench = evidence.quantity, evidence.bench
    if not evidence.calm or name != "forward.out" or bench.spec.params or bench.row[0] != name or len(evidence.first.case.inputs) != 1:
        return
    grid = np.linspace(-_REACH, _REACH, _GRID)
    case = bench.calm(sizes={"A": 1, "B": _GRID, "C": 1, "D": 1})
    shape = case.inputs["x"].shape
    if case.inputs["x"].size != _GRID:
        return
    trial = bench.tried(with_input(case, "x", grid.reshape(shape)))
    if trial is None or not trial.failing or name not in trial.actual:
        return
    error, scale = (trial.actual[name] - trial.expected[name]).ravel(), np.abs(trial.expected[name]).max()
    worst = np.abs(error).max()
    if np.isfinite(worst) and _LEAST * scale <= worst <= _MOST * scale and np.abs(np.diff(error, 2)).max() <= _SMOOTH * worst:
        words = f"between x = -{_REACH:g} and {_REACH:g} it is off by a smooth curve of at most {worst:.2g}"
        yield Diagnosis("approximation", f"{name} looks like an approximation of what torch gives: {words}.")
