"""The terminal summary, read the way a log file or a plain terminal would get it."""

from __future__ import annotations

import io
from types import ModuleType

import pytest
from rich.console import Console

from oracle.results import Run, verdict
from reports.summary import print_summary


def printed(run: Run, encoding: str = "utf-8", **options: object) -> str:
    raw = io.BytesIO()
    file = io.TextIOWrapper(raw, encoding=encoding, write_through=True)
    print_summary(run, Console(file=file, **{"width": 80, **options}))  # type: ignore[arg-type]
    return raw.getvalue().decode(encoding)


def test_a_piped_summary_has_a_line_for_each_layer_and_ends_with_the_verdict(runs: dict[str, Run], make: ModuleType) -> None:
    lines = printed(runs["passing"]).splitlines()
    for name in make.LAYERS:
        (line,) = [line for line in lines if line.startswith(f"{name} ")]
        assert line.rstrip().endswith("conforms") and "0.61" in line
    assert lines[-1] == f"CONFORMS  {verdict(runs['passing']).sentence}"


def test_rows_that_are_not_claimed_are_not_counted_as_missing(checked: Run) -> None:
    (line,) = [line for line in printed(checked).splitlines() if line.startswith("layers.py:Sigmoid ")]
    assert line.split()[2] == "28" and line.endswith("conforms") and " of " not in line


def test_a_divergence_is_told_in_plain_words_with_its_replay_command_on_one_line(runs: dict[str, Run]) -> None:
    lines = printed(runs["diverging"]).splitlines()
    at = lines.index("SoftmaxWithLoss backward.dx  differs  one-hot, float64")
    assert lines[at + 1] == "  Actual 2, expected 0.5 at [0, 2]: off by 1.5, 3.2e+05 × the allowed error."
    assert lines[at + 2] == "  Likely cause: The gradient is 4.0 times torch's: the division by the batch size is missing."
    assert lines[at + 4] == "  replay: gradconform replay results.jsonl SoftmaxWithLoss-one-hot-float64-backward.dx"
    assert lines[-1].startswith("DIVERGES  Relu, Sigmoid, Affine and 1 more diverge from PyTorch in 7 rows of 600.")


def test_at_most_ten_divergences_are_told_and_the_rest_counted(make: ModuleType) -> None:
    every = make.with_failures(make.passing(), *(make.example(*r.key) for r in make.passing().results))
    text = printed(every)
    assert text.count("replay: ") == 10
    assert "more divergences." in text


def test_an_interrupted_run_counts_the_rows_it_judged_and_says_it_was_cut_off(runs: dict[str, Run]) -> None:
    text = printed(runs["interrupted"])
    assert "26 of 76" in text and "incomplete: 50 rows not judged" in text and "The run was cut off before its end." in text


@pytest.mark.parametrize("name", ["passing", "diverging", "interrupted", "hostile"])
def test_without_a_terminal_there_is_no_colour_and_no_line_drawing(runs: dict[str, Run], name: str) -> None:
    text = printed(runs[name])
    assert "\x1b" not in text and not any("\u2500" <= c <= "\u257f" for c in text)


def test_a_colour_terminal_gets_colour_and_a_dumb_one_none(runs: dict[str, Run]) -> None:
    assert "\x1b[" in printed(runs["diverging"], force_terminal=True, color_system="256", _environ={"TERM": "xterm"})
    dumb = printed(runs["diverging"], force_terminal=True, _environ={"TERM": "dumb"})
    assert "\x1b[" not in dumb and "\u2500" not in dumb


def test_hostile_text_is_neither_markup_nor_a_terminal_escape(runs: dict[str, Run]) -> None:
    text = printed(runs["hostile"])
    assert "[bold]red[/bold]" in text and "\\x1b[31m\\u202egnp\\x00\\u2066" in text
    assert not set("\x1b\x00\u202e\u2066") & set(text)


def test_an_ascii_terminal_gets_ascii(runs: dict[str, Run], make: ModuleType) -> None:
    text = printed(runs["diverging"], encoding="ascii")
    assert "3.2e+05 x the allowed error" in text and "inf x" in text
    odd = make.example("Relu", "plain", "float32", "forward.y", diagnosis="層 is off")
    assert "\\u5c64 is off" in printed(make.with_failures(make.passing(), odd), encoding="ascii")


def test_a_very_long_message_does_not_push_the_verdict_away(make: ModuleType) -> None:
    failure = make.comparison("error", message="word " * 4000)
    run = make.with_failures(
        make.passing(), make.example("Relu", "plain", "float32", "forward.y", comparison=failure, minimised_comparison=None)
    )
    assert len(printed(run)) < 5000
