"""Workflow commands: one line each, read back as what was meant, no more than GitHub shows."""

from __future__ import annotations

import re
from types import ModuleType

import pytest
from subject_runs import HOSTILE

from oracle.results import Run, verdict
from reports.annotations import SHOWN, Place, commands
from reports.words import visible

_COMMAND = re.compile(r"::(error|warning|notice) ([^:]*)::(.*)")


def heard(line: str) -> tuple[str, dict[str, str], str]:
    """What the runner makes of a line, by its own rules."""
    kind, given, message = _COMMAND.fullmatch(line).groups()  # type: ignore[union-attr]
    properties = dict(part.split("=", 1) for part in given.split(","))
    for code, sign in (("%0D", "\r"), ("%0A", "\n"), ("%3A", ":"), ("%2C", ","), ("%25", "%")):
        properties = {name: value.replace(code, sign) for name, value in properties.items()}
    return kind, properties, message.replace("%0D", "\r").replace("%0A", "\n").replace("%25", "%")


def test_a_conforming_run_is_one_notice(runs: dict[str, Run]) -> None:
    (line,) = commands(runs["passing"])
    assert heard(line) == ("notice", {"title": "gradconform: conforms"}, verdict(runs["passing"]).sentence)


def test_every_divergence_is_an_error_beside_its_code(runs: dict[str, Run]) -> None:
    places = {"SoftmaxWithLoss": Place("src/a,b:c%.py", 12), "Relu": Place("book.ipynb", 0)}
    found = [heard(line) for line in commands(runs["diverging"], places)]
    assert [kind for kind, _, _ in found] == ["error"] * 4 + ["notice"]
    by_title = {properties["title"]: (properties, message) for _, properties, message in found}
    properties, message = by_title["SoftmaxWithLoss backward.dx: differs"]
    assert (properties["file"], properties["line"]) == ("src/a,b:c%.py", "12")
    assert message.splitlines()[0].endswith("the division by the batch size is missing.")
    assert message.splitlines()[1:] == [
        "Also fails in one-hot float32 and 2 more rows.",
        "Replay: gradconform replay results.jsonl SoftmaxWithLoss-one-hot-float64-backward.dx",
    ]
    relu, _ = by_title["Relu cotangent.unchanged: contract broken"]
    assert relu["file"] == "book.ipynb" and "line" not in relu
    assert "file" not in by_title["Sigmoid forward.y: imprecise"][0]


def test_an_incomplete_run_is_an_error(make: ModuleType) -> None:
    (line,) = commands(make.passing().model_copy(update={"footer": None}))
    kind, properties, message = heard(line)
    assert (kind, properties["title"]) == ("error", "gradconform: incomplete") and "cut off" in message


def test_no_more_than_are_shown_and_the_rest_counted(make: ModuleType) -> None:
    examples = [make.example(n, b, "float64", q) for n, (_, bs, qs) in make.LAYERS.items() for b in bs[:1] for q in qs]
    found = [heard(line) for line in commands(make.with_failures(make.passing(), *examples))]
    assert [kind for kind, _, _ in found] == ["error"] * SHOWN + ["notice"]
    assert f"{len(examples) - SHOWN} more divergences in the report." in found[-1][2]


def test_a_known_divergence_is_a_warning(make: ModuleType) -> None:
    run = make.with_failures(make.passing(), make.example("Relu", "plain", "float64", "forward.y"), status="known")
    kind, properties, _ = heard(next(commands(run, {"Relu": Place("a.py", 3)})))
    assert (kind, properties["title"], properties["line"]) == ("warning", "Relu forward.y: known divergence", "3")


@pytest.mark.parametrize("text", [HOSTILE, "a\n::error::b", "%0A::stop-commands::x\r\n::add-mask::y", "a::b,c=d:e%3A", "##[error]x"])
def test_hostile_text_makes_no_command_of_its_own(text: str, make: ModuleType) -> None:
    said = make.comparison("contract", message=text)
    layer = "Relu"
    bad = make.example(layer, "plain", "float64", "forward.y", comparison=said, minimised_comparison=said, diagnosis=text, replay=text)
    for line in commands(make.with_failures(make.passing(), bad), {layer: Place(text, 1)}):
        assert "\n" not in line and "\r" not in line
        _, properties, message = heard(line)
        assert set(properties) <= {"file", "line", "title"}
        if "file" in properties:
            assert properties["file"] == visible(text) and visible(text, lines=True) in message
