"""A provider's outage from its first refused call to the picture that was asked for.

Everything is real: the provider's client over HTTP, its breaker, the ledger, the daemon, the code
server and the run that asks again. Only the measuring of pixels is cheap.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from animatize_assets.defs.build import build_definitions
from animatize_assets.defs.recovery_sensor import RECOVERS_TAG
from animatize_assets.defs.resources import Stores
from animatize_assets.generation.health import HealthBoard
from animatize_assets.generation.models import PictureRecord
from animatize_assets.generation.recovery import breakers_in_effect, was_down
from animatize_assets.generation.request_log import RequestLog
from animatize_assets.orchestration import open_instance
from animatize_assets_tests.defs.runs import register, run
from animatize_assets_tests.integration.daemons import wait_for
from animatize_assets_tests.integration.plant import CODE, DAEMON, running_plant
from animatize_assets_tests.integration.watching import (
    WATCHED,
    looks_of,
    next_look,
    switch_on,
)
from animatize_assets_tests.loopback.server import LoopbackServer, loopback_server
from animatize_assets_tests.pipeline.cheap import DECIDING, cheap_overrides

SENSOR = "provider_recovery"
IMAGES = 3
TRIES = 4
"""Of each picture; with three pictures enough for the breaker, which opens at ten failures."""

pytestmark = [
    pytest.mark.filterwarnings("ignore:InitResourceContext.dagster_run is deprecated"),
    pytest.mark.filterwarnings("ignore:Function `AssetSelection.sources` is deprecated"),
]


class Studio:
    """Three images whose pictures flux is asked for."""

    def __init__(self, instance: dg.DagsterInstance, data_dir: Path) -> None:
        self.instance = instance
        self.keys = register(instance, data_dir, IMAGES)

    def ask(self) -> None:
        """As ``animatize run --provider flux`` does."""
        definitions = build_definitions(cheap_overrides(real_stages=DECIDING))
        assert run(self.instance, self.keys, definitions=definitions, provider="flux").success

    def pictures(self) -> list[PictureRecord]:
        images, artifacts = Stores().open()
        images.engine.dispose()
        found = [artifacts.current("generated_picture", key, PictureRecord) for key in self.keys]
        assert None not in found
        return [each for each in found if each is not None]

    def makers(self) -> set[str]:
        return {each.provider for each in self.pictures()}

    def breaker(self) -> str:
        """How flux is doing, as `animatize providers` and the dashboard tell."""
        images, _ = Stores().open()
        try:
            seen = breakers_in_effect(RequestLog(images.engine), HealthBoard(images.engine))
            return {each.provider: each.state for each in seen}["flux"]
        finally:
            images.engine.dispose()

    def asked_again(self) -> list[dg.DagsterRun]:
        return list(self.instance.get_runs(dg.RunsFilter(tags={RECOVERS_TAG: "flux"})))


@pytest.fixture
def server() -> Iterator[LoopbackServer]:
    with loopback_server() as running:
        yield running


@pytest.fixture
def studio(
    either_instance: str, server: LoopbackServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Studio]:
    del either_instance
    monkeypatch.setenv("BFL_API_KEY", server.keys["flux"])
    monkeypatch.setenv("ANIMATIZE_FLUX_BASE_URL", server.flux_url)
    monkeypatch.setenv("ANIMATIZE_MAX_ATTEMPTS", str(TRIES))
    with open_instance(tmp_path / "data") as instance:
        yield Studio(instance, tmp_path / "data")


def fall_back(studio: Studio) -> None:
    """Ask while flux is down: pictures come all the same, and say why they are not by flux."""
    studio.ask()
    pictures = studio.pictures()
    assert all(was_down(each, "flux") for each in pictures)
    told = {each.message or "" for picture in pictures for each in picture.attempts}
    assert any("Not asked after 10 failures in a row" in each for each in told)
    assert studio.breaker() == "open"


@pytest.mark.parametrize(
    ("either_instance", "how"),
    [
        ("sqlite", "unavailable"),
        pytest.param("postgresql", "refused", marks=pytest.mark.full),
    ],
    indirect=["either_instance"],
)
def test_an_outage_ends_with_the_pictures_that_were_asked_for(
    studio: Studio, server: LoopbackServer, tmp_path: Path, how: str
) -> None:
    server.down("flux", how)
    fall_back(studio)
    assert server.bill == []
    before = len(server.calls("flux.submit"))
    with running_plant(tmp_path / "data", CODE, DAEMON, code=WATCHED) as plant:
        switch_on(plant, SENSOR)
        look = next_look(studio.instance, SENSOR, plant.log)
        assert look.skip_reason == "3 pictures wait for a provider that was down; none is back."
        server.up("flux")
        wait_for(lambda: studio.makers() == {"flux"}, plant.log)
        wait_for(lambda: all(each.is_finished for each in studio.asked_again()), plant.log)
        look = next_look(studio.instance, SENSOR, plant.log)
        assert (look.run_ids, look.skip_reason) == (
            [],
            "0 pictures wait for a provider that was down; none is back.",
        )
    assert [each.status for each in studio.asked_again()] == [dg.DagsterRunStatus.SUCCESS]
    assert [each.asked_provider for each in studio.pictures()] == ["flux"] * IMAGES
    assert len(server.calls("flux.submit")) - before == len(server.bill) == IMAGES
    assert studio.breaker() == "closed"


@pytest.mark.full
@pytest.mark.parametrize("either_instance", ["sqlite"], indirect=True)
def test_pictures_wait_while_the_budget_of_the_day_forbids_them(
    studio: Studio, server: LoopbackServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.down("flux")
    fall_back(studio)
    server.up("flux")
    before = len(server.calls("flux.submit"))
    monkeypatch.setenv("ANIMATIZE_BUDGET_DAY_USD", "0.001")
    with running_plant(tmp_path / "data", CODE, DAEMON, code=WATCHED) as plant:
        switch_on(plant, SENSOR)
        look = next_look(studio.instance, SENSOR, plant.log)
        assert look.skip_reason is not None
        assert "flux is back. The budgets leave $0.001 for flux now" in look.skip_reason
        assert next_look(studio.instance, SENSOR, plant.log).skip_reason == look.skip_reason
        assert studio.asked_again() == []
        assert len(server.calls("flux.submit")) == before
        assert server.bill == []

        plant.kill(CODE)
        monkeypatch.delenv("ANIMATIZE_BUDGET_DAY_USD")
        plant.start(CODE)
        wait_for(lambda: studio.makers() == {"flux"}, plant.log)
        wait_for(lambda: all(each.is_finished for each in studio.asked_again()), plant.log)
        next_look(studio.instance, SENSOR, plant.log)
    assert len(studio.asked_again()) == 1
    assert len([each for each in looks_of(studio.instance, SENSOR) if each.run_ids]) == 1
    assert len(server.calls("flux.submit")) - before == len(server.bill) == IMAGES
