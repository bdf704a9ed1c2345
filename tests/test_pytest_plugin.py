"""The plugin, each time in a pytest of its own: items, what they say, and marks that mean nothing."""

from __future__ import annotations

import pytest
from plugin_layers import LAYERS, ROWS

# loaded before pytester takes note of the modules there are: it removes those that come later, and NumPy cannot be loaded twice
import oracle.pytest_plugin.collecting
import oracle.pytest_plugin.judging  # noqa: F401
from oracle import check
from reference import Relu

pytest_plugins = ["pytester"]


@pytest.fixture(scope="module")
def loaded() -> None:
    """Everything that judging, making small and telling load."""

    class Zero(Relu):
        def backward(self, dout: object) -> object:
            return 0 * super().backward(dout)

    assert "backward.dx" in str(check(Zero, "Relu", examples=30))


@pytest.fixture
def run(loaded: None, pytester: pytest.Pytester):  # type: ignore[no-untyped-def]
    """Run pytest in this process on layers and the given tests."""

    def ran(tests: str, *arguments: str) -> pytest.RunResult:
        pytester.makepyfile(layers=LAYERS, test_mine=f"from layers import *\n{tests}")
        return pytester.runpytest_inprocess("-p", "no:cacheprovider", "--strict-markers", "-rA", "--color=no", *arguments)

    return ran


def _outcomes(result: pytest.RunResult) -> dict[str, str]:
    """Item -> PASSED, FAILED or ERROR, as the summary has them."""
    lines = [line.split() for line in result.outlines if line.startswith(("PASSED ", "FAILED ", "ERROR "))]
    return {words[1].partition("::")[2]: words[0] for words in lines}


def _section(result: pytest.RunResult, item: str) -> list[str]:
    """The lines below the headline of a failed item."""
    start = next(i for i, line in enumerate(result.outlines) if line.startswith("___") and item in line) + 1
    end = next(i for i in range(start, len(result.outlines)) if result.outlines[i].startswith(("___", "===", "---")))
    return result.outlines[start:end]


def test_a_marked_class_is_one_item_per_row(run) -> None:  # type: ignore[no-untyped-def]
    result = run(
        """
@pytest.mark.conforms("Relu", examples=100)
class MyRelu(Wrong):
    pass

class Unmarked(MyRelu):
    pass

@pytest.mark.conforms("Relu", examples=100)
class TestRelu(Right):
    pass
"""
    )
    wrong = {f"MyRelu::{row}": "FAILED" if row.endswith("dx") else "PASSED" for row in ROWS}
    assert _outcomes(result) == {**wrong, **{f"TestRelu::{row}": "PASSED" for row in ROWS}}
    assert result.ret == 1


def test_a_failure_is_short_and_says_what_where_why_and_how_to_see_more(run) -> None:  # type: ignore[no-untyped-def]
    result = run('@pytest.mark.conforms("Relu", examples=100, seed=3)\nclass MyRelu(Wrong): pass')
    told = _section(result, "MyRelu::matrix-backward.dx")
    assert len(told) <= 12 and max(map(len, told)) <= 160
    text = "\n".join(told)
    assert "backward.dx float32 and float64: backward.dx[0, 0] is 2.0, torch gives 1.0: off by 1" in text
    assert "cause: backward.dx is twice what torch gives." in text
    assert "with x = [[1.]]  dout = [[1.]]" in " ".join(text.split("\n")) or "with x = [[1.]] dout = [[1.]]" in text
    assert told[-1] == "see more: oracle.check(MyRelu, 'Relu', examples=100, seed=3).divergences[0].counterexample"
    assert "Traceback" not in text and "oracle/" not in text


def test_rows_that_are_not_claimed_are_skipped_and_options_are_handed_on(run) -> None:  # type: ignore[no-untyped-def]
    result = run(
        """
@pytest.mark.conforms("Relu", examples=60, not_claimed=["dx", "any-rank"], dtypes=("float32",), convention="layer")
class MyRelu(Wrong):
    pass

@pytest.mark.conforms(examples=60)
def relu(x):
    return np.maximum(x, 0)
""",
        "-rs",
    )
    result.assert_outcomes(passed=6, skipped=6)
    assert any("not claimed" in line for line in result.outlines)
    assert any("not claimed: no derivative of relu was found" in line for line in result.outlines)


