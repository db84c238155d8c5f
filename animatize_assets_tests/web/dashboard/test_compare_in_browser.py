"""The view Compare in Chromium."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from animatize_assets.web.service import Service
from animatize_assets_tests.web.dashboard.conftest import Findings, Photograph
from animatize_assets_tests.web.dashboard.test_performance_in_browser import DRAWN
from animatize_assets_tests.web.made_images import SIDE, ask, ingest, keep, picture_of
from animatize_assets_tests.web.routes.test_dashboard import priced_jobs

pytestmark = pytest.mark.browser


def test_two_are_chosen_and_axe_finds_nothing_serious(
    page: Page, service: Service, serious: Findings, photograph: Photograph
) -> None:
    page.goto("/compare")
    expect(page.get_by_text("No provider had a job in this period.")).to_be_visible()
    assert serious(page) == []
    photograph(page, "compare-empty")
    service.performance.store.record(*priced_jobs())
    page.get_by_label("Left").fill("openai")
    page.get_by_label("Right").fill("local")
    page.get_by_role("button", name="Compare").click()
    expect(page.get_by_role("columnheader", name="openai").first).to_be_visible()
    assert serious(page) == []
    photograph(page, "compare")


def test_the_pictures_of_two_providers_stand_side_by_side(
    page: Page, service: Service, serious: Findings, photograph: Photograph, tmp_path: Path
) -> None:
    (key,) = ingest(service, tmp_path / "files", 1)
    for result_key, provider, color in (("a" * 32, "openai", 60), ("b" * 32, "local", 190)):
        keep(service.workplace, key, result_key, provider, content=picture_of(color))
        ask(service.workplace, key, result_key, provider, run_id=f"run-{provider}")
    ask(service.workplace, key, "c" * 32, "flux")
    page.goto(f"/images/{key}/pictures?left=openai&right=local")
    images = page.locator(".pair img").all()
    assert [image.evaluate(DRAWN) for image in images] == [SIDE, SIDE]
    assert serious(page) == []
    photograph(page, "pictures")
    page.get_by_label("Left").select_option(value="3")
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_text("This picture is not stored any more")).to_be_visible()
    assert serious(page) == []
