"""The page of several legs: what it says first, that a cell leads to the same input, that nothing comes alive, that it stays small."""

from __future__ import annotations

import io
import re
from pathlib import Path
from types import ModuleType

import legs_runs
import pytest
from rich.console import Console
from subject_runs import poisoned
from test_report_html import ATTRIBUTES, TAGS, Page

from oracle.results import Run
from oracle.results.across import Apart, across
from oracle.results.labels import Source
from oracle.results.legs import Legs, legs_of
from reports import legs_html, legs_inputs, reporter
from reports.legs_html import render_legs
from reports.legs_text import apart_text, print_legs

LABELS = ("py310", "py311", "py312", "py39")


class Spaced(Page):
    """A page whose cells are words apart, as they are seen."""

    def handle_data(self, data: str) -> None:
        super().handle_data(data if self.open and self.open[-1] in self.code else f" {data}")


@pytest.fixture(scope="module")
def legs(make: ModuleType) -> dict[str, Legs]:
    bad = [s._replace(run=poisoned(s.run), name=s.name + "<script>alert(1)</script>\x1b[31m") for s in legs_runs.sources(make)]
    return {
        "mixed": legs_runs.mixed(make),
        "agreeing": legs_runs.agreeing(make),
        "alone": legs_of(legs_runs.sources(make)[:1], ["py310", "py311"]),
        "hostile": legs_of(bad, ["</style><script>alert(1)</script>", "\u202e{{ 7*7 }}"]),
        "shapes": legs_of([Source(str(n), legs_runs.on(legs_runs.sampled(make, make.passing(), shape=s), f"3.{n}.0")) for n, s in SHAPES]),
    }


SHAPES = ((10, (2, 2)), (11, (4,)))


@pytest.fixture(scope="module")
def pages(legs: dict[str, Legs]) -> dict[str, Page]:
    return {name: Spaced(render_legs(found)) for name, found in legs.items()}


def printed(found: Legs, width: int = 150) -> str:
    out = io.StringIO()
    print_legs(found, Console(file=out, width=width, highlight=False))
    return out.getvalue()


@pytest.mark.parametrize("name", ["mixed", "agreeing", "alone", "hostile", "shapes"])
class TestEveryPage:
    def test_only_the_templates_make_tags_and_attributes(self, pages: dict[str, Page], name: str) -> None:
        assert pages[name].tags <= TAGS | {"caption"} and pages[name].attributes <= ATTRIBUTES and pages[name].open == []

    def test_style_and_script_are_the_assets_and_nothing_else(self, pages: dict[str, Page], name: str) -> None:
        assets = Path(legs_html.__file__).parent / "assets"
        style = "\n".join((assets / file).read_text("utf-8") for file in ("report.css", "legs.css"))
        assert pages[name].code == {"style": style, "script": (assets / "report.js").read_text("utf-8")}
        assert pages[name].policy.startswith("default-src 'none'; ")

    def test_every_link_leads_somewhere_on_the_page_and_no_place_is_there_twice(self, pages: dict[str, Page], name: str) -> None:
        page = pages[name]
        assert len(page.ids) == len(set(page.ids))
        assert all(link.startswith("#") and link[1:] in page.ids for link in page.links)

    def test_no_invisible_character_is_left(self, pages: dict[str, Page], legs: dict[str, Legs], name: str) -> None:
        assert not any(c in text for c in "\x00\x1b\u202e\u2066" for text in (pages[name].text, printed(legs[name])))


def test_hostile_text_is_shown_as_text(pages: dict[str, Page], legs: dict[str, Legs]) -> None:
    assert "<script>alert(1)</script>" in pages["hostile"].text and "{{ 7*7 }}" in pages["hostile"].text
    assert "[bold]red[/bold]" in printed(legs["hostile"])


def test_what_is_wrong_comes_first(pages: dict[str, Page]) -> None:
    words = pages["mixed"].words
    places = [
        words.index(text)
        for text in (
            "Diverges",
            "py311 diverges from PyTorch. py310 and py312 conform.",
            "SoftmaxWithLoss backward.dx differs on py311; holds on py310, py312",
            "Not complete py313 is missing: none of the files has its results",
            "py39: the run was cut off before its end",
            "rows have another verdict on some legs",
            "Row by row",
            "The same input on every version",
        )
    ]
    assert places == sorted(places)


def test_the_terminal_says_what_the_page_says(legs: dict[str, Legs]) -> None:
    told = printed(legs["mixed"])
    for label in LABELS:
        assert re.search(rf"^{label} +CPython 3\.", told, re.M)
    for text in (
        "py313 is missing: none of the files has its results",
        "SoftmaxWithLoss backward.dx  differs  on py311; holds on py310, py312",
        "Likely cause: The gradient is 4.0 times torch's: the division by the batch size is missing.",
        "On the same inputs, against py310:",
        "The inputs differ in 18 sampled cases",
    ):
        assert text in told, text
    assert re.search(r"^ +py311 +18 +\d+ of \d+ numbers differ, up to 3 ULP +the same in all \d+ numbers$", told, re.M)
    assert re.search(r"^ +py312 +18 +the same in all \d+ numbers +\d+ of \d+ numbers differ, up to 1 ULP$", told, re.M)
    assert told.rstrip().splitlines()[-1].startswith("DIVERGES  py311 diverges from PyTorch.")


