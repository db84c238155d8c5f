"""The view Compare in Chromium."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from animatize_assets.web.service import Service
from animatize_assets_tests.web.dashboard.conftest import Findings
from animatize_assets_tests.web.routes.test_dashboard import priced_jobs

pytestmark = pytest.mark.browser


def test_two_are_chosen_and_axe_finds_nothing_serious(
    page: Page, service: Service, serious: Findings
) -> None:
    page.goto("/compare")
    assert serious(page) == []
    service.performance.store.record(*priced_jobs())
    page.get_by_label("Left").fill("openai")
    page.get_by_label("Right").fill("local")
    page.get_by_role("button", name="Compare").click()
    expect(page.get_by_role("columnheader", name="openai").first).to_be_visible()
    assert serious(page) == []
