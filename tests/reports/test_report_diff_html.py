"""The page of a diff: what it says, that nothing in it comes alive, that it stays small."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import diff_runs
import pytest
from subject_runs import poisoned
from test_report_html import ATTRIBUTES, TAGS, Page

from oracle.results import Run
from oracle.results.diff import MARKS, Difference, Moved, diff
from reports import diff_html, reporter
from reports.diff_html import LISTED, ROWS, render_diff


class Spaced(Page):
    """A page whose cells are words apart, as they are seen."""

    def handle_data(self, data: str) -> None:
        super().handle_data(data if self.open and self.open[-1] in self.code else f" {data}")


@pytest.fixture(scope="module")
def differences(make: ModuleType) -> dict[str, Difference]:
    before, after = diff_runs.mixed(make)
    return {
        "mixed": diff(before, after),
        "backwards": diff(after, before),
        "itself": diff(before, before),
        "cut": diff(before, diff_runs.cut_off(before)),
        "hostile": diff(poisoned(before), poisoned(after)),
    }


@pytest.fixture(scope="module")
def pages(differences: dict[str, Difference]) -> dict[str, Page]:
    return {name: Spaced(render_diff(found)) for name, found in differences.items()}


@pytest.mark.parametrize("name", ["mixed", "backwards", "itself", "cut", "hostile"])
class TestEveryDiff:
    def test_only_the_templates_make_tags_and_attributes(self, pages: dict[str, Page], name: str) -> None:
        assert pages[name].tags <= TAGS and pages[name].attributes <= ATTRIBUTES and pages[name].open == []

    def test_style_and_script_are_the_assets_and_nothing_else(self, pages: dict[str, Page], name: str) -> None:
        assets = Path(diff_html.__file__).parent / "assets"
        style = "\n".join((assets / file).read_text("utf-8") for file in ("report.css", "diff.css"))
        assert pages[name].code == {"style": style, "script": (assets / "report.js").read_text("utf-8")}
        assert pages[name].policy.startswith("default-src 'none'; ")

    def test_every_link_leads_somewhere_on_the_page_and_no_place_is_there_twice(self, pages: dict[str, Page], name: str) -> None:
        page = pages[name]
        assert len(page.ids) == len(set(page.ids))
        assert all(link.startswith("#") and link[1:] in page.ids for link in page.links)

    def test_no_invisible_character_is_left(self, pages: dict[str, Page], name: str) -> None:
        assert not any(c in pages[name].text for c in "\x00\x1b\u202e\u2066")


def test_hostile_text_is_shown_as_text(pages: dict[str, Page]) -> None:
    assert "<script>alert(1)</script>" in pages["hostile"].text and "{{ 7*7 }}" in pages["hostile"].text


def test_the_page_says_what_the_terminal_says(pages: dict[str, Page], differences: dict[str, Difference]) -> None:
    words = pages["mixed"].words
    assert words.index("Regression") < words.index("The oracle moved") < words.index("SoftmaxWithLoss backward.dx newly failing")
    assert "torch's answer moved by up to 1 ULP" in words and "AFTER missed a planted fault that BEFORE convicted: NaN becomes 0" in words
    for change in differences["mixed"].changes:
        assert change.why in words
    assert f"Cause: code. {diff_runs.WHY}" in words
    assert [words.index(f"{MARKS[mark][0].upper()}{MARKS[mark][1:]}.") for mark in MARKS if mark != "not reached"] == sorted(
        words.index(f"{MARKS[mark][0].upper()}{MARKS[mark][1:]}.") for mark in MARKS if mark != "not reached"
    )


def test_a_run_compared_with_itself_has_no_section_of_changes(pages: dict[str, Page]) -> None:
    assert "No regression" in pages["itself"].words and not [i for i in pages["itself"].ids if i.startswith(("mark-", "change-"))]
    assert "Still failing in the same way" in pages["itself"].words and "The oracle moved" not in pages["itself"].words


def test_an_incomplete_run_is_not_green(differences: dict[str, Difference], pages: dict[str, Page]) -> None:
    text = render_diff(differences["cut"])
    assert '<section class="verdict incomplete"' in text and "No regression, incomplete" in text
    assert "AFTER was cut off before its end." in pages["cut"].words
    assert '<section class="verdict conforms"' in render_diff(differences["itself"])
    assert '<section class="verdict diverges"' in render_diff(differences["mixed"])


def test_the_runs_stand_side_by_side_and_what_differs_is_marked(pages: dict[str, Page]) -> None:
    words = pages["mixed"].words
    assert "Affine, digest differs 0000000000000000 ffffffffffffffff" in words and "seed 7 7" in words


def test_a_case_can_be_opened_and_run_again(pages: dict[str, Page]) -> None:
    words = pages["mixed"].words
    assert "Case 41 of seed 7, shown minimised, digest " in words and "worst index [0, 2]" in words
    assert words.count("import numpy as np") >= 5 and "gradconform replay results.jsonl" in words


def test_many_changes_stay_within_the_budget(differences: dict[str, Difference]) -> None:
    first = next(c for c in differences["mixed"].changes if c.mark == "newly failing")
    assert first.example is not None
    many = [first._replace(key=(f"Layer{at:03d}", *first.key[1:])) for at in range(LISTED + 7)]
    moved = tuple(Moved(f"Layer{at}", "forward.y", "actual", 3, 1, 2, "d") for at in range(3000))
    text = render_diff(differences["mixed"].with_changes(many, replayed=False)._replace(moved=moved))
    page = Spaced(text)
    assert len(text) < 500_000 and "… and 7 more changes of this kind." in page.words
    assert "Layer000" in page.words and f"Layer{LISTED + 6:03d}" not in page.words
    assert page.words.count("gradconform replay results.jsonl") == LISTED
    assert 5 < page.words.count("Case 41 of seed 7") < LISTED


def test_a_group_of_many_rows_lists_the_first(differences: dict[str, Difference]) -> None:
    first = next(c for c in differences["mixed"].changes if c.mark == "newly failing")
    rows = [first._replace(key=(first.layer, f"branch{at:03d}", *first.key[2:])) for at in range(ROWS + 3)]
    words = Spaced(render_diff(differences["mixed"].with_changes(rows, replayed=False))).words
    assert "branch000 float64 and 42 more rows" in words and "… and 3 more." in words and f"branch{ROWS + 1:03d}" not in words


def test_the_runs_are_called_by_label_and_start(make: ModuleType, tmp_path: Path) -> None:
    before: Run = make.passing()
    after = before.model_copy(update={"header": before.header.model_copy(update={"label": "py313"})})
    path = reporter("diff-html")(diff(before, after), tmp_path / "page.html")
    assert "BEFORE: 2025-01-02T03:04:05Z. AFTER: py313, 2025-01-02T03:04:05Z." in Spaced(path.read_text("utf-8")).words
