"""An epsilon inside a logarithm, a probability or score clipped, digits lost to a lower precision."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from oracle.core.ball import PRECISIONS
from oracle.core.case import Array, Case
from oracle.search.diagnose.evidence import Evidence, Trial
from oracle.search.diagnose.guess import Diagnosis, Guess, answer, asked, with_input

EPSILONS = (
    tuple(float(f"1e-{i}") for i in range(1, 21))
    + tuple(2.0**-k for k in (10, 20, 23, 24, 52, 53))
    + (1e-100, 1e-300, 1e-30, 1e-35, 1e-38, 1e-45)
)
"""Sizes that an epsilon usually has."""
LIMITS = (
    1,
    2,
    3,
    5,
    6,
    8,
    10,
    15,
    16,
    18,
    20,
    25,
    30,
    32,
    34.538776394910684,
    36,
    40,
    50,
    60,
    64,
    80,
    87,
    88,
    88.3762626647949,
    88.72,
    100,
    127,
    200,
    250,
    255,
    256,
    300,
    400,
    500,
    600,
    700,
    709,
    709.78,
    709.782712893384,
    710,
    745,
    1000,
    1e4,
    1e5,
    1e6,
)
"""Where values are usually clipped."""


def inside_logarithm(evidence: Evidence) -> Iterator[Guess | Diagnosis]:
    """log(p + eps), log of p clipped from below, of one of the usual sizes."""
    if evidence.quantity != "forward.loss" or ("y" not in evidence.first.case.inputs and "x" not in evidence.first.case.inputs):
        return
    if evidence.bench.spec.convention == "network":
        return
    for eps in sorted(set(EPSILONS), reverse=True):
        size = f"{eps:g}"
        yield Guess(
            f"epsilon {size}",
            f"forward.loss is -log(p + {size}) where -log p belongs: an epsilon of {size} is added inside the logarithm.",
            lambda t, v=eps: loss_of(t, lambda p: np.log(p + p.dtype.type(v)), evidence),  # type: ignore[misc]
        )
        yield Guess(
            f"probability-clipped {size}",
            f"forward.loss is -log(max(p, {size})) where -log p belongs: probabilities are clipped from below at {size}.",
            lambda t, v=eps: loss_of(t, lambda p: np.log(np.maximum(p, p.dtype.type(v))), evidence),  # type: ignore[misc]
        )
        yield Guess(
            f"probability-clipped-both {size}",
            f"forward.loss takes the logarithm of p clipped to {size} ... 1 - {size}.",
            lambda t, v=eps: loss_of(t, lambda p: np.log(np.clip(p, p.dtype.type(v), 1 - p.dtype.type(v))), evidence),  # type: ignore[misc]
        )


def loss_of(trial: Trial, log: Callable[[Array], Array], evidence: Evidence) -> Array | None:
    """The mean of -sum(t log p) with a logarithm of its own; p are the probabilities of the case, or the softmax of its scores."""
    case = trial.case
    p = probabilities(case)
    t = case.inputs.get("t")
    if p is None or t is None or p.size == 0:
        return None
    rows, classes = p.reshape(-1, p.shape[-1]), p.shape[-1]
    logs = log(rows)
    if t.ndim == p.ndim:
        terms = t.reshape(-1, classes).astype(rows.dtype) * logs
        return np.asarray(-terms.sum() / len(rows))
    index = t.reshape(-1).astype(np.int64)
    counted = index != -100
    if not counted.any() or ((index[counted] < 0) | (index[counted] >= classes)).any():
        return None
    return np.asarray(-logs[np.nonzero(counted)[0], index[counted]].sum() / counted.sum())


def probabilities(case: Case) -> Array | None:
    """y of the case, or the softmax of x over its last axis."""
    if "y" in case.inputs:
        return case.inputs["y"]
    x = case.inputs.get("x")
    if x is None or x.ndim == 0 or x.shape[-1] == 0:
        return None
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return np.asarray(e / e.sum(axis=-1, keepdims=True))


def clipped(evidence: Evidence) -> Iterator[Guess | Diagnosis]:
    """An input clipped to +-L, or only from above or below, for the usual L; the result clipped likewise."""
    name = evidence.quantity
    if name is None:
        return
    inputs = [n for n, a in evidence.first.case.inputs.items() if a.dtype.kind == "f" and n != "t"]
    for limit in LIMITS:
        at = f"{limit:g}"
        for n in inputs if name.startswith("forward.") else ():
            for cause, low, high, words in _ranges(limit, at):
                yield Guess(
                    f"{n}-clipped{cause} {at}",
                    f"{name} is what torch gives for {n} clipped {words}.",
                    lambda t, n=n, lo=low, hi=high: _answer_to_clipped(evidence, name, t, n, lo, hi),  # type: ignore[misc]
                )
        for cause, low, high, words in _ranges(limit, at):
            yield Guess(
                f"result-clipped{cause} {at}",
                f"{name} is torch's clipped {words}.",
                lambda t, lo=low, hi=high: np.clip(t.expected[name], lo, hi),  # type: ignore[misc]
            )
    for eps in EPSILONS:
        yield Guess(
            f"result-clipped-to-1 {eps:g}",
            f"{name} is torch's clipped to {eps:g} ... 1 - {eps:g}.",
            lambda t, v=eps: np.clip(t.expected[name], v, 1 - v),  # type: ignore[misc]
        )


def _ranges(limit: float, at: str) -> tuple[tuple[str, float, float, str], ...]:
    return (
        ("", -limit, limit, f"to -{at} ... {at}"),
        ("-above", -np.inf, limit, f"from above at {at}"),
        ("-below", -limit, np.inf, f"from below at -{at}"),
    )


def _answer_to_clipped(evidence: Evidence, name: str, trial: Trial, n: str, low: float, high: float) -> Array | None:
    a = trial.case.inputs.get(n)
    return None if a is None else asked(evidence.bench.spec, name, with_input(trial.case, n, np.clip(a, low, high).astype(a.dtype)))


def lower_precision(evidence: Evidence) -> Iterator[Guess | Diagnosis]:
    """Float64 results that are float32 or float16 numbers each, and torch's rounded to them."""
    name = evidence.quantity
    if name is None:
        return
    trials = [t for t in evidence.failing if t.case.dtype in ("float64", "float32")]
    for dtype in ("float16", "float32"):
        if not trials or any(t.case.dtype == dtype for t in trials) or not all(_rounded_to(evidence, t, name, dtype) for t in trials):
            continue
        if sum(_digits(answer(evidence, t), dtype) for t in trials) >= 8:
            yield Diagnosis(
                f"computed-in-{dtype}", f"{name} is computed in {dtype}: every element is a {dtype} number, and torch's up to its rounding."
            )


