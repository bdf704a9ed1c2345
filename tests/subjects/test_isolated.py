"""A subject in a process of its own: it answers as one in this process does, and what it does to its process stays there."""

from __future__ import annotations

import gc
import os
import sys
from pathlib import Path

import numpy as np
import pytest
from misbehaving import BAD, GOOD, QUICK, assert_well, case, isolated, living_children, tried, written

from oracle.core.judge import judge
from oracle.core.observe import observe, watching
from oracle.search.numbered import cases
from oracle.specs import spec_named
from oracle.subjects import subject_of
from oracle.subjects.conventions import ConventionError
from oracle.subjects.isolated import Isolated, IsolationError
from oracle.subjects.loaded import LoadError
from oracle.subjects.target import parse_target

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="isolation needs POSIX")
REFERENCE = Path(__file__).parents[2] / "reference"
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="a limit of Linux")

ERRORS = {
    "sys.exit": ("sys.exit(3)", "SystemExit: 3"),
    "KeyboardInterrupt": ("raise KeyboardInterrupt", "KeyboardInterrupt: "),
    "GeneratorExit": ("raise GeneratorExit('x')", "GeneratorExit: x"),
    "own BaseException": ("class Mine(BaseException): pass\nraise Mine('my\\ntext')", "Mine: my"),
    "text that raises": ("class E(Exception):\n    def __str__(self): sys.exit(1)\nraise E", "E: (its text cannot be read)"),
    "text of a subclass": ("class S(str):\n    def strip(self): sys.exit(1)\nraise Exception(S('x'))", "Exception: x"),
    "name that raises": (
        "class M(type):\n    __name__ = property(lambda c: sys.exit(1))\nclass E(Exception, metaclass=M): pass\nraise E('x')",
        "E: x",
    ),
    "megabyte of text": ("raise ValueError('x' * 1000000)", "ValueError: " + "x" * 300),
    "deep recursion": ("misbehave(x)", "RecursionError: maximum recursion depth exceeded"),
    "fork": ("while True: os.fork()", "PermissionError: gradconform: a subject may not start processes"),
    "subprocess": ("while True: subprocess.Popen(['sleep', '9'])", "PermissionError: gradconform: a subject may not start processes"),
    "os.system": ("os.system('true')", "PermissionError: gradconform: a subject may not start processes"),
    "kills the judge": ("os.kill(os.getppid(), 9)", "PermissionError: gradconform: a subject may not send signals to other processes"),
    "kills everybody": ("os.kill(-1, 0)", "PermissionError: gradconform: a subject may not send signals to other processes"),
    "network": ("socket.create_connection(('127.0.0.1', 9))", "PermissionError: gradconform: a subject may not use the network"),
    "complex": ("return x + 1j", "TypeError: a result is complex128, not an array of numbers"),
    "text": ("return 'text'", "TypeError: a result is <U4, not an array of numbers"),
    "objects": ("return np.array([x, None], object)", "TypeError: a result is ndarray, not an array of numbers"),
    "hostile array": ("class A:\n    def __array__(self, *a, **k): sys.exit(5)\nreturn A()", "SystemExit: 5"),
    "hostile repr": ("class A:\n    def __repr__(self): sys.exit(5)\nreturn A()", "TypeError: a result is A, not an array of numbers"),
    "too large a result": (
        "return np.broadcast_to(np.zeros((), 'u1'), 2**28 + 1)",
        "ValueError: a result of 268435457 bytes is too large: at most 256 MiB",
    ),
    "writes beside itself": (
        "open(os.path.join(os.path.dirname(__file__), 'new'), 'w')",
        "PermissionError: gradconform: a subject may not write outside its working folder",
    ),
}


@pytest.mark.parametrize("name", ERRORS)
def test_an_error_stays_an_error(name: str, tmp_path: Path) -> None:
    body, says = ERRORS[name]
    bad, _ = tried(tmp_path, body, limits=QUICK._replace(case_seconds=20.0))
    assert bad.evaluation.error is not None and bad.evaluation.error.startswith(says), bad.evaluation
    assert not bad.died and len(bad.evaluation.error) <= 500
    assert [p.name for p in tmp_path.iterdir()] == ["layers.py"]


@LINUX
@pytest.mark.parametrize(
    "body",
    ["np.ones(100 << 30, np.uint8)", "b = bytearray()\nwhile True: b += bytes(1 << 24)", "h = []\nwhile True: h.append(np.ones(1 << 21))"],
)
def test_too_much_memory_is_an_error(body: str, tmp_path: Path) -> None:
    bad, _ = tried(tmp_path, body, limits=QUICK._replace(case_seconds=20.0))
    assert bad.evaluation.error is not None and "Memory" in bad.evaluation.error and not bad.died


