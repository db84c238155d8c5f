"""The view Performance in Chromium."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from animatize_assets.web.service import Service
from animatize_assets_tests.web.dashboard.conftest import WAIT_MS, Findings
from animatize_assets_tests.web.routes.test_dashboard import priced_jobs

pytestmark = pytest.mark.browser

DRAWN = "image => image.decode().then(() => image.naturalWidth)"


@pytest.mark.parametrize("has_jobs", [False, True])
def test_figures_come_by_themselves_and_axe_finds_nothing_serious(
    page: Page, service: Service, serious: Findings, has_jobs: bool
) -> None:
    if has_jobs:
        service.performance.store.record(*priced_jobs())
    page.goto("/performance?days=28")
    week = page.get_by_role("heading", name="Last week")
    expect(week).to_be_visible(timeout=WAIT_MS)
    assert serious(page) == []
    charts = page.locator("img.chart").all()
    assert len(charts) == (3 if has_jobs else 0)
    assert all(chart.evaluate(DRAWN) > 0 for chart in charts)
