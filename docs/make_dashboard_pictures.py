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
        printed = _run(["demo"], environment)
        key = json.loads(printed)["images"][0]["image_key"]
        with _served(environment) as address:
            _photograph(chromium, address, key)


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


def _photograph(chromium: str, address: str, key: str) -> None:
    views = {
        "now": ("/", "#machine-title"),
        "images": ("/images", ".gallery img"),
        "image": (f"/images/{key}", "#clip"),
        "performance": ("/performance?days=7", "#week-title"),
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
            page.screenshot(path=PICTURES / f"dashboard_{name}.png")
        browser.close()


if __name__ == "__main__":
    main()