HARMLESS = {
    "thread": "threading.Thread(target=lambda: time.sleep(1000)).start()",
    "stdout closed": "sys.stdout.close(); sys.stderr.close()",
    "stdout replaced": "sys.stdout = sys.stderr = None",
    "stdout closed below": "os.close(1); os.close(2)",
    "low recursion limit": "import inspect\nsys.setrecursionlimit(len(inspect.stack()) + 3)",
    "seterr": "np.seterr(all='raise')",
    "seed": "np.random.seed(0)",
    "filters": "warnings.simplefilter('error'); warnings.showwarning = None",
    "chdir": "os.chdir('/')",
    "environment": "os.environ.clear()",
    "no collection": "import gc\ngc.disable()",
    "exit handler": "import atexit\natexit.register(time.sleep, 1000)",
    "signal handlers": "signal.signal(signal.SIGTERM, signal.SIG_IGN); signal.signal(signal.SIGINT, signal.SIG_IGN)",
    "folder deleted": "import shutil\nshutil.rmtree(os.getcwd(), ignore_errors=True)",
    "trace": "sys.settrace(lambda *a: sys.exit(1))",
    "prints": "print('x' * 5000)",
    "fake torch": "import types\nsys.modules['torch'] = types.SimpleNamespace(relu=None, autograd=None)",
}


@pytest.mark.parametrize("name", HARMLESS)
def test_what_it_does_to_its_process_stays_there(name: str, tmp_path: Path) -> None:
    bad, good = tried(tmp_path, HARMLESS[name] + "\nreturn None")
    assert not bad.died and bad.evaluation.error in (None, "SystemExit: 1"), bad.evaluation.error
    assert_well(good)


def test_its_timer_does_not_go_off_in_another_case(tmp_path: Path) -> None:
    body = "signal.signal(signal.SIGALRM, lambda *a: sys.exit(1)); signal.setitimer(signal.ITIMER_REAL, 0.05)\nreturn None"
    _, *others = tried(tmp_path, body, cases=(BAD, *[GOOD] * 3000))
    for seen in others:
        assert_well(seen)


@pytest.mark.parametrize("name", ["seterr", "filters", "stdout replaced", "chdir", "fake torch", "exit handler"])
def test_what_it_does_on_import_stays_there(name: str, tmp_path: Path) -> None:
    tried(tmp_path, "pass", before=HARMLESS[name], cases=(GOOD, GOOD))


@pytest.mark.parametrize("patch", ["np.exp = lambda x: x", "np.dot = None", "np.linalg.norm = max", "np.linalg = None", "del np.sum"])
def test_replaced_numpy_is_noticed(patch: str, tmp_path: Path) -> None:
    name = patch.removeprefix("del ").split(" ")[0].replace("np", "numpy", 1)
    with isolated(written(tmp_path, patch + "\nreturn None")) as subject:
        first, *rest = subject.observations((GOOD, BAD, GOOD))
    assert_well(first)
    for seen in rest:
        assert seen.evaluation.error == f"the subject replaced {name}; what it answers is not NumPy's any more" and not seen.died


def test_numpy_replaced_on_import_is_noticed(tmp_path: Path) -> None:
    with isolated(written(tmp_path, before="np.maximum = np.minimum; import numpy.testing; np.mine = 1")) as subject:
        (seen,) = subject.observations((GOOD,))
    assert seen.evaluation.error is not None and seen.evaluation.error.startswith("the subject replaced numpy.maximum;")


@pytest.mark.parametrize("name", ["Relu", "Affine", "SoftmaxWithLoss", "TwoLayerNet"])
def test_it_answers_as_in_this_process(name: str) -> None:
    spec = spec_named(name)
    file = REFERENCE / f"{spec.layer.__module__.split('.')[-1]}.py"
    tried_cases = [c for _, c in cases(spec, 5, ("float64", "float32", "float16"), 0, 200)]
    with Isolated(parse_target(str(file)), (str(REFERENCE.parent),)) as there, watching():
        there.connect(spec.layer.__name__, spec.signature, tried_cases[:1], spec.convention)
        for seen, one in zip(there.observations(tried_cases), tried_cases, strict=True):
            own = observe(subject_of(spec), one)
            assert (seen.evaluation.error is None) == (own.evaluation.error is None)
            assert seen.breaches == own.breaches and (seen.again is None) == (own.again is None)
            pairs = zip(seen.evaluation.outputs + seen.evaluation.grads, own.evaluation.outputs + own.evaluation.grads, strict=True)
            for a, b in pairs:
                assert a.dtype == b.dtype and np.allclose(a, b, rtol=1e-2, equal_nan=True)


