"""Running a subject on guarded copies: what it answers, and which contracts it breaks on the way.

Every guard here costs under a microsecond: bytes before against bytes after, and whether two arrays may share memory.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy import may_share_memory

from oracle.core.case import LAYOUTS, Array, Arrays, Case
from oracle.core.evaluation import Breach, Evaluation

Held = tuple[tuple[Array, ...], list[bytes]]
"""Results that were returned, and their bytes at that time."""


class SubjectError(Exception):
    """The object does not follow its calling convention: what was called, and what came back."""


class SubjectGone(Exception):  # noqa: N818 - it is no error of the judge's
    """A remote subject that is not tried any more: its process died too often, or its time is up. The message says which."""


class Runnable(Protocol):
    """What is asked of a subject; see `oracle.subjects`."""

    def start(self, params: Arrays, config: Any) -> Any: ...
    def forward(self, state: Any, inputs: Arrays) -> tuple[Any, ...]: ...
    def backward(self, state: Any, cotangents: Arrays) -> tuple[Any, ...]: ...


class Observation(NamedTuple):
    """What the subject made of a case. `again`: the gradients of a second backward. `died`: its process did not survive the case."""

    evaluation: Evaluation
    breaches: tuple[Breach, ...]
    again: tuple[Array, ...] | None
    warned: tuple[str, ...]
    died: bool = False


class Remote:
    """A subject that is not in this process: it is observed where it is, on guarded copies made there."""

    def observations(self, cases: Sequence[Case]) -> Iterator[Observation]:
        """What the subject makes of each case, in order. The cases are on their way once this returns; answers come as they are ready."""
        raise NotImplementedError


class _Watch:
    """Collects the warnings of this process while a subject runs."""

    def __init__(self) -> None:
        self.active = False
        self.seen: list[str] = []

    def show(self, message: Warning | str, category: type[Warning], *rest: Any, **named: Any) -> None:
        self.seen.append(f"{category.__name__}: {message}")


_watch = _Watch()


@contextmanager
def watching() -> Iterator[None]:
    """Every warning is noted, once per occurrence, instead of printed. Set up once around many cases: that costs a case nothing."""
    if _watch.active:
        yield
        return
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.showwarning = _watch.show
        _watch.active = True
        try:
            yield
        finally:
            _watch.active = False
            _watch.seen.clear()


Judged = Runnable | Remote
"""Whoever is judged, wherever it runs."""


def observations(subject: Judged, cases: Sequence[Case]) -> Iterator[Observation]:
    """`observe` for many cases. A remote subject begins at once; one in this process runs as the answers are asked for."""
    return subject.observations(cases) if isinstance(subject, Remote) else (observe(subject, case) for case in cases)


def observe(subject: Judged, case: Case) -> Observation:
    """Run `case` in its protocol and layout. To be called within `watching()`. Exceptions become the evaluation's error."""
    if isinstance(subject, Remote):
        return next(subject.observations((case,)))
    lay = LAYOUTS[case.layout]
    inputs = {name: lay(a) for name, a in case.inputs.items()}
    params = {name: lay(a) for name, a in case.params.items()}
    cotangents = {name: lay(a) for name, a in case.cotangents.items()}
    breaches: list[Breach] = []
    held: list[Held] = []
    again: tuple[Array, ...] | None = None
    outputs: tuple[Array, ...] = ()
    grads: tuple[Array, ...] = ()
    error: str | None = None
    _watch.seen.clear()
    # the judge's own arithmetic around this is silent; a layer's is not
    with np.errstate(divide="warn", over="warn", invalid="warn", under="ignore"):
        try:
            state = _started(subject, case, params, cotangents, held, breaches)
            _watch.seen.clear()
            outputs = _arrays(subject.forward(state, inputs))
            if cotangents:
                held.append((outputs, [y.tobytes() for y in outputs]))
                grads = _arrays(subject.backward(state, cotangents))
                for name, given in cotangents.items():
                    if given.tobytes() != case.cotangents[name].tobytes():
                        breaches.append(Breach("cotangent.unchanged", "backward wrote into dout"))
                if case.protocol == "backward-twice":
                    held.append((grads, [g.tobytes() for g in grads]))
                    again = _arrays(subject.backward(state, {name: lay(a) for name, a in case.cotangents.items()}))
        except Exception as caught:
            error = f"{type(caught).__name__}: {_first_line(caught)}"
    _unchanged("inputs.unchanged", inputs, case.inputs, breaches)
    _unchanged("params.unchanged", params, case.params, breaches)
    if _own_memory({**inputs, **params, **cotangents}, outputs + grads, held, breaches):
        # what has been damaged is judged as it was returned
        outputs = next((_as_returned(arrays, before) for arrays, before in held if arrays is outputs), outputs)
        grads = next((_as_returned(arrays, before) for arrays, before in held if arrays is grads), grads)
    return Observation(Evaluation(outputs, grads, error), tuple(breaches), again, tuple(_watch.seen))


