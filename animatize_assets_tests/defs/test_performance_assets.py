"""The performance assets on a real instance: what they store, put into use, and leave alone."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from sqlalchemy import delete

from animatize_assets.database.performance_tables import generation_performance
from animatize_assets.defs.performance_assets import PROMOTION_CHECK
from animatize_assets.performance.daily_trends import TrendStore
from animatize_assets.performance.models import JobParameters, Submission
from animatize_assets_tests.defs.fleet_records import jobs, room, run_job
from animatize_assets_tests.defs.runs import cheap_definitions
from animatize_assets_tests.performance.jobs import MONDAY

ASKED = JobParameters(width=640, height=640, steps=40, frame_count=1)
ONE_TYPE = {"time_estimator": {"config": {"model_types": ["linear_regression"]}}}
TAKES_S = 0.5 + 0.6 * 640**2 / 1e6 * 40


def materialized(result: dg.ExecuteInProcessResult) -> dict[tuple[str, str | None], dict[str, Any]]:
    """(asset, partition) -> metadata."""
    return {
        (event.asset_key.to_user_string(), event.partition): {
            name: value.value
            for name, value in event.step_materialization_data.materialization.metadata.items()
        }
        for event in result.all_events
        if event.is_step_materialization and event.asset_key is not None
    }


def estimate() -> tuple[str, float]:
    told = room().time_estimator.estimate(
        Submission(pipeline_type="image", parameters=ASKED, submitted_at=datetime.now(UTC))
    )
    return told.prediction_method, told.predicted_time_seconds


def test_a_trained_estimator_is_used_once_its_check_has_let_it_through(
    instance: dg.DagsterInstance,
) -> None:
    room().store.record(*jobs(150))
    assert estimate()[0] == "heuristic"
    result = run_job(instance, "retrain_estimators", "image", **ONE_TYPE)
    assert result.success
    made = materialized(result)
    assert set(made) == {("time_estimator", "image"), ("estimator_in_use", "image")}
    assert made["estimator_in_use", "image"]["version"] == "1"
    (check,) = result.get_asset_check_evaluations()
    assert (check.check_name, check.passed) == (PROMOTION_CHECK, True)
    method, seconds = estimate()
    assert method == "ml_model"
    assert seconds == pytest.approx(TAKES_S, rel=0.2)


def test_a_rejected_estimator_is_never_used(
    instance: dg.DagsterInstance,
) -> None:
    """The mean of the last two like jobs is hard to beat where the machine keeps changing."""
    levels = (10.0, 22.0, 7.0, 30.0)
    room().store.record(
        *(
            each.model_copy(
                update={"parameters": ASKED, "total_time_seconds": levels[number // 12 % 4]}
            )
            for number, each in enumerate(jobs(60))
        )
    )
    result = run_job(instance, "retrain_estimators", "image", **ONE_TYPE)
    assert not result.success
    assert set(materialized(result)) == {("time_estimator", "image")}
    (check,) = result.get_asset_check_evaluations()
    assert not check.passed
    assert check.description is not None
    assert "the mean of the last two like jobs puts 100.0 %" in check.description
    (version,) = room().registry.rows.versions("image")
    assert not version.is_active
    assert check.description.startswith("An ordinary result, nothing is broken")
    assert check.description.endswith(version.promotion_note)
    assert estimate()[0] == "heuristic"

    # Nor when somebody asks for it without its check.
    in_use = cheap_definitions().resolve_implicit_global_asset_job_def()
    alone = in_use.get_subset(
        asset_selection={dg.AssetKey("estimator_in_use")}, asset_check_selection=set()
    ).execute_in_process(instance=instance, partition_key="image", raise_on_error=False)
    assert not alone.success
    assert room().registry.rows.active("image") is None
    assert estimate()[0] == "heuristic"


def test_too_few_jobs_are_an_observation_and_no_failure(instance: dg.DagsterInstance) -> None:
    room().store.record(*jobs(29))
    result = run_job(instance, "retrain_estimators", "image")
    assert result.success
    assert materialized(result) == {}
    assert result.get_asset_check_evaluations() == []
    assert room().registry.rows.versions() == []
    (seen,) = instance.fetch_observations(dg.AssetKey("time_estimator"), limit=5).records
    assert seen.partition_key == "image"
    assert seen.asset_observation is not None
    assert "there are 29" in str(seen.asset_observation.metadata["not_trained"].value)


def test_a_type_of_model_that_nobody_knows_is_refused(instance: dg.DagsterInstance) -> None:
    config = {"time_estimator": {"config": {"model_types": ["crystal_ball"]}}}
    assert not run_job(instance, "retrain_estimators", "image", **config).success


@pytest.mark.usefixtures("either_database")
def test_each_day_of_a_range_is_closed(instance: dg.DagsterInstance) -> None:
    noon = datetime(2026, 6, 1, 12, tzinfo=UTC)
    room().store.record(
        *jobs(20, until=noon), *jobs(30, first=20, until=noon + timedelta(days=1), told=1.0)
    )
    job = cheap_definitions().resolve_job_def("close_performance_day")
    result = job.execute_in_process(
        instance=instance,
        tags={
            "dagster/asset_partition_range_start": "2026-06-01",
            "dagster/asset_partition_range_end": "2026-06-02",
        },
    )
    made = materialized(result)
    assert {day: each["jobs"] for (_, day), each in made.items()} == {
        "2026-06-01": 20,
        "2026-06-02": 30,
    }
    day = made["daily_performance_trends", "2026-06-02"]["day"]
    image, video = (record.data for record in day.records)
    assert (image["pipeline"], image["successful"], image["within 20 %"]) == ("image", 30, 1.0)
    assert (video["jobs"], video["median s"]) == (0, "")
    rows = TrendStore(room().engine).read(pipeline_type="image")
    assert [(row.date, row.total_jobs) for row in rows] == [
        (date(2026, 6, 1), 20),
        (date(2026, 6, 2), 30),
    ]


def test_a_day_whose_records_are_gone_keeps_its_aggregate(instance: dg.DagsterInstance) -> None:
    room().store.record(*jobs(20, until=MONDAY))
    assert run_job(instance, "close_performance_day", "2026-06-01").success
    with room().engine.begin() as connection:
        connection.execute(delete(generation_performance))
    assert run_job(instance, "close_performance_day", "2026-06-01").success
    (row,) = TrendStore(room().engine).read(pipeline_type="image")
    assert row.total_jobs == 20
    late = run_job(instance, "write_weekly_report", "2026-06-01")
    assert not late.success


@pytest.mark.usefixtures("either_database")
def test_a_week_becomes_a_page_and_numbers(instance: dg.DagsterInstance, data_dir: Path) -> None:
    room().store.record(*jobs(40, until=MONDAY, told=1.1))
    result = run_job(instance, "write_weekly_report", "2026-06-01")
    assert result.success
    made = materialized(result)["weekly_performance_report", "2026-06-01"]
    assert made["jobs"] == 40
    assert "40 jobs" in made["report"]
    numbers = json.loads(Path(made["numbers"]).read_text())
    assert numbers["totals"]["total_jobs"] == 40
    page = Path(made["page"])
    assert page.parent == data_dir / "reports"
    assert "1 to 7 June 2026" in page.read_text()


@pytest.mark.usefixtures("either_database")
def test_old_records_go_and_their_day_stays(instance: dg.DagsterInstance) -> None:
    now = datetime.now(UTC)
    old = now - timedelta(days=200)
    room().store.record(*jobs(12, until=old), *jobs(5, first=12, until=now))
    assert run_job(instance, "tidy_performance_records").success
    assert room().store.count() == 5
    assert sum(row.total_jobs for row in TrendStore(room().engine).read()) == 12
