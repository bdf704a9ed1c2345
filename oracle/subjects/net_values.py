"""What a net gives, checked: names, parameters, gradients, numbers. Whatever is not as it must be is a NetError."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt

from oracle.core.case import Array, Arrays
from oracle.core.observe import SubjectError, watching
from oracle.subjects.conventions.names import fold, gradient_names
from oracle.subjects.guard import sentence
from oracle.subjects.wire import KINDS, MOST_ARRAYS

LONGEST_NAME = 100
ROWS_AT_ONCE = 10_000
"""Rows that an accuracy is asked of at once: all of MNIST would be half a gigabyte."""


class NetError(SubjectError):
    """The net does not do what a net must: what was expected, and what came instead."""


@contextmanager
def calling(method: str) -> Iterator[None]:
    """Whatever the net raises is a NetError that names `method`, but for Ctrl-C; warnings are neither shown nor fatal."""
    with watching(), np.errstate(all="ignore"):
        try:
            yield
        except (NetError, KeyboardInterrupt):
            raise
        except BaseException as error:
            raise NetError(f"{method} raised {sentence(error)}") from error


def in_parts(accuracy: Callable[[Array, Array], float], x: npt.ArrayLike, t: npt.ArrayLike) -> float:
    """The accuracy of all rows from that of `ROWS_AT_ONCE` at a time. Raises NetError where there is none."""
    rows, labels = np.asarray(x), np.asarray(t)
    if not len(rows) or len(rows) != len(labels):
        raise NetError(f"accuracy of {len(rows)} rows with {len(labels)} labels; give as many of both, and at least one")
    starts = range(0, len(rows), ROWS_AT_ONCE)
    parts = [(rows[i : i + ROWS_AT_ONCE], labels[i : i + ROWS_AT_ONCE]) for i in starts]
    return sum([accuracy(*part) * len(part[0]) for part in parts]) / len(rows)


def params_of(net: Any) -> MutableMapping[str, Any]:
    """The dict that the net keeps its parameters in. Raises NetError."""
    own = getattr(net, "params", None)
    if own is None:
        raise NetError(f"{type_name(net)} has no params; a net keeps its parameters in a dict `params`, as W1, b1 ...")
    if not isinstance(own, MutableMapping):
        raise NetError(f"params is {what(own)}; it must be a dict of float arrays by name")
    return own


def names_of(own: Mapping[str, Any]) -> tuple[str, ...]:
    """The names of the parameters. Raises NetError where they or the parameters are no such things."""
    names = tuple(own)
    if not names or len(names) >= MOST_ARRAYS:
        raise NetError(f"params has {len(names)} entries; at least 1 and at most {MOST_ARRAYS - 1} can be judged")
    for name in names:
        if type(name) is not str or not name.isprintable() or not 0 < len(name) <= LONGEST_NAME:
            raise NetError(f"params has a name that is {what(name)}; names are printable texts of at most {LONGEST_NAME} characters")
        parameter(name, own[name])
    return names


def parameter(name: str, a: Any) -> Array:
    """`a`, which is an array of floats. Raises NetError."""
    if not isinstance(a, np.ndarray) or a.dtype.kind != "f":
        raise NetError(f"params[{name!r}] is {what(a)}; parameters are NumPy arrays of floats")
    return a


def by_name(returned: Any, params: Mapping[str, Array]) -> Arrays:
    """What `gradient` returned as copies: what the net does to its own arrays later is not to change them. Raises NetError."""
    if not isinstance(returned, Mapping):
        raise NetError(f"gradient returned {what(returned)}, not a dict with {', '.join(params)}")
    folded = {fold(key): key for key in returned if isinstance(key, str)}
    grads = {}
    for name, held in params.items():
        spellings = [folded[form] for form in gradient_names(name) if form in folded]
        key = name if name in returned else next(iter(spellings), None)
        if key is None:
            there = ", ".join([key for key in returned if isinstance(key, str)][:20]) or "nothing"
            raise NetError(f"gradient returned no {name!r}; it returned {there}")
        grads[name] = _gradient(key, returned[key], held)
    return grads


def _gradient(key: str, returned: Any, held: Array) -> Array:
    a = np.asarray(returned)
    if a.dtype.kind not in KINDS:
        raise NetError(f"gradient[{key!r}] is {what(returned)}, not an array of numbers")
    if a.shape != held.shape:
        raise NetError(f"gradient[{key!r}] has shape {a.shape}, its parameter {held.shape}")
    return a.copy()


def number(method: str, returned: Any) -> Array:
    """What `method` returned, as a 0-d array. Raises NetError where that is no number."""
    a = np.asarray(returned)
    if a.dtype.kind not in "iuf" or a.size != 1:
        raise NetError(f"{method} returned {what(returned)}, not a number")
    return np.array(a.reshape(()), subok=False)


def share(returned: Any, t: Array) -> Array:
    """The share of the rows of scores whose largest is at the label. Raises NetError."""
    scores = np.asarray(returned)
    if scores.dtype.kind not in KINDS or scores.ndim != 2 or len(scores) != len(t):
        raise NetError(f"predict returned {what(returned)} for {len(t)} rows, not a row of scores for each")
    labels = t.argmax(axis=1) if t.ndim == 2 else t
    return np.asarray(np.mean(scores.argmax(axis=1) == labels))


def same_bits(a: Array, b: Array) -> bool:
    """Whether two arrays are the same, NaN and the sign of zero included. Compared in place: copies would cost more than the rest."""
    if a.dtype != b.dtype or a.shape != b.shape:
        return False
    if a.dtype.kind in KINDS and a.itemsize <= 8:
        return np.array_equal(a.view(f"u{a.itemsize}"), b.view(f"u{b.itemsize}"))
    return a.tobytes() == b.tobytes()


def what(value: Any) -> str:
    """What a value is, in words that are safe to show."""
    if isinstance(value, np.ndarray):
        return f"an array of {value.dtype} with shape {value.shape}"
    return "None" if value is None else f"of type {type_name(value)}"


def type_name(value: Any) -> str:
    """The name of the type of `value`; a metaclass has no say in it."""
    name: str = type.__dict__["__name__"].__get__(type(value))
    return name
