"""A batch of expansions by job and sensor: sent once, asked after, taken by the next run."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import pytest
from PIL import Image

from animatize_assets.cli.entry import execute
from animatize_assets.defs.build import build_definitions
from animatize_assets.defs.expansion import expansion_batches
from animatize_assets.defs.resources import default_resources
from animatize_assets_tests.loopback.server import LoopbackServer, loopback_server
from animatize_assets_tests.production import ON_EITHER

pytestmark = ON_EITHER

Animatize = Callable[..., Any]
SMALL = ("--size", "96x64")
"""Clips and pictures are not what is tested."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[LoopbackServer]:
    with loopback_server() as running:
        monkeypatch.setenv("OPENAI_API_KEY", running.keys["openai"])
        monkeypatch.setenv("ANIMATIZE_OPENAI_BASE_URL", running.openai_url)
        yield running


@pytest.fixture
def animatize(capsys: pytest.CaptureFixture[str]) -> Animatize:
    def run(*arguments: str | Path) -> Any:
        capsys.readouterr()
        code = execute([*(str(argument) for argument in arguments), "--json"])
        answer = json.loads(capsys.readouterr().out)
        assert code == 0, answer
        return answer

    return run


def poll() -> str:
    resources = default_resources()
    context = dg.build_sensor_context()
    skipped = expansion_batches(
        context, stores=resources["stores"], picture_providers=resources["picture_providers"]
    )
    return str(skipped.skip_message)


def test_a_batch_is_sent_polled_and_taken(
    server: LoopbackServer, animatize: Animatize, tmp_path: Path
) -> None:
    keys = []
    for number in range(3):
        path = tmp_path / f"{number}.png"
        pixels = np.random.default_rng(number).integers(0, 256, (40, 60, 3), np.uint8)
        Image.fromarray(pixels).resize((300, 200), Image.Resampling.BICUBIC).save(path)
        keys.append(animatize("ingest", path)["images"][0]["image_key"])
    animatize("run", *SMALL)
    job = build_definitions().resolve_job_def("expand_prompts")
    with dg.DagsterInstance.ephemeral() as instance:
        sent = job.execute_in_process(instance=instance).output_for_node("submit_expansion_batch")
        again = job.execute_in_process(instance=instance).output_for_node("submit_expansion_batch")
    assert sent == {"asked": 3, "known": 0, "not_ready": 0}
    assert again == {"asked": 0, "known": 3, "not_ready": 0}
    told = [poll() for _ in range(8)]
    assert any("3 expansions have come" in each for each in told), told
    assert "0 batches are under way" in told[-1]
    animatize("run", "--all", "--expand", "draft", *SMALL)
    # The server answers with an echo of the question, which lacks the move: one repair each.
    assert len(server.calls("openai.chat")) == len(keys)
    for key in keys:
        prompt = animatize("show", key)["motion_prompt"]
        assert (prompt["compiler"], prompt["expansion"]["batch"]) == ("llm", True), prompt[
            "expansion"
        ]


def test_without_a_key_the_sensor_does_nothing() -> None:
    assert poll() == "OpenAI is not configured."
    assert not (Path(os.environ["ANIMATIZE_DATA_DIR"]) / "results").exists()
