"""A subject that cannot get past its caller: whatever it raises becomes an ordinary exception, whatever it returns an array."""

from __future__ import annotations

import operator
import types
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from oracle.core.case import Array, Arrays
from oracle.core.observe import Runnable, SubjectError
from oracle.subjects.wire import KINDS, MOST_BODY, MOST_TEXT


def words(error: BaseException) -> tuple[str, str]:
    """The name of the type of `error`, and its text, cut; both plain strings, also where reading them raises."""
    # asked like this, a metaclass has no say in it
    name = type.__dict__["__name__"].__get__(type(error))
    try:
        # what __str__ returns may be a subclass with ideas of its own
        text = str.__str__(str(error))[: 4 * MOST_TEXT]
    except BaseException:
        text = "(its text cannot be read)"
    return name, text


def sentence(error: BaseException) -> str:
    """`ValueError: the first line`."""
    name, text = words(error)
    return f"{name}: {text.strip().splitlines()[0][:300]}" if text.strip() else name


def tamed(error: BaseException) -> Exception:
    """SystemExit, KeyboardInterrupt and whatever else was raised as an Exception of the same name and text."""
    if isinstance(error, SubjectError):
        return error
    name, text = words(error)
    named: Exception = type(name if name.isidentifier() else "Exception", (Exception,), {})(text)
    return named


class Guarded:
    """`subject` with its exceptions tamed and its results made plain arrays of numbers."""

    def __init__(self, subject: Runnable) -> None:
        self._subject = subject

    def start(self, params: Arrays, config: Any) -> Any:
        try:
            return self._subject.start(params, config)
        except BaseException as error:
            raise tamed(error) from None

    def forward(self, state: Any, inputs: Arrays) -> tuple[Array, ...]:
        try:
            return tuple([_plain(y) for y in self._subject.forward(state, inputs)])
        except BaseException as error:
            raise tamed(error) from None

    def backward(self, state: Any, cotangents: Arrays) -> tuple[Array, ...]:
        try:
            return tuple([_plain(y) for y in self._subject.backward(state, cotangents)])
        except BaseException as error:
            raise tamed(error) from None


def _plain(result: Any) -> Array:
    a = result if type(result) is np.ndarray else np.asarray(result)
    if a.dtype.kind not in KINDS:
        what = type(result).__name__ if a.dtype == object else str(a.dtype)
        raise TypeError(f"a result is {what}, not an array of numbers")
    if a.nbytes > MOST_BODY:
        raise ValueError(f"a result of {a.nbytes} bytes is too large: at most {MOST_BODY >> 20} MiB")
    return a


class Fingerprint:
    """What NumPy's public functions were before the subject was loaded, so that one that is replaced is noticed."""

    def __init__(self) -> None:
        self._modules = [_Names(module) for module in (np, np.linalg, np.random, np.fft)]

    def replaced(self) -> str | None:
        """The name of a public function of NumPy that is another than it was."""
        return next((name for names in self._modules if (name := names.replaced())), None)


class _Names:
    def __init__(self, module: types.ModuleType) -> None:
        self._module = module.__name__
        self._now: Mapping[str, Any] = vars(module)
        self._names = [n for n, v in vars(module).items() if not n.startswith("_") and (callable(v) or isinstance(v, types.ModuleType))]
        self._values: Callable[[Any], tuple[Any, ...]] = operator.itemgetter(*self._names)
        self._were = self._values(self._now)

    def replaced(self) -> str | None:
        try:
            # a comparison of tuples asks for identity first: five microseconds for all of NumPy
            if self._values(self._now) == self._were:
                return None
        except Exception:
            pass
        changed = (n for n, was in zip(self._names, self._were, strict=True) if self._now.get(n) is not was)
        return next((f"{self._module}.{name}" for name in changed), None)
