"""The judge's end of a subject's process: starting it, talking to it with a deadline, and ending it with everything it started.

No threads: one `poll` serves requests, answers and what the subject prints.
"""

from __future__ import annotations

import os
import pickle
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import weakref
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from oracle.subjects.loaded import LoadError
from oracle.subjects.target import Target
from oracle.subjects.wire import Frame, WireError, decode
from oracle.subjects.worker import BROKEN, CUT_OFF, LENGTH, OUT_OF_MEMORY, Start

_BOOT = "import sys; sys.path[:] = sys.argv[4:]; from oracle.subjects.worker import main; main(*map(int, sys.argv[1:4]))"
_PASSED_ON = ("PATH", "LANG", "LANGUAGE", "TZ", "SYSTEMROOT", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
_PASSED_ON_BEGINNING = ("LC_", "OPENBLAS_", "MKL_", "OMP_", "BLIS_", "NPY_")
"""The latter choose the machine code that NumPy runs: the subject is to compute as it does everywhere else on this machine."""
_MARK = "GRADCONFORM_SUBJECT"
_PIPE_BYTES = 1 << 20
_CHUNK = 1 << 18
_SHOWN = 2048
_ENDINGS = {
    CUT_OFF: "the subject closed the process's connection to the judge",
    OUT_OF_MEMORY: "the process ran out of memory",
    BROKEN: "the subject damaged the process that it runs in",
}


class IsolationError(LoadError):
    """A process for the subject cannot be had: why."""


class Ended(Exception):  # noqa: N818 - what happened, not what went wrong
    """The subject's process is no more: what happened to it."""


class Limits(NamedTuple):
    """What a subject may use: seconds of waiting for one case, for loading it, and for everything together; MiB of memory besides what
    Python and NumPy take; bytes printed in one process."""

    case_seconds: float = 5.0
    load_seconds: float = 30.0
    total_seconds: float = 600.0
    memory_mb: int = 4096
    output_bytes: int = 16 << 20

    @property
    def connect_seconds(self) -> float:
        """For trying how a loaded subject is called: many short calls. A file of endless loops is not to wait for loading each time."""
        return min(self.load_seconds, max(5.0, 4 * self.case_seconds))


class Printed:
    """What was printed: the beginning and the end of it, and how much it was."""

    def __init__(self) -> None:
        self.bytes = 0
        self._head = bytearray()
        self._tail = bytearray()

    def add(self, data: bytes) -> None:
        self.bytes += len(data)
        room = _SHOWN - len(self._head)
        self._head += data[:room]
        self._tail += data[room:] if room > 0 else data
        del self._tail[:-_SHOWN]

    def __str__(self) -> str:
        left_out = self.bytes - len(self._head) - len(self._tail)
        middle = f"\n... {left_out} of {self.bytes} bytes left out ...\n".encode() if left_out else b""
        text = (bytes(self._head) + middle + bytes(self._tail)).decode(errors="replace")
        return "".join([c if c.isprintable() or c in "\n\t" else " " for c in text])


class Process:
    """A process that has loaded nothing yet. Raises IsolationError where it cannot be started."""

    def __init__(self, target: Target, search_path: Sequence[str], limits: Limits, printed: Printed) -> None:
        if sys.platform == "win32":
            raise IsolationError("a subject's own process needs Linux or macOS; use WSL or a container (docs/isolation.md)")
        self._limits, self._printed = limits, printed
        self._printed_before = printed.bytes
        self._inbox, self._outbox = bytearray(), memoryview(b"")
        self._folder = os.path.realpath(tempfile.mkdtemp(prefix="gradconform-"))
        self._popen, fds = _start(self._folder)
        self._end = weakref.finalize(self, _finish, os.getpid(), self._popen, self._folder, fds)
        self._requests, self._answers, self._output, _ = fds
        self._poll = select.poll()
        self._poll.register(self._answers, select.POLLIN)
        self._poll.register(self._output, select.POLLIN)
        cpu = int(limits.total_seconds + limits.load_seconds) + 10
        try:
            self.send(tuple(Start(target, tuple(search_path), self._folder, limits.memory_mb, cpu)), limits.load_seconds)
            self.receive(limits.load_seconds)
        except Ended:
            self.close()
            raise

    def close(self) -> None:
        """End the process and everything it started."""
        self._end()

    def kill(self) -> None:
        """Kill the process from another thread than the one that talks to it; that one then finds it ended, and closes it."""
        if self._popen.returncode is None:
            with suppress(OSError):
                os.killpg(self._popen.pid, signal.SIGKILL)

    def send(self, request: tuple[Any, ...], seconds: float) -> None:
        """Hand `request` over. Raises Ended where it has not been taken after `seconds`."""
        data = pickle.dumps(request, 5)
        self._outbox = memoryview(LENGTH.pack(len(data)) + data)
        self._write()
        if not self._outbox:
            return
        deadline = time.monotonic() + seconds
        self._poll.register(self._requests, select.POLLOUT)
        while self._outbox:
            self._serve(deadline, seconds)
        self._poll.unregister(self._requests)

    def receive(self, seconds: float) -> Frame:
        """The next answer. Raises Ended where none comes within `seconds`, or none will."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                frame = decode(self._inbox)
            except WireError as error:
                raise Ended(f"its process wrote what is no answer: {error}") from None
            if frame is not None:
                return frame
            self._serve(deadline, seconds)

    def _serve(self, deadline: float, seconds: float) -> None:
        """Wait for something to happen, and deal with it."""
        left = deadline - time.monotonic()
        ready = self._poll.poll(left * 1000) if left > 0 else ()
        if not ready:
            raise Ended(f"no answer within {seconds:g} s")
        for fd, _ in ready:
            if fd == self._requests:
                self._write()
            elif fd == self._output:
                self._drain()
            elif not self._fill():
                raise Ended(self._obituary())

    def _write(self) -> None:
        try:
            self._outbox = self._outbox[os.write(self._requests, self._outbox) :]
        except BlockingIOError:
            pass
        except OSError:
            raise Ended(self._obituary()) from None

    def _fill(self) -> bool:
        data = os.read(self._answers, _CHUNK)
        self._inbox += data
        return bool(data)

    def _drain(self) -> bool:
        data = os.read(self._output, _CHUNK)
        if not data:
            with suppress(KeyError):
                self._poll.unregister(self._output)
        self._printed.add(data)
        if self._printed.bytes - self._printed_before > self._limits.output_bytes:
            raise Ended(f"more than {_size(self._limits.output_bytes)} were printed")
        return bool(data)

    def _obituary(self) -> str:
        """How the process ended by itself."""
        ended = _wait(self._popen.pid, 1.0)
        # what it printed last; others may still hold the pipe, so that its end is not waited for
        while select.select([self._output], [], [], 0)[0] and self._drain():
            pass
        _kill(self._popen, self._folder)
        code = self._popen.returncode
        if not ended:
            return _ENDINGS[CUT_OFF]
        if code < 0:
            hint = "; the system may have run out of memory" if code == -signal.SIGKILL else ""
            return f"the process was killed by {_signal(-code)}{hint}"
        return _ENDINGS.get(code, f"the process ended with exit code {code}")


def _start(folder: str) -> tuple[subprocess.Popen[bytes], tuple[int, int, int, int]]:
    """The process, and our ends of its requests, answers and output, and of a pipe that ends when we do."""
    pipes = [os.pipe() for _ in range(4)]
    theirs = (pipes[0][0], pipes[1][1], pipes[3][0])
    printing = pipes[2][1]
    ours = (pipes[0][1], pipes[1][0], pipes[2][0], pipes[3][1])
    path = [os.path.abspath(entry) for entry in sys.path if os.path.exists(entry or ".")]
    try:
        popen = subprocess.Popen(
            [sys.executable, "-u", "-B", "-s", "-c", _BOOT, *map(str, theirs), *path],
            stdin=subprocess.DEVNULL,
            stdout=printing,
            stderr=printing,
            pass_fds=theirs,
            cwd=folder,
            env=_environment(folder),
            start_new_session=True,
        )
    except OSError as error:
        shutil.rmtree(folder, ignore_errors=True)
        for fd in ours:
            os.close(fd)
        raise IsolationError(f"a process for the subject cannot be started: {error}") from error
    finally:
        for fd in (*theirs, printing):
            os.close(fd)
    os.set_blocking(ours[0], False)
    for fd in ours[:2]:
        _widen(fd)
    return popen, ours


def _widen(fd: int) -> None:
    """Room for a block of cases in the pipe, where the system allows it."""
    import fcntl

    if hasattr(fcntl, "F_SETPIPE_SZ"):
        with suppress(OSError):
            fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)


def _environment(folder: str) -> dict[str, str]:
    """Of the environment only what a program needs to run; no secret has such a name."""
    kept = {name: value for name, value in os.environ.items() if name in _PASSED_ON or name.startswith(_PASSED_ON_BEGINNING)}
    places = dict.fromkeys(("HOME", "TMPDIR", "TEMP", "TMP", "MPLCONFIGDIR"), folder)
    threads = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"), "1")
    return {**kept, **places, **threads, "PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1", _MARK: os.path.basename(folder)}


def _finish(owner: int, popen: subprocess.Popen[bytes], folder: str, fds: Sequence[int]) -> None:
    """End the process, remove its folder. A fork of the judge leaves both to the judge."""
    if os.getpid() != owner:
        return
    _kill(popen, folder)
    for fd in fds:
        with suppress(OSError):
            os.close(fd)
    shutil.rmtree(folder, ignore_errors=True)


def _kill(popen: subprocess.Popen[bytes], folder: str) -> None:
    """Kill the process, its session, and what bears the mark of its environment wherever it has gone."""
    if popen.returncode is None:
        # not yet waited for, so that the number cannot be anybody else's
        with suppress(OSError):
            os.killpg(popen.pid, signal.SIGKILL)
        popen.wait()
    mark = f"{_MARK}={os.path.basename(folder)}".encode()
    for _ in range(100):
        left = _marked(mark)
        if not left:
            break
        for pid in left:
            with suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.005)


def _marked(mark: bytes) -> list[int]:
    """The processes that were started with `mark` in their environment (Linux)."""
    found = []
    for entry in os.listdir("/proc") if os.path.isdir("/proc/self") else ():
        if entry.isdigit():
            with suppress(OSError), open(f"/proc/{entry}/environ", "rb") as file:
                if mark in file.read().split(b"\0"):
                    found.append(int(entry))
    return found


def _wait(pid: int, seconds: float) -> bool:
    """Whether the process ends by itself within `seconds`; it is not taken off the system's list."""
    if not hasattr(os, "waitid"):
        time.sleep(0.05)
        return True
    deadline = time.monotonic() + seconds
    while os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is None:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.005)
    return True


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _size(count: int) -> str:
    return f"{count / 2**20:g} MiB" if count >= 2**20 else f"{count} bytes"
