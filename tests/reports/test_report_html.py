"""The page: what it says, that nothing in it comes alive, and that it reaches the disk whole."""

from __future__ import annotations

import base64
import hashlib
import os
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from types import ModuleType

import full_runs
import pytest
import subject_runs

from oracle.results import Result, Run, verdict
from reports import html
from reports.html import render_html, write_html

_TAGS = """html head meta title style script body a header p span nav main section h1 h2 h3 h4 svg circle path text tspan ol ul li
code strong div b i form label input select option output table thead tbody tr th td article details summary dl dt dd
figure figcaption button pre br"""
_ATTRIBUTES = """lang charset http-equiv content name class href id tabindex aria-label aria-labelledby aria-hidden focusable viewbox cx
cy r d x y transform scope colspan role data-l data-g data-s data-rows data-layer data-branch data-dtype open type
hidden width height stroke-width autocomplete placeholder aria-keyshortcuts aria-live value rel"""
TAGS = frozenset(_TAGS.split())
ATTRIBUTES = frozenset(_ATTRIBUTES.split())
HOSTILE = ("hostile", "poisoned", "fullhostile")
VOID = frozenset({"meta", "br", "input"})


class Page(HTMLParser):
    """What a browser would make of the page, as far as these tests ask."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.text = ""
        self.code: dict[str, str] = {"style": "", "script": ""}
        self.policy = ""
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        found = dict(attrs)
        assert len(found) == len(attrs), f"an attribute of <{tag}> is given twice"
        self.attributes |= found.keys()
        self.ids += [found["id"] or ""] if "id" in found else []
        self.links += [found["href"] or ""] if "href" in found else []
        if found.get("http-equiv") == "Content-Security-Policy":
            self.policy = found["content"] or ""
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"</{tag}> closes another element"

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in self.code:
            self.code[self.open[-1]] += data
        else:
            self.text += data

    @property
    def words(self) -> str:
        """The text with its spaces squeezed."""
        return " ".join(self.text.split())


@pytest.fixture(scope="module")
def pages(every: dict[str, Run]) -> dict[str, Page]:
    return {name: Page(render_html(run)) for name, run in every.items()}


@pytest.fixture(scope="module")
def every(runs: dict[str, Run], checked: Run, poisoned_check: Run, full: Run) -> dict[str, Run]:
    """The runs, those of subjects, and those with everything that a file may hold."""
    return {**runs, "checked": checked, "poisoned": poisoned_check, "full": full, "fullhostile": subject_runs.poisoned(full)}


@pytest.mark.parametrize("name", ["passing", "diverging", "interrupted", "hostile", "checked", "poisoned", "full", "fullhostile"])
class TestEveryPage:
    def test_only_the_templates_make_tags_and_attributes(self, pages: dict[str, Page], name: str) -> None:
        assert pages[name].tags <= TAGS
        assert pages[name].attributes <= ATTRIBUTES
        assert pages[name].open == []

    def test_style_and_script_are_the_assets_and_nothing_else(self, pages: dict[str, Page], name: str) -> None:
        assets = Path(html.__file__).parent / "assets"
        assert pages[name].code == {
            "style": (assets / "report.css").read_text("utf-8"),
            "script": (assets / "report.js").read_text("utf-8"),
        }

    def test_policy_allows_exactly_the_inline_style_and_script(self, pages: dict[str, Page], name: str) -> None:
        def digest(text: str) -> str:
            return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"

        page = pages[name]
        parts = dict(part.split(" ", 1) for part in page.policy.split("; "))
        assert parts["default-src"] == "'none'"
        assert parts["style-src"] == digest(page.code["style"])
        assert parts["script-src"] == digest(page.code["script"])

    def test_refers_to_nothing_outside_itself(self, pages: dict[str, Page], name: str) -> None:
        page = pages[name]
        assert [link for link in page.links if not link.startswith("#")] == ([full_runs.LINK] * 3 if name == "full" else [])
        assert not re.search(r"url\(|@import|https?:", page.code["style"] + page.code["script"])

    def test_ids_are_unique_and_every_link_arrives(self, pages: dict[str, Page], name: str) -> None:
        page = pages[name]
        assert len(page.ids) == len(set(page.ids))
        assert {link[1:] for link in page.links if link.startswith("#")} <= set(page.ids)

    def test_stays_small(self, every: dict[str, Run], name: str) -> None:
        # where every name has the worst 180 characters there are, each of 740 rows takes a little more
        assert len(render_html(every[name]).encode()) < (700_000 if name in HOSTILE else 500_000)

    def test_opens_with_the_verdict_in_the_words_of_verdict(self, every: dict[str, Run], pages: dict[str, Page], name: str) -> None:
        said = verdict(every[name])
        if name not in HOSTILE:
            assert pages[name].words.index(said.outcome.capitalize()) < pages[name].words.index(said.sentence) < 400


def test_hostile_text_is_shown_as_text_and_hidden_characters_as_escapes(pages: dict[str, Page], make: ModuleType) -> None:
    text = pages["hostile"].text
    assert "<script>alert(1)</script>" in text and "{{ 7*7 }}" in text and "[bold]red[/bold]" in text
    assert "\\x1b[31m\\u202egnp\\x00\\u2066" in text
    assert not set("\x1b\x00\u202e\u2066") & set(text)


def test_a_passing_run_reads_as_conforming(pages: dict[str, Page], make: ModuleType) -> None:
    page = pages["passing"]
    assert "14 hold" in page.words and "0.61" in page.words
    assert "divergences" not in page.ids and "incomplete" not in page.words.lower()
    assert all(layer in page.words and torch in page.words for layer, (torch, _, _) in make.LAYERS.items())


def test_a_divergence_is_told_under_the_verdict_with_amount_reason_and_cause(pages: dict[str, Page]) -> None:
    top = pages["diverging"].words.split("Each number is the")[0]
    assert "SoftmaxWithLoss backward.dx differs one-hot, float64" in top
    assert "Actual 2, expected 0.5 at [0, 2]: off by 1.5, 3.2e+05 × the allowed error." in top
    assert "the division by the batch size is missing" in top
    assert "Also fails in one-hot float32 and 2 more rows." in top
    assert "Relu cotangent.unchanged contract broken plain, float32 backward wrote into its cotangent: 3 of 6 bytes changed. " in top
    assert "Sigmoid forward.y imprecise" in top and "Affine forward.y NaN or infinity" in top


def test_a_divergence_shows_its_case_its_numbers_and_how_to_see_it(pages: dict[str, Page]) -> None:
    words = pages["diverging"].words
    for part in ("worst index [0, 2]", "actual 2.0", "expected 0.5", "difference 1.5", "allowed error 4.6875e-06", "margin 3.2e+05 ×"):
        assert part.replace(" ", "") in words.replace(" ", ""), part
    assert "input x float32, 2 × 3" in words and "-0.0" in words and "nan" in words and "inf" in words
    assert (
        "0.14285715" in words and "… 282 more values" in words and "empty" in words and "parameter b" in words and "cotangent dout" in words
    )
    assert "print(layer.forward(x))" in words and "gradconform replay results.jsonl Relu-plain-float32-cotangent.unchanged" in words
    assert "the worst margin of all its cases was 9.0e+05 ×" in words


def test_one_broken_contract_is_counted_among_all(pages: dict[str, Page]) -> None:
    assert "1 of 14 broken" in pages["diverging"].words and "breaks a contract" in pages["diverging"].words


def test_an_interrupted_run_says_what_is_missing(pages: dict[str, Page]) -> None:
    words = pages["interrupted"].words
    for part in (
        "This run is incomplete",
        "the run was cut off",
        "2 lines of the results file",
        "50 declared rows were never judged",
        "and 30 more",
        "dW1 not run",
        "not run",
    ):
        assert part in words, part


def test_a_counterexample_whose_row_was_never_tallied_is_still_a_divergence(make: ModuleType) -> None:
    run = make.diverging()
    bare = run.header.model_copy(update={"layers": (), "expected": ()})
    page = Page(render_html(run.model_copy(update={"header": bare, "results": (), "footer": None})))
    assert "SoftmaxWithLoss backward.dx" in page.words.split("Each number is the")[0]


def test_a_failing_row_without_counterexample_is_named(make: ModuleType) -> None:
    run = make.diverging().model_copy(update={"counterexamples": ()})
    page = Page(render_html(run))
    assert "Failing rows without a counterexample" in page.words
    assert {link[1:] for link in page.links} <= set(page.ids)


@pytest.mark.parametrize("status", ["error", "stale", "known", "skipped", "not-run"])
def test_no_status_but_passed_reads_as_conforming(make: ModuleType, status: str) -> None:
    run = make.passing()
    first = run.results[0].model_copy(update={"status": status})
    words = Page(render_html(run.model_copy(update={"results": (first, *run.results[1:])}))).words
    assert "AddLayer conforms torch.add" not in words and "MulLayer conforms torch.mul" in words


def test_a_row_of_which_every_case_was_inconclusive_does_not_conform(make: ModuleType) -> None:
    run = make.passing()
    first = run.results[0].model_copy(update={"n_judged": 0, "n_inconclusive": 9, "margin": None})
    words = Page(render_html(run.model_copy(update={"results": (first, *run.results[1:])}))).words
    assert "AddLayer incomplete: 1 row not judged" in words


def _all_failing(make: ModuleType) -> Iterator[object]:
    for result in make.passing().results:
        yield make.example(*result.key).model_copy(update={"snippet": "x = 1\n" * 500})


def test_hundreds_of_counterexamples_stay_on_a_small_page_and_stay_reachable(make: ModuleType) -> None:
    text = render_html(make.with_failures(make.passing(), *_all_failing(make)))
    page = Page(text)
    assert len(text.encode()) < 500_000
    assert {link[1:] for link in page.links} <= set(page.ids)
    assert "more in the results file" in page.words


def test_an_empty_run_is_incomplete_not_green(make: ModuleType) -> None:
    run = make.passing().model_copy(update={"results": (), "depths": ()})
    words = Page(render_html(run)).words
    assert "Incomplete" in words and "Nothing was judged." in words and "14 hold" not in words


def test_write_returns_the_path_and_makes_its_folder(runs: dict[str, Run], tmp_path: Path) -> None:
    path = tmp_path / "new" / "report.html"
    assert write_html(runs["passing"], path) == path
    assert path.read_text("utf-8") == render_html(runs["passing"])
    assert os.listdir(path.parent) == ["report.html"]


def test_a_failed_write_leaves_the_old_page_and_no_partial_file(
    runs: dict[str, Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "report.html"
    path.write_text("old")

    def fail(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        write_html(runs["passing"], path)
    assert os.listdir(tmp_path) == ["report.html"] and path.read_text() == "old"


def test_the_page_is_the_same_for_the_same_run(make: ModuleType) -> None:
    assert render_html(make.diverging()) == render_html(make.diverging())


def test_a_margin_just_above_one_is_not_shown_as_one(make: ModuleType) -> None:
    run = make.passing()

    def edge(result: Result) -> Result:
        return result.model_copy(update={"margin": 0.9999}) if result.margin is not None else result

    words = Page(render_html(run.model_copy(update={"results": tuple(map(edge, run.results))}))).words
    assert "y 0.99" in words and "y 1.00" not in words
