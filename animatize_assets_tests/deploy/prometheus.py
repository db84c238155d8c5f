"""A real Prometheus with this project's configuration, and what it says."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from animatize_assets_tests.deploy.observed import CONFIG, OBSERVABILITY, parsed
from animatize_assets_tests.integration.daemons import wait_for

EVERY = "2s"
"""Between two scrapes; a person's Prometheus has more patience than a test."""


@dataclass(frozen=True)
class Prometheus:
    """A client of a running server."""

    client: httpx.Client
    log: Path

    def values(self, query: str) -> list[float]:
        """Return the value of each sample that a query gives now; NaN counts as one."""
        found = self._get("/api/v1/query", query=query)["result"]
        return [float(each["value"][1]) for each in found]

    def evaluated_rules(self) -> list[dict[str, Any]]:
        """Return every rule with its health; none while some were not evaluated yet."""
        rules = [rule for group in self._get("/api/v1/rules")["groups"] for rule in group["rules"]]
        return [] if any(rule["health"] == "unknown" for rule in rules) else rules

    def wait_until(self, query: str) -> None:
        """Ask again until a query gives something."""
        wait_for(lambda: self.values(query), self.log)

    def _get(self, path: str, **parameters: str) -> Any:
        answer = self.client.get(path, params=parameters)
        assert answer.status_code == 200, answer.text
        return answer.json()["data"]


@contextmanager
def running_prometheus(folder: Path, target: str) -> Iterator[Prometheus]:
    """Run Prometheus over ``target`` (host and port) while the block runs."""
    program = shutil.which("prometheus")
    if program is None:
        pytest.skip("Prometheus is not installed (Debian: apt-get install prometheus)")
    config = parsed(CONFIG)
    config["global"] = {
        "scrape_interval": EVERY, "scrape_timeout": EVERY, "evaluation_interval": EVERY
    }  # fmt: skip
    config["rule_files"] = [str(OBSERVABILITY / pattern) for pattern in config["rule_files"]]
    config["scrape_configs"][0]["static_configs"] = [{"targets": [target]}]
    file, log = folder / "prometheus.yml", folder / "prometheus.log"
    file.write_text(yaml.safe_dump(config), encoding="utf-8")
    command = [
        program,
        f"--config.file={file}",
        f"--storage.tsdb.path={folder / 'tsdb'}",
        "--web.listen-address=127.0.0.1:0",
    ]
    with (
        log.open("wb") as words,
        subprocess.Popen(command, stdout=words, stderr=subprocess.STDOUT) as process,
    ):

        def address() -> str | None:
            assert process.poll() is None, log.read_text()
            told = re.search(r'"?Listening on"? address=(\S+)', log.read_text())
            return told and told.group(1)

        try:
            with httpx.Client(base_url=f"http://{wait_for(address)}", timeout=30) as client:
                wait_for(lambda: client.get("/-/ready").status_code == 200, log)
                yield Prometheus(client, log)
        finally:
            process.terminate()
