"""`make check-deploy` is content with what ships, and finds what is wrong."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from animatize_assets_tests.production import ROOT

DEPLOY = ROOT / "deploy"


def checked(folder: Path, postgres: str) -> tuple[int, dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, DEPLOY / "check_deploy.py", "--json",
         "--folder", folder, "--postgres", postgres],
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    assert done.stdout, done.stderr
    checks = json.loads(done.stdout)["checks"]
    return done.returncode, {each["what"].partition(":")[0]: each for each in checks}


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the folder, beside what it mounts."""
    shutil.copytree(DEPLOY / "observability", tmp_path / "deploy" / "observability")
    return Path(shutil.copytree(DEPLOY / "postgres", tmp_path / "deploy" / "postgres"))


def test_what_ships_is_in_order(postgres_url: str) -> None:
    code, checks = checked(DEPLOY / "postgres", postgres_url)
    failed = {what: each["says"] for what, each in checks.items() if each["verdict"] == "failed"}
    assert (code, failed) == (0, {})
    made = {what for what, each in checks.items() if each["verdict"] == "ok"}
    assert {"compose.yaml", "variables", "secrets", "containers", "dagster.yaml"} <= made


def test_everything_that_is_wrong_is_found(copy: Path, postgres_url: str) -> None:
    def change(name: str, *changes: tuple[str, str]) -> None:
        file = copy / name
        text = file.read_text()
        for pattern, instead in changes:
            changed = re.sub(pattern, instead, text, count=1)
            assert changed != text, pattern
            text = changed
        file.write_text(text)

    change(
        "compose.yaml",
        ("  read_only: true\n", ""),
        ('user: "472:0"', 'user: "0:0"'),
        ("restart: unless-stopped", "restart: [sometimes]"),
        (r"\$\{ANIMATIZE_GRAFANA_PASSWORD:\?a secret\}", "grafana"),
        (r"OPENAI_API_KEY: \$\{OPENAI_API_KEY:-\}", "ANIMATIZE_OPEN_AI_KEY: ${ANOTHER:-}"),
        ("secrets: \\[metrics_token\\]", "secrets: [no_such_token]"),
        (r"\./proxy\.conf:", "./no_such_proxy.conf:"),
        ("--path-prefix", "--no-such-option"),
        ("memory: 512M, ", ""),
    )
    change("Containerfile", ("USER 10001:10001", "USER root"))
    change("dagster.yaml", ("max_retries", "most_retries"))
    change("prometheus.yml", ("scrape_interval", "scrape_every"))
    change("proxy.conf", ("proxy_buffering off", "proxy_buffering of"))

    code, checks = checked(copy, postgres_url)
    assert code == 1
    says = {what: " ".join(each["says"]) for what, each in checks.items()}
    assert "services.daemon.restart" in says["compose.yaml"]
    # of two checks that begin alike, the later one: names of this project's settings
    assert "ANIMATIZE_OPEN_AI_KEY, which nothing reads" in says["variables"]
    assert "grafana has the secret GF_SECURITY_ADMIN_PASSWORD" in says["secrets"]
    assert "grafana runs as root" in says["containers"]
    assert "postgres can write to its root file system" in says["containers"]
    assert "grafana has no limit of memory" in says["containers"]
    assert "no_such_token" in says["what is mounted and named is there"]
    assert "no_such_proxy.conf" in says["what is mounted and named is there"]
    assert "root" in says["Containerfile"]
    assert "no-such-option" in says["commands of the containers"]
    assert "most_retries" in says["dagster.yaml"]
    for what, program in (("prometheus.yml", "promtool"), ("proxy.conf", "nginx")):
        if checks[what]["verdict"] != "not made":
            assert checks[what]["verdict"] == "failed", what
        else:
            assert f"{program} is not installed" in says[what]
