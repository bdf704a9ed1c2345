"""An answer of a net on the wire: it comes over as it is, and one that is forged ends the net instead of reaching the judge."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from netprocesses import HERE, PATIENT, misbehaving
from somenets import T, X

from oracle.core.evaluation import Breach
from oracle.subjects.isolated_net import IsolatedNet, NetError
from oracle.subjects.net_wire import Answer, Refusal, answer_of, frame_of
from oracle.subjects.target import parse_target
from oracle.subjects.wire import MOST_BODY, Frame, WireError, decode


def received(answer: Answer | Refusal) -> Any:
    frame = decode(bytearray(frame_of(answer)))
    assert frame is not None
    return answer_of(frame)


def test_an_answer_comes_over_as_it_is() -> None:
    arrays = (np.arange(6.0).reshape(2, 3).T, np.array(np.nan, np.float32), np.zeros((0, 2), np.float16))
    found = received(Answer(("W1", "가중치", "b"), arrays, (Breach("inputs.unchanged", "loss wrote into x"),)))
    assert found.names == ("W1", "가중치", "b") and found.breaches == (Breach("inputs.unchanged", "loss wrote into x"),)
    assert [(a.dtype, a.shape, a.tobytes()) for a in found.arrays] == [(a.dtype, a.shape, a.tobytes()) for a in arrays]


def test_a_refusal_comes_over_cut_and_harmless() -> None:
    assert received(Refusal("bad\x1b[31m\nnews" + "x" * 5000)).text == "bad [31m news" + "x" * 1987


def test_an_answer_that_is_too_large_is_a_refusal() -> None:
    huge = np.broadcast_to(np.zeros((), "u1"), (MOST_BODY + 1,))
    assert "is too large: at most 256 MiB" in received(Answer(arrays=(huge,))).text


GOOD = {"names": [], "arrays": [], "breaches": []}


@pytest.mark.parametrize(
    "head",
    [
        {},
        {"refused": 3},
        {**GOOD, "names": "W1"},
        {**GOOD, "names": [1]},
        {**GOOD, "arrays": [["<f8", [1]]]},
        {**GOOD, "arrays": [["O", [0]]]},
        {**GOOD, "breaches": [["inputs.unchanged"]]},
        {**GOOD, "breaches": [["results.shape", "no contract of a net"]]},
    ],
)
def test_what_is_no_answer(head: Any) -> None:
    assert answer_of(Frame(dict(GOOD), bytearray())) == Answer()
    with pytest.raises(WireError):
        answer_of(Frame(head, bytearray()))


FORGED = {
    "another shape": ("step", "(), (np.zeros((1, 3)), np.zeros(3), np.zeros(()))", "gradients that do not have their parameters' shapes"),
    "no results": ("step", "", "gradients that do not have their parameters' shapes"),
    "a gradient less": ("step", "(), (np.zeros((4, 3)), np.zeros(()))", "gradients that do not have their parameters' shapes"),
    "a loss of two": ("step", "(), (np.zeros((4, 3)), np.zeros(3), np.zeros(2))", "another number of results"),
    "a loss that is a truth": ("loss", "(), (np.array(True),)", "another number of results"),
    "two losses": ("loss", "(), (np.zeros(()), np.zeros(()))", "another number of results"),
    "losses of another form": ("losses", "(), (np.zeros(2),)", "another number of results"),
    "other names": ("params", "('W1', 'b2'), (np.zeros((4, 3)), np.zeros(3))", "names that are not those of its parameters"),
    "names without arrays": ("params", "('W1', 'b1'), (np.zeros((4, 3)),)", "names that are not those of its parameters"),
    "parameters that are no floats": ("params", "('W1', 'b1'), (np.zeros((4, 3), int), np.zeros(3))", "parameters that are no floats"),
    "a foreign contract": ("loss", "(), (np.zeros(()),), (Breach('call.answers', 'x'),)", "wrote what is no answer"),
}


def ask(net: IsolatedNet, method: str) -> Any:
    arguments: dict[str, tuple[Any, ...]] = {"step": (X, T, 0.1), "loss": (X, T), "losses": ("W1", [0, 1], [0.1], X, T), "params": ()}
    return getattr(net, method)(*arguments[method])


@pytest.mark.skipif(sys.platform == "win32", reason="isolation needs POSIX")
@pytest.mark.parametrize("name", FORGED)
def test_a_forged_answer_ends_the_net(name: str, tmp_path: Path) -> None:
    method, answer, says = FORGED[name]
    imports = "import oracle.subjects.net_serving as s\nfrom oracle.core.evaluation import Breach\n"
    body = f"{imports}s._METHODS['{method}'] = lambda *a: s.Answer({answer})"
    with misbehaving(tmp_path, body) as net:
        ask(net, method)
        net.gradient(X, T)
        net.gradient(X, T)
        with pytest.raises(NetError, match=f"^{method}: its process .*{says}"):
            ask(net, method)
        with pytest.raises(NetError, match="the net is no more"):
            net.params()


@pytest.mark.skipif(sys.platform == "win32", reason="isolation needs POSIX")
@pytest.mark.parametrize("names", ["()", "('W1', 'W1')"])
def test_forged_names_are_no_net(names: str, tmp_path: Path) -> None:
    path = tmp_path / "net.py"
    path.write_text(
        "from somenets import *\nimport oracle.subjects.net_serving as s\n"
        f"s._params = lambda net: s.Answer({names}, (np.zeros(3),) * {2 if 'W1' in names else 0})\n"
    )
    with pytest.raises(NetError, match="names that are not those of its parameters"):
        IsolatedNet(parse_target(str(path)), "BookNet", search_path=(str(HERE),), limits=PATIENT)
