"""Pictures that fell back while their provider was down are asked for again: once, for money."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from animatize_assets.defs import recovery_sensor
from animatize_assets.defs.build import build_definitions
from animatize_assets.defs.recovery_sensor import RECOVERS_TAG, Offered, provider_recovery
from animatize_assets.defs.resources import Stores, default_resources
from animatize_assets.generation.breaker import BreakerState
from animatize_assets.generation.catalogue import load_catalogue
from animatize_assets.generation.health import HealthBoard
from animatize_assets.generation.models import Attempt, PictureRecord
from animatize_assets.generation.request_log import LoggedRequest, RequestLog
from animatize_assets.images.artifacts import Draft
from animatize_assets.pipeline.stages import Work
from animatize_assets.pipeline.workshop import Workshop
from animatize_assets.records import Record
from animatize_assets.workplace.quoting import expected_price
from animatize_assets_tests.defs.runs import QUIET, register, run
from animatize_assets_tests.loopback.server import LoopbackServer, loopback_server
from animatize_assets_tests.pipeline.cheap import SIDE, CheapWorkshop, cheap_overrides

DOWN = "flux is"
"""A file of the data folder: the kind of failure with which flux answers; none: it delivers."""


class WatchedWorkshop(CheapWorkshop):
    """The cheap workshop, whose flux is up or down, and which logs its requests."""

    def open(self) -> Workshop:
        workshop = super().open()
        plan = workshop.stages["generated_picture"]

        def make(work: Work, draft: Draft) -> Record:
            record = plan.make(work, draft)
            assert isinstance(record, PictureRecord)
            told = Path(self.stores.location().path) / DOWN
            failure = told.read_text() if told.exists() else None
            if work.request.provider != "local":
                record = _asked(record, failure)
            _log(work, record)
            return record

        stages = {**workshop.stages, "generated_picture": replace(plan, make=make)}
        return replace(workshop, stages=stages)


def _asked(record: PictureRecord, failure: str | None) -> PictureRecord:
    if failure is None:
        return record.model_copy(update={"provider": record.asked_provider})
    failed = Attempt(
        provider=record.asked_provider,
        model="flux-2-pro",
        started_at=datetime.now(UTC),
        seconds=0.0,
        outcome="failed",
        reason=failure,
    )
    return record.model_copy(update={"attempts": (failed, *record.attempts)})


def _log(work: Work, record: PictureRecord) -> None:
    RequestLog(work.workshop.images.engine).write(
        LoggedRequest(
            image_key=work.image_key,
            target=work.request.target,
            style=work.request.style,
            provider=work.request.provider,
            model=record.model,
            width=record.width,
            height=record.height,
            movement="zoom_in",
            outcome="made",
            run_id=work.workshop.run_id,
            made_by=record.provider,
            cost_usd=0.0,
        )
    )


class Studio:
    """A studio with flux, the sensor's looks, and the runs that they ask for."""

    def __init__(self, instance: dg.DagsterInstance, data_dir: Path) -> None:
        self.instance = instance
        self.data_dir = data_dir
        given = cheap_overrides()
        names = ("stores", "scene_models", "picture_providers", "performance")
        workshop = WatchedWorkshop(**{name: given[name] for name in names})
        self.definitions = build_definitions({**given, "workshop": workshop})
        self.cursor: str | None = None
        self.said = ""

    def flux_is(self, failure: str | None) -> None:
        told = self.data_dir / DOWN
        told.unlink(missing_ok=True)
        if failure is not None:
            told.write_text(failure)

    def run(self, keys: list[str], **config: Any) -> None:
        config = {"provider": "flux", **config}
        assert run(self.instance, keys, definitions=self.definitions, **config).success

    def back(self) -> None:
        """A probe of some process closes flux's breaker."""
        images, _ = Stores().open()
        HealthBoard(images.engine).note(BreakerState("flux", "closed", 0, None, None))

    def look(self) -> list[dg.RunRequest]:
        context = dg.build_sensor_context(instance=self.instance, cursor=self.cursor)
        given = default_resources()
        result = provider_recovery(context, given["stores"], given["picture_providers"])
        self.cursor = result.cursor
        self.said = result.skip_reason.skip_message or "" if result.skip_reason else ""
        return list(result.run_requests or [])

    def execute(self, request: dg.RunRequest) -> dg.ExecuteInProcessResult:
        return self.definitions.resolve_job_def("animate_images").execute_in_process(
            instance=self.instance,
            run_config={**request.run_config, **QUIET},
            tags=request.tags,
            asset_selection=list(request.asset_selection or ()),
        )

    def providers(self, keys: list[str]) -> list[str]:
        _, artifacts = Stores().open()
        found = [artifacts.current("generated_picture", key, PictureRecord) for key in keys]
        return [picture.provider if picture else "" for picture in found]