def _rounded_to(evidence: Evidence, trial: Trial, name: str, dtype: str) -> bool:
    """Whether every element is a number of `dtype`, and torch's answer in that dtype up to its allowed error."""
    mine = answer(evidence, trial)
    spec = evidence.bench.spec
    if mine is None or not bool((mine.astype(dtype).astype(mine.dtype) == mine)[np.isfinite(mine)].all()):
        return False
    lower = in_dtype(trial.case, dtype)
    expected = asked(spec, name, lower)
    if expected is None or expected.shape != mine.shape:
        return False
    radius = spec.bounds(PRECISIONS[dtype], lower)[name].radius
    off = np.abs(mine.astype(np.float64) - expected.astype(np.float64))
    return bool(((off <= 4 * radius) | ~np.isfinite(radius) | (np.isnan(mine) & np.isnan(expected))).all())


def _digits(a: Array | None, dtype: str) -> int:
    """How many elements need most digits of `dtype`: only of these it says something that they are numbers of it."""
    if a is None:
        return 0
    finite = a[np.isfinite(a)]
    coarse = 8 * np.float64(np.finfo(dtype).eps)
    mantissa = np.frexp(finite.astype(np.float64))[0]
    return int((np.round(mantissa / coarse) * coarse != mantissa).sum())


def in_dtype(case: Case, dtype: str) -> Case:
    """The case with its floating arrays of the working dtype in another one."""

    def cast(arrays: dict[str, Array]) -> dict[str, Array]:
        return {n: a.astype(dtype) if a.dtype == case.dtype else a for n, a in arrays.items()}

    return case._replace(dtype=dtype, inputs=cast(case.inputs), params=cast(case.params), cotangents=cast(case.cotangents))


def intermediate_precision(evidence: Evidence) -> Iterator[Guess | Diagnosis]:
    """Digits lost on the way: off by the rounding of float32, and right where small whole numbers make every step exact."""
    name = evidence.quantity
    if name is None or not evidence.calm or evidence.failing[0].case.dtype != "float64" or evidence.passing:
        return
    for dtype in ("float32", "float16"):
        if all(_within(evidence, t, name, dtype) for t in evidence.failing) and _exact_on_integers(evidence):
            yield Diagnosis(
                f"computed-in-{dtype}",
                f"{name} is computed in {dtype} on the way: it is off by no more than that rounding, and exact for small whole numbers.",
            )
            return


def _within(evidence: Evidence, trial: Trial, name: str, dtype: str) -> bool:
    mine = answer(evidence, trial)
    if mine is None or mine.shape != trial.expected[name].shape:
        return False
    radius = evidence.bench.spec.bounds(PRECISIONS[dtype], in_dtype(trial.case, dtype))[name].radius
    off = np.abs(mine - trial.expected[name])
    # it must also be that large: an error of a few units roundoff of the working dtype has other reasons
    return bool((off <= 8 * radius).all()) and bool((off > radius / 1000).any())


def _exact_on_integers(evidence: Evidence) -> bool:
    for _ in range(3):
        case = evidence.bench.calm()
        whole = case._replace(
            inputs={n: _whole(a) for n, a in case.inputs.items()},
            params={n: _whole(a) for n, a in case.params.items()},
            cotangents={n: _whole(a) for n, a in case.cotangents.items()},
        )
        if evidence.bench.fails(whole) is not False:
            return False
    return True


def _whole(a: Array) -> Array:
    return np.round(2 * a).astype(a.dtype) if a.dtype.kind == "f" else a