def test_it_can_be_judged(tmp_path: Path) -> None:
    wrong = "return x * 2"
    with isolated(written(tmp_path, wrong)) as subject:
        spec = spec_named("Relu")
        assert judge(spec, subject, GOOD).findings == ()
        assert [f.name for f in judge(spec, subject, BAD).findings] == ["forward.out"]


def test_breaches_and_warnings_come_over(tmp_path: Path) -> None:
    with isolated(written(tmp_path, "x /= 0; return None")) as subject:
        (seen,) = subject.observations((BAD,))
    assert [b.contract for b in seen.breaches] == ["inputs.unchanged"]
    assert seen.warned == ("RuntimeWarning: divide by zero encountered in divide",)


def test_blocks_may_be_left_half_read(tmp_path: Path) -> None:
    with isolated(written(tmp_path, "os._exit(1)")) as subject:
        first = subject.observations((GOOD, BAD, GOOD))
        assert_well(next(first))
        assert_well(next(subject.observations((GOOD,))))
        rest = list(first)
    assert rest[0].died
    assert_well(rest[1])


def test_large_blocks_go_both_ways_at_once(tmp_path: Path) -> None:
    x = np.random.default_rng(0).standard_normal(200_000)
    with isolated(written(tmp_path)) as subject:
        first = subject.observations([case(*x)] * 20)
        second = subject.observations([case(*x)] * 20)
        seen = [*first, *second]
    assert len(seen) == 40 and all(np.array_equal(s.evaluation.outputs[0], np.maximum(x, 0)) for s in seen)


def test_what_is_printed_is_kept_and_cut(tmp_path: Path) -> None:
    with isolated(written(tmp_path, "print('first'); print('y\\x1b' * 50000); print('last', file=sys.stderr)\nreturn None")) as subject:
        list(subject.observations((BAD,)))
        list(subject.observations((GOOD,)))
        assert subject.output.startswith("first\ny y ") and subject.output.rstrip().endswith("last")
        assert "95916 of 100012 bytes left out" in subject.output and len(subject.output) < 5000


def test_what_is_found(tmp_path: Path) -> None:
    path = written(tmp_path)
    with Isolated(parse_target(str(path)), limits=QUICK) as subject:
        found = subject.found(None, ("Relu", "Affine"))
        assert [(c.name, c.spec) for c in found.candidates] == [("misbehave", None), ("Relu", "Relu")]
        with pytest.raises(LoadError, match="no layer is called 'Nothing'"):
            subject.found("Nothing", ("Relu",))
        with pytest.raises(ConventionError):
            subject.connect("Relu", spec_named("Relu").signature, [GOOD], "no such convention")
        introduced = subject.connect("Relu", spec_named("Relu").signature, [GOOD])
        assert (introduced.convention, introduced.forward_only) == ("layer", "")


def test_nothing_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    before = living_children()
    with isolated(written(tmp_path)):
        assert len(living_children() - before) == 1 and len(list(tmp_path.iterdir())) == 2
    assert living_children() == before and len(list(tmp_path.iterdir())) == 1
    dropped = Isolated(parse_target(f"{written(tmp_path)}:Relu"), limits=QUICK)
    dropped.found("Relu", ("Relu",))
    del dropped
    gc.collect()
    assert living_children() == before and len(list(tmp_path.iterdir())) == 1


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_fork_of_the_judge_does_not_end_its_subject(tmp_path: Path) -> None:
    with isolated(written(tmp_path)) as subject:
        pid = os.fork()
        if not pid:
            subject.close()
            os._exit(0)
        assert os.waitpid(pid, 0)[1] == 0
        assert_well(next(subject.observations((GOOD,))))


def test_no_process_to_be_had(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "nothing"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(IsolationError, match="a process for the subject cannot be started"), isolated(written(tmp_path)):
        pass
    assert [p.name for p in tmp_path.iterdir()] == ["layers.py"]


def test_windows_is_refused_in_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    with pytest.raises(IsolationError, match="use WSL or a container"), isolated(written(tmp_path)):
        pass