@pytest.fixture
def studio(instance: dg.DagsterInstance, data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Studio:
    monkeypatch.setenv("BFL_API_KEY", "a-key")
    monkeypatch.setenv("ANIMATIZE_FLUX_BASE_URL", "http://127.0.0.1:9")  # nobody answers there
    return Studio(instance, data_dir)


def keys_of(request: dg.RunRequest) -> tuple[str, ...]:
    tags = request.tags
    first = tags.get("dagster/asset_partition_range_start", tags.get("dagster/partition"))
    last = tags.get("dagster/asset_partition_range_end", first)
    return (str(first),) if first == last else (str(first), str(last))


def test_what_fell_back_is_asked_for_again_as_it_was_asked_for_and_once(
    studio: Studio, instance: dg.DagsterInstance, data_dir: Path
) -> None:
    keys = register(instance, data_dir, 4)
    studio.run(keys[:1])
    studio.flux_is("transient")
    studio.run(keys[1:3], style="noir")
    studio.run(keys[3:], provider="local")
    assert studio.look() == []  # it is down as far as anybody knows
    studio.back()
    studio.flux_is(None)
    (request,) = studio.look()
    assert keys_of(request) == (keys[1], keys[2])
    config = request.run_config["ops"]["image_pipeline"]["config"]
    assert (config["provider"], config["style"]) == ("flux", "noir")
    assert request.tags[RECOVERS_TAG] == "flux"
    assert studio.look() == []  # also before that run has begun
    made = {event.asset_key.to_user_string() for event in studio.execute(request).all_events
            if event.is_step_materialization}  # fmt: skip
    assert made == {"motion_prompt", "generated_picture"}
    assert studio.providers(keys) == ["flux", "flux", "flux", "local"]
    assert studio.look() == []
    assert Offered.model_validate_json(studio.cursor or "").requests == ()


def test_what_falls_back_a_second_time_is_left_to_a_person(
    studio: Studio, instance: dg.DagsterInstance, data_dir: Path
) -> None:
    keys = register(instance, data_dir, 1)
    studio.flux_is("transient")
    studio.run(keys)
    studio.back()
    (request,) = studio.look()
    studio.execute(request)  # it is down again
    assert studio.providers(keys) == ["local"]
    studio.back()
    assert studio.look() == []
    studio.cursor = None  # nor after a restart that lost its memory
    assert studio.look() == []


def test_a_restart_that_forgets_its_cursor_asks_with_the_same_key(
    studio: Studio, instance: dg.DagsterInstance, data_dir: Path
) -> None:
    studio.flux_is("ambiguous")
    studio.run(register(instance, data_dir, 2))
    studio.back()
    (first,) = studio.look()
    studio.cursor = None
    (again,) = studio.look()
    assert first.run_key == again.run_key


@pytest.mark.parametrize("failure", ["refused_content", "invalid_request"])
def test_what_a_provider_refused_is_not_asked_again(
    failure: str, studio: Studio, instance: dg.DagsterInstance, data_dir: Path
) -> None:
    studio.flux_is(failure)
    studio.run(register(instance, data_dir, 1))
    studio.back()
    assert studio.look() == []


def test_what_a_person_asked_for_since_stays(
    studio: Studio, instance: dg.DagsterInstance, data_dir: Path
) -> None:
    keys = register(instance, data_dir, 2)
    studio.flux_is("transient")
    studio.run(keys)
    studio.run(keys[:1], provider="local", style="noir")
    instance.delete_dynamic_partition("images", keys[1])  # archived
    studio.back()
    assert studio.look() == []


def test_only_what_the_budget_allows_is_asked_for(
    studio: Studio,
    instance: dg.DagsterInstance,
    data_dir: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    keys = register(instance, data_dir, 3)
    studio.flux_is("transient")
    studio.run(keys)
    studio.back()
    monkeypatch.setenv("ANIMATIZE_BUDGET_DAY_USD", "0")
    assert studio.look() == []
    assert "flux is back. The budgets leave $0 for flux now" in studio.said
    setup = default_resources()["picture_providers"].setup()
    price = expected_price(setup, load_catalogue(), (SIDE, SIDE), "flux", None)
    assert price
    monkeypatch.setenv("ANIMATIZE_BUDGET_DAY_USD", f"{2.5 * price}")
    (request,) = studio.look()
    assert keys_of(request) == (keys[0], keys[1])
    monkeypatch.setenv("ANIMATIZE_BUDGET_DAY_USD", "5")
    (rest,) = studio.look()  # the next look goes on
    assert keys_of(rest) == (keys[2],)


@pytest.fixture
def server() -> Iterator[LoopbackServer]:
    with loopback_server() as running:
        yield running


def test_a_provider_that_shows_nothing_itself_is_asked_after_a_while(
    studio: Studio,
    server: LoopbackServer,
    instance: dg.DagsterInstance,
    data_dir: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    studio.flux_is("transient")
    studio.run(register(instance, data_dir, 1))

    class Later(datetime):
        @classmethod
        def now(cls, tz: object = None) -> datetime:  # type: ignore[override]
            del tz
            return datetime.now(UTC) + timedelta(minutes=11)

    assert studio.look() == []
    monkeypatch.setattr(recovery_sensor, "datetime", Later)
    assert studio.look() == []  # nobody answers
    monkeypatch.setenv("BFL_API_KEY", server.keys["flux"])
    monkeypatch.setenv("ANIMATIZE_FLUX_BASE_URL", server.flux_url)
    assert len(studio.look()) == 1
