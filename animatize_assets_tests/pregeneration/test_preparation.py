"""What is made ahead is what a run asks for; nothing that holds of an image changes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from sqlalchemy import select, update

from animatize_assets.cli.entry import execute
from animatize_assets.database.tables import generation_requests, images
from animatize_assets.pipeline.pregenerating import StagePreparation
from animatize_assets.pregeneration.patterns import Pattern
from animatize_assets.workplace.opening import open_workplace
from animatize_assets_tests.loopback.server import LoopbackServer, loopback_server

Animatize = Callable[..., Any]
SQUARE = Pattern("generic", "cinematic", "openai", (816, 816))


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


def ingested(animatize: Animatize, folder: Path, count: int) -> list[str]:
    keys = []
    for number in range(count):
        path = folder / f"{number}.png"
        pixels = np.random.default_rng(number).integers(0, 256, (40, 60, 3), np.uint8)
        Image.fromarray(pixels).resize((300, 200), Image.Resampling.BICUBIC).save(path)
        keys.append(animatize("ingest", path)["images"][0]["image_key"])
    return keys


def let_pass(days: float) -> None:
    """Move everything that is logged and stored into the past."""
    with open_workplace().images.engine.begin() as connection:
        for table, column in ((generation_requests, "requested_at"), (images, "registered_at")):
            for row in connection.execute(select(table.c.id, table.c[column])).all():
                at = row[1] - timedelta(days=days)
                change = {column: at.replace(tzinfo=UTC)}
                connection.execute(update(table).where(table.c.id == row[0]).values(change))


def asked_for(animatize: Animatize, folder: Path) -> list[str]:
    """Ask for three images, then for two of them as squares: the third is likely to follow."""
    keys = ingested(animatize, folder, 3)
    animatize("run", *keys, "--provider", "openai", "--size", "1024x640")
    let_pass(1)
    animatize("run", *keys[:2], "--provider", "openai", "--size", "816x816")
    let_pass(0.2)
    return keys


def test_from_the_log_to_a_picture_that_is_there_when_it_is_asked_for(
    server: LoopbackServer,
    animatize: Animatize,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ANIMATIZE_PREGENERATION_WASTE", "0.5")  # a handful of requests is no proof
    keys = asked_for(animatize, tmp_path)
    _same_as_a_run(keys[0])
    before = animatize("show", keys[2])

    plan = animatize("pregenerate", "--dry-run")
    assert [(each["image_key"], each["size"]) for each in plan["pictures"]] == [
        (keys[2], [816, 816])
    ]
    assert 0.5 < plan["pictures"][0]["probability"] <= 1
    assert plan["cost_usd"] == pytest.approx(plan["by_day_usd"] / 2)
    night = animatize("pregenerate")
    assert (night["sent"], night["failed"]) == (1, 0)
    came = [animatize("pregenerate", "collect")["came"] for _ in range(4)]
    assert sum(came) == 1
    assert animatize("show", keys[2]) == before

    by_day = len(server.calls("openai.edits"))
    animatize("run", keys[2], "--provider", "openai", "--size", "816x816")
    assert len(server.calls("openai.edits")) == by_day
    shown = animatize("show", keys[2])["generated_picture"]
    assert shown["reuse"]["level"] == "exact"
    told = animatize("pregenerate", "report")
    assert (told["total"]["made"], told["total"]["used"]) == (1, 1)
    assert told["total"]["saved_usd"] > 0
    assert told["served"] == 1


def _same_as_a_run(image_key: str) -> None:
    """Compare with the key under which the run of the same request kept its picture."""
    workplace = open_workplace()
    with workplace.workshop() as workshop:
        preparation = StagePreparation(workshop)
        prepared = preparation.prepared(image_key, SQUARE)
        order = preparation.order(image_key, SQUARE)
    query = select(generation_requests.c.result_key).where(
        generation_requests.c.image_key == image_key, generation_requests.c.width == 816
    )
    with workplace.images.engine.connect() as connection:
        key = connection.scalar(query)
    assert prepared is not None
    assert order is not None
    assert prepared.fingerprint == order.request.fingerprint == key


def test_an_image_without_its_analysis_is_not_ready(
    server: LoopbackServer, animatize: Animatize, tmp_path: Path
) -> None:
    [key] = ingested(animatize, tmp_path, 1)
    with open_workplace().workshop() as workshop:
        preparation = StagePreparation(workshop)
        assert preparation.prepared(key, SQUARE) is None
        assert preparation.order(key, SQUARE) is None


def test_nothing_was_asked_for_yet(
    server: LoopbackServer, animatize: Animatize, tmp_path: Path
) -> None:
    ingested(animatize, tmp_path, 1)
    assert animatize("pregenerate", "--dry-run")["pictures"] == []
    report = animatize("pregenerate", "report")
    assert report["nights"] == []
    assert report["total"]["hit_share"] is None