def test_every_row_has_a_cell_for_every_leg(pages: dict[str, Page], legs: dict[str, Legs]) -> None:
    html = render_legs(legs["mixed"])
    matrix = html[html.index('id="matrix"') : html.index('id="inputs"')]
    rows = re.findall(r"<tr[^>]*><th scope=\"row\">.*?</tr>", matrix, re.S)
    assert rows and {row.count("<td>") for row in rows} == {len(LABELS)}
    assert len(rows) > sum(len(quantities) * len(branches) * 2 for _, branches, quantities in legs_layers().values())


def legs_layers() -> dict[str, tuple[str, tuple[str, ...], tuple[str, ...]]]:
    from tests.reports.conftest import LAYERS

    return LAYERS


def test_a_cell_leads_to_the_same_input_and_a_divergence_to_its_case(legs: dict[str, Legs]) -> None:
    html = render_legs(legs["mixed"])
    row = re.search(r"<tr[^>]*><th scope=\"row\"> *<b>backward.dx</b>.{0,80}<span>plain, float64</span></th>(.*?)</tr>", html, re.S)
    assert row is not None
    link = re.findall(r'href="#(i\d+)"', row[1])
    assert len(set(link)) == 1
    shown = html[html.index(f'<h3 id="{link[0]}">') :]
    shown = shown[: shown.index("</article>")]
    assert "plain, float64" in shown and "3 ULP" in shown and "1 ULP" in shown
    failing = re.search(r"<th scope=\"row\">SoftmaxWithLoss <b>backward.dx</b>.*?</tr>", html[html.index('id="differences"') :], re.S)
    assert failing is not None and (place := re.search(r'class="t f2" href="#(d\d+)"', failing[0]))
    assert f'<h3 id="{place[1]}"><code>SoftmaxWithLoss</code> <code>backward.dx</code>' in html


def test_the_answers_of_all_legs_are_told_once_each(legs: dict[str, Legs]) -> None:
    words = Spaced(render_legs(legs["mixed"])).words
    start = words.index("Not given to py39: there the sampled cases are others.")
    part = words[start : start + 700]
    for text in ("actual py310, py312", "actual py311", "expected py310, py311", "expected py312", "answers differ"):
        assert text in part, (text, part)
    agreed = Spaced(render_legs(legs["agreeing"])).words
    assert "actual and expected every leg" in agreed and "answers differ" not in agreed and "ULP, in" not in agreed


def test_elements_that_differ_come_first(legs: dict[str, Legs]) -> None:
    html = render_legs(legs["mixed"])
    table = re.search(r"<caption>backward\.dx.*?</table>", html[html.index('id="inputs"') :], re.S)
    assert table is not None
    assert re.findall(r'<th scope="col">(.*?)</th>', table[0]) == ["[0, 1]", "[0, 0]", "[1, 0]", "[1, 1]"]
    assert re.findall(r'<td class="f1">(\S+) <b>(.*?)</b>', table[0]) == [("1.0000000000000007", "3 ULP"), ("1.0000000000000002", "1 ULP")]


def test_another_shape_is_said_and_not_compared(pages: dict[str, Page]) -> None:
    assert "float64 of shape (4,), where the first leg has float64 of shape (2, 2)" in pages["shapes"].words
    assert "some beyond all ULP" in pages["shapes"].words


def test_contracts_that_hold_are_one_line(legs: dict[str, Legs]) -> None:
    html = render_legs(legs["agreeing"])
    assert "14 hold" in html and "inputs.unchanged" not in html
    shown = render_legs(legs["mixed"])
    shown = shown[shown.index("<summary>Relu ") :]
    shown = shown[: shown.index("</details>")]
    assert "<b>cotangent.unchanged</b>" in shown and "<b>inputs.unchanged</b>" not in shown and "13 hold" in shown and "14 hold" in shown


def test_a_known_divergence_on_one_leg_differs_and_is_told(make: ModuleType) -> None:
    bad = make.diverging()
    rows = tuple(r.model_copy(update={"status": "known"}) if r.status == "failed" else r for r in bad.results)
    known = legs_runs.on(bad.model_copy(update={"results": rows}), "3.11.1")
    found = legs_of([Source("a", legs_runs.on(make.passing(), "3.10.1")), Source("b", known)])
    words = Spaced(render_legs(found)).words
    assert found.exit_code == 0 and words.startswith("Conforms on 2 legs")
    assert "rows have another verdict on some legs" in words and "known divergence" in words


def test_legs_that_cannot_be_told_apart_by_answers_say_so(pages: dict[str, Page]) -> None:
    assert "the same in all" in pages["agreeing"].words and "Rows that differ between legs" not in pages["agreeing"].words


