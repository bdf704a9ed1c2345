"""The IDX format, gzipped: a magic number, one size for each axis, then the bytes of the array, and nothing after them."""

import gzip
import math
import os
import struct
import zlib
from pathlib import Path
from typing import BinaryIO

import numpy as np

from reference._arrays import Array
from reference.dataset_errors import DatasetDamagedError

AGAIN = "Copy the file there again, or delete it and call load_mnist(download=True) for the official one."
"""What to do about a file that is damaged."""

_KINDS = {2049: "labels", 2051: "images"}
# deflate makes at most 1,032 bytes of one, so no honest header asks for more
_MOST = 1032


def read_idx(file: Path, stream: BinaryIO, rank: int) -> Array:
    """Return the uint8 array of `rank` axes in `stream`, read-only; no more is decompressed than its header announces.

    file: what messages call the stream. Raises DatasetDamagedError for anything but one whole array of that rank.
    """
    size = stream.seek(0, os.SEEK_END)
    stream.seek(0)
    _must_be_gzip(file, stream.read(4))
    stream.seek(0)
    try:
        with gzip.GzipFile(fileobj=stream) as unzipped:
            return _array(file, unzipped, rank, size)
    except EOFError:
        raise DatasetDamagedError(f"{file} is truncated: its {size:,} bytes end amid the compressed data. {AGAIN}") from None
    except (gzip.BadGzipFile, zlib.error) as error:
        raise DatasetDamagedError(f"{file} is damaged, or something else follows in it ({error}). {AGAIN}") from None


def _must_be_gzip(file: Path, start: bytes) -> None:
    if start[:2] == b"\x1f\x8b":
        return
    if not start:
        found, advice = "is empty", AGAIN
    elif start[:3] == b"\0\0\x08":
        found, advice = "is already decompressed", "Compress it with gzip, under the same name."
    elif start[:1] == b"<":
        found, advice = "is no gzip file: it looks like a web page, saved in place of the file", AGAIN
    else:
        found, advice = f"is no gzip file: it begins with the bytes {start[:2].hex(' ')}, not 1f 8b", AGAIN
    raise DatasetDamagedError(f"{file} {found}. {advice}")


def _array(file: Path, unzipped: gzip.GzipFile, rank: int, size: int) -> Array:
    shape = _shape(file, unzipped, rank)
    wanted = math.prod(shape)
    announced = f"{file}: its header announces {' x '.join(f'{n:,}' for n in shape)} = {wanted:,} bytes"
    if wanted > _MOST * size:
        raise DatasetDamagedError(f"{announced}, more than the {size:,} bytes of the file can hold. {AGAIN}")
    data = unzipped.read(wanted)
    if len(data) < wanted:
        raise DatasetDamagedError(f"{announced}, but only {len(data):,} follow. {AGAIN}")
    if unzipped.read(1):  # what lies at the end is asked for in any case: only there the checksum is compared
        raise DatasetDamagedError(f"{announced}, but more follow. {AGAIN}")
    return np.frombuffer(data, np.uint8).reshape(shape)


def _shape(file: Path, unzipped: gzip.GzipFile, rank: int) -> tuple[int, ...]:
    header = unzipped.read(4 + 4 * rank)
    (magic,) = struct.unpack(">I", header[:4]) if len(header) >= 4 else (None,)
    wanted = 2048 + rank
    if magic is not None and magic != wanted:
        found = f"holds {_KINDS[magic]}" if magic in _KINDS else "is no file of MNIST"
        raise DatasetDamagedError(
            f"{file} {found}: its magic number is {magic}, but that of {_KINDS[wanted]} is {wanted}. {_advice(magic)}"
        )
    if len(header) < 4 + 4 * rank:
        raise DatasetDamagedError(f"{file} has a header of {len(header)} bytes; that of {_KINDS[wanted]} takes {4 + 4 * rank}. {AGAIN}")
    return struct.unpack(f">{rank}I", header[4:])


def _advice(magic: int) -> str:
    return "Were two files given each other's names? Then rename them." if magic in _KINDS else AGAIN
