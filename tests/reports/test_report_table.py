"""The fragment for a notebook: what it says, and that nothing in it comes alive."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
import subject_runs

from oracle.results import Run, verdict
from reports.table import STYLES, table_html

TAGS = frozenset({"div", "p", "b", "span", "code", "br", "table", "thead", "tbody", "tr", "th", "td"})


class Fragment(HTMLParser):
    """Tags, attributes and words of a fragment, whose elements must be closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: set[str] = set()
        self.attributes: set[tuple[str, str | None]] = set()
        self.open: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.text += " " if tag in ("td", "th", "div", "p", "br") else ""
        self.attributes.update(attrs)
        if tag != "br":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data

    @property
    def words(self) -> str:
        return " ".join(self.text.split())


@pytest.mark.parametrize("name", ["passing", "diverging", "interrupted", "hostile", "checked", "poisoned"])
def test_only_the_template_makes_tags_and_styles(runs: dict[str, Run], checked: Run, poisoned_check: Run, name: str) -> None:
    found = Fragment(table_html({**runs, "checked": checked, "poisoned": poisoned_check}[name]))
    assert found.tags <= TAGS and found.open == []
    assert found.attributes <= {("scope", "col"), ("scope", "row"), *(("style", style) for style in STYLES.values())}
    assert not set("\x1b\x00\u202e\u2066") & set(found.text)


def test_it_says_the_verdict_each_line_and_why(checked: Run) -> None:
    words = Fragment(table_html(checked)).words
    assert words.startswith(f"Diverges {verdict(checked).sentence}")
    assert "backward.dx diverges 9.0e+05 × one-hot float64, in 3 of 6" in words and "13 contracts hold." in words
    assert f"layers.py:SoftmaxWithLoss backward.dx differs index, float32 and 2 more rows Why: {subject_runs.WHY} Actual 2" in words
    assert "with x = [[0.], [0.]] t = [0, 0] dloss = 1. (float32)" in words
    assert f"broken.py not loaded {subject_runs.MESSAGE}." in words and "printed: epoch 1 epoch 2" in words
    assert f"not claimed: {subject_runs.REASON}" in words and "not claimed: dout, nan" in words


def test_the_ink_is_the_notebooks_own() -> None:
    inks = re.findall(r"(?<![-\w])color:([^;]+)", ";".join(STYLES.values()))
    assert inks and set(inks) == {"inherit"}
