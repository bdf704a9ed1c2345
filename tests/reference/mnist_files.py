"""Small files in MNIST's format, and a mirror on this machine that gives them."""

from __future__ import annotations

import gzip
import hashlib
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np

from reference._official import OFFICIAL, Official

TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS = OFFICIAL


def idx(array: Any, magic: int | None = None, shape: tuple[int, ...] | None = None) -> bytes:
    """`array` as IDX before compression, if wanted under a false magic number or with false sizes."""
    data = np.asarray(array, np.uint8)
    sizes = data.shape if shape is None else shape
    return struct.pack(f">{1 + len(sizes)}I", 2048 + data.ndim if magic is None else magic, *sizes) + data.tobytes()


def packed(data: bytes) -> bytes:
    return gzip.compress(data, mtime=0)


def small_arrays(n_train: int = 6, n_test: int = 4) -> dict[str, Any]:
    """Images and labels by the names of their files."""
    rng = np.random.default_rng(8)
    return {
        TRAIN_IMAGES: rng.integers(0, 256, (n_train, 28, 28), np.uint8),
        TRAIN_LABELS: rng.integers(0, 10, n_train, np.uint8),
        TEST_IMAGES: rng.integers(0, 256, (n_test, 28, 28), np.uint8),
        TEST_LABELS: rng.integers(0, 10, n_test, np.uint8),
    }


def small_files() -> dict[str, bytes]:
    return {name: packed(idx(array)) for name, array in small_arrays().items()}


def written(folder: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return folder


def official(data: bytes) -> Official:
    return Official(len(data), hashlib.sha256(data).hexdigest())


@dataclass
class Mirror:
    """What a mirror gives, how it behaves, and what it was asked for: name and Range."""

    files: dict[str, bytes]
    ranges: bool = True
    cut: int | None = None
    status: int | None = None
    url: str = ""
    asked: list[tuple[str, str | None]] = field(default_factory=list)

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        """Give what is asked for; `cut` bytes of it, if that is set, though all of it was promised."""
        name, wanted = handler.path.rpartition("/")[2], handler.headers["Range"]
        self.asked.append((name, wanted))
        if self.status or name not in self.files:
            handler.send_error(self.status or 404)
            return
        whole = self.files[name]
        start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted and self.ranges else 0
        if start >= len(whole):
            handler.send_error(416)
            return
        handler.send_response(206 if start else 200)
        if start:
            handler.send_header("Content-Range", f"bytes {start}-{len(whole) - 1}/{len(whole)}")
        handler.send_header("Content-Length", str(len(whole) - start))
        handler.end_headers()
        handler.wfile.write(whole[start:][: self.cut])


@contextmanager
def serving(mirror: Mirror) -> Iterator[Mirror]:
    """`mirror` at its `url`, on this machine."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            mirror.answer(self)

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing: the tests look at what was asked."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    mirror.url = f"http://127.0.0.1:{server.server_port}/mnist/"
    try:
        yield mirror
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
