"""A net in a process of its own: it answers as one in this process does, and what it does to its process ends as a sentence."""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from misbehaving import living_children
from netprocesses import HERE, PATIENT, QUICK, misbehaving
from somenets import BookNet, T, X

from oracle.subjects.isolated_net import IsolatedNet, NetError
from oracle.subjects.nets import NetSubject, made
from oracle.subjects.process import Process
from oracle.subjects.target import parse_target
from oracle.subjects.wire import Frame
from reference import TwoLayerNet

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="isolation needs POSIX")
OURS = parse_target("reference.networks:TwoLayerNet")


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_it_answers_as_in_this_process(dtype: str) -> None:
    np.random.seed(3)
    here = made(TwoLayerNet, (4, 5, 3), dtype)
    x = X.astype(dtype)
    with IsolatedNet(OURS, None, (4, 5, 3), dtype, limits=PATIENT) as there:
        assert there.names == here.names
        there.assign(here.params())
        for _ in range(3):
            mine, its = here.step(x, T, 0.1), there.step(x, T, 0.1)
            assert its.loss.tobytes() == mine.loss.tobytes() and its.loss.dtype == dtype and its.breaches == ()
            assert [(n, g.dtype, g.tobytes()) for n, g in its.grads.items()] == [(n, g.dtype, g.tobytes()) for n, g in mine.grads.items()]
        gradients = here.gradient(x, T).grads
        assert {n: g.tobytes() for n, g in there.gradient(x, T).grads.items()} == {n: g.tobytes() for n, g in gradients.items()}
        there.update(None, 0.5)
        here.update(gradients, 0.5)
        there.update(gradients, 0.25)
        here.update(None, 0.25)
        assert {n: a.tobytes() for n, a in there.params().items()} == {n: a.tobytes() for n, a in here.params().items()}
        assert there.loss(x, T).tobytes() == here.loss(x, T).tobytes() and there.accuracy(x, T) == here.accuracy(x, T)
        found, expected = there.losses("W2", range(15), [0.5, -0.5], x, T), here.losses("W2", range(15), [0.5, -0.5], x, T)
        assert found.tobytes() == expected.tobytes() and found.shape == (15, 2) and found.dtype == expected.dtype


def test_losses_are_asked_for_in_parts() -> None:
    np.random.seed(3)
    here = made(TwoLayerNet, (4, 20, 3))
    with IsolatedNet(OURS, None, (4, 20, 3), limits=PATIENT) as there:
        there.assign(here.params())
        found, expected = there.losses("W1", range(79, -1, -1), [0.5], X, T), here.losses("W1", range(79, -1, -1), [0.5], X, T)
        assert found.tobytes() == expected.tobytes() and len(np.unique(found)) > 1
        assert there.losses("W1", [], [0.5, 1], X, T).shape == (0, 2)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_the_net_is_found_made_and_cast_there(dtype: str) -> None:
    with IsolatedNet(parse_target(str(HERE / "somenets.py")), None, (4, 2), dtype, limits=PATIENT) as net:
        assert net.names == ("W1", "b1") and {(a.shape, a.dtype.name) for a in net.params().values()} == {((4, 2), dtype), ((2,), dtype)}
        first = net.step(X.astype(dtype), T % 2, 0.1)
        assert first.loss.dtype == dtype and net.step(X.astype(dtype), T % 2, 0.1).loss < first.loss


def test_assign_may_change_a_shape() -> None:
    with IsolatedNet(parse_target(str(HERE / "somenets.py")), "BookNet", limits=PATIENT) as net:
        net.assign({"W1": np.zeros((4, 5)), "b1": np.zeros(5)})
        assert net.gradient(X, T).grads["W1"].shape == (4, 5)
        with pytest.raises(NetError, match="params are W1; the net has W1, b1"):
            net.assign({"W1": np.zeros((4, 5))})


