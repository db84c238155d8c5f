"""Make the pictures of docs/dashboard.md: the views of a service over the sample images.

Runs ``animatize demo`` and ``animatize serve`` in a folder of their own and photographs each view
with Chromium (Debian: ``apt-get install chromium``). Run with ``make docs-pictures``.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import sync_playwright

PICTURES = Path(__file__).parent / "pictures"
ALL_SHOWN = """() => [...document.images].every((image) => image.complete)
  && [...document.querySelectorAll("video")].every((video) => video.networkState !== 2)"""
"""Whether no picture and no clip is still on its way."""

WHOLE = {"now"}
"""Views that are photographed down to their end."""

VIEWPORT = {"width": 1200, "height": 900}


def main() -> None:
    """Make the pictures."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        sys.exit("Chromium is missing; on Debian: apt-get install chromium")
    with tempfile.TemporaryDirectory() as folder:
        environment = os.environ | {
            "ANIMATIZE_DATA_DIR": folder,
            "DAGSTER_HOME": str(Path(folder) / "dagster"),
        }
        first = json.loads(_run(["demo"], environment))
        key = first["images"][0]["image_key"]
        second = json.loads(_run(["run", key, "--style", "documentary"], environment))
        runs = (first["run_ids"][0], second["run_ids"][0])
        with _served(environment) as address:
            _photograph(chromium, address, key, runs)


def _run(command: list[str], environment: dict[str, str]) -> str:
    ended = subprocess.run(
        ["animatize", *command, "--json"], env=environment, check=True, stdout=subprocess.PIPE
    )
    return ended.stdout.decode()


@contextmanager
def _served(environment: dict[str, str]) -> Iterator[str]:
    command = ["animatize", "serve", "--port", "0", "--json"]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None  # noqa: S101  # it was asked for
        document = ""
        for line in process.stdout:
            document += line
            if line == "}\n":
                break
        yield json.loads(document)["url"]
    finally:
        process.terminate()
        process.wait()


def _photograph(chromium: str, address: str, key: str, runs: tuple[str, str]) -> None:
    left, right = runs
    views = {
        "now": ("/", "#machine-title"),
        "images": ("/images", ".gallery img"),
        "image": (f"/images/{key}", "#clip"),
        "performance": ("/performance?days=7", "#week-title"),
        "compare": (f"/compare?by=run&left={left}&right={right}&days=7", "#pairs-title"),
        "pictures": (f"/images/{key}/pictures", ".pair img"),
    }
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium,
            args=["--no-sandbox"],  # the pages are our own; containers run as root
        )
        page = browser.new_page(base_url=address, viewport=VIEWPORT)  # type: ignore[arg-type]
        for name, (path, awaited) in views.items():
            page.goto(path)
            page.locator(awaited).first.wait_for()
            page.wait_for_function(ALL_SHOWN)
            page.screenshot(path=PICTURES / f"dashboard_{name}.png", full_page=name in WHOLE)
        browser.close()


if __name__ == "__main__":
    main()
