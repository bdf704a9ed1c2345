"""What a subject may not reach: files of others, secrets, other processes; by Python's audit hook, and by Landlock from C code."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from misbehaving import BAD, GOOD, assert_well, isolated, tried, written

from oracle.subjects import landlock
from oracle.subjects.confine import hook

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="isolation needs POSIX")

WAYS = {
    "open": "open({path!r}, 'w').write('0 failures')",
    "append": "open({path!r}, 'ab').write(b'x')",
    "os.open": "os.write(os.open({path!r}, os.O_WRONLY | os.O_TRUNC), b'x')",
    "remove": "os.remove({path!r})",
    "rename": "open('mine', 'w').write('x'); os.replace('mine', {path!r})",
    "truncate": "os.truncate({path!r}, 0)",
    "link": "os.symlink({path!r}, 'link'); open('link', 'w').write('x')",
    "pathlib": "import pathlib\npathlib.Path({path!r}).write_text('x')",
}
BY_C = {
    "C open": "libc = ctypes.CDLL(None)\nfd = libc.open({path!r}.encode(), os.O_WRONLY | os.O_TRUNC)\nlibc.write(fd, b'x', 1)",
    "C unlink": "ctypes.CDLL(None).unlink({path!r}.encode())",
    "C rename": "open('mine', 'w').write('x'); ctypes.CDLL(None).rename(b'mine', {path!r}.encode())",
}


def assert_unchanged_by(way: str, folder: Path) -> None:
    results = folder / "results.jsonl"
    results.write_text("3 failures")
    with isolated(written(folder, way.format(path=str(results)))) as subject:
        seen = list(subject.observations((BAD, GOOD)))
    assert_well(seen[1])
    assert results.read_text() == "3 failures"


@pytest.mark.parametrize("name", WAYS)
def test_the_results_file_is_out_of_reach(name: str, tmp_path: Path) -> None:
    assert_unchanged_by(WAYS[name], tmp_path)


@pytest.mark.skipif(not landlock.version(), reason="this kernel has no Landlock")
@pytest.mark.parametrize("name", BY_C)
def test_the_results_file_is_out_of_reach_of_c_code(name: str, tmp_path: Path) -> None:
    assert_unchanged_by(BY_C[name], tmp_path)


@pytest.mark.skipif(landlock.version() < 6, reason="this kernel cannot refuse signals")
def test_c_code_cannot_signal_the_judge(tmp_path: Path) -> None:
    bad, _ = tried(tmp_path, "return np.full(3, float(ctypes.CDLL(None).kill(os.getppid(), 0)))")
    assert bad.evaluation.outputs[0].tolist() == [-1, -1, -1]


def test_it_may_write_in_its_own_folder(tmp_path: Path) -> None:
    body = (
        "import tempfile\ntempfile.TemporaryFile().write(b'x'); open('own', 'w').write('x'); open(os.devnull, 'w').write('x')\nreturn None"
    )
    assert_well(tried(tmp_path, body)[1])
    assert tried(tmp_path, body)[0].evaluation.error is None


def test_no_secret_is_inherited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_API_TOKEN", "hunter2")
    bad, _ = tried(tmp_path, "raise ValueError(sorted(os.environ))")
    assert bad.evaluation.error is not None and "'HOME'" in bad.evaluation.error and "TOKEN" not in bad.evaluation.error
    if landlock.version():
        bad, _ = tried(tmp_path, "open(f'/proc/{os.getppid()}/environ')")
        assert bad.evaluation.error is not None and "Permission denied" in bad.evaluation.error


def test_torch_is_not_there_unless_the_subject_imports_it(tmp_path: Path) -> None:
    bad, _ = tried(tmp_path, "raise ValueError([m for m in ('torch', 'hypothesis') if m in sys.modules])")
    assert bad.evaluation.error == "ValueError: []"


@pytest.mark.parametrize(
    ("event", "arguments", "may"),
    [
        ("open", ("{own}/a", "w", 0), True),
        ("open", ("{other}/a", "w", 0), False),
        ("open", ("{other}/a", "r", 0), True),
        ("open", ("{other}/a", None, os.O_CREAT), False),
        ("open", (os.devnull, "w", os.O_WRONLY), True),
        ("open", (7, "w", os.O_WRONLY), True),
        ("open", ("{own}/../other/a", "w", 0), False),
        ("os.rename", ("{own}/a", "{other}/a", -1, -1), False),
        ("os.rename", ("{other}/a", "{own}/a", -1, -1), False),
        ("os.remove", ("{own}/a", -1), True),
        ("os.rmdir", ("{other}", -1), False),
        ("os.kill", (os.getpid(), 0), True),
        ("os.kill", (1, 0), False),
        ("os.forkpty", (), False),
        ("socket.sendto", (None, ("::1", 1)), False),
        ("ctypes.dlopen", ("libc.so.6",), True),
        ("import", ("numpy", None, None, None, None), True),
    ],
)
def test_the_hook_alone(event: str, arguments: tuple[object, ...], may: bool, tmp_path: Path) -> None:
    places = {"own": tmp_path / "own", "other": tmp_path / "other"}
    for place in places.values():
        place.mkdir()
    asked = hook(str(places["own"]))
    given = tuple([a.format(**places) if isinstance(a, str) else a for a in arguments])
    try:
        asked(event, given)
    except PermissionError as error:
        assert not may and str(error).startswith("gradconform: a subject may not ")
    else:
        assert may


def test_without_landlock_the_hook_stands_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(number: int, *arguments: object) -> int:
        return -1

    monkeypatch.setattr(landlock, "_call", missing)
    used: Callable[[str], bool] = landlock.restrict
    assert landlock.version() == 0 and used(str(tmp_path)) is False
