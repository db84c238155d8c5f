"""Failed and silent runs of a real instance become alerts, and stop being ones."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.remote_origin import (
    RegisteredCodeLocationOrigin,
    RemoteJobOrigin,
    RemoteRepositoryOrigin,
)

from animatize_assets.defs import run_sensors
from animatize_assets.defs.run_sensors import failed_runs, silent_runs
from animatize_assets.defs.run_tags import RANGE_TAG
from animatize_assets.performance.alert_store import AlertStore
from animatize_assets.performance.models import AlertRecord
from animatize_assets_tests.defs.fleet_records import performance, room, run_job
from animatize_assets_tests.defs.runs import cheap_definitions, register, run
from animatize_assets_tests.pipeline.cheap import wish


class Looks:
    """Both sensors' looks, with the cursor in between."""

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self.instance = instance
        self.cursor: str | None = None

    def for_failures(self) -> list[AlertRecord]:
        """Look once, and return the alerts that are open then."""
        context = dg.build_sensor_context(instance=self.instance, cursor=self.cursor)
        result = failed_runs(context, performance())
        self.cursor = result.cursor
        return open_alerts("run_failed")

    def for_silence(self) -> list[AlertRecord]:
        silent_runs(dg.build_sensor_context(instance=self.instance), performance())
        return open_alerts("run_stuck")


@pytest.fixture
def looks(instance: dg.DagsterInstance) -> Looks:
    return Looks(instance)


def open_alerts(kind: str) -> list[AlertRecord]:
    found = AlertStore(room().engine).alerts(is_resolved=False)
    return [alert for alert in found if alert.alert_type == kind]


@pytest.mark.usefixtures("either_database")
def test_a_failed_run_is_an_alert_until_a_later_run_completes_its_images(
    looks: Looks, instance: dg.DagsterInstance, data_dir: Path
) -> None:
    keys = register(instance, data_dir, 3)
    assert looks.for_failures() == []
    wish(data_dir, fail={keys[1]: "generated_picture"})
    failed = run(instance, keys)
    (alert,) = looks.for_failures()
    assert alert.severity == "medium"
    assert alert.details["run_ids"] == [failed.run_id]
    assert alert.details["images"] == [keys[1]]
    assert "generated_picture refused." in alert.message
    assert "Take another image or style" in alert.message
    assert [each.occurrences for each in looks.for_failures()] == [1]

    run(instance, keys[1:])  # fails again of the same
    (again,) = looks.for_failures()
    assert (again.id, again.occurrences, len(again.details["run_ids"])) == (alert.id, 2, 2)  # type: ignore[arg-type]
    wish(data_dir)
    run(instance, keys[:1])  # completes another image
    assert len(looks.for_failures()) == 1
    assert run(instance, keys[1:2]).success
    assert looks.for_failures() == []


def test_a_restart_that_forgets_its_cursor_raises_nothing_twice(
    looks: Looks, instance: dg.DagsterInstance, data_dir: Path
) -> None:
    keys = register(instance, data_dir, 2)
    wish(data_dir, fail={keys[0]: "scene_analysis"})
    run(instance, keys)
    (alert,) = looks.for_failures()
    looks.cursor = None
    assert [each.id for each in looks.for_failures()] == [alert.id]
    wish(data_dir)
    run(instance, keys)
    looks.cursor = None
    assert looks.for_failures() == []


def test_a_run_that_died_tells_of_all_its_images(
    looks: Looks, instance: dg.DagsterInstance, data_dir: Path
) -> None:
    keys = register(instance, data_dir, 2)
    job = cheap_definitions().resolve_job_def("animate_images")
    tags = {
        "dagster/asset_partition_range_start": keys[0],
        "dagster/asset_partition_range_end": keys[1],
    }
    dead = instance.create_run_for_job(job, tags=tags)
    instance.report_run_failed(dead, "The worker is gone.")
    (alert,) = looks.for_failures()
    assert (alert.severity, alert.details["images"]) == ("high", keys)
    assert "The worker is gone." in alert.message
    assert run(instance, keys).success
    assert looks.for_failures() == []


def test_an_archived_image_lacks_nothing(
    looks: Looks, instance: dg.DagsterInstance, data_dir: Path
) -> None:
    keys = register(instance, data_dir, 1)
    wish(data_dir, fail={keys[0]: "scene_analysis"})
    run(instance, keys)
    assert len(looks.for_failures()) == 1
    instance.delete_dynamic_partition("images", keys[0])
    assert looks.for_failures() == []


@pytest.mark.parametrize(
    "tags", [{"dagster/will_retry": "true"}, {"animatize/stopped_by": "disk_nearly_full"}]
)
def test_what_goes_on_by_itself_is_no_alert(
    looks: Looks, instance: dg.DagsterInstance, tags: dict[str, str]
) -> None:
    job = cheap_definitions().resolve_job_def("clean_caches")
    served = RemoteRepositoryOrigin(RegisteredCodeLocationOrigin("served"), "repository")
    again = instance.create_run_for_job(
        job, tags=tags, remote_job_origin=RemoteJobOrigin(served, job.name)
    )
    instance.report_run_failed(again)
    assert looks.for_failures() == []
    instance.report_run_failed(instance.create_run_for_job(job))
    assert [alert.details["job"] for alert in looks.for_failures()] == ["clean_caches"]
    assert run_job(instance, "clean_caches").success
    assert looks.for_failures() == []