def test_a_row_that_was_not_reached_is_not_passed(run) -> None:  # type: ignore[no-untyped-def]
    result = run('@pytest.mark.conforms("Relu", examples=1, dtypes=["float64"])\nclass MyRelu(Right): pass')
    quantities = {"MyRelu::matrix-forward.out", "MyRelu::matrix-backward.dx"}
    assert {item for item, state in _outcomes(result).items() if state == "PASSED"} == quantities
    told = _section(result, "MyRelu::any-rank-backward.dx")
    assert told == ["not judged: backward.dx float64", "More examples may reach it."]


def test_a_layer_that_cannot_be_called_fails_in_every_row(run) -> None:  # type: ignore[no-untyped-def]
    result = run('@pytest.mark.conforms("Relu", examples=10)\nclass Odd:\n    def forward(self, a, b, c): pass')
    assert _outcomes(result) == {f"Odd::{row}": "FAILED" for row in ROWS}
    told = _section(result, "Odd::matrix-contracts")
    assert told[0].startswith("not judged: subject: Odd cannot be called as Relu") and len(told) <= 12


def test_other_marks_go_for_all_rows(run) -> None:  # type: ignore[no-untyped-def]
    result = run(
        """
@pytest.mark.skipif(True, reason="not today")
@pytest.mark.conforms("Relu")
class MyRelu(Right):
    pass

@pytest.mark.xfail(strict=False)
@pytest.mark.conforms("Relu", examples=100)
class Known(Wrong):
    pass
"""
    )
    result.assert_outcomes(skipped=6, xfailed=2, xpassed=4)
    result = run('@pytest.mark.conforms("Relu", examples=10)\nclass MyRelu(Right): pass\ndef test_other(): pass', "-m", "not conforms")
    result.assert_outcomes(passed=1, deselected=6)


def test_the_layers_of_fixtures_are_judged_before_the_body(run) -> None:  # type: ignore[no-untyped-def]
    result = run(
        """
@pytest.fixture(params=[Right, Wrong])
def layer(request):
    return request.param

@pytest.mark.conforms("Relu", examples=100)
def test_layer(layer, tmp_path):
    assert layer is Right, "the body ran"

@pytest.mark.conforms("Relu")
def test_without(tmp_path):
    pass

@pytest.mark.conforms("Relu", examples=100)
class TestMany:
    def test_layer(self, layer):
        pass

    def test_none(self):
        pass
"""
    )
    outcomes = _outcomes(result)
    assert outcomes["test_layer[Right]"] == outcomes["TestMany::test_layer[Right]"] == outcomes["TestMany::test_none"] == "PASSED"
    assert outcomes["test_layer[Wrong]"] == outcomes["test_without"] == outcomes["TestMany::test_layer[Wrong]"] == "FAILED"
    told = _section(result, "test_layer[Wrong]")
    assert told[0].startswith("Wrong diverges from PyTorch in 4 rows") and "the body ran" not in "\n".join(told) and len(told) <= 12
    assert _section(result, "test_without")[0].startswith("conforms: no argument of test_without is a layer")


def test_parametrize_with_layers(run) -> None:  # type: ignore[no-untyped-def]
    result = run(
        """
import torch
from oracle.pytest_plugin import parametrize_with_layers

class Tanh:
    def forward(self, x):
        self.y = np.tanh(x)
        return self.y * 1
    def backward(self, dout):
        if np.shape(dout) != np.shape(self.y):
            raise ValueError("dout")
        return dout * (1 - self.y * self.y)

@parametrize_with_layers({"Relu": Wrong, "MyTanh": (Tanh, torch.tanh)}, examples=100, not_claimed="forward.out")
def test_all(conformance):
    assert conformance.layer in (Wrong, Tanh) and conformance.branch in ("matrix", "any-rank")
    conformance.check()
"""
    )
    result.assert_outcomes(passed=6, failed=2, skipped=4)
    outcomes = _outcomes(result)
    assert {item for item, state in outcomes.items() if state == "FAILED"} == {
        "test_all[Relu-matrix-backward.dx]",
        "test_all[Relu-any-rank-backward.dx]",
    }
    assert outcomes["test_all[MyTanh-matrix-backward.dx]"] == "PASSED"
    told = "\n".join(_section(result, "test_all[Relu-matrix-backward.dx]"))
    assert "AssertionError: backward.dx float32 and float64: " in told and "parametrizing.py" not in told


