"""Chromium, what axe-core says of a page, and the screenshots that tests leave behind."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import (
    Browser,
    ConsoleMessage,
    Page,
    ViewportSize,
    expect,
    sync_playwright,
)

WAIT_MS = 30_000
"""For something that comes by itself; the machine may be busy."""

SERIOUS = {"serious", "critical"}

PHONE: ViewportSize = {"width": 360, "height": 740}
SCREEN: ViewportSize = {"width": 1280, "height": 720}

SCREENSHOTS = Path("build") / "screenshots"
"""Below the root of the clone, where nothing is committed."""

Findings = Callable[[Page], list[Any]]
Photograph = Callable[[Page, str], None]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium, without a window.

    One per file: while Playwright is open its event loop runs in this thread, and no test of
    another file could run one.
    """
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("Chromium is missing; on Debian: apt-get install chromium")
    expect.set_options(timeout=WAIT_MS)
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(
            executable_path=chromium,
            args=["--no-sandbox"],  # the pages are our own; containers run as root
        )
        yield opened
        opened.close()


def _is_fault(said: ConsoleMessage) -> bool:
    """Whether a browser's message tells of a fault; what is rightly refused is none of ours."""
    return said.type == "error" and not re.search(r"status of (404|422)", said.text)


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    """A page of the served dashboard; the test fails when the browser refuses anything on it."""
    context = browser.new_context(base_url=address)
    opened = context.new_page()
    opened.set_default_timeout(WAIT_MS)
    said: list[str] = []
    opened.on("console", lambda each: said.append(each.text) if _is_fault(each) else None)
    opened.on("pageerror", lambda error: said.append(str(error)))
    yield opened
    context.close()
    assert said == []


@pytest.fixture(scope="session")
def serious() -> Findings:
    """What is seriously wrong with a page: by axe-core, in light and in dark, and on a phone."""
    axe = Axe()

    def find(page: Page) -> list[Any]:
        found: list[Any] = []
        for scheme in ("dark", "light"):
            page.emulate_media(color_scheme=scheme)
            found += [
                (scheme, each["id"], [node["html"] for node in each["nodes"]])
                for each in axe.run(page).response["violations"]
                if each["impact"] in SERIOUS
            ]
        page.set_viewport_size(PHONE)
        width = page.evaluate("document.documentElement.scrollWidth")
        page.set_viewport_size(SCREEN)
        return [*found, ("wider than a phone", width)] if width > PHONE["width"] else found

    return find


@pytest.fixture(scope="session")
def photograph(pytestconfig: pytest.Config) -> Photograph:
    """Keep what a page looks like as a picture of that name, for people to look at."""
    folder = pytestconfig.rootpath / SCREENSHOTS
    folder.mkdir(parents=True, exist_ok=True)

    def keep(page: Page, name: str) -> None:
        page.screenshot(path=folder / f"{name}.png", full_page=True)

    return keep