def test_the_page_of_five_legs_stays_small(make: ModuleType) -> None:
    legs_ = [legs_runs.on(legs_runs.sampled(make, many(make), ulps=n), f"3.{n}.0") for n in range(9, 14)]
    html = render_legs(legs_of([Source(str(n), run) for n, run in enumerate(legs_)]))
    assert len(html.encode()) < 500_000 and html.count("<article") > 20


def many(make: ModuleType) -> Run:
    """A run in which two hundred rows fail."""
    run: Run = make.passing()
    rows = [r for r in run.results if r.role == "quantity"]
    examples = [make.example(r.layer, r.branch, r.dtype, r.quantity, snippet="x" * 5000) for r in rows]
    failing: Run = make.with_failures(run, *examples)
    return failing


def test_inputs_beyond_the_budget_are_left_out_and_counted(legs: dict[str, Legs], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(legs_html, "INPUTS", 1)
    page = Spaced(render_legs(legs["agreeing"]))
    assert "17 inputs to which every leg gives the same answers are left out" in page.words
    assert all(link[1:] in page.ids for link in page.links)


def test_one_file_gigantic_in_every_name_does_not_fill_the_page(make: ModuleType) -> None:
    run = legs_runs.on(make.passing(), "3.10.1" + "0" * 10**6, numpy="2" * 10**6, torch="n" * 10**6)
    found = legs_of([Source("a", run), Source("b", legs_runs.on(make.passing(), "3.11.1"))])
    assert len(render_legs(found)) < 1_000_000 and len(printed(found)) < 30_000


@pytest.mark.parametrize(
    ("apart", "words"),
    [
        ((0, 0, 0), "nothing to compare"),
        ((1234, 0, 0), "the same in all 1,234 numbers"),
        ((9, 2, 10**15), "2 of 9 numbers differ, up to 1.0e+15 ULP"),
    ],
)
def test_distances_in_words(apart: tuple[int, int, int], words: str) -> None:
    assert apart_text(Apart(*apart)) == words


def test_the_page_appears_whole(legs: dict[str, Legs], tmp_path: Path) -> None:
    path = reporter("legs-page")(legs["mixed"], tmp_path / "new" / "legs.html")
    assert path.read_text("utf-8") == render_legs(legs["mixed"]) and [p.name for p in path.parent.iterdir()] == ["legs.html"]


def test_of_the_inputs_of_a_branch_one_with_other_answers_is_shown(make: ModuleType) -> None:
    same, other = legs_runs.sampled(make, make.passing()), legs_runs.sampled(make, make.passing(), ulps=2, drawn=9.0)
    plain = legs_runs.sampled(make, make.passing(), drawn=9.0)
    runs = [one.model_copy(update={"samples": one.samples + two.samples}) for one, two in ((same, plain), (same, other))]
    legs_ = [legs_runs.on(run, f"3.{n}.0") for n, run in enumerate(runs)]
    views = legs_inputs.input_views(across(legs_of([Source(str(n), run) for n, run in enumerate(legs_)]).legs), ["py30", "py31"])
    assert len(views) == 18 and all(view.differs and view.tables[0].rows[0][1][0] == "9.0" for view in views)
    kept, left_out = legs_html._within([view._replace(differs=n == 7, size=legs_html.INPUTS) for n, view in enumerate(views)])
    assert (kept[0].id, left_out) == (views[7].id, 17), "those with other answers are the last to be left out"


def test_what_fails_on_some_legs_only_comes_before_what_fails_on_all(make: ModuleType) -> None:
    everywhere = make.with_failures(make.passing(), make.example("AddLayer", "plain", "float64", "forward.y"))
    somewhere = make.with_failures(everywhere, make.example("TwoLayerNet", "index", "float64", "backward.dW1"))
    found = legs_of([Source("a", legs_runs.on(everywhere, "3.1.0")), Source("b", legs_runs.on(somewhere, "3.2.0"))])
    told = printed(found)
    assert told.index("TwoLayerNet backward.dW1  differs  on py32; holds on py31") < told.index("AddLayer forward.y  differs  on every leg")


def test_a_leg_that_fails_otherwise_does_not_hold(make: ModuleType) -> None:
    rows = ("AddLayer", "plain", "float64", "forward.y")
    shape = make.comparison("shape", message="of another shape")
    runs = [make.with_failures(make.passing(), make.example(*rows, **changes)) for changes in ({}, {"minimised_comparison": shape})]
    gone = make.passing()
    gone = gone.model_copy(update={"results": tuple(r for r in gone.results if r.layer != "AddLayer")})
    legs_ = [legs_runs.on(run, f"3.{n}.0") for n, run in enumerate([*runs, make.passing(), gone])]
    told = printed(legs_of([Source(str(n), run) for n, run in enumerate(legs_)]), width=300)
    assert "AddLayer forward.y  differs  on py30; holds on py32; fails otherwise on py31; not judged on py33" in told
