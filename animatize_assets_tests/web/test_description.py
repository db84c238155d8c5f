"""The running service does what its description says, and nothing worse: Schemathesis asks it.

All checks, over every route. Left out: that every upload which fits the description is accepted,
for what is in a file no description tells; uploads have their own tests.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from animatize_assets.performance.alert_models import AlertDraft, Judgement
from animatize_assets.performance.alert_store import AlertStore
from animatize_assets.web.service import Service
from animatize_assets.workplace.opening import open_workplace
from animatize_assets_tests.performance.jobs import job
from animatize_assets_tests.web.conftest import AnalysisHere, served
from animatize_assets_tests.web.made_images import animate, ask, ingest, keep, picture_of

SEED = 20_261_126

PATIENCE_S = 120
"""How fast answers are is measured elsewhere: here a busy machine is no fault."""

CONFIGURATION = """\
[[operations]]
include-name = "POST /api/images"
[operations.checks.positive_data_acceptance]
enabled = false
"""


class Ended:
    """Runs that have ended as soon as they were started."""

    def __init__(self) -> None:
        self.run_ids = {"image": "00000000-0000-4000-8000-000000000000"}
        self.is_going_on = False

    def wait(self) -> int:
        return 0


@pytest.fixture
def address(database_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[str]:
    """Where a service is that has images, jobs and alerts, and starts no process."""
    monkeypatch.setenv("ANIMATIZE_PERFORMANCE_DATABASE_URL", database_url)
    monkeypatch.setenv("ANIMATIZE_SERVE_REQUESTS_PER_S", "100000")
    for name in ("_start_runs", "_start_batch"):
        monkeypatch.setattr(Service, name, lambda *_: Ended())
    monkeypatch.setattr(Service, "warm_up", lambda _self: None)
    service = Service.of(open_workplace())
    service.analysis = AnalysisHere(service.performance)
    service.performance.store.record(*[job(number) for number in range(40)])
    drafts = tuple(
        AlertDraft(
            alert_type="resource",
            subject=f"worker-{number}",
            severity="high",
            message="Memory is short.",
            threshold_value=90.0,
            actual_value=97.0,
        )
        for number in range(20)
    )
    AlertStore(service.performance.engine).raise_(Judgement(drafts=drafts))
    made, _bare = ingest(service, tmp_path / "images", 2)
    animate(service, [made])
    keep(service.workplace, made, "a" * 32, "openai", content=picture_of(60))
    ask(service.workplace, made, "a" * 32, "openai")
    with served(service) as url:
        yield url


@pytest.mark.parametrize(
    "database_url",
    ["postgresql", pytest.param("sqlite", marks=pytest.mark.full)],
    indirect=True,
)
def test_schemathesis_finds_nothing(address: str, sizes: dict[str, Any], tmp_path: Path) -> None:
    configuration = tmp_path / "schemathesis.toml"
    configuration.write_text(CONFIGURATION)
    ran = subprocess.run(
        [
            str(Path(sys.executable).with_name("st")),
            f"--config-file={configuration}",
            "run",
            f"{address}/openapi.json",
            f"--max-examples={sizes['description']['examples']}",
            f"--seed={SEED}",
            f"--request-timeout={PATIENCE_S}",
            "--continue-on-failure",
        ],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout[-20_000:] + ran.stderr[-2_000:]
