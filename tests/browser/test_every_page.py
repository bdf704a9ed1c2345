"""What holds of every page in a real browser: it works from disk alone, on a phone, in the dark, on paper and for everybody."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.browser.pages import PAGES

pytestmark = pytest.mark.parametrize("name", PAGES)
Opener = Callable[..., Any]
Written = Callable[[str], Path]
PHONE = {"width": 360, "height": 740}
OVERFLOWING = """() => document.documentElement.scrollWidth <= innerWidth ? [] : [...document.querySelectorAll('body *')]
  .filter(e => e.getBoundingClientRect().right > innerWidth && !e.closest('.scroll, pre'))
  .map(e => e.outerHTML.slice(0, 200)).slice(0, 5)"""
OPEN_ALL = "() => { for (const part of document.querySelectorAll('details')) part.open = true; }"


def test_it_opens_from_disk_with_its_verdict_in_sight(page_for: Opener, written: Written, name: str) -> None:
    page = page_for(written(name))
    assert page.locator("h1").first.is_visible() and page.locator("h1").first.bounding_box()["y"] < 400
    assert page.evaluate("getComputedStyle(document.querySelector('main')).display") == "block"


def test_it_can_be_used_at_once(page_for: Opener, written: Written, name: str) -> None:
    """No measurement, only a bound against something going badly wrong; the figures are in the notes of each release."""
    page = page_for(written(name))
    assert 0 < page.evaluate("performance.getEntriesByType('navigation')[0].loadEventEnd") < 5000


@pytest.mark.parametrize("parts", ["closed", "open"])
def test_a_phone_needs_no_sideways_scroll(page_for: Opener, written: Written, name: str, parts: str) -> None:
    page = page_for(written(name), viewport=PHONE)
    if parts == "open":
        page.evaluate(OPEN_ALL)
    assert page.evaluate(OVERFLOWING) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_the_dark_is_dark(page_for: Opener, written: Written, name: str) -> None:
    page = page_for(written(name), color_scheme="light")
    colours = "() => ['backgroundColor', 'color'].map(c => getComputedStyle(document.body)[c].match(/\\d+/g).reduce((a, b) => a + +b, 0))"
    light = page.evaluate(colours)
    page.emulate_media(color_scheme="dark")
    dark = page.evaluate(colours)
    assert light[0] > 600 > light[1] and dark[0] < 150 < dark[1]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_serious_bars_anybody(page_for: Opener, written: Written, name: str, scheme: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed: pip install -e '.[browser]'")
    page = page_for(written(name), color_scheme=scheme)
    page.evaluate(OPEN_ALL)
    found = axe.Axe().run(page).response["violations"]
    told = [
        (v["id"], v["nodes"][0]["html"][:300], v["nodes"][0]["failureSummary"]) for v in found if v["impact"] in ("serious", "critical")
    ]
    assert not told, told


def test_the_keyboard_reaches_the_verdict_and_every_control(page_for: Opener, written: Written, name: str) -> None:
    page = page_for(written(name))
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.matches('main a, main button, main input, main summary, main [tabindex]')")


def test_it_prints(page_for: Opener, written: Written, name: str) -> None:
    page = page_for(written(name))
    paper = page.pdf()
    assert paper.startswith(b"%PDF") and len(re.findall(rb"/Type\s*/Page\b", paper)) >= 1
    page.emulate_media(media="print")
    assert not page.locator("nav").first.is_visible() and page.locator("h1").first.is_visible()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"


def test_it_says_the_same_without_script(page_for: Opener, written: Written, name: str) -> None:
    page = page_for(written(name), java_script_enabled=False)
    assert page.locator("h1").first.is_visible()
    assert page.locator("form:visible, button:visible").count() == 0
