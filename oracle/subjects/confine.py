"""What a subject's process may not do: applied from inside it, before any code of the subject runs.

Three layers: resource limits, a hook that Python asks before it opens, starts or connects anything, and Landlock where the kernel has it.
"""

from __future__ import annotations

import ctypes
import os
import select
import signal
import sys
from collections.abc import Callable, Iterable
from typing import Any

from oracle.subjects import landlock

PR_SET_CHILD_SUBREAPER = 36
_LINUX_CAPABILITY_VERSION_3 = 0x20080522
_KEPT = 1 << 1 | 1 << 2  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
_FILE_BYTES = 64 << 20
_TASKS = 256
"""Threads and processes that the user of a subject may have besides those there are."""

_STARTING = "start processes"
_SIGNALS = "send signals to other processes"
_NETWORK = "use the network"
_REFUSED = {
    **dict.fromkeys(("os.fork", "os.forkpty", "os.posix_spawn", "os.exec", "os.spawn", "os.system", "os.startfile"), _STARTING),
    **dict.fromkeys(("subprocess.Popen", "pty.spawn", "_winapi.CreateProcess"), _STARTING),
    **dict.fromkeys(("os.killpg", "_winapi.TerminateProcess"), _SIGNALS),
    **dict.fromkeys(("socket.connect", "socket.bind", "socket.sendto", "socket.sendmsg", "socket.getaddrinfo"), _NETWORK),
    **dict.fromkeys(("socket.gethostbyname", "socket.gethostbyaddr", "socket.getnameinfo"), _NETWORK),
}
_CHANGING = {
    **dict.fromkeys(("os.remove", "os.rmdir", "os.mkdir", "os.truncate", "os.chmod", "os.chown", "os.lchmod", "os.chflags"), 1),
    **dict.fromkeys(("os.utime", "os.setxattr", "os.removexattr", "sqlite3.connect"), 1),
    **dict.fromkeys(("os.rename", "os.link", "os.symlink"), 2),
}
"""Events that change the file system, and how many of their first arguments are paths."""
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


def confine(folder: str, memory_mb: int, cpu_seconds: int) -> None:
    """Everything below. From now on this process writes beneath `folder` alone."""
    # processes left behind by C code then stay beneath this one, where they are found
    _prctl(PR_SET_CHILD_SUBREAPER, 1)
    limit_resources(memory_mb, cpu_seconds)
    drop_capabilities()
    landlock.restrict(folder)
    sys.addaudithook(hook(folder))


def end_with(lifeline: int) -> None:
    """Let the kernel kill this process when the other end of the pipe `lifeline` is closed, as it is when the judge dies (Linux).

    PR_SET_PDEATHSIG would do the same for the thread that started it, which may end long before the judge does.
    """
    import fcntl

    if hasattr(fcntl, "F_SETSIG"):
        fcntl.fcntl(lifeline, fcntl.F_SETOWN, os.getpid())
        fcntl.fcntl(lifeline, fcntl.F_SETSIG, signal.SIGKILL)
        fcntl.fcntl(lifeline, fcntl.F_SETFL, os.O_ASYNC | os.O_NONBLOCK)
        if select.select([lifeline], [], [], 0)[0]:
            os._exit(0)


def _prctl(option: int, value: int) -> None:
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def drop_capabilities() -> None:
    """Of what root may do, keep only the reading of files: the rest includes reading the judge's environment (Linux)."""
    if sys.platform.startswith("linux"):
        libc = ctypes.CDLL(None)
        header = (ctypes.c_uint32 * 2)(_LINUX_CAPABILITY_VERSION_3, 0)
        # effective, permitted and inheritable, the first 32 of each and then the others
        held = (ctypes.c_uint32 * 6)()
        if libc.capget(header, held) == 0:
            libc.capset(header, (ctypes.c_uint32 * 6)(held[0] & _KEPT, held[1] & _KEPT, 0, 0, 0, 0))


def limit_resources(memory_mb: int, cpu_seconds: int) -> None:
    """`memory_mb` of address space besides what is mapped already, processor time, file size, no core dumps."""
    try:
        import resource
    except ImportError:
        return
    limits: list[tuple[str, int]] = [("RLIMIT_CORE", 0), ("RLIMIT_FSIZE", _FILE_BYTES), ("RLIMIT_CPU", cpu_seconds)]
    if sys.platform.startswith("linux"):
        limits.append(("RLIMIT_AS", _mapped() + (memory_mb << 20)))
        if os.getuid():
            limits.append(("RLIMIT_NPROC", _tasks() + _TASKS))
    for name, value in limits:
        number = getattr(resource, name)
        _, hard = resource.getrlimit(number)
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(number, (value, value))


def _mapped() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")


def _tasks() -> int:
    """Threads of all processes of this user."""
    uid = os.getuid()
    count = 0
    for entry in os.listdir("/proc"):
        try:
            if entry.isdigit() and os.stat(f"/proc/{entry}").st_uid == uid:
                count += len(os.listdir(f"/proc/{entry}/task"))
        except OSError:
            continue
    return count


def hook(folder: str) -> Callable[[str, tuple[Any, ...]], None]:
    """The audit hook. All that it needs is its own: what the subject does to our modules later does not reach it.

    It is asked often - every import opens files - and says yes to all but a handful of events after one look-up.
    """
    own, me = os.path.realpath(folder) + os.sep, os.getpid()
    refused, changing, writing, null = dict(_REFUSED), dict(_CHANGING), _WRITING, os.devnull
    realpath, fspath, fsdecode = os.path.realpath, os.fspath, os.fsdecode

    def deny(what: str) -> None:
        raise PermissionError(f"gradconform: a subject may not {what}")

    def check(paths: Iterable[Any]) -> None:
        for path in paths:
            if isinstance(path, int):
                continue
            where = fsdecode(fspath(path))
            if where != null and not (realpath(where) + os.sep).startswith(own):
                deny(f"write outside its working folder: {where}")

    def asked(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            path, mode, flags = arguments
            if (isinstance(flags, int) and flags & writing) or (isinstance(mode, str) and not set("wax+").isdisjoint(mode)):
                check((path,))
        elif event in refused:
            deny(refused[event])
        elif event in changing:
            check(arguments[: changing[event]])
        elif event == "os.kill" and arguments[0] != me:
            deny("send signals to other processes")

    return asked
