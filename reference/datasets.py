"""Digits to train on: MNIST from its four files, and scikit-learn's small digits, which need no download."""

import logging
import os
import sys
from pathlib import Path

import numpy as np

from reference._arrays import Array
from reference._idx import AGAIN, read_idx
from reference._official import OFFICIAL, not_official, official_name
from reference.dataset_errors import DatasetDamagedError, DatasetMissingError

_log = logging.getLogger(__name__)


_CLASSES = 10
_SIDE = 28

Split = tuple[Array, Array]
"""Samples, and their labels."""


def load_mnist(
    normalize: bool = True,
    flatten: bool = True,
    one_hot_label: bool = False,
    path: str | os.PathLike[str] | None = None,
    *,
    download: bool = False,
    verify: bool = True,
    progress: bool = True,
) -> tuple[Split, Split]:
    """Return (x_train, t_train), (x_test, t_test) of MNIST, as the loader of "Deep Learning from Scratch" does.

    normalize: x is float32 from 0 to 1; without, the files' own uint8 from 0 to 255.
    flatten: x is (N, 784); without, (N, 1, 28, 28). N is 60,000 in training, 10,000 in test.
    one_hot_label: t is float64 of shape (N, 10); without, uint8 of shape (N,). All arrays are the caller's own.
    path: the folder of the four files; by default $MNIST_DIR, and without that a folder for caches:
    ~/.cache/gradconform/mnist on Linux.
    download: get files that are missing from public mirrors, and go on with those that came in part. Needs filelock and rich.
    verify: refuse all but the official files. Without, others of the same format are read too, such as Fashion-MNIST;
    an official file under the name of another is refused in any case.
    progress: show on stderr how far a download is.
    Raises DatasetMissingError (a FileNotFoundError), DatasetDamagedError (a ValueError), DownloadError (an OSError).
    """
    folder, chosen = _folder(path)
    missing = [name for name in OFFICIAL if not (folder / name).is_file()]
    if missing and not download:
        raise DatasetMissingError(_how_to_get(missing, folder, chosen))
    if missing:
        from reference._download import fetch

        fetch(folder, progress)
        verify = True  # what was there before is not to be mixed with what came
    train, test = (_half(folder, half, verify) for half in ("train", "t10k"))
    _log.debug("MNIST from %s: %d and %d samples", folder, len(train[1]), len(test[1]))
    return _presented(train, 255, normalize, flatten, one_hot_label), _presented(test, 255, normalize, flatten, one_hot_label)


def load_digits(normalize: bool = True, flatten: bool = True, one_hot_label: bool = False) -> tuple[Split, Split]:
    """Return (x_train, t_train), (x_test, t_test) of scikit-learn's digits, 8 x 8 pixels; nothing is downloaded.

    normalize: x is float32 from 0 to 1; without, uint8 from 0 to 16.
    flatten: x is (N, 64); without, (N, 1, 8, 8). N is 1,437 in training, 360 in test.
    one_hot_label: t is float64 of shape (N, 10); without, uint8 of shape (N,). All arrays are the caller's own.

    The split is always the same: sorted by label, every fifth sample is for the test, from the first. So each digit has
    its share of both, and so has each writer: accuracy is higher than it would be on the hands of strangers.
    Raises ImportError where scikit-learn is not installed.
    """
    try:
        from sklearn import datasets  # type: ignore[import-untyped]
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "sklearn":
            raise
        raise ImportError('load_digits reads the digits of scikit-learn: pip install "gradconform[digits]"', name="sklearn") from None
    digits = datasets.load_digits()
    images, labels = digits.images.astype(np.uint8), digits.target.astype(np.uint8)
    for_test = np.zeros(len(labels), bool)
    for_test[labels.argsort(kind="stable")[::5]] = True
    train, test = (images[~for_test], labels[~for_test]), (images[for_test], labels[for_test])
    return _presented(train, 16, normalize, flatten, one_hot_label), _presented(test, 16, normalize, flatten, one_hot_label)


