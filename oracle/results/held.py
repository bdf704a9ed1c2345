"""One run at a time writes to a folder, so that no run takes the place of another that is still writing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from oracle.results.errors import ResultsError

LOCK = ".gradconform.lock"
"""File that is locked. It stays: what counts is the lock, which the system takes from a process that dies."""


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """While this lasts no other process, and no other thread, holds `folder`; who has it may take it again. Raises ResultsError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder.resolve() / LOCK, timeout=0, is_singleton=True)
        lock.acquire()
    except Timeout:
        raise ResultsError(f"another run is writing to {folder}. Wait for its end, or choose another folder with --out.") from None
    except (OSError, NotImplementedError) as error:
        told = getattr(error, "strerror", None) or error
        raise ResultsError(f"cannot write to {folder}: {told}. Choose another folder with --out.") from error
    try:
        yield
    finally:
        lock.release()
