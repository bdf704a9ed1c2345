"""MNIST from its files, whole and damaged, and the digits of scikit-learn."""

from __future__ import annotations

import gzip
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from reference import DatasetDamagedError, DatasetMissingError, TwoLayerNet, _download, load_digits, load_mnist
from reference._official import OFFICIAL
from tests.reference.mnist_files import (
    TEST_IMAGES,
    TEST_LABELS,
    TRAIN_IMAGES,
    TRAIN_LABELS,
    idx,
    official,
    packed,
    small_arrays,
    small_files,
    written,
)


@pytest.fixture(autouse=True)
def no_mirrors(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing here is to ask for anything on the net."""
    monkeypatch.setattr(_download, "MIRRORS", ())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return written(tmp_path, small_files())


@pytest.fixture
def as_official(monkeypatch: pytest.MonkeyPatch) -> None:
    """The small files are taken for the official ones."""
    for name, data in small_files().items():
        monkeypatch.setitem(OFFICIAL, name, official(data))


def _damaged(folder: Path, **given: Any) -> str:
    with pytest.raises(DatasetDamagedError) as caught:
        load_mnist(path=folder, **{"verify": False, **given})
    return str(caught.value)


# ------------------------------------------------------------------------------------------------ what is loaded


def test_the_defaults_are_those_of_the_book(folder: Path) -> None:
    wanted = small_arrays()
    (x_train, t_train), (x_test, t_test) = load_mnist(path=folder, verify=False)
    for x, t, images, labels in ((x_train, t_train, TRAIN_IMAGES, TRAIN_LABELS), (x_test, t_test, TEST_IMAGES, TEST_LABELS)):
        scaled = wanted[images].reshape(-1, 784).astype(np.float32)
        scaled /= 255.0
        assert x.dtype == np.float32 and np.array_equal(x, scaled)
        assert t.dtype == np.uint8 and np.array_equal(t, wanted[labels])
    assert len(x_train) == 6 and len(x_test) == 4


def test_every_choice_changes_what_it_says(folder: Path) -> None:
    wanted = small_arrays()
    (x, t), (x_test, t_test) = load_mnist(False, False, True, folder, verify=False)
    assert x.dtype == np.uint8 and x.shape == (6, 1, 28, 28) and np.array_equal(x[:, 0], wanted[TRAIN_IMAGES])
    assert t.dtype == np.float64 and np.array_equal(t, np.eye(10)[wanted[TRAIN_LABELS]])
    assert x_test.shape == (4, 1, 28, 28) and t_test.shape == (4, 10)
    assert load_mnist(normalize=False, path=folder, verify=False)[0][0].shape == (6, 784)
    assert load_mnist(flatten=False, path=folder, verify=False)[0][0].shape == (6, 1, 28, 28)


@pytest.mark.parametrize("choices", [{}, {"normalize": False}, {"flatten": False, "one_hot_label": True}])
@pytest.mark.parametrize("load", [load_mnist, load_digits])
def test_what_is_loaded_belongs_to_the_caller(folder: Path, load: Any, choices: dict[str, bool]) -> None:
    given = {"path": folder, "verify": False} if load is load_mnist else {}
    for x, t in load(**given, **choices):
        assert x.flags.writeable and t.flags.writeable and x.flags.c_contiguous
        x[...] = 0
        t[...] = 0
    assert load(**given, **choices)[0][0].any()


def test_a_set_without_samples_has_its_shape(tmp_path: Path) -> None:
    written(tmp_path, {name: packed(idx(array)) for name, array in small_arrays(0, 0).items()})
    (x, t), _ = load_mnist(path=tmp_path, verify=False)
    assert x.shape == (0, 784) and t.shape == (0,)
    assert load_mnist(flatten=False, one_hot_label=True, path=tmp_path, verify=False)[0][0].shape == (0, 1, 28, 28)


@pytest.mark.usefixtures("as_official")
def test_the_official_files_pass_verification(folder: Path) -> None:
    assert load_mnist(path=folder)[0][0].shape == (6, 784)


def test_the_net_takes_what_is_loaded(folder: Path) -> None:
    net = TwoLayerNet(784, 3, 10)
    (x, t), _ = load_mnist(path=folder, verify=False)
    (_, hot), _ = load_mnist(one_hot_label=True, path=folder, verify=False)
    assert net.loss(x, t) == pytest.approx(net.loss(x, hot)) and net.loss(x, t) > 0


# ------------------------------------------------------------------------------------------------ where it is looked for


def test_path_goes_before_the_variable_and_the_variable_before_the_cache(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "caches"))
    monkeypatch.setenv("MNIST_DIR", str(folder / "none"))
    assert len(load_mnist(path=str(folder), verify=False)[0][0]) == 6
    with pytest.raises(DatasetMissingError, match=rf"{re.escape(str(folder / 'none'))} \(\$MNIST_DIR\)"):
        load_mnist()
    monkeypatch.setenv("MNIST_DIR", str(folder))
    assert len(load_mnist(verify=False)[0][0]) == 6
    monkeypatch.setenv("MNIST_DIR", "")
    cache = folder / "caches" / "gradconform" / "mnist"
    with pytest.raises(DatasetMissingError, match=rf"{re.escape(str(cache))} \(the default, as neither path nor \$MNIST_DIR"):
        load_mnist()
    cache.mkdir(parents=True)
    written(cache, small_files())
    assert len(load_mnist(verify=False)[0][0]) == 6


@pytest.mark.parametrize(
    ("platform", "variables", "expected"),
    [
        ("linux", {"XDG_CACHE_HOME": "relative"}, "home/.cache"),
        ("linux", {}, "home/.cache"),
        ("darwin", {"XDG_CACHE_HOME": "/elsewhere"}, "home/Library/Caches"),
        ("win32", {"LOCALAPPDATA": "local"}, "local"),
    ],
)
def test_the_cache_folder_is_the_systems_own(
    platform: str, variables: dict[str, str], expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("MNIST_DIR", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    for name, value in ({"HOME": "home", "USERPROFILE": "home"} | variables).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "platform", platform)
    written_to = Path(expected) / "gradconform" / "mnist"
    written_to.mkdir(parents=True)
    written(written_to, small_files())
    assert len(load_mnist(verify=False)[0][0]) == 6


def test_a_home_folder_may_be_abbreviated(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(folder.parent))
    monkeypatch.setenv("USERPROFILE", str(folder.parent))
    assert len(load_mnist(path=f"~/{folder.name}", verify=False)[0][0]) == 6
    monkeypatch.setenv("MNIST_DIR", f"~/{folder.name}")
    assert len(load_mnist(verify=False)[0][0]) == 6


def test_path_must_be_a_name() -> None:
    with pytest.raises(TypeError, match="path must name the folder .* bool"):
        load_mnist(True, True, False, True)  # type: ignore[arg-type]


def test_what_is_missing_is_told_with_names_sizes_and_ways_out(folder: Path) -> None:
    (folder / TEST_LABELS).unlink()
    with pytest.raises(FileNotFoundError) as caught:
        load_mnist(path=folder, verify=False)
    lines = str(caught.value).splitlines()
    assert lines[0] == f"MNIST is not complete in {folder} (the argument path)."
    assert [line.split()[:3] for line in lines[2:6]] == [
        [TRAIN_IMAGES, "9,912,422", "bytes"],
        [TRAIN_LABELS, "28,881", "bytes"],
        [TEST_IMAGES, "1,648,877", "bytes"],
        [TEST_LABELS, "4,542", "bytes"],
    ]
    assert [line.endswith("missing") for line in lines[2:6]] == [False, False, False, True]
    assert "path or $MNIST_DIR" in lines[6] and "load_mnist(download=True)" in lines[7]
    with pytest.raises(DatasetMissingError, match=r"none \(the argument path\): there is no such folder"):
        load_mnist(path=folder / "none")


# ------------------------------------------------------------------------------------------------ what is refused


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"", "is empty"),
        (b"PK\3\4", "is no gzip file: it begins with the bytes 50 4b"),
        (b"\x1f", "is no gzip file: it begins with the bytes 1f,"),
        (b"<!doctype html>", "is no gzip file: it looks like a web page"),
        (idx([1, 2]), "is already decompressed. Compress it with gzip"),
        (packed(idx(np.zeros((2, 28, 28)))), "holds images: its magic number is 2051, but that of labels is 2049. Were two files"),
        (packed(idx([1, 2], magic=2050)), "is no file of MNIST: its magic number is 2050, but that of labels is 2049. Copy"),
        (packed(b""), "has a header of 0 bytes; that of labels takes 8"),
        (packed(idx([])[:7]), "has a header of 7 bytes; that of labels takes 8"),
        (packed(idx([1, 2, 3, 4, 5], shape=(6,))), "its header announces 6 = 6 bytes, but only 5 follow"),
        (packed(idx([1, 2, 3, 4, 5, 6, 7], shape=(6,))), "its header announces 6 = 6 bytes, but more follow"),
        (packed(idx([1, 2, 3, 4, 5, 6])) + b"more", "is damaged, or something else follows in it"),
        (packed(idx([1, 2, 3, 4, 5, 6])) + packed(b"more"), "its header announces 6 = 6 bytes, but more follow"),
        (packed(idx([1, 2, 3, 4, 5, 6]))[:-9], "is truncated: its"),
        (packed(idx([1, 2, 3, 4, 5, 6]))[:-8] + bytes(8), "is damaged, or something else follows in it (CRC"),
        (packed(idx([1, 2, 3, 4, 5])), "holds 6 images, but train-labels-idx1-ubyte.gz beside it 5 labels"),
        (packed(idx([1, 2, 3, 10, 5, 11])), "has the label 10 at 3; labels go from 0 to 9"),
    ],
)
def test_labels_that_are_wrong_are_refused_by_name(folder: Path, data: bytes, found: str) -> None:
    (folder / TRAIN_LABELS).write_bytes(data)
    message = _damaged(folder)
    assert found in message and TRAIN_LABELS in message and str(folder) in message
    assert found in _damaged(folder, verify=True) or "images-idx3-ubyte.gz is well formed, but not the official" in _damaged(
        folder, verify=True
    )


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (packed(idx(np.zeros((6, 28, 27)))), "holds images of 28 x 27 pixels; those of MNIST have 28 x 28"),
        (packed(idx(np.zeros((5, 28, 28)), shape=(6, 28, 28))), "its header announces 6 x 28 x 28 = 4,704 bytes, but only 3,920 follow"),
        (packed(idx([1, 2, 3])), "holds labels: its magic number is 2049, but that of images is 2051"),
        (packed(idx(np.zeros((6, 28, 28)), shape=(2**32 - 1, 28, 28))), "= 3,367,254,359,280 bytes, more than the"),
        (packed(idx(np.zeros((7, 28, 28)))), "holds 7 images, but train-labels-idx1-ubyte.gz beside it 6 labels"),
    ],
)
def test_images_that_are_wrong_are_refused_by_name(folder: Path, data: bytes, found: str) -> None:
    (folder / TRAIN_IMAGES).write_bytes(data)
    message = _damaged(folder, verify=False)
    assert found in message and str(folder / TRAIN_IMAGES) in message


def test_no_more_is_decompressed_than_the_header_announces(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / TEST_LABELS).write_bytes(packed(idx(np.zeros(5_000_000), shape=(4,))))
    read = gzip.GzipFile.read
    asked = []

    def counted(self: Any, size: int = -1) -> bytes:
        asked.append(size)
        return read(self, size)

    monkeypatch.setattr(gzip.GzipFile, "read", counted)
    assert "announces 4 = 4 bytes, but more follow" in _damaged(folder)
    assert asked[-3:] == [8, 4, 1] and min(asked) > 0


@pytest.mark.parametrize("name", [TRAIN_LABELS, TRAIN_IMAGES])
def test_a_file_that_is_cut_anywhere_is_refused(folder: Path, name: str) -> None:
    whole = (folder / name).read_bytes()
    for length in {*range(0, len(whole), 1 + len(whole) // 60), len(whole) - 1}:
        (folder / name).write_bytes(whole[:length])
        assert name in _damaged(folder), length


def test_a_bit_that_has_flipped_is_refused_or_changes_nothing(folder: Path) -> None:
    whole, wanted = (folder / TEST_LABELS).read_bytes(), small_arrays()[TEST_LABELS]
    n_refused = 0
    for at in range(len(whole)):
        for bit in range(8):
            (folder / TEST_LABELS).write_bytes(whole[:at] + bytes([whole[at] ^ 1 << bit]) + whole[at + 1 :])
            try:
                _, (_, labels) = load_mnist(path=folder, verify=False)
            except DatasetDamagedError as error:
                assert TEST_LABELS in str(error)
                n_refused += 1
            else:  # time and system in gzip's header, and up to 7 bits before its checksum, say nothing of the content
                assert np.array_equal(labels, wanted)
    assert n_refused >= 8 * (len(whole) - 10) - 7


@pytest.mark.usefixtures("as_official")
@pytest.mark.parametrize("verify", [True, False])
@pytest.mark.parametrize(("one", "other"), [(TRAIN_IMAGES, TEST_IMAGES), (TRAIN_LABELS, TRAIN_IMAGES), (TEST_LABELS, TRAIN_LABELS)])
def test_official_files_under_each_others_names_are_told_apart(folder: Path, one: str, other: str, verify: bool) -> None:
    files = small_files()
    written(folder, {one: files[other], other: files[one]})
    message = _damaged(folder, verify=verify)
    assert f"{one} holds what is officially called {other}. Rename it" in message or (
        f"{other} holds what is officially called {one}. Rename it" in message
    )


def test_one_half_under_the_name_of_the_other_is_seen_by_its_number_without_verification(folder: Path) -> None:
    (folder / TEST_IMAGES).write_bytes(small_files()[TRAIN_IMAGES])
    assert f"{TEST_IMAGES} holds 6 images, but {TEST_LABELS} beside it 4 labels" in _damaged(folder)


@pytest.mark.usefixtures("as_official")
@pytest.mark.parametrize("same_size", [True, False])
def test_a_file_that_is_well_formed_but_another_is_told_by_its_digest(folder: Path, same_size: bool) -> None:
    labels = small_arrays()[TRAIN_LABELS]
    labels[0] = (labels[0] + 1) % 10
    data = packed(idx(labels)) + (b"" if same_size else bytes(5))
    (folder / TRAIN_LABELS).write_bytes(data)
    message = _damaged(folder, verify=True)
    assert f"{folder / TRAIN_LABELS} is well formed, but not the official file: it has {len(data)} bytes" in message
    assert official(data).sha256 in message and OFFICIAL[TRAIN_LABELS].sha256 in message and "verify=False" in message
    assert load_mnist(path=folder, verify=False)[0][1][0] == labels[0]


def test_what_python_cannot_read_is_not_called_damaged(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: Any) -> Any:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(gzip.GzipFile, "read", refused)
    with pytest.raises(OSError, match="Input/output error"):
        load_mnist(path=folder, verify=False)


def test_loading_needs_numpy_alone(folder: Path) -> None:
    code = (
        "import sys\n"
        "for name in ('rich', 'filelock', 'sklearn', 'scipy', 'torch', 'pydantic'): sys.modules[name] = None\n"
        "import reference\n"
        "(x, t), _ = reference.load_mnist(path=sys.argv[1], verify=False)\n"
        "print(x.shape, 'urllib.request' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(folder)], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[0] == "(6, 784) False"


# ------------------------------------------------------------------------------------------------ the real ones


@pytest.fixture
def real() -> None:
    """$MNIST_DIR is set; GRADCONFORM_REQUIRE_MNIST=1 makes it a failure that it is not."""
    if not os.environ.get("MNIST_DIR"):
        reason = "MNIST_DIR is not set: name the folder of MNIST's four files in it"
        if os.environ.get("GRADCONFORM_REQUIRE_MNIST") == "1":
            pytest.fail(f"{reason}, as GRADCONFORM_REQUIRE_MNIST=1 asks for them")
        pytest.skip(reason)


@pytest.mark.usefixtures("real")
def test_mnist_itself() -> None:
    (x_train, t_train), (x_test, t_test) = load_mnist(normalize=False)
    assert x_train.shape == (60_000, 784) and x_test.shape == (10_000, 784)
    assert t_train[:5].tolist() == [5, 0, 4, 1, 9] and t_test[:5].tolist() == [7, 2, 1, 0, 4]
    assert np.bincount(t_train).tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert np.bincount(t_test).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert x_train.sum(dtype=np.int64) == 1_567_298_545 and x_test.sum(dtype=np.int64) == 264_923_200


@pytest.mark.usefixtures("real")
def test_mnist_scaled() -> None:
    (x, t), _ = load_mnist(flatten=False, one_hot_label=True)
    assert x.shape == (60_000, 1, 28, 28) and x.dtype == np.float32 and (x.min(), x.max()) == (0, 1)
    assert t.shape == (60_000, 10) and t.dtype == np.float64 and (t.sum(axis=1) == 1).all()
    # a digit stands upright and is bright on dark: the first is a 5, whose upper bar is in row 5 from column 12 on
    assert (x[0, 0, 0] == 0).all() and x[0, 0, 5, 20] > 0.5


# ------------------------------------------------------------------------------------------------ scikit-learn's digits


def test_digits_have_the_same_interface() -> None:
    (x_train, t_train), (x_test, t_test) = load_digits()
    assert (x_train.shape, x_test.shape) == ((1437, 64), (360, 64))
    assert x_train.dtype == np.float32 and t_train.dtype == np.uint8 and (x_train.min(), x_train.max()) == (0, 1)
    (x, t), (raw_test, hot_test) = load_digits(normalize=False, flatten=False, one_hot_label=True)
    assert x.shape == (1437, 1, 8, 8) and x.dtype == np.uint8 and np.array_equal(x.reshape(1437, 64) / np.float32(16), x_train)
    assert t.dtype == np.float64 and np.array_equal(t.argmax(axis=1), t_train) and np.array_equal(hot_test.argmax(axis=1), t_test)
    assert raw_test.max() == 16 and set(t_train) == set(t_test) == set(range(10))


def test_the_split_of_the_digits_is_stratified_whole_and_always_the_same() -> None:
    from sklearn import datasets

    (x_train, t_train), (x_test, t_test) = load_digits(normalize=False)
    whole = datasets.load_digits()
    assert sorted(map(bytes, np.concatenate([x_train, x_test]))) == sorted(map(bytes, whole.data.astype(np.uint8)))
    share = np.bincount(t_test) / np.bincount(whole.target)
    assert (abs(share - 0.2) < 0.006).all()
    assert t_train[:12].tolist() == [1, 3, 5, 6, 7, 8, 9, 0, 1, 2, 3, 4]
    assert t_test[:12].tolist() == [0, 2, 4, 7, 1, 6, 8, 9, 5, 3, 0, 2]
    np.random.seed(3)
    again = load_digits(normalize=False)
    assert np.array_equal(again[1][0], x_test) and np.array_equal(again[0][1], t_train)


def test_without_scikit_learn_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(ImportError, match=r'pip install "gradconform\[digits\]"'):
        load_digits()


def test_a_scikit_learn_that_is_broken_is_not_called_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sklearn").mkdir()
    (tmp_path / "sklearn" / "__init__.py").write_text("import what_it_needs\n")
    for name in [name for name in sys.modules if name.partition(".")[0] == "sklearn"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="what_it_needs"):
        load_digits()
