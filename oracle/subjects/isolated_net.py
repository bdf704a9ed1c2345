"""A net in a process of its own: the methods of NetSubject, asked over a pipe. What the net does to itself ends as a NetError."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from oracle.core.case import Array, Arrays
from oracle.core.evaluation import Breach
from oracle.subjects.net_values import NetError, in_parts
from oracle.subjects.net_wire import Answer, Refusal, answer_of
from oracle.subjects.nets import Gradients, Step
from oracle.subjects.process import Ended, IsolationError, Limits, Printed, Process
from oracle.subjects.target import Target
from oracle.subjects.wire import WireError

__all__ = ["IsolatedNet", "Limits", "NetError"]

_INDICES_AT_ONCE = 32
"""Elements that `losses` moves in one request, so that the time limit of a request is one of a few dozen losses."""


class IsolatedNet:
    """The net `name` of `target` (None: the only one), made of `args`, within `limits`. A context manager; see NetSubject and `made`.

    seed: of NumPy's global generator when the net is made, so that it draws the same parameters again.

    A process that ends is not replaced: the net in it is lost in the middle of its training. From then on every call raises NetError.
    Ctrl-C waits for the answer of the call that it comes in, so that a step is taken as a whole or not at all.
    """

    def __init__(
        self,
        target: Target,
        name: str | None = None,
        args: Sequence[int | float] = (),
        dtype: npt.DTypeLike | None = None,
        search_path: Sequence[str] = (),
        limits: Limits = Limits(),  # noqa: B008 - immutable
        seed: int | None = None,
    ) -> None:
        self.breaches: tuple[Breach, ...] = ()
        self.names: tuple[str, ...] = ()
        self._limits = limits
        self._printed = Printed()
        self._spent = 0.0
        self._lost: str | None = None
        self._shapes: dict[str, tuple[int, ...]] = {}
        try:
            self._process = Process(target, search_path, limits, self._printed)
        except (Ended, IsolationError) as error:
            raise NetError(f"a process for the net cannot be started: {error}\n{self.output}".rstrip()) from None
        try:
            wanted = None if dtype is None else np.dtype(dtype).str
            made = self._asked("make", name or target.name, tuple(args), wanted, seed, seconds=limits.load_seconds)
            self.names = made.names
            self._named(made)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> IsolatedNet:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """End the process, and all that it has started."""
        self._process.close()
        self._lost = self._lost or "it has been closed"

    @property
    def output(self) -> str:
        """What the net has printed, cut to its beginning and its end."""
        return str(self._printed)

    def params(self) -> Arrays:
        """The parameters, by name."""
        return self._named(self._asked("params"))

    def assign(self, params: Mapping[str, npt.ArrayLike]) -> None:
        """Write `params`, all of them, into the net's own arrays; one of another dtype or shape takes the place of the net's."""
        arrays = {name: np.asarray(a) for name, a in params.items()}
        self._asked("assign", arrays)
        self._shapes = {name: arrays[name].shape for name in self.names}

    def gradient(self, x: npt.ArrayLike, t: npt.ArrayLike) -> Gradients:
        """The gradients that the net returns for the batch x with labels t."""
        answer = self._asked("gradient", np.asarray(x), np.asarray(t))
        return Gradients(self._grads("gradient", answer.arrays), answer.breaches)

    def loss(self, x: npt.ArrayLike, t: npt.ArrayLike) -> Array:
        """The loss of the batch x with labels t, as a 0-d array."""
        return self._single("loss", self._asked("loss", np.asarray(x), np.asarray(t)).arrays, ())

    def update(self, grads: Mapping[str, npt.ArrayLike] | None, lr: float) -> None:
        """`params[name] -= lr * grads[name]` in place, in the net's process; None: the gradients that were returned last."""
        self._asked("update", None if grads is None else {name: np.asarray(g) for name, g in grads.items()}, float(lr))

    def step(self, x: npt.ArrayLike, t: npt.ArrayLike, lr: float) -> Step:
        """`gradient`, `update` and `loss` on one batch, in one request."""
        answer = self._asked("step", np.asarray(x), np.asarray(t), float(lr))
        return Step(self._grads("step", answer.arrays[:-1]), self._single("step", answer.arrays[-1:], ()), answer.breaches)

    def accuracy(self, x: npt.ArrayLike, t: npt.ArrayLike) -> float:
        """The share of rows of x that are classified as t says."""
        breaches: dict[Breach, None] = {}

        def part(rows: Array, labels: Array) -> float:
            answer = self._asked("accuracy", rows, labels)
            breaches.update(dict.fromkeys(answer.breaches))
            return float(self._single("accuracy", answer.arrays, ()))

        share = in_parts(part, x, t)
        self.breaches = tuple(breaches)
        return share

    def losses(self, name: str, indices: Sequence[int], offsets: Sequence[float], x: npt.ArrayLike, t: npt.ArrayLike) -> Array:
        """The losses (index, offset) with `flat[index]` of the parameter `name` moved by each offset."""
        breaches: dict[Breach, None] = {}
        parts = []
        for start in range(0, max(len(indices), 1), _INDICES_AT_ONCE):
            some = [int(index) for index in indices[start : start + _INDICES_AT_ONCE]]
            answer = self._asked("losses", name, some, [float(offset) for offset in offsets], np.asarray(x), np.asarray(t))
            breaches.update(dict.fromkeys(answer.breaches))
            parts.append(self._single("losses", answer.arrays, (len(some), len(offsets))))
        self.breaches = tuple(breaches)
        return np.concatenate(parts)

    def _asked(self, method: str, *arguments: Any, seconds: float | None = None) -> Answer:
        if self._lost is not None:
            raise NetError(f"{method}: the net is no more: {self._lost}")
        limit = self._limits.case_seconds if seconds is None else seconds
        limit = min(limit, self._limits.total_seconds - self._spent)
        if limit <= 0:
            self._lose(method, f"the net used up its {self._limits.total_seconds:g} s")
        before = time.monotonic()
        try:
            with _whole():
                self._process.send(("net", method, arguments), limit)
                answer = answer_of(self._process.receive(limit))
        except Ended as ended:
            self._lose(method, str(ended))
        except WireError as error:
            self._lose(method, f"its process wrote what is no answer: {error}")
        finally:
            self._spent += time.monotonic() - before
        if isinstance(answer, Refusal):
            raise NetError(answer.text)
        self.breaches = answer.breaches
        return answer

    def _lose(self, method: str, why: str) -> NoReturn:
        self._lost = f"its process has ended in {method} ({why}), and the state of its training with it"
        self.close()
        raise NetError(f"{method}: {why}")

    def _named(self, answer: Answer) -> Arrays:
        """Parameters by name, of the shapes that they have from now on."""
        if answer.names != self.names or not len(set(answer.names)) == len(answer.names) == len(answer.arrays) > 0:
            self._lose("params", "its process wrote names that are not those of its parameters")
        if any(a.dtype.kind != "f" for a in answer.arrays):
            self._lose("params", "its process wrote parameters that are no floats")
        self._shapes = {name: a.shape for name, a in zip(answer.names, answer.arrays, strict=True)}
        return dict(zip(answer.names, answer.arrays, strict=True))

    def _grads(self, method: str, arrays: tuple[Array, ...]) -> Arrays:
        if [a.shape for a in arrays] != list(self._shapes.values()):
            self._lose(method, "its process wrote gradients that do not have their parameters' shapes")
        return dict(zip(self.names, arrays, strict=True))

    def _single(self, method: str, arrays: tuple[Array, ...], shape: tuple[int, ...]) -> Array:
        if len(arrays) != 1 or arrays[0].shape != shape or arrays[0].dtype.kind not in "iuf":
            self._lose(method, "its process wrote another number of results than it was asked for")
        return arrays[0]


@contextmanager
def _whole() -> Iterator[None]:
    """Ctrl-C waits until a request has been answered; half an answer would be taken for that of the next request."""
    handler = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(handler):
        yield
        return
    came: list[tuple[Any, ...]] = []
    signal.signal(signal.SIGINT, lambda *signalled: came.append(signalled))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
        if came:
            handler(*came[0])
