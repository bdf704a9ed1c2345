"""Downloading, from mirrors on this machine: what is resumed, what is refused, and what is said."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from filelock import FileLock

from reference import DatasetDamagedError, DownloadError, _download, load_mnist
from reference._official import OFFICIAL
from tests.reference.mnist_files import (
    TEST_LABELS,
    TRAIN_IMAGES,
    TRAIN_LABELS,
    Mirror,
    official,
    serving,
    small_arrays,
    small_files,
    written,
)

FILES = small_files()
REAL_MIRRORS = _download.MIRRORS
Served = Callable[..., list[Mirror]]


@pytest.fixture(autouse=True)
def here_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """The small files are the official ones, and there is no mirror but those that a test sets up."""
    for name, data in FILES.items():
        monkeypatch.setitem(OFFICIAL, name, official(data))
    monkeypatch.setattr(_download, "MIRRORS", ())
    monkeypatch.setenv("no_proxy", "*")
    for name in ("FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    with ExitStack() as stack:

        def serve(*mirrors: Mirror) -> list[Mirror]:
            up = [stack.enter_context(serving(mirror)) for mirror in mirrors]
            monkeypatch.setattr(_download, "MIRRORS", tuple(mirror.url for mirror in up))
            return up

        yield serve


def _loaded(folder: Path) -> None:
    """What comes is the small set, and nothing but it is left in the folder."""
    (x, t), _ = load_mnist(normalize=False, flatten=False, path=folder, download=True, progress=False)
    assert np.array_equal(x[:, 0], small_arrays()[TRAIN_IMAGES]) and np.array_equal(t, small_arrays()[TRAIN_LABELS])
    assert sorted(file.name for file in folder.iterdir() if not file.name.startswith(".")) == sorted(FILES)


def _refused(folder: Path) -> str:
    with pytest.raises(DownloadError) as caught:
        load_mnist(path=folder, download=True, progress=False)
    assert isinstance(caught.value, OSError)
    return str(caught.value)


def test_the_mirrors_are_reached_over_tls_and_are_folders() -> None:
    assert len(REAL_MIRRORS) >= 2 and all(url.startswith("https://") and url.endswith("/mnist/") for url in REAL_MIRRORS)


def test_all_files_come_from_the_first_mirror_and_are_not_asked_for_again(tmp_path: Path, served: Served) -> None:
    first, second = served(Mirror(FILES), Mirror(FILES))
    _loaded(tmp_path / "a" / "b")
    assert first.asked == [(name, None) for name in FILES] and second.asked == []
    _loaded(tmp_path / "a" / "b")
    assert len(first.asked) == 4


def test_only_what_is_missing_is_got(tmp_path: Path, served: Served) -> None:
    (mirror,) = served(Mirror(FILES))
    written(tmp_path, {name: data for name, data in FILES.items() if name != TEST_LABELS})
    _loaded(tmp_path)
    assert mirror.asked == [(TEST_LABELS, None)]


def test_nothing_is_asked_for_unless_download_is(tmp_path: Path, served: Served) -> None:
    (mirror,) = served(Mirror(FILES))
    with pytest.raises(FileNotFoundError):
        load_mnist(path=tmp_path)
    assert mirror.asked == [] and not any(tmp_path.iterdir())


def test_a_file_that_came_in_part_is_resumed(tmp_path: Path, served: Served) -> None:
    (mirror,) = served(Mirror(FILES))
    (tmp_path / f"{TRAIN_IMAGES}.part").write_bytes(FILES[TRAIN_IMAGES][:1000])
    _loaded(tmp_path)
    assert mirror.asked[0] == (TRAIN_IMAGES, "bytes=1000-") and len(mirror.asked) == 4


def test_a_mirror_that_knows_no_ranges_gives_the_whole(tmp_path: Path, served: Served) -> None:
    (mirror,) = served(Mirror(FILES, ranges=False))
    (tmp_path / f"{TRAIN_IMAGES}.part").write_bytes(FILES[TRAIN_IMAGES][:1000])
    _loaded(tmp_path)
    assert mirror.asked[0] == (TRAIN_IMAGES, "bytes=1000-") and len(mirror.asked) == 4


@pytest.mark.parametrize("length", [1000, len(FILES[TRAIN_IMAGES]), len(FILES[TRAIN_IMAGES]) + 7])
def test_a_part_that_is_wrong_is_got_anew_from_the_same_mirror(tmp_path: Path, served: Served, length: int) -> None:
    first, second = served(Mirror(FILES), Mirror(FILES))
    (tmp_path / f"{TRAIN_IMAGES}.part").write_bytes(b"?" * length)
    _loaded(tmp_path)
    assert [asked for asked in first.asked if asked == (TRAIN_IMAGES, None)] == [(TRAIN_IMAGES, None)] and second.asked == []


def test_a_part_that_is_whole_is_only_checked(tmp_path: Path, served: Served) -> None:
    (mirror,) = served(Mirror(FILES))
    (tmp_path / f"{TRAIN_IMAGES}.part").write_bytes(FILES[TRAIN_IMAGES])
    _loaded(tmp_path)
    assert TRAIN_IMAGES not in dict(mirror.asked)


def test_what_one_mirror_began_the_next_completes(tmp_path: Path, served: Served) -> None:
    first, second = served(Mirror(FILES, cut=40), Mirror(FILES))
    _loaded(tmp_path)
    assert [name for name, _ in first.asked] == list(FILES)
    assert (TRAIN_IMAGES, "bytes=40-") in second.asked


@pytest.mark.parametrize("status", [403, 404, 503])
def test_the_next_mirror_is_asked_when_one_has_nothing(tmp_path: Path, served: Served, status: int) -> None:
    first, second = served(Mirror(FILES, status=status), Mirror(FILES))
    _loaded(tmp_path)
    assert len(first.asked) == len(second.asked) == 4


def test_other_bytes_of_the_same_number_never_get_the_name(tmp_path: Path, served: Served) -> None:
    wrong = {name: bytes(len(data)) for name, data in FILES.items()}
    served(Mirror(wrong), Mirror(FILES))
    _loaded(tmp_path)
    served(Mirror(wrong))
    message = _refused(tmp_path / "other")
    assert f"gave another file: its SHA-256 is {official(wrong[TRAIN_IMAGES]).sha256}, expected {OFFICIAL[TRAIN_IMAGES].sha256}" in message
    assert [file.name for file in (tmp_path / "other").iterdir() if not file.name.startswith(".")] == [], "wrong bytes are not kept"
    assert "is kept in" not in message


def test_a_page_in_place_of_a_file_is_not_begun(tmp_path: Path, served: Served) -> None:
    served(Mirror(dict.fromkeys(FILES, b"<html>Please log in</html>")), Mirror(FILES))
    _loaded(tmp_path)
    served(Mirror(dict.fromkeys(FILES, b"<html>Please log in</html>")))
    assert f"offers a file of 26 bytes, expected {len(FILES[TRAIN_IMAGES]):,}" in _refused(tmp_path / "other")
    assert not (tmp_path / "other" / f"{TRAIN_IMAGES}.part").exists()


def test_if_no_mirror_gives_it_each_says_why_and_what_came_is_kept(tmp_path: Path, served: Served) -> None:
    first, second = served(Mirror({}), Mirror(FILES, cut=1000))
    message = _refused(tmp_path)
    lines = message.splitlines()
    assert lines[0] == f"no mirror gave {TRAIN_IMAGES}:"
    assert lines[1] == f"  {first.url}{TRAIN_IMAGES}: answered with HTTP status 404"
    assert lines[2] == f"  {second.url}{TRAIN_IMAGES}: broke off after 1,000 of {len(FILES[TRAIN_IMAGES]):,} bytes"
    assert str(tmp_path / f"{TRAIN_IMAGES}.part") in lines[3] and lines[4].endswith(f"copy the file to {tmp_path} yourself.")
    assert (tmp_path / f"{TRAIN_IMAGES}.part").read_bytes() == FILES[TRAIN_IMAGES][:1000]
    served(Mirror(FILES))
    _loaded(tmp_path)


@contextmanager
def _talker(answer: bytes | None) -> Iterator[str]:
    """A server that says `answer` to whoever comes; None keeps silent, and lets nobody in."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]

        def talk() -> None:
            talking, _ = listening.accept()
            with talking:
                talking.recv(4096)
                talking.sendall(answer or b"")

        thread = threading.Thread(target=talk) if answer is not None else None
        if thread:
            thread.start()
        yield f"http://127.0.0.1:{port}/"
        if thread:
            thread.join()


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (None, "no sign of it for 0.2 seconds"),
        (b"\x1b[31mI am no server\r\n\r\n", "its answer is no proper HTTP (BadStatusLine)"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n5\r\nab", "broke off after"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nnonsense\r\n", "broke off after 0"),
        (b"HTTP/1.1 302 Found\r\nLocation: file:///etc/hostname\r\n\r\n", "answered with HTTP status 302"),
    ],
)
def test_servers_that_are_odd_are_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: bytes | None, reason: str) -> None:
    with _talker(answer) as url:
        monkeypatch.setattr(_download, "MIRRORS", (url,))
        monkeypatch.setattr(_download, "TIMEOUT", 0.2 if answer is None else 20.0)
        message = _refused(tmp_path)
    assert f"{url}{TRAIN_IMAGES}: {reason}" in message and message.isascii() and "\x1b" not in message