def test_a_layer_is_swept_once(run) -> None:  # type: ignore[no-untyped-def]
    result = run(
        """
from oracle.pytest_plugin import parametrize_with_layers
made = []

@pytest.mark.conforms("Relu", examples=20)
class MyRelu(Right):
    def __init__(self):
        made.append(1)

@parametrize_with_layers({"Relu": MyRelu}, examples=20)
def test_rows(conformance):
    before = len(made)
    conformance.check()
    assert before == len(made)

@pytest.fixture
def layer():
    return MyRelu

@pytest.mark.conforms("Relu", examples=20)
def test_fixture(layer):
    assert len(made) == test_fixture.before if hasattr(test_fixture, "before") else made
"""
    )
    # with 20 examples not every contract is reached; what was judged was judged by the class's own sweep
    assert _outcomes(result)["MyRelu::matrix-forward.out"] == _outcomes(result)["test_rows[Relu-matrix-forward.out]"] == "PASSED"
    assert not [line for line in result.outlines if "before == len" in line and line.startswith("E")]


@pytest.mark.parametrize(
    ("tests", "told"),
    [
        ('@pytest.mark.conforms("Rleu")\nclass A(Right): pass', "A: conforms: like: no layer is called 'Rleu'; there are Relu, *"),
        ("@pytest.mark.conforms\nclass A(Right): pass", "A: conforms: like: no layer is called 'A'*"),
        (
            '@pytest.mark.conforms("Relu", exampels=3)\nclass A(Right): pass',
            "A: conforms: there is no 'exampels'; there are like, inputs, params, examples, seed, dtypes, convention, not_claimed",
        ),
        ('@pytest.mark.conforms("Relu", "Sigmoid")\nclass A(Right): pass', "A: conforms takes one layer or torch function, got 2"),
        ('@pytest.mark.conforms("Relu", examples=0)\nclass A(Right): pass', "A: conforms: examples must be a whole number of at least 1*"),
        (
            '@pytest.mark.conforms("Relu", not_claimed="huh")\nclass A(Right): pass',
            "A: conforms: not_claimed: 'huh' means nothing for Relu*",
        ),
        (
            '@pytest.mark.conforms("Relu", convention="huh")\nclass A(Right): pass',
            "A: conforms: convention: there is no 'huh'; there are *",
        ),
        (
            "from oracle.pytest_plugin import *\n@parametrize_with_layers({})\ndef test_a(conformance): pass",
            "test_a: parametrize_with_layers takes a dict of layers by the name of their spec",
        ),
        (
            "from oracle.pytest_plugin import *\n@parametrize_with_layers({'Relu': Right})\ndef test_a(): pass",
            "test_a: parametrize_with_layers needs an argument called conformance",
        ),
        (
            "from oracle.pytest_plugin import *\n@parametrize_with_layers({'Relu': (Right,)})\ndef test_a(conformance): pass",
            "test_a: parametrize_with_layers('Relu'): a tuple holds a layer and a torch function, this one has 1 parts",
        ),
        (
            "from oracle.pytest_plugin import *\n@parametrize_with_layers({'Tahn': Right})\ndef test_a(conformance): pass",
            "test_a: parametrize_with_layers('Tahn'): like: no layer is called 'Tahn'*",
        ),
    ],
)
def test_what_means_nothing_is_told_at_collection(run, tests: str, told: str) -> None:  # type: ignore[no-untyped-def]
    result = run(tests)
    assert result.ret == 2
    result.stdout.fnmatch_lines([told])
    result.stdout.no_fnmatch_line("*Traceback*")
    result.stdout.no_fnmatch_line("*asking.py*")


def test_the_error_is_a_usage_error() -> None:
    from oracle.pytest_plugin.asking import AskedWronglyError, asked

    with pytest.raises(pytest.UsageError, match="there is no 'huh'"):
        asked(object, (), {"huh": 1}, "here")
    assert issubclass(AskedWronglyError, pytest.Collector.CollectError)
