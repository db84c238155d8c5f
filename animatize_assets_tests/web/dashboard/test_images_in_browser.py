"""The gallery and the contact cards in Chromium."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from animatize_assets.web.service import Service
from animatize_assets_tests.web.dashboard.conftest import Findings, Photograph
from animatize_assets_tests.web.made_images import animate, ingest
from animatize_assets_tests.web.routes.test_images import picture

pytestmark = pytest.mark.browser

MADE_MS = 120_000
"""A run starts a process that loads Dagster."""

PLAY_TO_ITS_END = """video => new Promise((resolve, reject) => {
  video.loop = false;
  video.addEventListener("ended", resolve);
  setTimeout(() => reject(new Error(`it stands at ${video.currentTime} s`)), 30000);
  video.play().catch(reject);
})"""

DROP = """() => {
  const carried = new DataTransfer();
  carried.items.add(new File(["no picture"], "dropped.png", { type: "image/png" }));
  const event = new DragEvent("drop", { dataTransfer: carried, cancelable: true });
  document.getElementById("drop").dispatchEvent(event);
}"""


def test_axe_finds_nothing_serious(
    page: Page, service: Service, serious: Findings, photograph: Photograph, tmp_path: Path
) -> None:
    page.goto("/images")
    assert serious(page) == []
    photograph(page, "images-empty")
    made, waits = ingest(service, tmp_path / "files", 2)
    animate(service, [made])
    shown = {"images": "/images", "image": f"/images/{made}", "image-empty": f"/images/{waits}"}
    for name, path in shown.items():
        page.goto(path)
        assert serious(page) == []
        photograph(page, name)


def test_a_clip_plays_on_its_card(page: Page, service: Service, tmp_path: Path) -> None:
    (made,) = ingest(service, tmp_path / "files", 1)
    animate(service, [made])
    page.goto("/images")
    clip = page.locator(".gallery video")
    clip.evaluate(PLAY_TO_ITS_END)
    assert clip.evaluate("video => video.videoWidth") > 0


def test_an_image_that_is_not_there_is_told_in_the_dashboards_layout(
    page: Page, serious: Findings, photograph: Photograph
) -> None:
    page.goto("/images/nothing-0123456789abcdef")
    expect(page.get_by_role("heading", name="Not Found")).to_be_visible()
    assert serious(page) == []
    photograph(page, "not-found")
    page.get_by_role("link", name="all images").click()
    expect(page.get_by_role("heading", name="Gallery")).to_be_visible()


def test_an_upload_becomes_a_clip_that_plays(page: Page, tmp_path: Path) -> None:
    file = tmp_path / "Some Picture.png"
    file.write_bytes(picture(side=64))
    page.goto("/images")
    page.get_by_label("Drop images here").set_input_files(file)
    page.get_by_role("list", name="Uploads").get_by_text("Taken.").wait_for()
    expect(page.locator("#run-told")).to_have_text("The run is complete.", timeout=MADE_MS)
    page.get_by_role("list", name="Uploads").get_by_role("link", name="Some Picture.png").click()
    clip = page.locator("video#clip")
    clip.evaluate(PLAY_TO_ITS_END)
    assert clip.evaluate("video => video.videoWidth") > 0


def test_a_dropped_file_that_is_refused_says_why(page: Page) -> None:
    page.goto("/images")
    page.evaluate(DROP)
    uploads = page.get_by_role("list", name="Uploads")
    expect(uploads.get_by_role("status")).to_have_text(
        "'dropped.png' is not a JPEG, PNG, WebP, BMP or TIFF by its first bytes; convert it first."
    )
