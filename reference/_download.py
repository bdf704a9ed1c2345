"""Files from public mirrors: resumed where they broke off, and only given their names when their SHA-256 is right."""

import http.client
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from reference._official import OFFICIAL, Official, sha256_of
from reference.dataset_errors import DownloadError

_log = logging.getLogger(__name__)

MIRRORS = ("https://ossci-datasets.s3.amazonaws.com/mnist/", "https://storage.googleapis.com/cvdf-datasets/mnist/")
"""Folders on the net, in the order in which they are asked."""
TIMEOUT = 20.0
"""Seconds without a sign of a mirror after which the next is asked."""

_PIECE = 1 << 16
# The lock's file stays: what counts is the lock, which the system takes from a process that dies.
_LOCK = ".download.lock"

Told = Callable[[int], None]
"""Is called with the number of bytes that are here."""


class _MirrorError(Exception):
    """Why a mirror did not give a file."""


def fetch(folder: Path, progress: bool) -> None:
    """Put the official files that `folder` lacks there, one process at a time; after an interruption from where it was.

    progress: tell on stderr how far it is. Raises DownloadError.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _alone(folder):
            for name, official in OFFICIAL.items():
                if not (folder / name).exists():
                    _fetch_one(folder / name, official, progress)
    except DownloadError:
        raise
    except (OSError, NotImplementedError) as error:
        told = getattr(error, "strerror", None) or error
        raise DownloadError(f"cannot write to {folder}: {told}. Choose another folder by path or $MNIST_DIR.") from error


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """While this lasts no other process downloads to `folder`."""
    from filelock import FileLock, Timeout

    lock = FileLock(folder / _LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        _log.warning("another process is downloading to %s: waiting for its end", folder)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _fetch_one(file: Path, official: Official, progress: bool) -> None:
    partial = file.with_name(file.name + ".part")
    reasons = []
    for mirror in MIRRORS:
        try:
            with _shown(file.name, official.size, mirror) if progress else nullcontext(_untold) as told:
                _from_mirror(mirror + file.name, partial, official, told)
        except _MirrorError as error:
            reasons.append(f"  {mirror}{file.name}: {error}")
            _log.info("%s%s: %s", mirror, file.name, error)
            continue
        os.replace(partial, file)
        return
    kept = [f"What came of it is kept in {partial}; the next download goes on from there."] if partial.exists() else []
    advice = f"Try again later, or copy the file to {file.parent} yourself."
    raise DownloadError("\n".join([f"no mirror gave {file.name}:", *reasons, *kept, advice]))


def _from_mirror(url: str, partial: Path, official: Official, told: Told) -> None:
    """Complete `partial` from `url` and check it. What is wrong is deleted; what came in parts is then got once more as a whole."""
    start = partial.stat().st_size if partial.exists() else 0
    _transfer(url, partial, start, official.size, told)
    found = _digest(partial)
    if found != official.sha256 and start:
        _transfer(url, partial, 0, official.size, told)
        found = _digest(partial)
    if found != official.sha256:
        partial.unlink()
        raise _MirrorError(f"gave another file: its SHA-256 is {found}, expected {official.sha256}")


def _transfer(url: str, partial: Path, start: int, size: int, told: Told) -> None:
    """Add to the `start` bytes in `partial` what is missing from `size` bytes; a server may send all of them instead."""
    if start == size:
        return
    with _opened(url, start if start < size else 0) as response:
        done = start if response.status == 206 else 0
        offered = size if response.length is None else done + response.length
        if offered != size:
            raise _MirrorError(f"offers a file of {offered:,} bytes, expected {size:,}")
        with partial.open("ab" if done else "wb") as target:
            told(done)
            for piece in _pieces(response, size - done):
                target.write(piece)
                done += len(piece)
                told(done)
    if done < size:
        raise _MirrorError(f"broke off after {done:,} of {size:,} bytes")


@contextmanager
def _opened(url: str, start: int) -> Iterator[http.client.HTTPResponse]:
    request = Request(url, headers={"Range": f"bytes={start}-"} if start else {})
    try:
        response = urlopen(request, timeout=TIMEOUT)
    except HTTPError as error:
        error.close()
        raise _MirrorError(f"answered with HTTP status {error.code}") from None
    except (OSError, http.client.HTTPException) as error:
        raise _MirrorError(_reason(error)) from None
    with response:
        yield response


def _pieces(response: http.client.HTTPResponse, missing: int) -> Iterator[bytes]:
    """What comes, up to `missing` bytes, until the mirror breaks off."""
    while missing > 0:
        try:
            piece = response.read(min(_PIECE, missing))
        except http.client.IncompleteRead:
            return
        except (OSError, http.client.HTTPException) as error:
            raise _MirrorError(_reason(error)) from None
        if not piece:
            return
        missing -= len(piece)
        yield piece


def _reason(error: Exception) -> str:
    """What the system says of it; words that a server has chosen are not repeated."""
    if isinstance(error, URLError) and isinstance(error.reason, Exception):
        error = error.reason
    if isinstance(error, TimeoutError):
        return f"no sign of it for {TIMEOUT:g} seconds"
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return f"its answer is no proper HTTP ({type(error).__name__})"


def _digest(file: Path) -> str:
    with file.open("rb") as stream:
        return sha256_of(stream)


def _untold(done: int) -> None:
    """For who wants no progress."""


@contextmanager
def _shown(name: str, size: int, mirror: str) -> Iterator[Told]:
    """A bar on a terminal, a line elsewhere; gives what to call with the number of bytes that are here."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    console = Console(stderr=True, highlight=False)
    if not console.is_terminal:
        console.print(f"{name}: {size:,} bytes from {mirror}", soft_wrap=True)
        yield _untold
        return
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(name, total=size)
        yield lambda done: bar.update(task, completed=done)
