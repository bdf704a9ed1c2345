"""What runs in a subject's process: it loads the subject, and answers requests until it is ended.

Nothing here trusts the code that it runs: the state that both share is put right again after every case, and where that fails the
process ends, which the judge sees.
"""

from __future__ import annotations

import os
import pickle
import signal
import struct
import sys
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from oracle.core.case import Case
from oracle.core.evaluation import Evaluation
from oracle.core.observe import Observation, observe, watching
from oracle.core.spec import Signature
from oracle.subjects.confine import confine, end_with
from oracle.subjects.conventions import ConventionError, connect
from oracle.subjects.guard import Fingerprint, Guarded, sentence
from oracle.subjects.loaded import Loaded, LoadError
from oracle.subjects.loading import load
from oracle.subjects.matching import wanted
from oracle.subjects.net_serving import Serving
from oracle.subjects.net_wire import Refusal, frame_of
from oracle.subjects.target import Target
from oracle.subjects.wire import MOST_LINES, MOST_TEXT, WireError, encode, observation_frame

CUT_OFF, OUT_OF_MEMORY, BROKEN = 70, 71, 72
"""Exit codes: the pipes are gone; no memory is left for the judge's own code; the subject has damaged that code."""
LENGTH = struct.Struct("<Q")
"""What a request begins with: the bytes of its pickle."""


class Start(NamedTuple):
    """What a worker is told when it starts."""

    target: Target
    search_path: tuple[str, ...]
    folder: str
    memory_mb: int
    cpu_seconds: int


class Worker:
    """Answers requests: `load`, `found`, `connect`, `observe` and `net`, each with its arguments. The target is loaded on the first."""

    def __init__(self, start: Start, write: Callable[[bytes], None]) -> None:
        self._start = start
        self._write = write
        self._fingerprint = Fingerprint()
        self._loaded: Loaded | None = None
        self._subject: Guarded | None = None
        self._net = Serving(self._namespace)

    def answer(self, request: tuple[Any, ...]) -> None:
        kind, *arguments = request
        if kind == "observe":
            self._observe(*arguments)
            return
        if kind == "net":
            self._ask_net(*arguments)
            return
        answers: dict[str, Callable[..., dict[str, Any]]] = {"load": self._load, "found": self._found, "connect": self._connect}
        try:
            head = answers[kind](*arguments)
        except (LoadError, ConventionError) as error:
            head = {"raised": type(error).__name__, "text": str(error)[: 4 * MOST_TEXT]}
        self._write(encode(head))

    def _namespace(self) -> Loaded:
        if self._loaded is None:
            try:
                self._loaded = load(self._start.target, self._start.search_path)
            except LoadError:
                raise
            except BaseException as error:
                raise LoadError(f"{self._start.target.text} cannot be loaded: {sentence(error)}") from None
            finally:
                tidy()
        return self._loaded

    def _load(self) -> dict[str, Any]:
        self._namespace()
        return {}

    def _found(self, as_spec: str | None, spec_names: Sequence[str]) -> dict[str, Any]:
        loaded = self._namespace()
        candidates = wanted(loaded, self._start.target.name, as_spec, spec_names)
        return {
            "candidates": [[c.name, c.spec, c.why[:MOST_TEXT]] for c in candidates[:MOST_LINES]],
            "notes": [note[:MOST_TEXT] for note in loaded.notes[:MOST_LINES]],
            "missing": [[name, why[:MOST_TEXT]] for name, why in list(loaded.missing.items())[:MOST_LINES]],
        }

    def _connect(self, name: str, signature: Signature, samples: Sequence[Case], convention: str | None) -> dict[str, Any]:
        loaded = self._namespace()
        try:
            with watching():
                subject, chosen, details, forward_only = connect(signature, name, loaded.namespace, samples, convention)
        except ConventionError:
            raise
        except BaseException as error:
            raise ConventionError(f"{name} cannot be tried: {sentence(error)}") from None
        finally:
            tidy()
        self._subject = Guarded(subject)
        return {"convention": chosen, "details": details, "forward_only": forward_only}

    def _observe(self, cases: Sequence[Case]) -> None:
        for case in cases:
            seen = self._seen(case)
            tidy()
            replaced = self._fingerprint.replaced()
            if replaced:
                seen = _failed(f"the subject replaced {replaced}; what it answers is not NumPy's any more")
            try:
                frame = observation_frame(seen)
            except WireError as error:
                frame = observation_frame(_failed(f"ValueError: {error}"))
            self._write(frame)

    def _ask_net(self, method: str, arguments: Sequence[Any]) -> None:
        answer = self._net.answer(method, arguments)
        tidy()
        replaced = self._fingerprint.replaced()
        if replaced:
            answer = Refusal(f"{method}: the net replaced {replaced}; what it answers is not NumPy's any more")
        self._write(frame_of(answer))

    def _seen(self, case: Case) -> Observation:
        if self._subject is None:
            return _failed("SubjectError: the subject has not been connected")
        try:
            # entered for every case, because the subject may have set its own filters
            with watching():
                return observe(self._subject, case)
        except (MemoryError, SystemExit, KeyboardInterrupt) as error:
            # too large a result, or a handler of the subject's that was late; anything else is damage, and ends the process
            return _failed(sentence(error))


def _failed(text: str) -> Observation:
    return Observation(Evaluation((), (), text), (), None, ())


def tidy() -> None:
    """Put right what a subject may have changed for everybody in this process."""
    sys.setrecursionlimit(1000)
    sys.settrace(None)
    sys.setprofile(None)
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_REAL, 0)


def _reader(fd: int) -> Callable[[int], bytes]:
    def read(size: int) -> bytes:
        parts = []
        while size:
            part = os.read(fd, min(size, 1 << 20))
            if not part:
                os._exit(0)
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    return read


def _writer(fd: int) -> Callable[[bytes], None]:
    def write(data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[os.write(fd, view) :]

    return write


def main(*fds: int) -> None:
    """Serve until the requests end. `fds`: of requests, answers, and a pipe that ends with the judge.

    They are moved out of the way of whoever counts from 3.
    """
    import fcntl
    import resource

    high = min(500, resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 16)
    requests, answers, lifeline = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, high) for fd in fds]
    for fd in fds:
        os.close(fd)
    end_with(lifeline)
    code = BROKEN
    try:
        _serve(_reader(requests), _writer(answers))
    except MemoryError:
        code = OUT_OF_MEMORY
    except OSError:
        code = CUT_OFF
    finally:
        # no exit handlers, no waiting for threads: both are the subject's
        os._exit(code)


def _serve(read: Callable[[int], bytes], write: Callable[[bytes], None]) -> None:
    start = Start(*_next(read))
    confine(start.folder, start.memory_mb, start.cpu_seconds)
    worker = Worker(start, write)
    write(encode({"ready": True}))
    while True:
        worker.answer(_next(read))


def _next(read: Callable[[int], bytes]) -> Any:
    (size,) = LENGTH.unpack(read(LENGTH.size))
    return pickle.loads(read(size))
