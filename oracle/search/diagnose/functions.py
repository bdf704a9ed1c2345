"""The layer computes another function than the one that it is named for: another torch expression answers as it does."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from oracle.core.case import Array
from oracle.core.spec import LayerSpec
from oracle.search.diagnose.evidence import Evidence, Trial
from oracle.search.diagnose.guess import Diagnosis, Guess, asked


class Other(NamedTuple):
    """A piece of a spec's expression, what stands there instead, and how that is called."""

    cause: str
    piece: str
    instead: str
    words: str


def _mean(terms: str) -> str:
    """The beginning of a cross entropy of x with `terms`, an expression of v, in the place of the log softmax."""
    soft = f"-(({terms}) * t).sum() / (v.shape[0] if v.ndim > 1 else 1)"
    return f"(lambda v, t: F.nll_loss({terms}, t) if t.ndim < v.ndim else {soft})(x,"


_RELU, _SIGMOID, _SOFTMAX, _LINEAR = "F.relu(", "torch.sigmoid(x)", "F.softmax(x, -1)", "F.linear(x.flatten(1), W.T, b)"
OTHERS = (
    Other("leaky-0.01", _RELU, "F.leaky_relu(", "a leaky relu: x <= 0 is multiplied by 0.01 instead of 0"),
    Other("leaky-0.1", _RELU, "(lambda v: F.leaky_relu(v, 0.1))(", "a leaky relu: x <= 0 is multiplied by 0.1 instead of 0"),
    Other("leaky-0.001", _RELU, "(lambda v: F.leaky_relu(v, 0.001))(", "a leaky relu: x <= 0 is multiplied by 0.001 instead of 0"),
    Other("relu6", _RELU, "F.relu6(", "relu6: it is cut off at 6"),
    Other("absolute", _RELU, "torch.abs(", "the absolute value, not relu"),
    Other("elu", _RELU, "F.elu(", "elu, not relu"),
    Other("gelu", _RELU, "F.gelu(", "gelu, not relu"),
    Other("softplus", _RELU, "F.softplus(", "softplus, not relu"),
    Other("silu", _RELU, "F.silu(", "silu, not relu"),
    Other("identity", _RELU, "(lambda v: v * 1)(", "the identity: negative x are let through"),
    Other("step", _RELU, "(lambda v: (v > 0).to(v.dtype) + 0 * v)(", "a step: 1 where x > 0"),
    Other("relu-of-minus", _RELU, "(lambda v: -F.relu(-v))(", "min(x, 0), not max(x, 0)"),
    Other("relu-reversed", _RELU, "(lambda v: F.relu(-v))(", "relu of -x"),
    Other("hardtanh", _RELU, "F.hardtanh(", "a clip to -1 ... 1, not relu"),
    Other("tanh", "torch.sigmoid(", "torch.tanh(", "tanh, not sigmoid"),
    Other("tanh-unhalved", _SIGMOID, "(1 + torch.tanh(x)) / 2", "(1 + tanh x) / 2 where tanh(x / 2) belongs"),
    Other("hard-sigmoid", "torch.sigmoid(", "F.hardsigmoid(", "the hard sigmoid: straight between -3 and 3"),
    Other("hard-sigmoid-0.2", _SIGMOID, "torch.clamp(0.2 * x + 0.5, 0, 1)", "a hard sigmoid: 0.2 x + 0.5 cut to 0 ... 1"),
    Other("sigmoid-of-minus", _SIGMOID, "torch.sigmoid(-x)", "1 - sigmoid(x): the sign in the exponent is wrong"),
    Other("softsign", _SIGMOID, "(1 + F.softsign(x)) / 2", "0.5 + x / (2 (1 + |x|)), a softsign brought to 0 ... 1, not sigmoid"),
    Other("exp-over-one", _SIGMOID, "1 / (1 + torch.exp(x))", "1 / (1 + exp(x)): the sign in the exponent is wrong"),
    Other("softmin", _SOFTMAX, "F.softmin(x, -1)", "softmax of -x"),
    Other("softmax-axis-0", _SOFTMAX, "F.softmax(x, 0)", "the softmax over axis 0 instead of the last one"),
    Other(
        "softmax-axis-1",
        _SOFTMAX,
        "(F.softmax(x, 1) if x.ndim > 1 else F.softmax(x, -1))",
        "the softmax over axis 1 instead of the last one",
    ),
    Other("softmax-axis-next-to-last", _SOFTMAX, "F.softmax(x, max(-2, -x.ndim))", "the softmax over the axis next to the last"),
    Other(
        "softmax-all",
        _SOFTMAX,
        "F.softmax(x.flatten(), 0).reshape(x.shape)",
        "one softmax over all elements instead of one along the last axis",
    ),
    Other("log-softmax", _SOFTMAX, "F.log_softmax(x, -1)", "the logarithm of the softmax"),
    Other("exp-only", _SOFTMAX, "torch.exp(x - x.max(-1, keepdim=True).values)", "exp(x - max x), not divided by its sum"),
    Other("base-2", _SOFTMAX, "F.softmax(x * 0.6931471805599453, -1)", "a softmax with 2 in the place of e"),
    Other("squares", _SOFTMAX, "x * x / (x * x).sum(-1, keepdim=True)", "shares of x squared, without an exponential"),
    Other("shares", _SOFTMAX, "x / x.sum(-1, keepdim=True)", "shares of x, without an exponential"),
    Other("added", "x * y", "x + y", "x + y, not x * y"),
    Other("multiplied", "x + y", "x * y", "x * y, not x + y"),
    Other("subtracted", "x + y", "x - y", "x - y, not x + y"),
    Other("mul-absolute", "x * y", "torch.abs(x * y)", "|x y|: the sign is lost"),
    Other("mul-first-squared", "x * y", "x * x + 0 * y", "x * x, not x * y"),
    Other(
        "loss-softmax-axis-0",
        "F.cross_entropy(x,",
        _mean("F.log_softmax(v, 0)"),
        "the loss of a softmax taken over the batch instead of over the classes",
    ),
    Other(
        "loss-softmax-all",
        "F.cross_entropy(x,",
        _mean("F.log_softmax(v.flatten(), 0).reshape(v.shape)"),
        "the loss of one softmax over the whole batch instead of one for each row",
    ),
    Other("loss-without-log", "F.cross_entropy(x,", _mean("F.softmax(v, -1)"), "-sum(t y): the logarithm is missing"),
    Other("loss-without-softmax", "F.cross_entropy(x,", _mean("v"), "-sum(t x): the softmax is missing"),
    Other(
        "squared-error",
        "F.cross_entropy(x,",
        "(lambda v, t: ((F.softmax(v, -1) - (F.one_hot(t, v.shape[-1]) if t.ndim < v.ndim else t)) ** "
        "2).sum() / (2 * (v.shape[0] if v.ndim > 1 else 1)))(x,",
        "half the squared error, not the cross entropy",
    ),
    Other(
        "binary-cross-entropy",
        "F.cross_entropy(x,",
        "(lambda v, t: F.binary_cross_entropy(F.softmax(v, -1), (F.one_hot(t, v.shape[-1]).to(v.dtype) if "
        "t.ndim < v.ndim else t), reduction='sum') / (v.shape[0] if v.ndim > 1 else 1))(x,",
        "the binary cross entropy, with the terms of the classes that are not the label",
    ),
    Other("net-hidden-sigmoid", "F.relu(F.linear(x", "torch.sigmoid(F.linear(x", "a net with a sigmoid where the relu belongs"),
    Other(
        "net-relu-twice",
        "(scores := F.linear(F.relu(F.linear(x, W1.T, b1)), W2.T, b2)",
        "(scores := F.relu(F.linear(F.relu(F.linear(x, W1.T, b1)), W2.T, b2))",
        "a net with a relu after its last layer too",
    ),
    Other(
        "scores-softmax",
        "(scores := F.linear(F.relu(F.linear(x, W1.T, b1)), W2.T, b2)",
        "(scores := F.softmax(F.linear(F.relu(F.linear(x, W1.T, b1)), W2.T, b2), 1)",
        "a net that gives probabilities where the scores belong",
    ),
    Other("accuracy-in-percent", "double().mean())", "double().mean() * 100)", "an accuracy in percent, not a share"),
    Other("accuracy-count", "double().mean())", "double().sum())", "the number of hits, not their share of the batch"),
    Other("accuracy-of-worst", "scores.argmax(1)", "scores.argmin(1)", "an accuracy of the lowest score instead of the highest"),
    Other("accuracy-wrong", "(scores.argmax(1) ==", "(scores.argmax(1) !=", "the share of misses, not that of hits"),
    Other(
        "entropy-of-labels",
        "torch.special.xlogy(t.to(y.dtype), y)",
        "torch.special.xlogy(y, t.to(y.dtype))",
        "-sum(y log t): labels and probabilities are exchanged",
    ),
    Other(
        "binary-terms",
        "torch.special.xlogy(t.to(y.dtype), y)",
        "(torch.special.xlogy(t.to(y.dtype), y) + torch.special.xlogy(1 - t.to(y.dtype), 1 - y))",
        "a cross entropy with the terms (1 - t) log(1 - y) too",
    ),
    Other("sine-slope", "torch.sin(x).sum()", "(-torch.cos(x)).sum()", "sin x where cos x belongs"),
)
"""Other functions, by the piece of the expression that they stand for."""


def other_function(evidence: Evidence) -> Iterator[Guess | Diagnosis]:
    """Every entry of the list whose piece is in the expression of this branch."""
    name, spec, branch = evidence.quantity, evidence.bench.spec, evidence.bench.branch
    if name is None:
        return
    expression = spec.expression(branch)
    for o in OTHERS:
        if o.piece in expression:
            other = dataclasses.replace(spec, torch=expression.replace(o.piece, o.instead))
            what = "the gradient of " if name.startswith("backward.") else ""
            if o.piece == _RELU and spec.convention == "network":
                what = "that of a net whose relu is replaced by "
            yield Guess(o.cause, f"{name} is {what}{o.words}.", _of(other, name))


def _of(other: LayerSpec, name: str) -> Callable[[Trial], Array | None]:
    def predict(trial: Trial) -> Array | None:
        found = asked(other, name, trial.case)
        return None if found is None else np.asarray(found)

    return predict
