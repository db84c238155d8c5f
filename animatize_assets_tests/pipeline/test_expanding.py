"""Prompts that are expanded keep OpenAI's limits, together with all other runs."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from pydantic import SecretStr
from upath import UPath

from animatize_assets.generation.across_runs import AcrossRuns
from animatize_assets.generation.breaker import BreakerRules
from animatize_assets.generation.health import HealthBoard
from animatize_assets.images.artifacts import ArtifactStore
from animatize_assets.pipeline.expanding import Expansions
from animatize_assets.pipeline.generation_setup import GenerationSetup, ProviderSetup
from animatize_assets.pipeline.source_opening import open_expansions
from animatize_assets.prompts.models import MotionPrompt
from animatize_assets.telemetry.cache_requests import CacheRequests, counted
from animatize_assets_tests.integration.generating import migrated
from animatize_assets_tests.loopback.server import LoopbackServer, loopback_server
from animatize_assets_tests.prompts import scenes
from animatize_assets_tests.prompts.expansion.cases import compiled, follows_rules


class Pool:
    """Counts the places that are claimed and freed."""

    def __init__(self) -> None:
        self.claimed: list[tuple[str, int]] = []
        self.held: set[str] = set()
        self._lock = threading.Lock()

    def claim(self, provider: str, place: str, limit: int) -> bool:
        with self._lock:
            self.claimed.append((provider, limit))
            self.held.add(place)
        return True

    def free(self, place: str) -> None:
        with self._lock:
            self.held.discard(place)

    def free_ended(self) -> None: ...


@pytest.fixture
def server() -> Iterator[LoopbackServer]:
    with loopback_server() as running:
        running.openai.reply = follows_rules
        yield running


@contextmanager
def expansions_at(server: LoopbackServer, folder: Path) -> Iterator[Expansions]:
    how = ProviderSetup(SecretStr(server.keys["openai"]), server.openai_url)
    engine = migrated(folder / "animatize.db")
    setup = GenerationSetup(providers={"openai": how})
    opened = open_expansions(setup, engine, artifacts=ArtifactStore(UPath(folder)))
    assert opened is not None
    yield opened
    engine.dispose()


def expanded(
    expansions: Expansions, seed: int = 7, across_runs: AcrossRuns | None = None
) -> MotionPrompt:
    prompt = compiled()
    path = scenes.camera_path(prompt.camera_move, prompt.camera_direction)
    return expansions.expand(
        prompt,
        scenes.analysis(),
        scenes.prediction(path),
        expand="draft",
        seed=seed,
        image_key="boat-0123456789abcdef",
        run_id=None,
        across_runs=across_runs,
    )


def test_each_call_takes_one_of_the_places_of_all_runs(
    server: LoopbackServer, tmp_path: Path
) -> None:
    pool = Pool()
    with expansions_at(server, tmp_path) as expansions:
        server.script("openai.chat", "server_error")
        assert expanded(expansions, across_runs=pool).compiler == "llm"
    assert pool.claimed == [("openai", 16)] * 2  # one more for the call that failed
    assert pool.held == set()


def test_models_that_are_down_are_left_alone_and_the_templates_prompts_stand(
    server: LoopbackServer, tmp_path: Path
) -> None:
    with expansions_at(server, tmp_path) as expansions:
        server.script("openai.chat", "quota")
        for _ in range(3):
            prompt = expanded(expansions)
            assert (prompt.compiler, prompt.expansion and prompt.expansion.fallback) == (
                "template",
                "quota",
            )
        assert len(server.calls("openai.chat")) == 1
        assert expansions.station.state.state == "open"
        (seen,) = HealthBoard(expansions.engine).read()
        assert (seen.provider, seen.state, seen.reason) == ("openai_text", "open", "quota")


def test_bad_luck_opens_no_breaker(server: LoopbackServer, tmp_path: Path) -> None:
    with expansions_at(server, tmp_path) as expansions:
        server.script("openai.chat", *["server_error"] * 2, None, "server_error", None)
        assert BreakerRules().failures_in_a_row > 3
        for seed in range(2):
            assert expanded(expansions, seed).compiler == "llm"
        assert expansions.station.state.state == "closed"


def test_a_later_process_takes_what_was_paid_for_unless_it_is_told_not_to(
    server: LoopbackServer, tmp_path: Path
) -> None:
    kept = []
    for _ in range(2):
        with expansions_at(server, tmp_path) as expansions:
            before = counted()["expansion"]
            prompt = expanded(expansions)
            assert prompt.expansion is not None
            kept.append((prompt.expansion.kept, counted()["expansion"].since(before)))
    assert kept == [(False, CacheRequests(0, 1)), (True, CacheRequests(1, 0))]
    assert len(server.bill) == 1
    with expansions_at(server, tmp_path) as expansions:
        before = counted()["expansion"]
        prompt = expanded(expansions.without_caches())
        assert prompt.expansion is not None
        assert not prompt.expansion.kept
        assert counted()["expansion"].since(before) == CacheRequests(0, 0)
    assert len(server.bill) == 2
