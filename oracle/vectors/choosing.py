"""Which cases become vectors: few and small, and yet of everything that the search meets, some.

Cases are drawn as the search draws them. A case is worth what it brings that few of those taken have: a protocol, a layout, a boundary
or profile in one of its arrays, a size class, a kind of label. The one worth most for its size is taken, again and again.
"""

from __future__ import annotations

import heapq
import math
from collections import Counter
from collections.abc import Iterable, Iterator

import numpy as np

from oracle.core.case import Array, Case
from oracle.core.contracts import handling, tested
from oracle.core.profiles import boundaries
from oracle.core.spec import LayerSpec
from oracle.search.numbered import cases

POOL = 2048
"""Cases of a branch and dtype to choose from."""
ROOM = 640
"""Elements of all arrays of a case together."""
CHEAP = 64
"""Elements beyond which a case is worth less for its size."""

WEIGHTS = {"contract": 64, "refusal": 16, "protocol": 4, "layout": 4, "long": 32, "whole numbers": 4, "profile": 2}
"""Kinds of feature that count for more than 1: a contract hangs on them, or they cost many elements."""

Feature = tuple[object, ...]


def chosen(spec: LayerSpec, branch: str, dtype: str, n: int, seed: int) -> list[Case]:
    """`n` cases of `branch` in `dtype`, in the order in which they were taken: the first ones bring the most."""
    drawn = (case for case in _drawn(spec, branch, dtype, seed) if _elements(case) <= ROOM)
    pool = [(case, features(case) | {("contract", id) for id in tested(spec, handling(case))}) for case in drawn]
    taken: Counter[Feature] = Counter()
    # what a case is worth only falls, so that a case which is still worth as much as it was when looked at last is worth most
    heap = [(-_worth(case, found, taken), i) for i, (case, found) in enumerate(pool)]
    heapq.heapify(heap)
    best: list[Case] = []
    while heap and len(best) < n:
        was, i = heapq.heappop(heap)
        case, found = pool[i]
        now = -_worth(case, found, taken)
        if now > was + 1e-12:
            heapq.heappush(heap, (now, i))
            continue
        taken.update(found)
        best.append(case)
    return best


def companions(spec: LayerSpec, case: Case) -> Iterator[Case]:
    """Further questions that the judge asks to tell whose fault something is: other cotangents, the labels in another form."""
    if case.protocol == "other-form":
        other = spec.other_form[case.branch](case)
        if other is not None:
            yield other._replace(protocol="plain", layout="C", prior=None)
    if case.cotangents and case.refusal is None:
        for value in (-0.5, 1.0):
            full = {name: np.full_like(a, value) for name, a in case.cotangents.items()}
            yield case._replace(cotangents=full, protocol="plain", layout="C", prior=None)


def is_telling(case: Case) -> bool:
    """Whether another cotangent would show in the gradient: ordinary numbers, enough of them."""
    arrays = [a for a in case.arrays.values() if a.dtype.kind == "f"]
    return 6 <= _elements(case) <= CHEAP and all(a.size and np.isfinite(a).all() and 0.1 < np.abs(a).max() < 10 for a in arrays)


def features(case: Case) -> frozenset[Feature]:
    """What a case brings."""
    found: set[Feature] = {("protocol", case.protocol), ("layout", case.layout), ("handling", case.protocol, case.layout)}
    if case.refusal:
        return frozenset({("refusal", case.refusal), ("refusal", case.refusal, all(a.size > 1 for a in case.inputs.values()))})
    for name, a in case.arrays.items():
        found |= {(name, "is", kind) for kind in _kinds(a)}
    if is_telling(case):
        found.add(("protocol", case.protocol, "telling"))
    if _whole_numbers(case):
        # sums come out exact there, and so do ties and zeros that nothing else hits
        found |= {("whole numbers", case.sizes.get(name, 0) > 1, name) for name in case.sizes}
    infinite = sum(bool(np.isinf(a).any()) for a in case.arrays.values() if a.dtype.kind == "f")
    found |= {("profile", "infinities", n) for n in range(1, infinite + 1)}
    found |= {("profile", i, name) for i, name in enumerate(case.profiles)}
    found |= {(name, "size", _size_class(n)) for name, n in case.sizes.items()}
    found |= {("long", name, n > 128) for name, n in case.sizes.items() if n > 64}
    found |= {("layout", case.layout, name) for name, a in case.arrays.items() if a.ndim > 1 and min(a.shape) > 1}
    found |= {("protocol", case.protocol, name) for name, n in case.sizes.items() if case.prior and case.prior.sizes.get(name) != n}
    found |= {("equal", a, b) for a, m in case.sizes.items() for b, n in case.sizes.items() if a < b and m == n}
    return frozenset(found)


def _whole_numbers(case: Case) -> bool:
    return all(a.size and np.isfinite(a).all() and (a == np.rint(a)).all() and np.abs(a).max() < 8 for a in case.inputs.values())


def _kinds(a: Array) -> Iterable[str]:
    yield from boundaries(a)
    yield f"{a.dtype.kind}{a.ndim}"
    if a.dtype.kind != "f":
        yield f"dtype {a.dtype}"
        if a.size and a.dtype.kind == "i" and (a < 0).any():
            yield "negative"
        return
    if (a == -np.inf).any():
        yield "negative infinity"
    finite = a[np.isfinite(a)]
    if finite.size:
        yield "positive" if finite.min() > 0 else "negative" if finite.max() < 0 else "both signs"
        top = float(np.abs(finite).max())
        yield f"decade {round(math.log10(top)) // 2 if top else 'none'}"


def _size_class(n: int) -> int:
    return n if n <= 4 else 8 if n <= 8 else 16 if n <= 16 else 64 if n <= 64 else 128 if n <= 128 else 512


def _worth(case: Case, found: frozenset[Feature], taken: Counter[Feature]) -> float:
    return sum(WEIGHTS.get(str(feature[0]), 1) * 0.25 ** taken[feature] for feature in found) / (1 + _elements(case) / CHEAP)


def _elements(case: Case) -> int:
    own = sum(a.size for a in case.arrays.values())
    return own + (_elements(case.prior) if case.prior else 0)


def _drawn(spec: LayerSpec, branch: str, dtype: str, seed: int) -> Iterator[Case]:
    for _, case in cases(spec, seed, (dtype,), 0, POOL * len(spec.branches)):
        if case.branch == branch:
            yield case
