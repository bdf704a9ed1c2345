"""Every element is one and the same multiple of what torch gives."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import combinations

import numpy as np

from oracle.core.case import Array, Case
from oracle.search.diagnose.evidence import Evidence, Trial
from oracle.search.diagnose.guess import Diagnosis, Guess, answer, asked, word

CONSTANTS = {
    "2": (2.0, "twice"),
    "1/2": (0.5, "half of"),
    "4": (4.0, "4 times"),
    "1/4": (0.25, "a quarter of"),
    "3": (3.0, "3 times"),
    "1/3": (1 / 3, "a third of"),
    "10": (10.0, "10 times"),
    "1/10": (0.1, "a tenth of"),
    "1/ln 2": (1 / math.log(2), "1/ln 2 times"),
    "1/ln 10": (1 / math.log(10), "1/ln 10 times"),
}
_LOGARITHMS = {
    "1/ln 2": ": the logarithm is that to base 2, not the natural one",
    "1/ln 10": ": the logarithm is that to base 10, not the natural one",
}


NEAR_ONE = 1e-3
"""A ratio nearer to 1 than this is no factor that somebody forgot."""


def ratio_of(actual: Array, expected: Array, allowed: Array) -> float | None:
    """The constant that `actual` is of `expected`, read off where the allowed error matters least; None where there is none."""
    if actual.shape != expected.shape or actual.size == 0:
        return None
    a, e = actual.astype(np.float64).ravel(), expected.astype(np.float64).ravel()
    weight = np.abs(e) / np.maximum(np.asarray(allowed, np.float64).ravel(), np.finfo(np.float64).tiny)
    weight = np.where(np.isfinite(a) & np.isfinite(e) & (e != 0) & np.isfinite(np.asarray(allowed).ravel()), weight, 0.0)
    at = int(weight.argmax())
    return float(a[at] / e[at]) if weight[at] > 0 else None


def constant_ratio(evidence: Evidence) -> Iterator[Guess | Diagnosis]:
    """A named constant, or one made of the sizes of the case: N, 1/N, N - 1, products of two."""
    name = evidence.quantity
    trial = evidence.failing[0]
    mine = None if name is None else answer(evidence, trial)
    if name is None or mine is None or name not in trial.expected:
        return
    ratio = ratio_of(mine, trial.expected[name], trial.allowed[name])
    if ratio is None or abs(ratio - 1) < NEAR_ONE:
        return
    if ratio == 0:
        yield Guess("all-zero", f"{name} is all zeros.", lambda t: np.zeros_like(t.expected[name]))
        return
    yield from _named(evidence, name, ratio)


def _near(a: float, b: float) -> bool:
    return math.isfinite(a) and math.isfinite(b) and abs(a - b) <= 1e-5 * abs(b)


def _named(evidence: Evidence, name: str, ratio: float) -> Iterator[Guess]:
    sizes = evidence.failing[0].case.sizes
    found = False
    if _near(ratio, -1):
        found = True
        yield Guess("sign", f"{name} is torch's with the opposite sign.", lambda t: -t.expected[name])
    for sign, prefix in ((1.0, ""), (-1.0, "-")):
        for key, (value, text) in CONSTANTS.items():
            if _near(ratio, sign * value):
                found = True
                tail = _LOGARITHMS.get(key, "")
                opposite = "" if sign > 0 else ", with the opposite sign"
                yield _multiple(f"ratio {prefix}{key}", f"{name} is {text} what torch gives{opposite}{tail}.", name, sign * value)
        for key, parts, power in _of_sizes(sizes):
            if _near(ratio, sign * _value(parts, power, sizes)):
                found = True
                yield _sized(evidence, name, f"{prefix}{key}", parts, sign, power)
    if not found:
        yield _multiple("ratio", f"{name} is {ratio:.6g} times what torch gives, in every element.", name, ratio)


def _of_sizes(sizes: dict[str, int]) -> Iterator[tuple[str, tuple[str, ...], float]]:
    """(id, the axes that are multiplied, the exponent of their product) of every factor looked for."""
    for parts in [*combinations(sizes, 1), *combinations(sizes, 2), *combinations(sizes, 3)]:
        key = "*".join(parts)
        if _value(parts, 1.0, sizes) > 1:
            yield f"ratio {key}", parts, 1.0
            yield (f"ratio 1/{key}" if len(parts) == 1 else f"ratio 1/({key})"), parts, -1.0
            if len(parts) == 1:
                yield f"ratio {key}^2", parts, 2.0
                yield f"ratio 1/sqrt({key})", parts, -0.5
                yield f"ratio sqrt({key})", parts, 0.5


def _value(parts: tuple[str, ...], power: float, sizes: dict[str, int]) -> float:
    product = math.prod(sizes.get(p, 0) for p in parts)
    return float(product) ** power if product else math.nan


def _multiple(cause: str, sentence: str, name: str, factor: float) -> Guess:
    return Guess(cause, sentence, lambda t: t.expected[name] * t.expected[name].dtype.type(factor))


def _sized(evidence: Evidence, name: str, cause: str, parts: tuple[str, ...], sign: float, power: float) -> Guess:
    def predict(trial: Trial) -> Array | None:
        if not all(p in trial.case.sizes for p in parts):
            return None
        factor = sign * _value(parts, power, trial.case.sizes)
        return None if math.isnan(factor) else trial.expected[name] * trial.expected[name].dtype.type(factor)

    times = cause.split("ratio ", 1)[1]
    where = " and ".join(f"{p} {word(p)}" for p in parts)
    share = f"{times} of torch's" if power == -1.0 else f"{times} times torch's"
    tail = _mean_or_sum(evidence, name, parts[0], power) if len(parts) == 1 else ""
    opposite = ", and has the opposite sign" if sign < 0 else ""
    return Guess(cause.lstrip("-") if sign > 0 else cause, f"{name} is {share}, with {where}{opposite}{tail}.", predict)


def _mean_or_sum(evidence: Evidence, name: str, dim: str, power: float) -> str:
    """What a factor of one size says, given what torch itself does over that axis."""
    over = "the batch" if dim == "N" else f"axis {dim}"
    kind = taken_over(evidence, name, dim)
    if kind == "sum" and power == -1.0:
        return f": the mean over {over} is taken where the sum belongs"
    if kind == "mean" and power == 1.0:
        return f": the mean over {over} is missing, the sum is left as it is"
    if kind == "mean" and power == -1.0:
        return f": it is divided by {word(dim)} twice"
    return ""


def taken_over(evidence: Evidence, name: str, dim: str) -> str | None:
    """Whether torch's quantity is a sum or a mean over the axis `dim`: everything said twice doubles a sum, halves a row of a mean."""
    spec = evidence.bench.spec
    case = evidence.failing[0].case._replace(protocol="plain", prior=None, layout="C")
    n = case.sizes.get(dim, 0)
    before, after = asked(spec, name, case), asked(spec, name, _twice(case, dim, n))
    if not n or before is None or after is None:
        return None
    if before.shape == after.shape:
        if _equal(after, 2 * before):
            return "sum"
        return "mean" if _equal(after, before) else None
    first = np.take(after, range(n), axis=next(i for i, (a, b) in enumerate(zip(before.shape, after.shape, strict=True)) if a != b))
    return "mean" if _equal(first, before / 2) else None


def _twice(case: Case, dim: str, n: int) -> Case:
    return case.cut(dim, [*range(n), *range(n)])


def _equal(a: Array, b: Array) -> bool:
    return a.shape == b.shape and bool(np.allclose(a, b, rtol=1e-4, atol=0, equal_nan=False)) and bool(np.any(b != 0))
