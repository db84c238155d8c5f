"""Make the README's pictures by running the project: nothing here is drawn by hand.

Runs the demo in a temporary data folder, copies one contact sheet and one animated preview, starts
the Dagster webserver on that folder's instance and photographs an asset page with Chromium
(Debian: ``apt-get install chromium``). Run with ``make docs-pictures``.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PICTURES = Path(__file__).parent / "pictures"
PAGE = "assets/animatic_clip?view=events"
WINDOW = "1600,1000"
STARTUP_LIMIT_S = 120


def main() -> None:
    """Make every picture, or say in one sentence what is missing."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        sys.exit("Chromium is missing; on Debian: apt-get install chromium")
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        environment = {
            **os.environ,
            "ANIMATIZE_DATA_DIR": folder,
            "DAGSTER_HOME": str(Path(folder) / "dagster"),
        }
        image_key = _run_demo(environment)
        shutil.copy(
            Path(folder) / "contact_sheets" / f"{image_key}.jpg", PICTURES / "contact_sheet.jpg"
        )
        shutil.copy(_shown(image_key, environment)["preview_path"], PICTURES / "preview.webp")
        with _webserver(environment) as address:
            _photograph(chromium, f"{address}/{PAGE}", PICTURES / "asset_page.png")


def _run_demo(environment: dict[str, str]) -> str:
    printed = subprocess.run(
        ["animatize", "demo", "--json"], env=environment, check=True, stdout=subprocess.PIPE
    ).stdout
    return str(json.loads(printed)["images"][0]["image_key"])


def _shown(image_key: str, environment: dict[str, str]) -> dict[str, str]:
    printed = subprocess.run(
        ["animatize", "show", image_key, "--json"],
        env=environment,
        check=True,
        stdout=subprocess.PIPE,
    ).stdout
    return dict(json.loads(printed)["animatic_clip"])


@contextmanager
def _webserver(environment: dict[str, str]) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    command = ["dagster-webserver", "-m", "animatize_assets.definitions"]
    server = subprocess.Popen(
        [*command, "--host", "127.0.0.1", "--port", str(port)],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_until_it_answers(f"{address}/server_info")
        yield address
    finally:
        server.terminate()
        server.wait(timeout=30)


def _wait_until_it_answers(url: str) -> None:
    deadline = time.monotonic() + STARTUP_LIMIT_S
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.5)
    sys.exit(f"The Dagster webserver did not answer within {STARTUP_LIMIT_S} s.")


def _photograph(chromium: str, url: str, target: Path) -> None:
    command = [
        chromium,
        "--headless=new",
        "--no-sandbox",  # the page is our own, on loopback; containers run as root
        "--hide-scrollbars",
        f"--window-size={WINDOW}",
        "--virtual-time-budget=20000",
        f"--screenshot={target}",
        url,
    ]
    subprocess.run(command, check=True, capture_output=True, timeout=180)


if __name__ == "__main__":
    main()
