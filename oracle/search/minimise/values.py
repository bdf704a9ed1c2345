"""Simpler values: many elements at once first, then single ones; a threshold is searched for by halving."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from oracle.core.case import Array, Arrays, Case
from oracle.search.minimise.shapes import CLASSES, LABELS, Fails, is_one_hot

Place = tuple[str, str, bool]
"""The group of an array, its name, and whether it is one of what the object was used on before."""
Cells = list[Array]
"""Flat positions that change together: single elements, but for one-hot rows and rows that must stay equal."""

SINGLES = 48
"""Elements of one array that are simplified one by one; those are what is left after the many at once."""
WHOLE = 10**4
"""Numbers below this are simplest as integers; larger ones as powers of ten."""


def simpler_values(case: Case, fails: Fails, cotangents: bool = True) -> Case:
    """Zeros where possible, then ones, small integers, few digits; the cotangents only where `cotangents`."""
    groups = (["cotangents"] if cotangents else []) + ["inputs", "params"]
    places = [(group, name, prior) for prior in (False, True) for group in groups for name in _group(case, group, prior)]
    for place in places:
        a = array_at(case, place)
        if a.size == 0 or a.dtype.kind not in "fiub":
            continue
        if place[1] == LABELS and not place[2] and is_probabilities(case):
            case = _first(case, fails, (with_array(case, place, t) for t in _simple_rows(a)))
        elif place[1] == LABELS and a.ndim and case.dims.get(LABELS, ())[-1:] == (CLASSES,) and is_one_hot(_owner(case, place[2])):
            case = _first_class(case, fails, place)
        else:
            case = _simpler_array(case, fails, place)
    return case


def cost(value: float, dtype: np.dtype[Any]) -> float:
    """How hard a number is to read: 0 costs nothing, 1 little, small integers more, then integers by length, others by digits."""
    if value == 0:
        return 0.5 if math.copysign(1, value) < 0 else 0.0
    minus = 0.25 if value < 0 else 0.0
    if not math.isfinite(value):
        # kept only where no finite number does, for it says less about where the fault begins
        return 50 + minus
    size = abs(value)
    if size == 1:
        return 1 + minus
    if size == round(size) and size < WHOLE:
        return minus + (2 + size / 100 if size < 10 else 4 + math.log10(size))
    mantissa, _, exponent = np.format_float_scientific(dtype.type(size), unique=True, trim="-").partition("e")
    return 8 + minus + len(mantissa.replace(".", "")) + abs(int(exponent)) / 1000


def array_at(case: Case, place: Place) -> Array:
    """The array at `place`."""
    group, name, prior = place
    return _group(case, group, prior)[name]


def with_array(case: Case, place: Place, a: Array) -> Case:
    """`case` with another array at `place`."""
    group, name, prior = place
    # NumPy makes a number of an array of no axes wherever it can
    arrays = {**_group(case, group, prior), name: np.asarray(a)}
    whose = _owner(case, prior)
    if group == "inputs":
        changed = whose._replace(inputs=arrays)
    else:
        changed = whose._replace(params=arrays) if group == "params" else whose._replace(cotangents=arrays)
    return case._replace(prior=changed) if prior else changed


def _owner(case: Case, prior: bool) -> Case:
    return case.prior if prior and case.prior is not None else case


def _group(case: Case, group: str, prior: bool) -> Arrays:
    arrays: Arrays = getattr(_owner(case, prior), group) if not prior or case.prior is not None else {}
    return arrays


def _first(case: Case, fails: Fails, candidates: Iterator[Case]) -> Case:
    return next((c for c in candidates if fails(c)), case)


def _simpler_array(case: Case, fails: Fails, place: Place) -> Case:
    a = array_at(case, place)
    if _total(a) > 0:
        case = _first(case, fails, (with_array(case, place, b) for b in _simple_arrays(a, place) if _total(b) < _total(a)))
    cells = _cells(case, a)
    for value in (0, 1):
        left = [cell for cell in cells if _cost_at(case, place, cell) > cost(value, a.dtype)]
        case = _filled(case, fails, place, left, value)
    if a.dtype.kind == "f":
        left = [cell for cell in cells if _cost_at(case, place, cell) > 1]
        # one number for all that is left, then each its own
        for cell in ([np.concatenate(left)] if len(left) > 1 else []) + left[:SINGLES]:
            case = _simpler_number(case, fails, place, cell)
    return case


def _simple_arrays(a: Array, place: Place) -> Iterator[Array]:
    yield np.zeros_like(a)
    if place[0] == "cotangents" and a.size > 1:
        # one cotangent tells best which path it takes; the last is tried too, because the first may be special
        for i in (0, a.size - 1):
            one = np.zeros_like(a)
            one.reshape(-1)[i] = 1
            yield one
    yield np.ones_like(a)
    if a.dtype.kind == "f":
        yield np.clip(np.round(a), -9, 9)


def _cells(case: Case, a: Array) -> Cells:
    flat = np.arange(a.size)
    if case.layout == "stride-0" and a.ndim > 1:
        return list(flat.reshape(len(a), -1).T)
    return [flat] if case.layout == "stride-0" else list(flat[:, None])


def _put(case: Case, place: Place, cells: Cells, value: float) -> Case:
    a = array_at(case, place).copy()
    a.reshape(-1)[np.concatenate(cells)] = value
    return with_array(case, place, a)


def _value_at(case: Case, place: Place, cell: Array) -> float:
    return float(array_at(case, place).reshape(-1)[cell[0]])


def _cost_at(case: Case, place: Place, cell: Array) -> float:
    return cost(_value_at(case, place, cell), array_at(case, place).dtype)


def _filled(case: Case, fails: Fails, place: Place, cells: Cells, value: float) -> Case:
    """As many of `cells` as possible set to `value`: all of them, else the halves, each on its own."""
    if not cells:
        return case
    candidate = _put(case, place, cells, value)
    if fails(candidate):
        return candidate
    if len(cells) > 1:
        half = len(cells) // 2
        case = _filled(case, fails, place, cells[:half], value)
        case = _filled(case, fails, place, cells[half:], value)
    return case


def _simpler_number(case: Case, fails: Fails, place: Place, cell: Array) -> Case:
    """One number: small ones, then the threshold from which on it fails, then fewer digits."""

    def put(value: float) -> Case:
        return _put(case, place, [cell], value)

    old, dtype = _value_at(case, place, cell), array_at(case, place).dtype
    for value in _small(old):
        if cost(value, dtype) < cost(old, dtype) and fails(put(value)):
            return put(value)
    if not math.isfinite(old):
        return case

    def held(value: float) -> bool:
        """Whether it still fails with a number that its dtype holds."""
        return bool(np.isfinite(dtype.type(value))) and fails(put(value))

    threshold = _threshold(old, held)
    for value in ([] if threshold is None else [threshold]) + list(_rounded(old)):
        if cost(value, dtype) < cost(old, dtype) and held(value):
            return put(value)
    return case


def _small(old: float) -> Iterator[float]:
    """Values of a glance, those of the old sign first; the sign of a NaN is none."""
    sign = -1 if old < 0 else 1
    for size in (0.0, 1.0, 2.0, 3.0):
        yield sign * size
        yield -sign * size
    yield sign * 0.5
    # has no end in binary, so it shows what a narrower type loses
    yield sign * 0.1
    if abs(old) < 10:
        yield float(round(old))
    elif math.isinf(old):
        yield from (sign * 100.0, sign * 1000.0, sign * 10000.0, math.inf)


def _threshold(old: float, fails: Callable[[float], bool]) -> float | None:
    """The power of ten nearest to 1 that fails, of the sign of `old`; below 10 000, the smallest integer that does.

    It is looked for as if everything beyond a failing number failed; if not, what is found fails all the same.
    """
    if old == 0:
        return None
    sign, decade = math.copysign(1, old), math.log10(abs(old))
    steps = math.ceil(decade) if decade > 0 else -math.floor(decade)
    up = decade > 0
    k = _least(0, steps, lambda k: fails(sign * (10.0**k if up else 10.0**-k)))
    if k is None:
        if not 9 < abs(old) < WHOLE:
            return None
        found = _least(9, math.ceil(abs(old)), lambda n: fails(sign * float(n)))
    elif up and k <= 4:
        found = _least(10 ** (k - 1) if k else 0, 10**k, lambda n: fails(sign * float(n)))
    else:
        return sign * (10.0**k if up else 10.0**-k)
    return None if found is None else sign * float(found)


def _least(passing: int, failing: int, fails: Callable[[int], bool]) -> int | None:
    """The least number from `passing` + 1 to `failing` that fails, by halving; None if `failing` does not."""
    if failing <= passing or not fails(failing):
        return None
    while failing - passing > 1:
        middle = (passing + failing) // 2
        if fails(middle):
            failing = middle
        else:
            passing = middle
    return failing


def _rounded(old: float) -> Iterator[float]:
    """`old` with one to four digits."""
    yield float(round(old))
    for digits in (1, 2, 3, 4):
        yield float(f"{old:.{digits - 1}e}")


def _total(a: Array) -> float:
    """The costs of an array, roughly: exact up to small integers, the same for everything else."""
    if a.dtype.kind == "b":
        return float(a.sum())
    b = a.astype(np.float64)
    finite = np.isfinite(b)
    whole = finite & (b == np.round(np.where(finite, b, 0))) & (np.abs(b) < 10)
    costs = np.where(whole, np.select([b == 0, np.abs(b) == 1], [0.0, 1.0], 2.0), 4.0)
    return float((costs + np.where(np.signbit(b), 0.25, 0.0)).sum())


def is_probabilities(case: Case) -> bool:
    """Whether the labels are rows of probabilities that sum to 1, up to rounding."""
    t = case.inputs.get(LABELS)
    if t is None or t.ndim == 0 or t.dtype.kind != "f" or case.dims.get(LABELS, ())[-1:] != (CLASSES,):
        return False
    return not is_one_hot(case) and bool((np.abs(t.astype(np.float64).sum(axis=-1) - 1) < 1e-2).all())


def _simple_rows(t: Array) -> Iterator[Array]:
    """Probabilities that are simpler and still sum to 1: all on the first class, on the likeliest, on two, of one digit."""
    classes = np.arange(t.shape[-1])
    yield np.broadcast_to(classes == 0, t.shape).astype(t.dtype)
    yield (classes == t.argmax(axis=-1)[..., None]).astype(t.dtype)
    if t.shape[-1] > 1:
        yield np.broadcast_to(np.where(classes < 2, 0.5, 0.0), t.shape).astype(t.dtype)
        few = np.round(t.astype(np.float64), 1)
        few[..., 0] = np.round(1 - few[..., 1:].sum(axis=-1), 1)
        yield few.astype(t.dtype)


def _first_class(case: Case, fails: Fails, place: Place) -> Case:
    """As many one-hot rows as possible on the first class."""
    t = array_at(case, place)
    rows = t.reshape(-1, t.shape[-1])

    def moved(case: Case, low: int, high: int) -> Case:
        now = array_at(case, place).reshape(rows.shape)
        if high <= low or now[low:high, 0].all():
            return case
        new = now.copy()
        new[low:high] = np.arange(rows.shape[1]) == 0
        candidate = with_array(case, place, new.reshape(t.shape))
        if fails(candidate):
            return candidate
        if high - low > 1:
            middle = (low + high) // 2
            case = moved(moved(case, low, middle), middle, high)
        return case

    return moved(case, 0, len(rows))
