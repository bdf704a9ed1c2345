"""A real browser for the tests: Chromium, headless, opening pages from disk with the network blocked.

Where there is no browser the tests are skipped, with a reason; GRADCONFORM_REQUIRE_BROWSER=1 makes that a failure.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.browser.pages import PAGES

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

ARGUMENTS = ["--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"]
Opener = Callable[..., "Page"]


def _absent(reason: str) -> None:
    if os.environ.get("GRADCONFORM_REQUIRE_BROWSER") == "1":
        pytest.fail(f"{reason}, and GRADCONFORM_REQUIRE_BROWSER=1 asks for it")
    pytest.skip(reason)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium, closed after each module: while it is open, its event loop is in the way of others."""
    chromium = os.environ.get("GRADCONFORM_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    if not chromium:
        _absent("there is no Chromium: install it, or name it in GRADCONFORM_CHROMIUM")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        _absent("playwright is not installed: pip install -e '.[browser]'")
    sandbox = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium, args=[*ARGUMENTS, *sandbox])
        yield opened
        opened.close()


@pytest.fixture(scope="session")
def written(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Name of a page -> where it is, made once."""
    folder = tmp_path_factory.mktemp("pages")
    made: dict[str, Path] = {}

    def path(name: str) -> Path:
        if name not in made:
            made[name] = PAGES[name](folder)
        return made[name]

    return path


@pytest.fixture
def page_for(browser: Browser) -> Iterator[Opener]:
    """Opens a file as a page; at the end nothing may have been requested, said on the console, or asked in a dialog.

    after: what follows the path in the address. Everything else is given to the browser's context.
    """
    contexts, wrong = [], []

    def opener(path: Path, *, after: str = "", **options: Any) -> Page:
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **options})
        contexts.append(context)
        address = path.resolve().as_uri()

        def allow(route: Any) -> None:
            if route.request.url.split("?")[0].split("#")[0] != address:
                wrong.append(f"requested {route.request.url}")
                route.abort()
            else:
                route.continue_()

        context.route("**/*", allow)
        page = context.new_page()
        page.on("console", lambda message: wrong.append(f"console {message.type}: {message.text}"))
        page.on("pageerror", lambda error: wrong.append(f"error {error}"))
        page.on("dialog", lambda dialog: (wrong.append(f"dialog {dialog.message}"), dialog.dismiss()))
        page.goto(address + after)
        return page

    yield opener
    for context in contexts:
        context.close()
    assert not wrong, wrong
