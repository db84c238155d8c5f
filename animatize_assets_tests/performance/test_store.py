"""A job goes into the database once and comes out as it was."""

from __future__ import annotations

import itertools
import math
from datetime import timedelta, timezone

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from animatize_assets.performance.models import JobRecord, Phase, Promise, ResourceUse
from animatize_assets.performance.store import PerformanceStore, to_row
from animatize_assets_tests.performance.any_record import records
from animatize_assets_tests.performance.jobs import MONDAY, job


def _full(number: int) -> JobRecord:
    return job(
        number,
        parameters={
            "width": 640,
            "height": 360,
            "frame_count": 120,
            "gpu_model": "A",
            "extra": {"x": 1},
        },
        queue_length=3,
        queue_time_seconds=1.5,
        phases=(
            Phase(name="initialization", description="load", seconds=0.5),
            Phase(name="own", seconds=1),
        ),
        resources=ResourceUse(
            gpu_model="A", vram_peak_mb=5, unmeasured={"disk_read_mb": "no right"}
        ),
        retries=2,
        success=False,
        error_type="ProviderError",
        error_details="it broke",
        user_rating=4,
        cost_usd=0.0123,
        promise=Promise(
            predicted_seconds=9,
            low_seconds=8,
            high_seconds=11,
            method="heuristic",
            model="fallback",
        ),
        run_id="run",
        partition_key="key",
    )


def test_a_job_comes_out_as_it_went_in(store: PerformanceStore) -> None:
    assert store.record(_full(1)) == 1
    assert store.job("job-1") == _full(1)
    assert store.job("job-2") is None


_numbers = itertools.count()


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.data())
def test_any_record_comes_out_as_it_went_in(store: PerformanceStore, data: st.DataObject) -> None:
    given_record = data.draw(records(f"any-{next(_numbers)}"))
    assert store.record(given_record) == 1
    back = store.job(given_record.job_id)
    assert back is not None
    assert back == given_record
    assert to_row(back) == to_row(given_record)  # 1, 1.0 and True are equal, their texts are not


def test_a_job_is_stored_once(store: PerformanceStore) -> None:
    assert store.record(job(1), job(2)) == 2
    assert store.record(job(1, seconds=99), job(3)) == 1
    stored = store.job("job-1")
    assert stored is not None
    assert stored.total_time_seconds == 10


def test_jobs_come_in_the_order_of_their_end(store: PerformanceStore) -> None:
    store.record(*(job(number) for number in (3, 1, 2)))
    assert [each.job_id for each in store.jobs()] == ["job-1", "job-2", "job-3"]
    assert [each.job_id for each in store.jobs(newest=2)] == ["job-2", "job-3"]
    cut = MONDAY + timedelta(minutes=2)
    assert [each.job_id for each in store.jobs(since=cut)] == ["job-2", "job-3"]
    assert [each.job_id for each in store.jobs(until=cut)] == ["job-1"]


def test_times_of_another_zone_are_the_same_times(store: PerformanceStore) -> None:
    store.record(*(job(number) for number in (1, 2, 3)))
    cut = (MONDAY + timedelta(minutes=2)).astimezone(timezone(timedelta(hours=5)))
    assert [each.job_id for each in store.jobs(since=cut)] == ["job-2", "job-3"]
    assert list(store.frame(until=cut)["job_id"]) == ["job-1"]
    assert store.count(since=cut) == 2


def test_a_frame_tells_what_was_not_measured(store: PerformanceStore) -> None:
    store.record(job(1), _full(2))
    frame = store.frame()
    assert list(frame["job_id"]) == ["job-1", "job-2"]
    assert math.isnan(frame["queue_time_seconds"][0])
    assert frame["queue_time_seconds"][1] == 1.5
    assert frame["cost_usd"][1] == 0.0123
    assert list(frame["success"]) == [True, False]
    assert frame["finished_at"].dt.tz is not None
    assert store.frame(pipeline_type="video").empty


def test_a_rating_is_kept(store: PerformanceStore) -> None:
    store.record(job(1))
    assert store.rate(["job-1", "job-9"], 5) == 1
    stored = store.job("job-1")
    assert stored is not None
    assert stored.user_rating == 5
