"""The conformance report in use: filter, search, copy, expand, links, by mouse and by keyboard."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.reports.full_runs import SURVIVOR

Opener = Callable[..., Any]
Written = Callable[[str], Path]
ROW = "row/SoftmaxWithLoss/index/float32/call.no-warnings"


@pytest.fixture
def page(page_for: Opener, written: Written) -> Any:
    return page_for(written("full"))


def said(page: Any) -> str:
    return str(page.locator(".filter output").inner_text())


def rows(page: Any) -> int:
    """Rows that are not filtered away, whether or not the part they are in is open."""
    return int(page.evaluate("[...document.querySelectorAll('[id^=\"row/\"]')].filter(row => !row.closest('[hidden]')).length"))


def test_every_row_can_be_found_and_the_count_is_announced(page: Any) -> None:
    assert rows(page) == 740 - 140 and said(page) == ""
    page.get_by_label("Search").fill("dW2")
    assert rows(page) == 4 and said(page) == "4 of 600 rows, 0 divergences"
    assert page.locator(".filter output").get_attribute("aria-live") == "polite"
    page.get_by_label("Search").fill("no such thing")
    assert rows(page) == 0 and said(page) == "0 of 600 rows, 0 divergences"
    page.get_by_role("button", name="Clear").click()
    page.wait_for_function("document.querySelector('.filter output').textContent === ''")
    assert rows(page) == 600


def test_a_search_reads_causes_and_several_words(page: Any) -> None:
    page.get_by_label("Search").fill("BATCH size one-hot")
    assert page.locator("article.divergence:visible").count() == 2 and said(page).endswith("2 divergences")
    assert page.locator(".matrix tbody:visible").count() == 1
    assert not page.locator(".lay", has_text="max(x, 0)").is_visible()


def test_status_layer_and_dtype_narrow_each_other(page: Any) -> None:
    page.locator("select[name=status]").select_option("failed")
    assert page.locator(".matrix tr[data-g]:visible").count() == 6
    page.locator("select[name=layer]").select_option("SoftmaxWithLoss")
    assert page.locator(".matrix tr[data-g]:visible").count() == 4
    page.locator("select[name=dtype]").select_option("float32")
    assert page.locator(".matrix tr[data-g]:visible").count() == 2 and said(page) == "2 of 600 rows, 2 divergences"
    assert page.locator(".rows.q tbody tr:visible").count() == 2


def test_what_was_filtered_is_open_and_closes_again(page: Any) -> None:
    closed = page.locator("details[open]").count()
    page.locator("select[name=layer]").select_option("Relu")
    assert page.locator("details[data-rows][open]:visible").count() == 2
    page.get_by_role("button", name="Clear").click()
    page.wait_for_function("!document.body.classList.contains('filtered')")
    assert page.locator("details[open]").count() == closed


def test_a_filter_is_kept_in_the_address(page: Any) -> None:
    page.locator("select[name=layer]").select_option("Relu")
    page.get_by_label("Search").fill("layout")
    assert page.evaluate("location.search") == "?q=layout&layer=Relu"
    page.reload()
    assert said(page) == "2 of 600 rows, 1 divergence" and page.get_by_label("Search").input_value() == "layout"


def test_slash_goes_to_the_search_and_escape_clears_it(page: Any) -> None:
    page.keyboard.press("/")
    page.keyboard.type("affine/")
    assert page.get_by_label("Search").input_value() == "affine/"
    page.keyboard.press("Backspace")
    assert said(page) != ""
    page.locator("select[name=layer]").select_option("Affine")
    page.keyboard.press("Escape")
    page.wait_for_function("document.querySelector('.filter output').textContent === ''")
    assert page.get_by_label("Search").input_value() == "" and rows(page) == 600


@pytest.mark.parametrize("granted", [True, False])
def test_copying_gives_the_snippet(page_for: Opener, written: Written, granted: bool) -> None:
    page = page_for(written("full"), permissions=["clipboard-read", "clipboard-write"] if granted else [])
    if not granted:
        page.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(new Error('refused')); }")
    button = page.get_by_role("button", name="Copy the snippet").first
    code = button.locator("xpath=..").locator("code").inner_text()
    button.press("Enter")
    page.wait_for_function('document.querySelector(\'button.copy[aria-label^="Cop"], button.copy[aria-label^="Sel"]\')')
    page.wait_for_function("[...document.querySelectorAll('button.copy')].some(b => ['Copied', 'Selected'].includes(b.textContent))")
    copied = page.evaluate("navigator.clipboard.readText()") if granted else page.evaluate("getSelection().toString()")
    assert "import numpy" in code and copied.strip() == code.strip()


def test_parts_open_by_mouse_and_by_keyboard(page: Any) -> None:
    relu = page.locator(".lay").filter(has=page.locator("#layer-Relu"))
    quantities = relu.locator("details", has=page.locator("table.q"))
    assert not relu.locator("table.q").is_visible()
    quantities.locator("summary").click()
    assert relu.locator("table.q").is_visible()
    quantities.locator("summary").press("Enter")
    assert not relu.locator("table.q").is_visible()


def test_a_link_to_a_row_opens_it_and_marks_it(page_for: Opener, written: Written) -> None:
    page = page_for(written("full"), after=f"#{ROW}")
    row = page.locator(f"[id='{ROW}']")
    assert row.is_visible()
    page.wait_for_function(
        "id => { const at = document.getElementById(id).getBoundingClientRect(); return at.top >= 0 && at.bottom <= innerHeight; }", arg=ROW
    )
    plain = page.locator(".each li:visible").first
    colour = "e => getComputedStyle(e).backgroundColor"
    assert row.evaluate(colour) != plain.evaluate(colour)


def test_a_link_to_what_is_filtered_away_shows_it_again(page: Any) -> None:
    page.locator("select[name=layer]").select_option("Affine")
    page.evaluate(f"location.hash = '{ROW}'")
    page.wait_for_function("!document.body.classList.contains('filtered')")
    assert page.locator(f"[id='{ROW}']").is_visible()


def test_tiles_of_the_matrix_lead_to_their_rows(page: Any) -> None:
    page.locator(".matrix tr[data-layer=Sigmoid][data-dtype=float64] a.t", has_text="dx").click()
    assert page.evaluate("location.hash") == "#row/Sigmoid/plain/float64/backward.dx"
    assert page.locator("[id='row/Sigmoid/plain/float64/backward.dx']").is_visible()


def test_a_heat_map_marks_by_more_than_colour(page: Any) -> None:
    cells = page.locator("article.divergence", has_text="SoftmaxWithLoss").first.locator(".heat tbody td")
    over = [c for c in cells.all() if c.evaluate("e => getComputedStyle(e, '::before').content").strip('"') == "▲ "]
    assert cells.count() == 18 and len(over) == 6
    assert all(c.evaluate("e => getComputedStyle(e).outlineStyle") == "solid" for c in over)


def test_paper_shows_the_closed_parts(page: Any) -> None:
    assert page.locator("table.q:visible").count() == 0
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator("details:not([open])").count() == 0
    assert page.locator("table.q:visible").count() == 10 and not page.locator(".filter").is_visible()
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    page.emulate_media(media="screen")
    assert page.locator("table.q:visible").count() == 0


def test_a_surviving_fault_is_in_sight(page: Any) -> None:
    assert page.locator("#planted .alarm", has_text=SURVIVOR).is_visible()