def _presented(split: Split, brightest: int, normalize: bool, flatten: bool, one_hot_label: bool) -> Split:
    """Give `split` the dtypes and shapes that were asked for, in arrays that may be written to."""
    images, t = split
    x = np.divide(images, np.float32(brightest), dtype=np.float32) if normalize else images.copy()
    x = x.reshape(len(x), images.shape[1] * images.shape[2]) if flatten else x.reshape(len(x), 1, *images.shape[1:])
    return x, np.eye(_CLASSES)[t] if one_hot_label else t.copy()


def _folder(path: str | os.PathLike[str] | None) -> tuple[Path, str]:
    """The one folder to look in, and what it was chosen by."""
    if path is not None:
        if not isinstance(path, (str, os.PathLike)):
            raise TypeError(f"path must name the folder of the four files, but it is of type {type(path).__name__}")
        return Path(os.path.expanduser(path)), "the argument path"
    if named := os.environ.get("MNIST_DIR"):
        return Path(os.path.expanduser(named)), "$MNIST_DIR"
    return _caches() / "gradconform" / "mnist", "the default, as neither path nor $MNIST_DIR is given"


def _caches() -> Path:
    """The folder in which this system's programs keep what they can get again."""
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or os.path.expanduser(r"~\AppData\Local"))
    if sys.platform == "darwin":
        return Path(os.path.expanduser("~/Library/Caches"))
    named = os.environ.get("XDG_CACHE_HOME", "")
    return Path(named if os.path.isabs(named) else os.path.expanduser("~/.cache"))  # a relative one is to be ignored, says XDG


def _how_to_get(missing: list[str], folder: Path, chosen: str) -> str:
    width = max(map(len, OFFICIAL))
    lines = [f"MNIST is not complete in {folder} ({chosen})" + ("." if folder.is_dir() else ": there is no such folder.")]
    lines += ["It takes four files:"]
    for name, official in OFFICIAL.items():
        lines.append(f"  {name:<{width}}  {official.size:>9,} bytes" + ("   missing" if name in missing else ""))
    lines += [
        "Copy them there, or name the folder that holds them by path or $MNIST_DIR;",
        "or call load_mnist(download=True), which gets what is missing from a public mirror.",
    ]
    return "\n".join(lines)


def _half(folder: Path, half: str, verify: bool) -> Split:
    """The images (N, 28, 28) and labels (N,) of one half, `train` or `t10k`, both read-only."""
    image_file, label_file = folder / f"{half}-images-idx3-ubyte.gz", folder / f"{half}-labels-idx1-ubyte.gz"
    images, labels = _read(image_file, 3, verify), _read(label_file, 1, verify)
    if images.shape[1:] != (_SIDE, _SIDE):
        sides = " x ".join(map(str, images.shape[1:]))
        raise DatasetDamagedError(f"{image_file} holds images of {sides} pixels; those of MNIST have 28 x 28. {AGAIN}")
    if len(images) != len(labels):
        raise DatasetDamagedError(
            f"{image_file} holds {len(images):,} images, but {label_file.name} beside it {len(labels):,} labels. "
            "Give the folder two files that belong together."
        )
    if labels.max(initial=0) >= _CLASSES:
        at = int((labels >= _CLASSES).argmax())
        raise DatasetDamagedError(f"{label_file} has the label {labels[at]} at {at:,}; labels go from 0 to 9. {AGAIN}")
    return images, labels


def _read(file: Path, rank: int, verify: bool) -> Array:
    """The array in `file`; what is wrong with its format is told rather than that its SHA-256 is another."""
    with file.open("rb") as stream:
        holds = official_name(stream)
        if holds is not None and holds != file.name:
            raise DatasetDamagedError(f"{file} holds what is officially called {holds}. Rename it; the files may have been swapped.")
        array = read_idx(file, stream, rank)
        if verify and holds is None:
            raise DatasetDamagedError(not_official(file, stream))
    return array
