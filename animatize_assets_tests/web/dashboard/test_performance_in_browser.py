"""The view Performance in Chromium."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from animatize_assets.web.service import Service
from animatize_assets_tests.web.dashboard.conftest import WAIT_MS, Findings, Photograph
from animatize_assets_tests.web.routes.test_dashboard import priced_jobs

pytestmark = pytest.mark.browser

DRAWN = "image => image.decode().then(() => image.naturalWidth)"


@pytest.mark.parametrize("has_jobs", [False, True])
def test_figures_come_by_themselves_and_axe_finds_nothing_serious(
    page: Page, service: Service, serious: Findings, photograph: Photograph, has_jobs: bool
) -> None:
    if has_jobs:
        service.performance.store.record(*priced_jobs())
    page.goto("/performance?days=28")
    week = page.get_by_role("heading", name="The newest report")
    expect(week).to_be_visible(timeout=WAIT_MS)
    assert serious(page) == []
    charts = page.locator("img.chart").all()
    assert len(charts) == (3 + 2 if has_jobs else 0)  # of the period, and of the week's report
    assert all(chart.evaluate(DRAWN) > 0 for chart in charts)
    photograph(page, "performance" if has_jobs else "performance-empty")


def test_the_report_opens_as_a_page(page: Page, service: Service, photograph: Photograph) -> None:
    service.performance.store.record(*priced_jobs())
    page.goto("/performance")
    page.get_by_role("link", name="The whole report as a page").click(timeout=WAIT_MS)
    expect(page.get_by_role("heading", name="Week of")).to_be_visible()
    assert page.evaluate("getComputedStyle(document.querySelector('.tile')).borderRadius") != "0px"
    photograph(page, "report")
