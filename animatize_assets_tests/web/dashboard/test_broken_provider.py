"""Who reads only the first page of the docs breaks a provider, and finds it in the dashboard."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import dagster as dg
import pytest
from playwright.sync_api import Page, expect

from animatize_assets.defs.performance_sensors import performance_alerts
from animatize_assets.orchestration import open_instance
from animatize_assets.web.service import Service
from animatize_assets_tests.defs.fleet_records import performance, stores
from animatize_assets_tests.loopback.server import LoopbackServer, loopback_server
from animatize_assets_tests.web.dashboard.conftest import WAIT_MS, Findings, Photograph
from animatize_assets_tests.web.made_images import ingest

pytestmark = pytest.mark.browser

ANIMATIZE = str(Path(sys.executable).with_name("animatize"))


@pytest.fixture(autouse=True)
def openai(monkeypatch: pytest.MonkeyPatch) -> Iterator[LoopbackServer]:
    """OpenAI's wire format on loopback; the key is none, before the service is opened."""
    with loopback_server() as running:
        monkeypatch.setenv("ANIMATIZE_OPENAI_BASE_URL", running.openai_url)
        monkeypatch.setenv("OPENAI_API_KEY", "sk-this-is-no-key")
        yield running


def run(key: str) -> None:
    command = [ANIMATIZE, "run", key, "--provider", "openai", "--size", "320x320"]
    subprocess.run(command, check=True, capture_output=True, timeout=300)


def look_for_alerts(data_dir: Path) -> None:
    """Do what the daemon does every half minute."""
    with open_instance(data_dir) as instance:
        performance_alerts(dg.build_sensor_context(instance=instance), performance(), stores())


def test_a_wrong_key_is_found_and_mended(  # noqa: PLR0917  # fixtures
    openai: LoopbackServer,
    service: Service,
    page: Page,
    serious: Findings,
    photograph: Photograph,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (key,) = ingest(service, tmp_path / "files", 1)
    run(key)
    with ThreadPoolExecutor(1) as beside:  # in this thread Playwright's event loop runs
        beside.submit(look_for_alerts, service.data_dir).result()

    page.goto("/")
    alert = page.locator(".card", has_text="provider down: ")
    expect(alert).to_contain_text("openai", timeout=WAIT_MS)
    expect(alert).to_contain_text("docs/runbook.md#animatizeproviderdown")
    row = page.get_by_role("region", name="Providers").get_by_role("row", name="openai")
    expect(row).to_contain_text("open (its key or account was refused)")
    assert serious(page) == []
    photograph(page, "now-provider-down")

    page.goto("/images")
    card = page.locator(".gallery li.card")
    expect(card).to_contain_text("local")
    card.get_by_role("link").first.click()
    expect(page.get_by_text("Asked of openai, which did not deliver.")).to_be_visible()
    calls = page.get_by_role("region", name="Calls that were made")
    expect(calls.get_by_role("row", name="openai")).to_contain_text(
        "openai does not accept the key"
    )
    assert serious(page) == []
    photograph(page, "image-fell-back")
    assert openai.bill == []

    monkeypatch.setenv("OPENAI_API_KEY", openai.keys["openai"])
    run(key)
    page.reload()
    expect(page.get_by_role("figure").filter(has_text="Picture, made by openai")).to_be_visible()
    assert len(openai.bill) == 1
