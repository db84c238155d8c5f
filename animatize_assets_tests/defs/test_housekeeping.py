"""The daily work that keeps a workplace small."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
from sqlalchemy import update
from upath import UPath

from animatize_assets.database.tables import image_states, images
from animatize_assets.images.limits import ImageLimits
from animatize_assets.pipeline.workshop import open_stores
from animatize_assets_tests.defs.runs import QUIET, cheap_definitions, register, run


def execute(instance: dg.DagsterInstance, job: str) -> dg.ExecuteInProcessResult:
    return (
        cheap_definitions()
        .resolve_job_def(job)
        .execute_in_process(instance=instance, run_config=QUIET, raise_on_error=False)
    )


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin"])
def test_both_schedules_are_off_and_in_the_zone_that_is_set(
    zone: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANIMATIZE_TIME_ZONE", zone)
    repository = cheap_definitions().get_repository_def()
    for name, cron in (("daily_cache_cleanup", "0 1 * * *"), ("daily_retention", "15 1 * * *")):
        schedule = repository.get_schedule_def(name)
        assert (schedule.cron_schedule, schedule.execution_timezone) == (cron, zone)
        assert schedule.default_status is dg.DefaultScheduleStatus.STOPPED


def test_cleaning_drops_what_no_row_names_and_tells_what_grows(
    instance: dg.DagsterInstance, data_dir: Path
) -> None:
    keys = register(instance, data_dir, 2)
    run(instance, keys)
    orphan = data_dir / "results" / "ab" / ("ab" * 32)
    orphan.parent.mkdir(parents=True)
    orphan.write_bytes(b"left by a crash")
    os.utime(orphan, (0, 0))
    done = execute(instance, "clean_caches")
    assert done.success
    assert not orphan.exists()
    (event,) = done.asset_materializations_for_node("cache_usage")
    assert event.metadata["dropped"].value["orphans"] == 1  # type: ignore[index, call-overload]
    told = str(event.metadata["sizes"].value)
    assert "| artifacts |" in told
    assert "| generation_performance |" in told


def test_the_daily_retention_archives_what_nobody_touched_and_deletes_what_is_old(
    instance: dg.DagsterInstance, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, young = register(instance, data_dir, 2)
    first = run(instance, [old])
    store, artifacts = open_stores(UPath(data_dir), ImageLimits())
    long_ago = datetime.now(UTC) - timedelta(days=91)
    with store.engine.begin() as connection:
        connection.execute(
            update(images).where(images.c.image_key == old).values(registered_at=long_ago)
        )
        connection.execute(update(image_states).values(updated_at=long_ago))
    monkeypatch.setattr(
        "animatize_assets.orchestration.old_runs.RunsFilter",
        lambda **given: dg.RunsFilter(statuses=given["statuses"]),  # every run is old
    )
    done = execute(instance, "keep_small")
    assert done.success
    assert instance.get_dynamic_partitions("images") == [young]
    assert (store.keys(), store.keys(archived=True)) == ((young,), (old, young))
    assert not instance.has_run(first.run_id)
    assert artifacts.current_fingerprint("animatic_clip", old) is not None


def test_a_step_that_fails_keeps_no_other_from_its_turn(
    instance: dg.DagsterInstance, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    register(instance, data_dir, 1)

    def broken(*_: object, **__: object) -> None:
        raise OSError("the disk has gone")

    monkeypatch.setattr("animatize_assets.orchestration.archive_images", broken)
    done = execute(instance, "keep_small")
    assert not done.success
    ended = {event.step_key: event.event_type_value for event in done.all_events if event.step_key}
    assert ended["archive_untouched_images"] == "STEP_FAILURE"
    assert ended["delete_old_dagster_runs"] == ended["tidy_old_records"] == "STEP_SUCCESS"
