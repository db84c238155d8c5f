"""The view Now in Chromium."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from animatize_assets.performance.alert_store import AlertStore
from animatize_assets.web.service import Service
from animatize_assets_tests.web.dashboard.conftest import PHONE, WAIT_MS, Findings, Photograph
from animatize_assets_tests.web.routes.test_dashboard import alert, recent

pytestmark = pytest.mark.browser


def test_an_alert_appears_and_goes_without_reloading(page: Page, service: Service) -> None:
    with page.expect_response("**/events"):
        page.goto("/")
    expect(page.get_by_role("heading", name="Open alerts (0)")).to_be_visible()
    page.evaluate("window.isTheSame = true")
    AlertStore(service.performance.engine).raise_(alert("The disk is full."))
    heading = page.get_by_role("heading", name="Open alerts (1)")
    expect(heading).to_be_visible(timeout=WAIT_MS)
    expect(page.locator("#alarms")).to_have_text("New alert: The disk is full.")
    page.get_by_role("button", name="Resolve: The disk is full.").click()
    expect(page.get_by_role("heading", name="Open alerts (0)")).to_be_visible(timeout=WAIT_MS)
    assert page.evaluate("window.isTheSame")


@pytest.mark.parametrize("has_jobs", [False, True])
def test_axe_finds_nothing_serious(
    page: Page, service: Service, serious: Findings, photograph: Photograph, *, has_jobs: bool
) -> None:
    if has_jobs:
        service.performance.store.record(*[recent(number) for number in range(5)])
        AlertStore(service.performance.engine).raise_(alert())
    page.goto("/")
    expect(page.locator("[aria-busy]")).to_have_count(0)
    assert serious(page) == []
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
        photograph(page, f"now{'' if has_jobs else '-empty'}-{scheme}")


def test_a_phone_scrolls_in_one_direction_and_keys_reach_the_content(page: Page) -> None:
    page.set_viewport_size(PHONE)
    page.goto("/")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("main")).to_be_focused()


def test_a_token_opens_the_dashboard(page: Page, service: Service, serious: Findings) -> None:
    token = service.access.tokens.add("viewer", "read")
    page.goto("/")
    expect(page).to_have_url(f"{page.url.removesuffix('/sign-in')}/sign-in")
    assert serious(page) == []
    page.get_by_label("Access token").fill(token)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Now")).to_be_visible()
