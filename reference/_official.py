"""What tells the four official files of MNIST from all others."""

import hashlib
import os
from pathlib import Path
from typing import BinaryIO, NamedTuple

from reference._idx import AGAIN


class Official(NamedTuple):
    """Size in bytes and SHA-256 of one file."""

    size: int
    sha256: str


OFFICIAL = {
    "train-images-idx3-ubyte.gz": Official(9_912_422, "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"),
    "train-labels-idx1-ubyte.gz": Official(28_881, "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"),
    "t10k-images-idx3-ubyte.gz": Official(1_648_877, "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"),
    "t10k-labels-idx1-ubyte.gz": Official(4_542, "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"),
}
"""The files by name, in the order in which they are told."""


def official_name(stream: BinaryIO) -> str | None:
    """Return what the content of `stream` is officially called, whatever its name; None if it is no file of MNIST."""
    size = stream.seek(0, os.SEEK_END)
    if all(size != official.size for official in OFFICIAL.values()):
        return None
    found = Official(size, sha256_of(stream))
    return next((name for name, official in OFFICIAL.items() if official == found), None)


def not_official(file: Path, stream: BinaryIO) -> str:
    """Return what to say of a well-formed `file` that is not the official one."""
    wanted = OFFICIAL[file.name]
    return (
        f"{file} is well formed, but not the official file: it has {stream.seek(0, os.SEEK_END):,} bytes with SHA-256 {sha256_of(stream)}, "
        f"expected {wanted.size:,} bytes with SHA-256 {wanted.sha256}. {AGAIN} "
        "If another data set of this format is meant, such as Fashion-MNIST, pass verify=False."
    )


def sha256_of(stream: BinaryIO) -> str:
    """Return the SHA-256 of all that is in `stream`, in hexadecimal digits."""
    digest = hashlib.sha256()
    stream.seek(0)
    while piece := stream.read(1 << 20):
        digest.update(piece)
    return digest.hexdigest()
