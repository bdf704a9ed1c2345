"""A gradient check as the terminal, the page and the JSON tell it."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path

import pytest
from rich.console import Console

from oracle.results.gradcheck import GradCheck, GradSettings, grad_verdict
from reports import reporter
from reports.gradcheck_html import ROWS, SHOWN, render_gradcheck, write_gradcheck
from reports.gradcheck_json import write_gradcheck_json
from reports.gradcheck_text import print_gradcheck
from tests.reports import gradchecks as made
from tests.reports.subject_runs import HOSTILE


def printed(check: GradCheck, **options: object) -> str:
    console = Console(file=io.StringIO(), width=200, highlight=False, **options)  # type: ignore[arg-type]
    print_gradcheck(check, console)
    return console.file.getvalue()  # type: ignore[attr-defined, no-any-return]


def words(page: str) -> str:
    """The words of a page, tags taken out."""
    text = re.sub(r"<[^>]*>", " ", page.split("</style>")[1].split("<script>")[0])
    return " ".join(text.replace("&#39;", "'").replace("&lt;", "<").replace("&gt;", ">").split())


@pytest.mark.parametrize("tell", [printed, lambda check: words(render_gradcheck(check))])
def test_a_sound_check_says_so_with_its_table_and_its_step(tell: object) -> None:
    text = " ".join(tell(made.check()).split())  # type: ignore[operator]
    assert (
        "The gradients of TwoLayerNet are right: backprop is torch.autograd's within the allowed error in all of 39,264 elements (float64)"
        in text
    )
    assert "differences of its own loss agree with both in all of 122 that they could tell." in text
    assert "W1 784 × 50 1.2e-12 1.3e-12 5.0e-20 <0.01 0.25 0.26 64 of 39,200, 2 kinks, 1 unresolved conforms" in text
    assert "step 2^-14 = 6.1e-05, about the cube root of what rounding may make of the loss (6.0e-14)" in text
    assert "stands alone" not in text and "can tell little" not in text


@pytest.mark.parametrize("tell", [printed, lambda check: words(render_gradcheck(check))])
def test_everything_that_is_wrong_is_told_with_its_numbers(tell: object) -> None:
    text = " ".join(tell(made.mixed()).split())  # type: ignore[operator]
    for told in (
        "W1 float64 backprop stands alone", "b1 float64 numerical stands alone", "W2 float64 autograd stands alone",
        "b2 float64 all three differ", "W3 float64 torch only", "b3 float32 torch only", "No difference was taken.", "Twice.",
        "worst element", "[3, 1]", "0.25", "0.125", "2e-09", "loss float64 not torch's", "The net's loss is 2.5, torch's 2.3",
        "It adds 1e-07.", "inputs.unchanged float64 broken", "loss wrote into x.", "no ball rule for torch.special.i0",
        "In float32 they can tell little: errors below 0.062 of the largest gradient are not seen.", "float16 is left out",
        "It was interrupted", "∞ ×", "TwoLayerNet diverges in 6 rows: W1 float64: backprop stands alone",
    ):  # fmt: skip
        assert told in text, told


SILENT = made.row("b1", status="open", n_resolved=0, n_unresolved=62)


@pytest.mark.parametrize(
    "check, outcome, code, sentence",
    [
        (made.check(), "conforms", 0, "are right"),
        (
            made.check(made.row("W1"), made.row("b1", status="open", n_resolved=0, n_unresolved=62)),
            "conforms",
            0,
            "could tell nothing of b1 float64.",
        ),
        (
            made.check(made.row("W1", status="open", n_resolved=0, n_unresolved=62)),
            "conforms",
            0,
            "Differences of its own loss could tell nothing.",
        ),
        (made.check(interrupted=True), "incomplete", 3, "interrupted"),
        (made.check(made.row("W1", alone="all", status="failed"), interrupted=True), "diverges", 1, "W1 float64: all three differ"),
        (made.check(losses=(made.loss(status="failed"),)), "diverges", 1, "loss float64: not torch's"),
        (made.check(losses=(made.loss(status="inconclusive"),)), "incomplete", 3, "outside its own bound in loss float64"),
        (made.check(made.row("W1", status="inconclusive")), "incomplete", 3, "outside its own bound in W1 float64"),
        (made.check(made.row("W1", n_undetermined=39_200)), "incomplete", 3, "Nothing is determined of W1 float64"),
        (made.check(made.row("W1", n_undetermined=39_199)), "conforms", 0, "are right"),
        (
            made.check(settings=GradSettings(dtypes=("float64", "float32"), samples=4, seed=0, batch=3, data="")),
            "incomplete",
            3,
            "Nothing was checked in float32",
        ),
    ],
)
def test_the_verdict(check: GradCheck, outcome: str, code: int, sentence: str) -> None:
    found = grad_verdict(check)
    assert (found.outcome, found.exit_code) == (outcome, code) and sentence in found.sentence


def test_hostile_text_stays_text_on_the_page() -> None:
    page = render_gradcheck(made.poisoned(made.mixed()))
    assert "<script>alert" not in page and "<img" not in page and "\x1b" not in page and "\u202e" not in page
    assert "{{ 7*7 }}" in page and "&lt;script&gt;alert(1)" in page and "\\u202e" in page


@pytest.mark.parametrize("options", [{}, {"force_terminal": True, "color_system": None}])
def test_hostile_text_stays_text_in_the_terminal(options: dict[str, object]) -> None:
    text = printed(made.poisoned(made.mixed()), **options)
    assert "\x1b[31m" not in text and "\u202e" not in text and "\x00" not in text
    assert "[bold]red[/bold]" in " ".join(text.split()) and "\\u202e" in text
    assert HOSTILE not in text


def test_values_are_shown_in_as_many_digits_as_tell_who_is_off() -> None:
    near = made.WORST.model_copy(update={"backprop": 0.5718459, "autograd": 0.5718459, "numerical": 0.5718462})
    text = printed(made.check(made.row("W1", alone="numerical", status="failed", message="m", worst=near)))
    assert "backprop 0.5718459; autograd 0.5718; numerical 0.5718462" in text


def test_a_net_of_many_parameters_stays_readable() -> None:
    page, text = render_gradcheck(made.large()), printed(made.large())
    assert page.count("<article") == SHOWN and f"… and {700 - SHOWN} more of these." in page and f"… and {700 - ROWS} more." in page
    assert len(page) < 600_000 and text.count("\n") < 130 and "... and 690 more of these." in text


def test_the_json_holds_the_verdict_and_comes_back(tmp_path: Path) -> None:
    path = write_gradcheck_json(made.mixed(), tmp_path / "deep" / "g.json")
    document = json.loads(path.read_text(encoding="ascii"))
    assert (
        document["outcome"] == "diverges" and document["exit_code"] == 1 and document["rows"][2]["margin_backprop_autograd"] == "Infinity"
    )
    for added in ("format_version", "outcome", "exit_code", "sentence", "gaps"):
        document.pop(added)
    assert GradCheck.model_validate_json(json.dumps(document)) == made.mixed()


def test_the_reporters_are_registered(tmp_path: Path) -> None:
    assert reporter("gradcheck") is print_gradcheck and reporter("gradcheck-page") is write_gradcheck
    assert reporter("gradcheck-page")(made.check(), tmp_path / "a.html").read_text(encoding="utf-8") == render_gradcheck(made.check())
    assert reporter("gradcheck-json") is write_gradcheck_json
