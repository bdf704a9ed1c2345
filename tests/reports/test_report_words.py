"""Words, number formats, and what importing the reports costs."""

from __future__ import annotations

import subprocess
import sys
from types import ModuleType

import pytest

import reports
from reports import words
from reports.cases import table
from reports.findings import account, anchor, findings
from reports.rows import Rows


@pytest.mark.parametrize(
    ("given", "seen"),
    [
        ("plain ü × 層", "plain ü × 層"),
        ("\x1b[31m", "\\x1b[31m"),
        ("a\u202eb\u2066c\u200bd\ufeff", "a\\u202eb\\u2066c\\u200bd\\ufeff"),
        ("nul\x00 cr\r bell\x07 del\x7f", "nul\\x00 cr\\x0d bell\\x07 del\\x7f"),
        ("line\nfeed", "line\\x0afeed"),
        ("\u2028\U000e0041\ud800", "\\u2028\\U000e0041\\ud800"),
    ],
)
def test_visible_shows_what_cannot_be_seen(given: str, seen: str) -> None:
    assert words.visible(given) == seen


def test_visible_keeps_lines_where_asked() -> None:
    assert words.visible("a\n\tb\r\n", lines=True) == "a\n\tb\\x0d\n"


@pytest.mark.parametrize(
    ("margin", "text"),
    [
        (None, "-"),
        (0.0, "0"),
        (1e-9, "<0.01"),
        (0.275, "0.27"),
        (0.99999, "0.99"),
        (1.0, "1.00"),
        (1.0000001, "1.01 ×"),
        (12.34, "12.3 ×"),
        (320_000.0, "3.2e+05 ×"),
        (999.7, "1.0e+03 ×"),
        (float("inf"), "∞ ×"),
        (float("nan"), "NaN"),
    ],
)
def test_margin_never_rounds_over_the_edge(margin: float | None, text: str) -> None:
    assert words.margin_text(margin) == text


@pytest.mark.parametrize(
    ("value", "dtype", "text"),
    [
        (0.1, "float64", "0.1"),
        (0.10000000149011612, "float32", "0.1"),
        (0.0999755859375, "float16", "0.1"),
        (3.4028234663852886e38, "float32", "3.4028235e+38"),
        (65504.0, "float16", "65504.0"),
        (1e-45, "float32", "1e-45"),
        (-0.0, "float32", "-0.0"),
        (float("nan"), "float64", "nan"),
        (float("-inf"), "float32", "-inf"),
        (7, "int64", "7"),
        (True, "bool", "True"),
    ],
)
def test_number_uses_the_fewest_digits_that_give_the_value_back(value: float, dtype: str, text: str) -> None:
    assert words.number(value, dtype) == text


@pytest.mark.parametrize(
    ("actual", "expected", "sides"),
    [
        (0.250025, 0.25, ("0.25002", "0.25")),
        (2.0, 0.5, ("2", "0.5")),
        (1.0, 1.0 + 2**-52, ("1", "1.0000000000000002")),
        (float("nan"), -0.0, ("nan", "-0.0")),
        (3.0, 3.0, ("3", "3")),
    ],
)
def test_two_values_are_shown_with_the_digits_in_which_they_differ(actual: float, expected: float, sides: tuple[str, str]) -> None:
    assert words.apart(actual, expected) == sides


def test_share_never_claims_none_or_all_wrongly() -> None:
    assert [words.share(*p) for p in ((0, 9), (1, 9_999), (9_999, 10_000), (9, 9), (0, 0))] == ["0 %", "<0.1 %", "99.9 %", "100.0 %", "-"]


def test_duration() -> None:
    assert [words.duration(s) for s in (0.44, 125, 3780)] == ["0.4 s", "2 min 5 s", "1 h 3 min"]


def test_shorten_keeps_both_ends_and_counts_what_it_cut() -> None:
    short = words.shorten("a" * 50 + "b" * 50, 30)
    assert short.startswith("a" * 20) and short.endswith("b" * 10) and "70 characters" in short
    assert words.shorten("as it is", 8) == "as it is"


def test_an_account_is_a_sentence_however_long_the_message(make: ModuleType) -> None:
    failure = make.comparison("error", message="word " * 4000)
    run = make.with_failures(make.passing(), make.example("Relu", "plain", "float32", "forward.y", comparison=failure, minimised=None))
    (found,) = findings(Rows(run))
    assert len(account(found.row)) < 700


def test_anchors_of_different_ids_differ() -> None:
    assert anchor("d", "abc-1.x") == "d-abc-1.x"
    assert len({anchor("d", text) for text in ("a b", "a/b", "a_b", "a" * 80, "a" * 81)}) == 5


@pytest.mark.parametrize(
    ("shape", "rows", "more"), [((), 1, 0), ((0, 3), 0, 0), ((64,), 1, 0), ((65,), 1, 59), ((2, 2, 3), 4, 0), ((20, 20), 4, 376)]
)
def test_an_array_is_shown_whole_while_it_is_small(make: ModuleType, shape: tuple[int, ...], rows: int, more: int) -> None:
    size = 1
    for extent in shape:
        size *= extent
    shown = table("input", "x", make.array([float(i) for i in range(size)], shape))
    assert (len(shown.rows), shown.more) == (rows, more)


def test_rows_of_an_array_are_labelled_with_their_leading_indexes(make: ModuleType) -> None:
    shown = table("input", "x", make.array([float(i) for i in range(12)], (2, 2, 3)))
    assert shown.rows[2] == ("[1, 0]", ["6.0", "7.0", "8.0"])


@pytest.mark.parametrize("module", ["reports", *sorted({where.partition(":")[0] for where in reports.REPORTERS.values()})])
def test_importing_loads_neither_numpy_nor_torch_nor_any_other_room(module: str) -> None:
    code = (
        f"import sys, {module}; "
        "rooms = ('numpy', 'torch', 'reference', 'oracle.core', 'oracle.specs', 'oracle.search', 'oracle.subjects'); "
        "print([m for m in sys.modules if m in rooms or m.startswith(tuple(r + '.' for r in rooms))])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=None)
    assert done.stdout.strip() == "[]"


def test_every_registered_reporter_can_be_loaded() -> None:
    assert all(callable(reports.reporter(name)) for name in reports.REPORTERS)
    with pytest.raises(ValueError, match=f"there are: {', '.join(sorted(reports.REPORTERS))}"):
        reports.reporter("pdf")
