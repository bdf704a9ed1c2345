"""The page of several legs in use: a cell opens the same input on every leg, with and without script."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Opener = Callable[..., Any]
Written = Callable[[str], Path]


@pytest.mark.parametrize("script", [True, False], ids=["script", "no script"])
def test_a_cell_opens_the_same_input_on_every_leg(page_for: Opener, written: Written, script: bool) -> None:
    page = page_for(written("legs"), java_script_enabled=script)
    cell = page.locator("#differences a.t[href^='#i']").first
    place = cell.get_attribute("href")
    heading = page.locator(f"[id='{place[1:]}']")
    assert not heading.is_visible()
    cell.focus()
    page.keyboard.press("Enter")
    heading.wait_for(state="visible", timeout=5000)
    article = page.locator("article.input", has=heading)
    assert "3 ULP" in article.inner_text() and "every leg" not in article.inner_text(), "one leg drew another input"
    assert page.locator("td.f1:visible").count() > 0


def test_a_failing_cell_opens_its_case(page_for: Opener, written: Written) -> None:
    page = page_for(written("legs"))
    page.locator("#differences a.f2[href^='#d']").first.click()
    assert page.locator("article.divergence:has(> h3:target) details[open]").count() == 1