ERRORS = {
    "exception": ("raise ValueError('of mine')", "gradient raised ValueError: of mine"),
    "own BaseException": ("class Mine(BaseException): pass\nraise Mine('x')", "gradient raised Mine: x"),
    "KeyboardInterrupt": ("raise KeyboardInterrupt", "step raised KeyboardInterrupt"),
    "sys.exit": ("sys.exit(3)", "gradient raised SystemExit: 3"),
    "deep recursion": ("def f(): f()\nf()", "gradient raised RecursionError: "),
    "text that raises": (
        "class E(Exception):\n    def __str__(self): sys.exit(1)\nraise E",
        "gradient raised E: (its text cannot be read)",
    ),
    "our error, whose text raises": (
        "from oracle.subjects.nets import NetError\nclass E(NetError):\n    def __str__(self): sys.exit(1)\nraise E",
        "(its text cannot be read)",
    ),
    "text": ("return {'W1': 'text', 'b1': 'text'}", "gradient['W1'] is of type str, not an array of numbers"),
    "tuple": ("return self.params['W1'], self.params['b1']", "gradient returned of type tuple, not a dict with W1, b1"),
    "huge array": (
        "return {'W1': np.broadcast_to(np.zeros(1), 1 << 50)}",
        "gradient['W1'] has shape (1125899906842624,), its parameter (4, 3)",
    ),
    "hostile array": (
        "class A:\n    def __array__(self, *a, **k): sys.exit(5)\nreturn {'W1': A()}",
        "gradient raised SystemExit: 5",
    ),
    "hostile dict": (
        "class D(dict):\n    def __contains__(self, key): os.abort()\n    def __iter__(self): raise ValueError('no keys')\nreturn D()",
        "gradient raised ValueError: no keys",
    ),
    "no params": ("self.params = None", "Net has no params"),
    "patches NumPy": ("np.exp = np.log", "step: the net replaced numpy.exp; what it answers is not NumPy's any more"),
    "patches NumPy that we use": ("np.asarray = None", "step: the net replaced numpy.asarray;"),
    "subprocess": ("os.system('true')", "gradient raised PermissionError: gradconform: a subject may not start processes"),
}


@pytest.mark.parametrize("name", ERRORS)
def test_an_error_is_a_sentence_and_the_process_goes_on(name: str, tmp_path: Path) -> None:
    body, says = ERRORS[name]
    with misbehaving(tmp_path, body) as net:
        first = net.step(X, T, 0.1)
        with pytest.raises(NetError) as caught:
            net.step(X, T, 0.1)
        assert str(caught.value).startswith(says)
        if "NumPy" in name or name == "no params":
            with pytest.raises(NetError):
                net.step(X, T, 0.1)
        else:
            assert net.step(X, T, 0.1).loss < first.loss


@pytest.mark.skipif(sys.platform != "linux", reason="a limit of Linux")
def test_too_much_memory_is_an_error(tmp_path: Path) -> None:
    with misbehaving(tmp_path, "np.ones(100 << 30, np.uint8)") as net:
        first = net.step(X, T, 0.1)
        with pytest.raises(NetError, match="gradient raised .*Memory"):
            net.step(X, T, 0.1)
        assert net.step(X, T, 0.1).loss < first.loss


DEATHS = {
    "endless loop": ("while True: pass", "no answer within 1 s"),
    "os._exit": ("os._exit(3)", "the process ended with exit code 3"),
    "segfault": ("ctypes.string_at(0)", "the process was killed by SIGSEGV"),
    "prints a gigabyte": ("for i in range(10 ** 7): print('x' * 99)", "more than 1 MiB were printed"),
    "answers itself": (
        "for fd in range(3, 1000):\n    try: os.write(fd, b'\\xff' * 8)\n    except OSError: pass",
        "its process wrote what is no answer|closed",
    ),
    "damages the judge's code": ("import oracle.subjects.worker as w\nw.frame_of = None", "the subject damaged the process"),
}


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
@pytest.mark.parametrize("name", DEATHS)
def test_a_death_ends_the_training(name: str, tmp_path: Path) -> None:
    body, says = DEATHS[name]
    before = living_children()
    with misbehaving(tmp_path, body, limits=QUICK) as net:
        net.step(X, T, 0.1)
        with pytest.raises(NetError, match=f"^step: ({says})"):
            net.step(X, T, 0.1)
        for again in (net.params, lambda: net.step(X, T, 0.1)):
            with pytest.raises(NetError, match=f"the net is no more: its process has ended in step .{says}.*state of its training with it"):
                again()
    assert living_children() <= before


def test_its_time_altogether_is_limited(tmp_path: Path) -> None:
    with misbehaving(tmp_path, "time.sleep(100)") as net:
        net.gradient(X, T)
        net._spent = PATIENT.total_seconds - 0.5
        with pytest.raises(NetError, match="gradient: no answer within 0.5 s"):
            net.gradient(X, T)
    with misbehaving(tmp_path, "pass") as net:
        net._spent = PATIENT.total_seconds
        with pytest.raises(NetError, match="gradient: the net used up its 60 s"):
            net.gradient(X, T)


BREACHES = {
    "writes into x": ("x[0] = 0", "inputs.unchanged", "gradient wrote into x"),
    "writes into t": ("t[0] = 1", "inputs.unchanged", "gradient wrote into t"),
    "changes params": ("self.params['b1'] += 1", "params.unchanged", "gradient changed params['b1']"),
}


@pytest.mark.parametrize("name", BREACHES)
def test_breaches_come_over(name: str, tmp_path: Path) -> None:
    body, contract, says = BREACHES[name]
    with misbehaving(tmp_path, body) as net:
        assert net.step(X, T, 0.1).breaches == net.breaches == ()
        breaches = net.step(X, T, 0.1).breaches
        assert [tuple(b) for b in breaches] == [(contract, says)] and net.breaches == breaches
        assert net.step(X, T, 0.1).breaches == net.breaches == ()


