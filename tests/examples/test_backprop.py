"""The walk-through: each cell prints what is stored, in both languages.

GOLD=write takes what is printed now for the stored outputs of both notebooks, with MNIST and all ten thousand steps:

    GOLD=write MNIST_DIR=... python -m pytest -n 0 tests/examples

Without it the training cell runs 1,300 steps, whose lines are the first of those that are stored; --deep runs them all.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import nbformat
import pytest
from click.testing import CliRunner

from oracle.cli import main
from tests.examples.books import ENGLISH, KOREAN, ROOT, code_cells, read, run, store, stored, tags
from tests.examples.printed import difference

BOOKS = pytest.mark.parametrize("path", [ENGLISH, KOREAN], ids=lambda path: path.name)

# What a notebook on backpropagation in the style of "Deep Learning from Scratch" prints, by the cell that has it here.
FIGURES = {
    "two-apples": "220.00000000000003 2.2 110.00000000000001 200.0",
    "apples-and-oranges": "715.0000000000001 110.00000000000001 2.2 3.3000000000000003 165.0 650.0",
    "relu-forward-backward": "[[False True] [ True False]] [[1. 0.] [0. 3.]] [[1. 0.] [0. 1.]]",
    "sigmoid-forward-backward": "[0.5 0.88079708 0.11920292] [0.25 0.10499359 0.10499359]",
    "affine-bias": "[[ 1. 2. 3.] [11. 12. 13.]] [5. 7. 9.]",
    "softmax-of-scores": "[0.01821127 0.24519181 0.73659691] 1.0 [9.99954600e-01 4.53978686e-05 2.06106005e-09]",
    "cross-entropy-of-ten": "0.510825457099338 0.5108256237659907 2.302584092994546 2.3025850929940455",
    "y-minus-t": "[[ 0.3 -0.8 0.5]]",
    "loss-of-two": "0.1972447518897226 0.1972446299672354",
    "differences-of-squares": "[6. 8.] [0. 4.] [6. 0.] 0.1999999999990898 0.2999999999986347",
}


def mnist_or_skip() -> str:
    """The folder of MNIST; without it the test is skipped, or with $GRADCONFORM_REQUIRE_MNIST fails."""
    folder = os.environ.get("MNIST_DIR", "")
    if not folder:
        reason = "cells with MNIST: MNIST_DIR is not set, name the folder of its four files in it"
        if os.environ.get("GRADCONFORM_REQUIRE_MNIST") == "1":
            pytest.fail(f"{reason}, as GRADCONFORM_REQUIRE_MNIST=1 asks for them")
        pytest.skip(reason)
    return folder


def test_every_cell_prints_what_is_stored(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    writes = os.environ.get("GOLD") == "write"
    all_steps = writes or request.config.getoption("--deep")
    ran = run(tmp_path, mnist_or_skip(), all_steps)
    if writes:
        store(ran)
    cells = code_cells(read(ENGLISH))
    assert [cell.id for cell in cells] == list(ran)
    for cell in cells:
        text, expected = ran[cell.id].text, stored(cell)
        if not all_steps and "steps" in tags(cell):
            assert len(text.splitlines()) == 4
            expected = "".join(expected.splitlines(keepends=True)[:4])
        if all_steps or "trained" not in tags(cell):
            assert not difference(text, expected, "rounding" in tags(cell)), f"{cell.id}: {difference(text, expected)}"


def test_without_mnist_small_digits_stand_in(tmp_path: Path) -> None:
    """And the cells that need no data print what is stored: with NumPy alone, until PyTorch is asked."""
    ran = run(tmp_path, mnist=str(tmp_path / "none"))
    for cell in code_cells(read(ENGLISH)):
        if "mnist" not in tags(cell):
            assert not difference(ran[cell.id].text, stored(cell)), f"{cell.id}: {difference(ran[cell.id].text, stored(cell))}"
    assert ran["data"].text.startswith("MNIST is not here, so scikit-learn's small digits stand in")
    assert "train-images-idx3-ubyte.gz" in ran["data"].text and "training (1437, 64) (1437, 10)   test (360, 64)" in ran["data"].text
    assert all(float(number) < 1e-9 for number in re.findall(r": (\S+)", ran["gradient-check"].text))
    assert min(map(float, re.findall(r"(0\.\d+) of the", ran["trained"].text))) > 0.9
    ids = list(ran)
    assert not any(ran[id].heavy for id in ids[: ids.index("data")])
    assert ran["trained"].heavy == ("sklearn",) and "torch" in ran["check-mine"].heavy


def test_what_it_says_is_what_such_a_notebook_prints() -> None:
    outputs = {cell.id: stored(cell) for cell in code_cells(read(ENGLISH))}
    for name, figures in FIGURES.items():
        printed = " ".join(outputs[name].split())
        for figure in re.findall(r"\[\[.*?\]\]|\[.*?\]|\S+", figures):
            assert figure in printed, f"{name} does not print {figure}: {printed}"
    assert all(float(number) < 1e-9 for number in re.findall(r": (\S+)", outputs["gradient-check"]))
    # the epsilon in the loss shows as it does in a notebook that has it, and as section 8 predicts
    for key, measured, predicted in re.findall(r"(\w+): +(\S+) +(\S+)", outputs["gradient-check-with-eps"]):
        assert float(measured) == pytest.approx(float(predicted), rel=0.03), key
    assert re.search(r"b2: +1.4e-07", outputs["gradient-check-with-eps"])
    accuracies = [[float(a) for a in line.split()[2:]] for line in outputs["train"].splitlines()[1:]]
    assert len(accuracies) == 17 and max(accuracies[0]) < 0.2
    assert all(float(a) > 0.965 for a in re.findall(r"0\.\d+", outputs["trained"]))
    assert "DIVERGES" in outputs["check-mine"] and "CONFORMS" in outputs["check-mended"]


@BOOKS
def test_it_is_a_notebook_of_format_4_as_jupyter_leaves_it(path: Path) -> None:
    book = read(path)
    nbformat.validate(book)
    assert book.nbformat == 4 and len({cell.id for cell in book.cells}) == len(book.cells)
    cells = code_cells(book)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert all(output.output_type == "stream" and output.name == "stdout" for cell in cells for output in cell.outputs)
    assert path.read_text(encoding="utf-8") == nbformat.writes(book) + "\n"


@BOOKS
def test_nothing_in_it_is_of_one_machine(path: Path) -> None:
    assert not re.findall(
        r"(?<![\w.])/(?:home|root|tmp|work|usr|opt|mnt|Users|var)\b|\b[A-Z]:\\\\|site-packages", path.read_text(encoding="utf-8")
    )


@BOOKS
def test_files_that_it_names_are_there(path: Path) -> None:
    text = "\n".join(cell.source for cell in read(path).cells)
    linked = re.findall(r"\]\(([^)#:]+)\)", text)
    named = [name for name in re.findall(r"[\w./-]+\.(?:ipynb|py|md|html|toml)\b", text) if name not in linked]
    assert len(linked) >= 3 and "examples/backprop.ipynb" in named
    assert [name for name in linked if not (path.parent / name).is_file()] == []
    assert [name for name in named if not (ROOT / name).is_file() and not (path.parent / name).is_file()] == []


def test_the_languages_differ_in_their_words_alone() -> None:
    english, korean = read(ENGLISH), read(KOREAN)
    assert english.metadata == korean.metadata
    for here, there in zip(english.cells, korean.cells, strict=True):
        assert here.id == there.id and here.cell_type == there.cell_type
        if here.cell_type == "code":
            assert here == there
        else:
            assert skeleton(here.source) == skeleton(there.source), here.id
            assert re.search("[\uac00-\ud7a3]", there.source), f"{here.id} is not in Korean"


def skeleton(source: str) -> dict[str, Any]:
    """What a translation keeps: headings by level, formulas on lines of their own, graphs, the shape of tables, figures."""
    return {
        "headings": re.findall(r"^#+ (?:\d+\.)?", source, re.MULTILINE),
        "formulas": re.findall(r"\$\$.*?\$\$", source, re.DOTALL),
        "graphs": re.findall(r"```.*?```", source, re.DOTALL),
        "rows": [line.count(" | ") for line in source.splitlines() if line.startswith("|")],
        "figures": sorted(re.findall(r"\d+[.e][-\d]\d*", source)),
    }


def test_check_judges_the_mended_relu_and_nothing_else(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["check", str(ENGLISH), "--workers", "1", "--out", str(tmp_path)])
    assert result.exit_code == 0, result.output
    assert re.search(r"MyRelu +CONFORMS", result.output) and not re.search("not judged|not loaded", result.output), result.output


@pytest.mark.parametrize(
    ("actual", "expected", "rounding"),
    [
        ("b 0.1972447518897227", "b 0.19724475188972268", False),
        ("[6. 8.]", "[ 6.  8.]", False),
        ("[6.00000001 8.]", "[6. 8.]", False),
        ("loss 0.1235", "loss 0.1234", False),
        ("1,200 steps", "1,200 steps", False),
        ("W1: 9.1e-13", "W1: 2.6e-13", True),
    ],
)
def test_what_another_machine_may_print_is_no_difference(actual: str, expected: str, rounding: bool) -> None:
    assert difference(actual, expected, rounding) == ""


@pytest.mark.parametrize(
    ("actual", "expected", "rounding"),
    [
        ("0.19724475188972", "0.19724475188973268", False),
        ("[6. 8.]", "[6. 8. 0.]", False),
        ("[[6. 8.]]", "[6. 8.]", False),
        ("[6.00000003 8.]", "[6. 8.]", False),
        ("2.", "2.2", False),
        ("loss 0.1236", "loss 0.1234", False),
        ("holds 4", "holds 5", False),
        ("Loss 1", "loss 1", False),
        ("-0.5", "0.5", False),
        ("1.4e-07", "1.2e-10", True),
        ("1.3e-09", "9.9e-10", True),
        ("9.9e-14", "1.2e-12", True),
        ("0.0e+00", "1.2e-12", True),
    ],
)
def test_what_is_another_figure_is_a_difference(actual: str, expected: str, rounding: bool) -> None:
    assert difference(actual, expected, rounding)
