"""Make the README's pictures by running the project: nothing here is drawn by hand.

Runs the demo in a temporary data folder, copies one contact sheet and one animated preview, starts
the Dagster webserver on that folder's instance and photographs an asset page with Chromium
(Debian: ``apt-get install chromium``). Run with ``make docs-pictures``.
"""

from __future__ import annotations

import base64
import json
import os
import re
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
from typing import Any

from websockets.sync.client import ClientConnection, connect

PICTURES = Path(__file__).parent / "pictures"
PAGE = "assets/scene_analysis?view=events"
PREVIEW_LINK = (
    "[...document.querySelectorAll('a,button')].find(e => e.textContent.includes('Show Markdown'))"
)
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
    """Open ``url``, open the preview in its metadata, and store what the window shows."""
    with tempfile.TemporaryDirectory() as profile:
        command = [
            chromium,
            "--headless=new",
            "--no-sandbox",  # the page is our own, on loopback; containers run as root
            "--hide-scrollbars",
            f"--window-size={WINDOW}",
            f"--user-data-dir={profile}",
            "--remote-debugging-port=0",
        ]
        browser = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        try:
            with connect(_first_page(browser), max_size=None) as socket_:
                page = _Page(socket_)
                page.call("Page.navigate", url=url)
                page.wait_for(f"Boolean({PREVIEW_LINK})")
                page.call("Runtime.evaluate", expression=f"{PREVIEW_LINK}.click()")
                page.wait_for("[...document.images].some(i => i.src.startsWith('data:'))")
                picture = page.call("Page.captureScreenshot", format="png")["data"]
            target.write_bytes(base64.b64decode(picture))
        finally:
            browser.terminate()
            browser.wait(timeout=30)


def _first_page(browser: subprocess.Popen[str]) -> str:
    """Address of the first tab's debugger; Chromium prints its own on standard error."""
    for line in browser.stderr or ():
        if found := re.search(r"ws://(\S+?)/", line):
            with urllib.request.urlopen(f"http://{found[1]}/json/list", timeout=30) as answer:
                pages = [tab for tab in json.load(answer) if tab["type"] == "page"]
            return str(pages[0]["webSocketDebuggerUrl"])
    sys.exit("Chromium ended before it opened its debugger.")


class _Page:
    """One tab, spoken to in the Chrome DevTools Protocol."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self._calls = 0

    def call(self, method: str, **parameters: object) -> dict[str, Any]:
        """Call a method and return its result."""
        self._calls += 1
        self._connection.send(
            json.dumps({"id": self._calls, "method": method, "params": parameters})
        )
        while (answer := json.loads(self._connection.recv(timeout=60))).get("id") != self._calls:
            pass
        return dict(answer["result"])

    def wait_for(self, condition: str) -> None:
        """Wait until a JavaScript expression is true."""
        deadline = time.monotonic() + STARTUP_LIMIT_S
        while time.monotonic() < deadline:
            answer = self.call("Runtime.evaluate", expression=condition)
            if answer["result"].get("value") is True:
                time.sleep(1)  # let what has appeared settle
                return
            time.sleep(0.2)
        sys.exit(f"The page never came to: {condition}")


if __name__ == "__main__":
    main()
