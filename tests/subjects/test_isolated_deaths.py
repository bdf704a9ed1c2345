"""Subjects that do not survive what they do: each case ends as an error that says what happened, and the next one is judged."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from misbehaving import BAD, GOOD, QUICK, alive, assert_well, ends, isolated, tried, written

from oracle.core.observe import SubjectGone
from oracle.subjects.conventions import ConventionError
from oracle.subjects.isolated import MOST_DEATHS, Isolated
from oracle.subjects.loaded import LoadError
from oracle.subjects.target import parse_target

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
ROOT = Path(__file__).parents[2]

DEATHS = {
    "infinite loop": ("while True: pass", "no answer within 1 s"),
    "sleep": ("time.sleep(1000)", "no answer within 1 s"),
    "loop in C": ("sum(range(10 ** 15))", "no answer within 1 s"),
    "os._exit": ("os._exit(3)", "the process ended with exit code 3"),
    "os._exit(0)": ("os._exit(0)", "the process ended with exit code 0"),
    "segfault": ("ctypes.string_at(0)", "the process was killed by SIGSEGV"),
    "abort": ("os.abort()", "the process was killed by SIGABRT"),
    "kills itself": ("os.kill(os.getpid(), 9)", "the process was killed by SIGKILL; the system may have run out of memory"),
    "alarm": ("signal.alarm(1); signal.pause()", "the process was killed by SIGALRM|no answer within 1 s"),
    "closes all files": ("os.closerange(0, 4096)", "the subject closed the process's connection to the judge"),
    "closes all, loops": ("os.closerange(0, 4096)\nwhile True: pass", "the subject closed the process's connection to the judge"),
    "gigabytes of lines": ("while True: print('x' * 70)", "more than 1 MiB were printed"),
    "flood without newline": (
        "while True: sys.stderr.write('x' * 100000)",
        "more than 1 MiB were printed",
    ),
    "flood by C": ("while True: os.write(1, bytes(100000))", "more than 1 MiB were printed"),
    "answers itself": (
        "for fd in range(3, 1000):\n    try: os.write(fd, b'\\xff' * 8)\n    except OSError: pass",
        "its process wrote what is no answer|closed",
    ),
    "damages the judge's code": ("import oracle.subjects.worker as w\nw.observation_frame = None", "the subject damaged the process"),
    "stops": ("signal.raise_signal(signal.SIGSTOP)", "no answer within 1 s"),
}


@pytest.mark.parametrize("name", DEATHS)
def test_a_death_is_an_error_and_the_next_case_is_judged(name: str, tmp_path: Path) -> None:
    body, says = DEATHS[name]
    dead, well = tried(tmp_path, body)
    assert dead.died and dead.evaluation.outputs == ()
    assert dead.evaluation.error is not None and dead.breaches == ()
    assert any(dead.evaluation.error.startswith(text) for text in says.split("|")), dead.evaluation.error
    assert_well(well)


def test_cases_before_a_death_keep_their_answers(tmp_path: Path) -> None:
    seen = tried(tmp_path, "os._exit(3)", cases=(GOOD, GOOD, BAD, GOOD, BAD, GOOD))
    assert [s.died for s in seen] == [False, False, True, False, True, False]


def test_a_damaged_process_is_replaced(tmp_path: Path) -> None:
    seen = tried(tmp_path, "sys.modules.clear()\nreturn None", cases=(BAD, GOOD, GOOD))
    assert [s.died for s in seen] == [False, True, False]
    assert seen[1].evaluation.error == "the subject damaged the process that it runs in"


def test_after_three_deaths_the_subject_is_gone(tmp_path: Path) -> None:
    with isolated(written(tmp_path, "os._exit(3)")) as subject:
        answers = subject.observations((GOOD, *[BAD] * 5, GOOD))
        seen = [next(answers) for _ in range(1 + MOST_DEATHS)]
        assert [s.died for s in seen] == [False, True, True, True]
        with pytest.raises(SubjectGone, match="3 processes of the subject have died, the last one like this: .* exit code 3"):
            next(answers)
        with pytest.raises(SubjectGone, match="3 processes"):
            next(subject.observations((GOOD,)))


def test_its_time_altogether_is_limited(tmp_path: Path) -> None:
    limits = QUICK._replace(case_seconds=100.0, total_seconds=1.5)
    with isolated(written(tmp_path, "time.sleep(1000)"), limits) as subject:
        answers = subject.observations((GOOD, BAD, GOOD))
        assert_well(next(answers))
        with pytest.raises(SubjectGone, match="used up its 1.5 s"):
            next(answers)


@pytest.mark.parametrize(
    ("before", "says"),
    [
        ("while True: pass", "no answer within 1 s"),
        ("os._exit(4)", "the process ended with exit code 4"),
        ("ctypes.string_at(0)", "killed by SIGSEGV"),
        ("while True: print('x' * 1000)", "more than 1 MiB were printed"),
        ("sys.exit(3)", "SystemExit|exit"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt"),
        ("subprocess.run(['true'])", "may not start processes"),
    ],
)
def test_misbehaving_on_import_is_a_load_error(before: str, says: str, tmp_path: Path) -> None:
    limits = QUICK._replace(load_seconds=1.0)
    with Isolated(parse_target(str(written(tmp_path, before=before))), limits=limits) as subject:
        with pytest.raises(LoadError) as caught:
            subject.found("Relu", ("Relu",))
        assert any(text in str(caught.value) for text in says.split("|")), caught.value


def test_sleeping_in_the_constructor(tmp_path: Path) -> None:
    path = written(tmp_path)
    path.write_text(path.read_text().replace("    def forward", "    def __init__(self): time.sleep(1000)\n\n    def forward", 1))
    limits = QUICK._replace(load_seconds=1.0)
    try:
        with isolated(path, limits) as subject:
            (seen,) = subject.observations((GOOD,))
        assert seen.evaluation.error == "no answer within 1 s"
    except ConventionError as error:
        assert "Relu cannot be tried: no answer within 1 s" in str(error)


def test_children_of_c_code_do_not_outlive_the_subject(tmp_path: Path) -> None:
    body = (
        "libc = ctypes.CDLL(None)\npid = libc.fork()\nif not pid:\n    libc.setsid()\n    time.sleep(1000)\nreturn np.full(3, float(pid))"
    )
    with isolated(written(tmp_path, body)) as subject:
        (seen,) = subject.observations((BAD,))
        pid = int(seen.evaluation.outputs[0][0])
        assert alive(pid)
    assert ends(pid)


def test_a_killed_judge_leaves_no_process(tmp_path: Path) -> None:
    # started by a thread that has ended, and busy in a loop of its own
    script = (
        "import os, sys, threading; sys.path[:0] = sys.argv[2:]; from misbehaving import *\n"
        "from pathlib import Path\n"
        "held = []\n"
        "manager = isolated(Path(sys.argv[1]), QUICK._replace(case_seconds=100.0))\n"
        "thread = threading.Thread(target=lambda: held.append(manager.__enter__())); thread.start(); thread.join()\n"
        "answers = held[0].observations((GOOD, BAD)); assert_well(next(answers))\n"
        "print(*living_children(), flush=True); os.kill(os.getpid(), 9)\n"
    )
    path = written(tmp_path, "while True: pass")
    command = [sys.executable, "-c", script, str(path), str(ROOT), str(Path(__file__).parent)]
    # a judge that is killed cannot remove the working folder
    elsewhere = {**os.environ, "TMPDIR": str(tmp_path)}
    done = subprocess.run(command, env=elsewhere, capture_output=True, text=True, timeout=60)
    (pid,) = [int(word) for word in done.stdout.split()] or [0]
    assert pid and done.returncode == -9, done.stderr
    assert ends(pid)
