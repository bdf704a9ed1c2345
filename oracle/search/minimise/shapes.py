"""Smaller shapes and simpler handling: every change is of structure, none of a value, but for labels of classes that are gone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import combinations

import numpy as np

from oracle.core.case import Array, Arrays, Case

Fails = Callable[[Case], bool]
LABELS, CLASSES = "t", "C"
"""The names that the specs give to labels, and to the axis of the classes that they name."""
SINGLES = 16
"""Axes up to this length lose each of their positions in turn."""


def simpler_handling(case: Case, fails: Fails) -> Case:
    """The plain protocol, C order, and what the object was used on before equal in shape, where the case still fails."""
    return _first_of(_simpler_handling, case, fails)


def shorter_axes(case: Case, fails: Fails) -> Case:
    """Axes cut one by one, then those of equal length together: a fault of squares vanishes as soon as one side is cut."""
    case = _first_of(_one_axis, case, fails)
    case = _first_of(_equal_axes, case, fails)
    return _first_of(_surplus, case, fails)


def _first_of(step: Callable[[Case], Iterator[Case]], case: Case, fails: Fails) -> Case:
    """`case` after every change of `step` that keeps it failing; the step starts again after each that does."""
    while True:
        candidate = next((c for c in step(case) if fails(c)), None)
        if candidate is None:
            return case
        case = candidate


def _simpler_handling(case: Case) -> Iterator[Case]:
    if case.protocol != "plain":
        yield case._replace(protocol="plain", prior=None)
    if case.layout != "C":
        yield case._replace(layout="C")
    if case.prior is not None and case.prior.sizes != case.sizes:
        yield case._replace(prior=case._replace(prior=None, protocol="plain", layout="C"))


def _one_axis(case: Case) -> Iterator[Case]:
    """One named axis cut in all arrays at once; in what the object was used on before as well, or only there."""
    for axis in case.sizes:
        for keep in _keeps(_size(case, axis)):
            yield cut(case, axis, keep)
            if case.prior is not None and len(keep) < case.prior.sizes.get(axis, 0):
                yield _cut_both(case, axis, keep)
    if case.prior is not None:
        held = {part for name in case.params for dim in case.dims.get(name, ()) for part in str(dim).split("*")}
        for axis in case.prior.sizes:
            if axis not in held:
                for keep in _keeps(_size(case.prior, axis)):
                    yield case._replace(prior=cut(case.prior, axis, keep))


def _equal_axes(case: Case) -> Iterator[Case]:
    """Two or more axes of one length cut alike."""
    sizes = case.sizes
    for size in sorted({n for n in sizes.values() if n > 1}, reverse=True):
        axes = [axis for axis, n in sizes.items() if n == size]
        groups = [axes] if len(axes) > 1 else []
        if len(axes) > 2:
            groups += [list(pair) for pair in combinations(axes, 2)]
        for group in groups:
            for keep in _keeps(size):
                smaller = case
                for axis in group:
                    smaller = _cut_both(smaller, axis, keep)
                yield smaller


def _surplus(case: Case) -> Iterator[Case]:
    """An input of a refused case that has more axes than its name is due, cut along the first of them."""
    if case.refusal is not None:
        for name, a in case.inputs.items():
            if a.ndim > len(case.dims.get(name, ())):
                for keep in _keeps(len(a)):
                    yield case._replace(inputs={**case.inputs, name: a[keep]})


def _keeps(size: int) -> Iterator[list[int]]:
    """The positions to keep, fewer than `size`: one to three; all but a half, a quarter ... of them; all but each single one."""
    yield from (keep for keep in _positions(size) if len(keep) < size)


def _positions(size: int) -> Iterator[list[int]]:
    everything = list(range(size))
    yield everything[:1]
    yield everything[-1:]
    # two and three are what most faults of shapes need
    yield from (everything[:n] for n in (2, 3))
    gone = size // 2
    while gone > 0:
        yield everything[: size - gone]
        yield everything[gone:]
        gone //= 2
    if size <= SINGLES:
        yield from (everything[:i] + everything[i + 1 :] for i in range(1, size - 1))


def _cut_both(case: Case, axis: str, keep: list[int]) -> Case:
    """An axis cut here and, where it is long enough, in what the object was used on before."""
    smaller = cut(case, axis, keep)
    prior = smaller.prior
    if prior is None or prior is not case.prior or keep[-1] >= prior.sizes.get(axis, 0):
        return smaller
    return smaller._replace(prior=cut(prior, axis, keep))


def _size(case: Case, axis: str) -> int:
    """The length of an axis: the least that any array has, where a refused case has it in two lengths."""
    return min(_lengths(case, axis), default=case.sizes[axis])


def _lengths(case: Case, axis: str) -> set[int]:
    arrays = case.arrays
    return {
        arrays[name].shape[dims.index(axis)]
        for name, dims in case.dims.items()
        if axis in dims and name in arrays and arrays[name].ndim == len(dims)
    }


def cut(case: Case, axis: str, keep: list[int]) -> Case:
    """The case with only the positions `keep` of an axis; labels of classes that are gone become the first one.

    In a refused case whose arrays disagree about the length, those that are longer keep what they have too much.
    """
    size = _size(case, axis)
    smaller = case.cut(axis, keep) if len(_lengths(case, axis)) < 2 else _cut_unequal(case, axis, keep, size)
    if axis != CLASSES:
        return smaller
    smaller = _relabelled(smaller, keep, size, case)
    if smaller.prior is not None and case.prior is not None and smaller.prior is not case.prior:
        smaller = smaller._replace(prior=_relabelled(smaller.prior, keep, size, case.prior))
    return smaller


def _cut_unequal(case: Case, axis: str, keep: list[int], size: int) -> Case:
    def shorter(name: str, a: Array) -> Array:
        dims = case.dims.get(name, ())
        if axis not in dims or dims.index(axis) >= a.ndim:
            return a
        i = dims.index(axis)
        return np.take(a, keep + list(range(size, a.shape[i])), axis=i)

    def all_of(arrays: Arrays, prefix: str = "") -> Arrays:
        return {name: shorter(prefix + name, a) for name, a in arrays.items()}

    return case._replace(inputs=all_of(case.inputs), params=all_of(case.params), cotangents=all_of(case.cotangents, "d"))


def _relabelled(smaller: Case, keep: list[int], size: int, case: Case) -> Case:
    """Labels that follow their classes: index labels get the new numbers, one-hot rows keep a one."""
    t = case.inputs.get(LABELS)
    if t is None:
        return smaller
    if is_one_hot(case):
        cut_t = smaller.inputs[LABELS].copy()
        cut_t[..., 0] = np.where(cut_t.any(axis=-1), cut_t[..., 0], 1)
        return smaller._replace(inputs={**smaller.inputs, LABELS: cut_t})
    if t.dtype.kind not in "iu" or CLASSES in case.dims.get(LABELS, ()):
        return smaller
    # a label below 0 is ignored or refused, one that is too large stays as much too large
    new = {old: i for i, old in enumerate(keep)}
    moved = [old if old < 0 else len(keep) + old - size if old >= size else new.get(old, 0) for old in t.reshape(-1).tolist()]
    return smaller._replace(inputs={**smaller.inputs, LABELS: np.array(moved, t.dtype).reshape(t.shape)})


def is_one_hot(case: Case) -> bool:
    """Whether the labels are one-hot: rows over the classes, of zeros and a single one."""
    t = case.inputs.get(LABELS)
    if t is None or t.ndim == 0 or case.dims.get(LABELS, ())[-1:] != (CLASSES,):
        return False
    return bool(((t == 0) | (t == 1)).all() and (t.astype(np.int64).sum(axis=-1) == 1).all())