@pytest.mark.parametrize(("goes_on", "told"), [("true", 0), ("false", 1), (None, 1)])
def test_a_failure_waits_for_dagsters_word_whether_it_goes_on(
    looks: Looks,
    silence: Silence,
    monkeypatch: pytest.MonkeyPatch,
    goes_on: str | None,
    told: int,
) -> None:
    instance = looks.instance
    job = cheap_definitions().resolve_job_def("clean_caches")
    served = RemoteRepositoryOrigin(RegisteredCodeLocationOrigin("served"), "repository")
    failed = instance.create_run_for_job(job, remote_job_origin=RemoteJobOrigin(served, job.name))
    with monkeypatch.context() as patched:  # a look between the failure and the tag
        patched.setattr(type(instance), "add_run_tags", lambda *_: None)
        instance.report_run_failed(failed)
    assert looks.for_failures() == []
    if goes_on is None:
        silence.later(timedelta(minutes=2))  # whoever was to say it is gone
    else:
        instance.add_run_tags(failed.run_id, {"dagster/will_retry": goes_on})
    assert len(looks.for_failures()) == told
    assert len(looks.for_failures()) == told


def test_a_verdict_that_blocks_is_no_alert(looks: Looks, instance: dg.DagsterInstance) -> None:
    """As when a trained estimator is no better than the one in use."""

    @dg.asset
    def trained() -> None: ...

    @dg.asset_check(asset=trained, blocking=True)
    def is_better() -> dg.AssetCheckResult:
        return dg.AssetCheckResult(passed=False)

    @dg.asset(deps=[trained])
    def in_use() -> None: ...

    done = dg.materialize([trained, is_better, in_use], instance=instance, raise_on_error=False)
    assert not done.success
    assert looks.for_failures() == []


class Silence:
    """A run that began and then said nothing, as seen from a later time."""

    def __init__(self, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch) -> None:
        self.instance = instance
        self._patch = monkeypatch

    def begin(self, **tags: str) -> dg.DagsterRun:
        job = cheap_definitions().resolve_job_def("clean_caches")
        begun = self.instance.create_run_for_job(job, tags=tags)
        self.instance.report_dagster_event(
            dg.DagsterEvent("PIPELINE_START", job.name), begun.run_id
        )
        return begun

    def later(self, by: timedelta) -> None:
        class Later(datetime):
            @classmethod
            def now(cls, tz: object = None) -> datetime:  # type: ignore[override]
                del tz
                return datetime.now(UTC) + by

        self._patch.setattr(run_sensors, "datetime", Later)


@pytest.fixture
def silence(instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch) -> Silence:
    return Silence(instance, monkeypatch)


def test_a_run_that_says_nothing_for_too_long_is_told_of_and_left_alone(
    looks: Looks, silence: Silence, instance: dg.DagsterInstance
) -> None:
    stuck = silence.begin()
    silence.later(timedelta(minutes=29))
    assert looks.for_silence() == []
    silence.later(timedelta(minutes=31))
    (alert,) = looks.for_silence()
    assert alert.details["run_id"] == stuck.run_id
    assert instance.get_run_by_id(stuck.run_id).status == dg.DagsterRunStatus.STARTED  # type: ignore[union-attr]
    assert [each.occurrences for each in looks.for_silence()] == [1]
    instance.report_run_failed(stuck)
    assert looks.for_silence() == []


def test_a_run_that_was_said_to_be_long_has_more_patience(looks: Looks, silence: Silence) -> None:
    silence.begin(**{RANGE_TAG: "900 to 3600 (80 %)"})
    silence.later(timedelta(hours=2, minutes=59))
    assert looks.for_silence() == []
    silence.later(timedelta(hours=3, minutes=1))
    assert len(looks.for_silence()) == 1


def test_it_is_cancelled_only_when_a_setting_says_so(
    looks: Looks,
    silence: Silence,
    instance: dg.DagsterInstance,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[str] = []
    launcher = type(instance.run_launcher)

    def terminate(_: object, run_id: str) -> bool:
        asked.append(run_id)
        stuck = instance.get_run_by_id(run_id)
        assert stuck is not None
        instance.report_run_canceling(stuck)
        return True

    monkeypatch.setattr(launcher, "terminate", terminate)
    stuck = silence.begin()
    silence.later(timedelta(hours=1))
    looks.for_silence()
    assert asked == []
    monkeypatch.setenv("ANIMATIZE_STUCK_RUN_CANCEL", "true")
    assert len(looks.for_silence()) == 1
    assert asked == [stuck.run_id]
    assert looks.for_silence() == []  # it is being cancelled: once is enough
    assert asked == [stuck.run_id]
