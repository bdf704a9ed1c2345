"""`oracle.check`: right and wrong layers, what they may be like, what is told, and arguments that mean nothing."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest
import torch

from oracle import Adapter, check
from oracle.api import binding
from oracle.core.claims import ClaimError
from oracle.outcome import DivergenceError, Outcome
from reference import Affine, Relu

F = torch.nn.functional
FEW = 120


class Doubled(Relu):
    """backward gives twice the gradient."""

    def backward(self, dout: Any) -> Any:
        return 2 * super().backward(dout)


def relu(x: Any) -> Any:
    return np.maximum(x, 0)


def affine_forward(x: Any, w: Any, b: Any) -> Any:
    return Affine(w, b).forward(x), (x, w, b)


def affine_backward(dout: Any, cache: Any) -> Any:
    x, w, b = cache
    layer = Affine(w, b)
    layer.forward(x)
    return layer.backward(dout), layer.dW, layer.db


class Hyperbolic:
    """tanh, for which there is no spec."""

    def forward(self, x: Any) -> Any:
        self.y = np.tanh(x)
        return self.y.copy() if isinstance(self.y, np.ndarray) else self.y

    def backward(self, dout: Any) -> Any:
        if np.shape(dout) != np.shape(self.y):
            raise ValueError("dout has another shape than the result")
        return dout * (1 - self.y * self.y)


def rows(outcome: Outcome) -> set[str]:
    return {d.row for d in outcome.divergences}


@pytest.fixture(scope="module")
def doubled() -> Outcome:
    return check(Doubled, "Relu", examples=FEW)


def test_a_right_layer_conforms() -> None:
    outcome = check(Relu, examples=FEW)
    assert outcome.conforms and outcome.divergences == () and outcome.verdict.exit_code == 0
    outcome.raise_for_divergence()
    assert "Relu" in str(outcome) and "CONFORMS" in str(outcome)
    assert sum(d.n_cases for d in outcome.run.depths) == FEW


def test_a_wrong_layer_diverges_and_says_why(doubled: Outcome) -> None:
    assert not doubled.conforms and rows(doubled) == {"backward.dx"}
    assert {(d.branch, d.dtype) for d in doubled.divergences} == {(b, d) for b in ("matrix", "any-rank") for d in ("float64", "float32")}
    for d in doubled.divergences:
        assert d.margin is not None and d.margin > 1
        assert d.diagnosis == "backward.dx is twice what torch gives."
        assert d.counterexample is not None and d.counterexample.minimised is not None
        assert "torch.autograd.grad" in d.counterexample.snippet and d.counterexample.replay == ""
        assert d.message.startswith("backward.dx")
    with pytest.raises(DivergenceError, match="(?s)Doubled.*twice what torch gives") as caught:
        doubled.raise_for_divergence()
    assert isinstance(caught.value, AssertionError)


def test_the_header_says_who_was_judged(doubled: Outcome) -> None:
    (info,) = doubled.run.header.layers
    assert (info.name, info.subject, info.spec, info.target) == ("Doubled", "Doubled", "Relu", "")
    assert info.convention.startswith("layer")


def test_the_html_escapes_names() -> None:
    evil = type("<script>alert(1)</script>", (Doubled,), {})
    html = check(evil, "Relu", examples=FEW)._repr_html_()
    assert "<script>alert" not in html and "&lt;script&gt;" in html and "backward.dx" in html


def test_the_same_seed_gives_the_same_outcome(doubled: Outcome) -> None:
    again = check(Doubled, "Relu", examples=FEW)
    assert (again.run.results, again.run.depths) == (doubled.run.results, doubled.run.depths)
    cases = [(c.index, c.case, c.comparison) for c in again.run.counterexamples]
    assert cases == [(c.index, c.case, c.comparison) for c in doubled.run.counterexamples]
    other = check(Doubled, "Relu", examples=FEW, seed=1)
    assert other.run.depths != doubled.run.depths and rows(other) == rows(doubled)


def test_the_text_of_an_outcome_is_there_in_a_notebook_too(doubled: Outcome, monkeypatch: pytest.MonkeyPatch) -> None:
    told = str(doubled)
    # what rich asks of whether it runs in a kernel
    monkeypatch.setattr("rich.console._is_jupyter", lambda: True)
    assert str(doubled) == told and "backward.dx" in told


@pytest.mark.parametrize("like", [None, "Relu", "ReLU", "rectified_linear_unit", "RELU_layer"])
def test_like_is_a_name_or_another_name_of_it(like: str | None) -> None:
    assert binding(Relu, like)[0].name == "Relu"


@pytest.mark.parametrize("like", [torch.tanh, "torch.tanh(x)", torch.nn.Tanh()], ids=["function", "expression", "module"])
def test_like_is_a_torch_function(like: Any) -> None:
    outcome = check(Hyperbolic, like, inputs="x: (N, D)", examples=FEW)
    assert outcome.conforms and not outcome.estimated
    assert {r.branch for r in outcome.run.results} == {"inputs"}
    wrong = check(Hyperbolic, like="torch.tanh(x) * 1.0001", inputs="x: (N, D)", examples=FEW)
    assert {"forward.out", "backward.dx"} <= rows(wrong)


def test_parameters_of_a_layer_without_a_spec() -> None:
    outcome = check(Affine, like=lambda x, W, b: x @ W + b, inputs="x: (N, D), W: (D, M), b: (M,)", params=("W", "b"), examples=FEW)
    assert outcome.conforms, str(outcome)
    assert {"backward.dW", "backward.db"} <= {r.quantity for r in outcome.run.results}


def test_an_estimated_bound_is_said() -> None:
    class LogGamma:
        def forward(self, x: Any) -> Any:
            return torch.lgamma(torch.from_numpy(np.array(x))).numpy()

    outcome = check(LogGamma, "torch.lgamma(x)", inputs="x: (N,) in [3, 5]", examples=FEW)
    assert "estimated, not derived: there is no rule for torch.lgamma" in outcome.estimated
    assert "estimated, not derived" in str(outcome)
    assert [n.text for n in outcome.run.notes] == [outcome.estimated]


@pytest.mark.parametrize(
    ("words", "gone"),
    [
        ("dx", {"backward.dx"}),
        (["errors", "nan"], {"inputs.refused", "call.forward-first"}),
        ("state.fresh", {"state.fresh"}),
    ],
)
def test_what_is_not_claimed_is_not_judged(words: Any, gone: set[str]) -> None:
    outcome = check(Doubled, "Relu", examples=FEW, not_claimed=words)
    silent = {r.quantity for r in outcome.run.results if r.status == "not-claimed"}
    assert silent == gone and not gone & rows(outcome)
    assert outcome.conforms == ("backward.dx" in gone)


def test_dtypes_and_branches_that_are_not_claimed() -> None:
    outcome = check(Doubled, "Relu", examples=FEW, not_claimed="float32, any-rank", dtypes=("float64", "float32", "float64"))
    assert {(d.branch, d.dtype) for d in outcome.divergences} == {("matrix", "float64")}
    with pytest.raises(ClaimError, match="leaves nothing to judge: dtypes are float32"):
        check(Relu, dtypes=("float32",), not_claimed="float32", examples=FEW)


def test_dout_that_is_not_claimed() -> None:
    class Ones(Relu):
        def backward(self, dout: Any) -> Any:
            return super().backward(np.ones_like(dout))

    assert "cotangent.honoured" in rows(check(Ones, "Relu", examples=FEW))
    assert not rows(check(Ones, "Relu", examples=FEW, not_claimed="dout, errors"))


def test_an_adapter_as_a_class_and_as_an_object() -> None:
    class Mine(Adapter):
        like = "Relu"

        def start(self) -> Any:
            return Relu()

        def forward(self, layer: Any, x: Any) -> Any:
            return layer.forward(x)

        def backward(self, layer: Any, dout: Any) -> Any:
            return layer.backward(dout)

    for mine in (Mine, Mine()):
        outcome = check(mine, examples=FEW)
        assert outcome.conforms and outcome.run.header.layers[0].convention == "adapter"


def test_a_function_alone_is_judged_on_its_value() -> None:
    outcome = check(relu, examples=FEW)
    assert outcome.conforms
    silent = [r for r in outcome.run.results if r.quantity == "backward.dx"]
    assert silent and all(r.status == "not-claimed" and "no derivative of relu was found" in r.message for r in silent)


def test_a_pair_of_functions_is_found_in_its_module() -> None:
    outcome = check(affine_forward, examples=FEW)
    assert outcome.conforms, str(outcome)
    assert outcome.run.header.layers[0].convention.endswith("gradients by affine_backward")


def test_a_layer_object_is_copied_for_every_case() -> None:
    assert check(Relu(), examples=FEW).conforms
    assert rows(check(Doubled(), "Relu", examples=FEW)) == {"backward.dx"}


def test_long_and_odd_names() -> None:
    for name in ("L" * 500, "not an identifier!", "層"):
        outcome = check(type(name, (Doubled,), {"__qualname__": name}), "Relu", examples=FEW, seed=2**63)
        assert rows(outcome) == {"backward.dx"} and len(outcome.run.header.layers[0].name) <= 120
    outcome = check(lambda x: np.maximum(x, 0), "Relu", examples=FEW)
    assert outcome.conforms and outcome.run.header.layers[0].name == "<lambda>"


@pytest.mark.parametrize(
    ("arguments", "kind", "told"),
    [
        ({"subject": 3}, TypeError, "subject must be a layer class, a function, a layer object or an Adapter, got int"),
        ({"subject": "layers.py:Relu"}, TypeError, "subject must be the layer itself, got 'layers.py:Relu'.*gradconform check"),
        ({"subject": None}, TypeError, "subject must be the layer itself, got None"),
        ({"like": "nix"}, ValueError, "like: no layer is called 'nix'; there are Relu, "),
        ({"subject": Hyperbolic}, ValueError, "like: no layer is called 'Hyperbolic'.*Say what the layer is with like"),
        ({"like": 3}, TypeError, "like must be the name of a layer, a torch function or an expression, got int"),
        ({"like": torch.nn.ReLU}, TypeError, "like: .*is no torch function; give one"),
        ({"like": "F.relu(y)"}, ValueError, "like: F.relu.y. cannot be computed: NameError"),
        ({"like": F.relu, "inputs": "x"}, ValueError, "inputs: expected a name, a colon and axes"),
        ({"inputs": "x: (N,)"}, ValueError, "inputs and params describe a layer without a spec"),
        ({"params": ("W",)}, ValueError, "inputs and params describe a layer without a spec"),
        ({"examples": 0}, ValueError, "examples must be a whole number of at least 1, got 0"),
        ({"examples": 10.5}, ValueError, "examples must be a whole number of at least 1, got 10.5"),
        ({"seed": -1}, ValueError, "seed must be a whole number of at least 0, got -1"),
        ({"dtypes": "float32"}, ValueError, "dtypes must be some of float64, float32, float16, in a tuple; got 'float32'"),
        ({"dtypes": ("int8",)}, ValueError, "dtypes must be some of"),
        ({"dtypes": ()}, ValueError, "dtypes must be some of"),
        ({"convention": "phone"}, ValueError, "convention: there is no 'phone'; there are adapter, layer, functions"),
        ({"convention": "autograd"}, ValueError, "(?s)subject: Relu cannot be called as Relu.*convention="),
        ({"not_claimed": "huh"}, ValueError, "not_claimed: 'huh' means nothing for Relu"),
    ],
)
def test_an_argument_that_means_nothing_is_named(arguments: dict[str, Any], kind: type[Exception], told: str) -> None:
    with pytest.raises(kind, match=told):
        check(**{"subject": Relu, "examples": FEW, **arguments})


def test_a_layer_that_ends_the_process_is_in_error_and_nothing_ends() -> None:
    class Leaves(Relu):
        def forward(self, x: Any) -> Any:
            if np.isinf(x).any():
                sys.exit("bye")
            return super().forward(x)

    outcome = check(Leaves, "Relu", examples=400)
    assert "call.answers" in rows(outcome)
    assert {d.message for d in outcome.divergences if d.row == "call.answers"} == {"RuntimeError: the layer raised SystemExit: bye"}
    with pytest.raises(ValueError, match="subject: Gone raised SystemExit when its calls were tried"):
        check(type("Gone", (Relu,), {"forward": lambda self, x: sys.exit()}), "Relu", examples=FEW)


def test_an_interrupt_keeps_what_was_found() -> None:
    calls = []

    class Slow(Doubled):
        def forward(self, x: Any) -> Any:
            calls.append(1)
            if len(calls) > 8000:
                raise KeyboardInterrupt
            return super().forward(x)

    outcome = check(Slow, "Relu", examples=5000)
    assert outcome.run.footer is not None and outcome.run.footer.outcome == "interrupted"
    assert not outcome.conforms and rows(outcome) == {"backward.dx"}
    assert "interrupted" in outcome.verdict.sentence
    calls[:] = [1] * 10_000
    with pytest.raises(KeyboardInterrupt):
        check(Slow, "Relu", examples=FEW)


def test_without_torch_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(ImportError, match="gradconform\\[torch\\]"):
        check(Relu)