def _started(subject: Runnable, case: Case, params: Arrays, cotangents: Arrays, held: list[Held], breaches: list[Breach]) -> Any:
    """The object that the case is tried on, in the state that its protocol asks for."""
    state = subject.start(params, case.config)
    if case.protocol == "backward-first":
        try:
            subject.backward(state, {name: a.copy() for name, a in cotangents.items()})
        except SubjectError:
            # it did answer, only not in full
            pass
        except Exception:
            return state
        breaches.append(Breach("call.forward-first", "backward before any forward returned an answer instead of raising"))
    elif case.prior is not None:
        try:
            held.append(_use(subject, state, case.prior))
        except Exception:
            # what is wrong with the earlier case is found where that one is judged; here only its traces are
            return subject.start(params, case.config)
    return state


def _arrays(results: tuple[Any, ...]) -> tuple[Array, ...]:
    return tuple([y if type(y) is np.ndarray else _as_array(y) for y in results])


def _as_array(result: Any) -> Array:
    """A result that is no array: a NumPy or Python number, or a list of them."""
    a = np.asarray(result)
    if a.dtype == object:
        raise TypeError(f"a result is {type(result).__name__}, not an array of numbers")
    return a


def _use(subject: Runnable, state: Any, prior: Case) -> Held:
    """Use the object on another case first; what came of it must not change later."""
    results = _arrays(subject.forward(state, {n: a.copy() for n, a in prior.inputs.items()}))
    if prior.cotangents:
        results += _arrays(subject.backward(state, {n: a.copy() for n, a in prior.cotangents.items()}))
    return results, [y.tobytes() for y in results]


def _unchanged(contract: str, given: Arrays, originals: Arrays, breaches: list[Breach]) -> None:
    for name, a in given.items():
        if a.tobytes() != originals[name].tobytes():
            breaches.append(Breach(contract, f"forward or backward wrote into {name}"))


def _own_memory(given: Arrays, results: tuple[Array, ...], held: list[Held], breaches: list[Breach]) -> bool:
    """No result may be a view of what was handed over or of another result, nor change once it has been returned: whether one has."""
    changed = False
    others = [*given.values(), *results]
    for i, y in enumerate(results):
        for j in range(len(given) + i):
            if may_share_memory(y, others[j]) and np.shares_memory(y, others[j]):
                whose = [*given, *[f"result {k}" for k in range(i)]][j]
                breaches.append(Breach("results.own-memory", f"result {i} shares memory with {whose}"))
    for arrays, before in held:
        for a, was in zip(arrays, before, strict=True):
            if a.tobytes() != was:
                changed = True
                breaches.append(Breach("results.own-memory", "a result changed after it had been returned"))
    return changed


def _as_returned(arrays: tuple[Array, ...], before: list[bytes]) -> tuple[Array, ...]:
    return tuple([np.frombuffer(was, a.dtype).reshape(a.shape) for a, was in zip(arrays, before, strict=True)])


def _first_line(error: BaseException) -> str:
    return str(error).strip().split("\n", 1)[0][:300]