@pytest.mark.parametrize(("method", "call"), [("losses", 40), ("accuracy", 2)])
def test_breaches_of_a_part_are_kept(method: str, call: int, tmp_path: Path) -> None:
    own = "loss" if method == "losses" else "accuracy"
    with misbehaving(tmp_path, "x[0] = 0", own, call=call) as net:
        if method == "losses":
            net.losses("W1", [0] * 80, [0.1], X, T)
        else:
            net.accuracy(np.tile(X, (5_000, 1)), np.tile(T, 5_000))
        assert [b.message for b in net.breaches] == [f"{own} wrote into x"]


def test_not_a_number_is_an_answer(tmp_path: Path) -> None:
    with misbehaving(tmp_path, "return {'W1': np.full((4, 3), np.nan), 'b1': np.full(3, -np.inf)}", limits=PATIENT) as net:
        net.step(X, T, 0.1)
        step = net.step(X, T, 0.1)
        assert np.isnan(step.grads["W1"]).all() and (step.grads["b1"] == -np.inf).all() and np.isnan(step.loss)


def test_warnings_and_seterr_are_not_fatal(tmp_path: Path) -> None:
    with misbehaving(tmp_path, "x / 0.0\nnp.seterr(all='raise')\nNet.calls = 1", limits=PATIENT) as net:
        losses = [net.step(X, T, 0.1).loss for _ in range(3)]
        assert losses[2] < losses[1] < losses[0] and "Warning" not in net.output


@pytest.mark.parametrize(
    ("source", "name", "args", "says"),
    [
        ("import nothing_of_that_name", None, (), "there is no module 'nothing_of_that_name'"),
        ("import os; os._exit(4)", None, (), "make: the process ended with exit code 4"),
        ("while True: pass", None, (), "make: no answer within 3 s"),
        ("import sys; sys.exit(4)", None, (), "ends Python"),
        ("class Net: pass", None, (), "no class with the methods gradient and loss in it; there are Net"),
        ("class Net: pass", "Nets", (), "there is no 'Nets' in it; there are Net"),
        ("class Net:\n    def __init__(self): raise SystemExit(4)", "Net", (), "Net() raised SystemExit: 4"),
        ("class Net: pass", "Net", (784, 50), "Net(784, 50) raised TypeError: "),
        ("from somenets import *\nimport numpy as np\nnp.exp = np.log", "BookNet", (), "make: the net replaced numpy.exp"),
        (
            "from somenets import *\nclass Net(BookNet):\n    loss = property(lambda s: next(iter(())))",
            "Net",
            (),
            "loss and gradient raised StopIter",
        ),
        ("Net = 3", "Net", (), "int has no method loss"),
    ],
)
def test_a_net_that_cannot_be_had(source: str, name: str | None, args: tuple[int, ...], says: str, tmp_path: Path) -> None:
    path = tmp_path / "net.py"
    path.write_text(source)
    before = living_children()
    with pytest.raises(NetError) as caught:
        IsolatedNet(parse_target(str(path)), name, args, search_path=(str(HERE),), limits=QUICK._replace(load_seconds=3.0))
    assert says in str(caught.value) and living_children() == before


def test_ctrl_c_waits_for_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else half an answer would be left in the pipe, for the next request to find."""
    receive, handler = Process.receive, signal.getsignal(signal.SIGINT)

    def interrupted(process: Process, seconds: float) -> Frame:
        os.kill(os.getpid(), signal.SIGINT)
        return receive(process, seconds)

    here = NetSubject(BookNet())
    with IsolatedNet(parse_target(str(HERE / "somenets.py")), "BookNet", limits=PATIENT) as net:
        monkeypatch.setattr(Process, "receive", interrupted)
        for _ in range(2):
            here.step(X, T, 0.1)
            with pytest.raises(KeyboardInterrupt):
                net.step(X, T, 0.1)
        monkeypatch.undo()
        assert all(np.allclose(a, here.params()[name]) for name, a in net.params().items())
    assert signal.getsignal(signal.SIGINT) is handler


def test_nothing_is_left_behind() -> None:
    before = living_children()
    with IsolatedNet(OURS, None, (4, 5, 3), limits=PATIENT) as net:
        assert len(living_children() - before) == 1
    assert living_children() == before
    with pytest.raises(NetError, match="the net is no more: it has been closed"):
        net.params()


def test_it_goes_on_from_another_thread() -> None:
    found: list[float] = []
    with IsolatedNet(OURS, None, (4, 5, 3), limits=PATIENT) as net:
        thread = threading.Thread(target=lambda: found.append(float(net.loss(X, T))))
        thread.start()
        thread.join()
        assert found == [float(net.loss(X, T))]