def test_where_there_is_no_server_the_system_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    monkeypatch.setattr(_download, "MIRRORS", (f"http://127.0.0.1:{port}/",))
    assert f"http://127.0.0.1:{port}/{TRAIN_IMAGES}: Connection refused" in _refused(tmp_path)


def test_an_interrupted_download_keeps_what_came_and_goes_on(tmp_path: Path, served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    (mirror,) = served(Mirror(FILES))

    @contextmanager
    def impatient(*_: Any) -> Iterator[Callable[[int], None]]:
        def told(done: int) -> None:
            if done > 150:
                raise KeyboardInterrupt

        yield told

    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(_download, "_PIECE", 64)
        meanwhile.setattr(_download, "_shown", impatient)
        with pytest.raises(KeyboardInterrupt):
            load_mnist(path=tmp_path, download=True)
    assert (tmp_path / f"{TRAIN_IMAGES}.part").read_bytes() == FILES[TRAIN_IMAGES][:192] and not (tmp_path / TRAIN_IMAGES).exists()
    _loaded(tmp_path)
    assert mirror.asked[1] == (TRAIN_IMAGES, "bytes=192-")


def test_two_at_a_time_take_turns(tmp_path: Path, served: Served) -> None:
    (mirror,) = served(Mirror(FILES))
    waiting, said = threading.Event(), logging.Handler()
    said.emit = lambda record: waiting.set() if "waiting" in record.getMessage() else None  # type: ignore[method-assign]
    log = logging.getLogger("reference._download")
    log.addHandler(said)
    got: list[Any] = []
    thread = threading.Thread(target=lambda: got.append(load_mnist(path=tmp_path, download=True, progress=False)))
    try:
        with FileLock(tmp_path / ".download.lock"):
            thread.start()
            assert waiting.wait(60) and got == []
            written(tmp_path, FILES)
        thread.join(60)
    finally:
        log.removeHandler(said)
    assert len(got) == 1 and mirror.asked == [], "what the other has got meanwhile is not got again"


def test_what_is_there_is_not_mixed_with_what_comes(tmp_path: Path, served: Served) -> None:
    served(Mirror(FILES))
    other = FILES[TRAIN_LABELS] + bytes(3)
    written(tmp_path, {TRAIN_LABELS: other})
    with pytest.raises(DatasetDamagedError, match="train-labels.* is well formed, but not the official file"):
        load_mnist(path=tmp_path, download=True, verify=False, progress=False)
    assert (tmp_path / TRAIN_LABELS).read_bytes() == other, "a download never replaces a file"


def test_a_folder_that_cannot_be_written_is_told_as_that(tmp_path: Path, served: Served) -> None:
    served(Mirror(FILES))
    (tmp_path / "file").touch()
    message = _refused(tmp_path / "file" / "folder")
    assert message.startswith(f"cannot write to {tmp_path / 'file' / 'folder'}: ") and "path or $MNIST_DIR" in message


def test_a_full_disk_is_not_blamed_on_the_mirror(tmp_path: Path, served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    (mirror,) = served(Mirror(FILES))

    def full(*_: Any) -> Any:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(_download.os, "replace", full)
    assert _refused(tmp_path).startswith(f"cannot write to {tmp_path}: No space left on device. Choose")
    assert len(mirror.asked) == 1


def test_outside_a_terminal_each_file_is_a_line(tmp_path: Path, served: Served, capfd: pytest.CaptureFixture[str]) -> None:
    (mirror,) = served(Mirror(FILES))
    load_mnist(path=tmp_path, download=True)
    told = capfd.readouterr()
    assert told.out == "" and told.err.splitlines() == [f"{name}: {len(data):,} bytes from {mirror.url}" for name, data in FILES.items()]
    load_mnist(path=tmp_path, download=True)
    assert capfd.readouterr().err == ""


def test_on_a_terminal_there_is_a_bar(
    tmp_path: Path, served: Served, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    served(Mirror(FILES))
    monkeypatch.setenv("FORCE_COLOR", "1")
    (tmp_path / f"{TRAIN_IMAGES}.part").write_bytes(FILES[TRAIN_IMAGES][:1000])
    load_mnist(path=tmp_path, download=True)
    told = capfd.readouterr()
    size = len(FILES[TRAIN_IMAGES]) / 1000
    assert told.out == "" and TRAIN_IMAGES in told.err and f"{size:.1f}/{size:.1f} kB" in told.err


def test_without_progress_nothing_is_said(tmp_path: Path, served: Served, capfd: pytest.CaptureFixture[str]) -> None:
    served(Mirror(FILES))
    load_mnist(path=tmp_path, download=True, progress=False)
    assert capfd.readouterr() == ("", "")
