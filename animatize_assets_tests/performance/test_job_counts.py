"""Every record is added once, under few labels, and the sums do not depend on when one looked."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from animatize_assets.performance.job_counts import (
    BOUNDS,
    Counts,
    Line,
    added_up,
    count_jobs,
    newest_id,
)
from animatize_assets.performance.models import JobRecord, Promise
from animatize_assets.performance.store import PerformanceStore
from animatize_assets_tests.performance.jobs import job


def by_key(counts: Counts) -> dict[tuple[str, tuple[str, ...], int | None], tuple[int, float]]:
    return {
        (line.kind, line.labels, line.bucket): (line.count, pytest.approx(line.total))
        for line in counts
    }


def a_job(
    name: str, job_type: str, seconds: float = 10.0, provider: str = "local", **known: object
) -> JobRecord:
    parameters = {"job_type": job_type, "provider": provider}
    return job(job_id=name, seconds=seconds, parameters=parameters, **known)


def promised(job_: JobRecord, seconds: float, low: float, high: float) -> JobRecord:
    promise = Promise(
        predicted_seconds=seconds, low_seconds=low, high_seconds=high, method="ml_model"
    )
    return job_.model_copy(update={"promise": promise})


def test_an_empty_database_counts_nothing(engine: Engine) -> None:
    assert newest_id(engine) == 0
    assert count_jobs(engine, after=0, until=0) == ()


def test_each_look_adds_only_what_is_new(store: PerformanceStore) -> None:
    jobs = [
        a_job(
            f"job-{number}",
            ("scene_analysis", "my own")[number % 2],
            0.02 * 3**number,
            queue_time_seconds=None if number % 3 else float(number),
            success=number != 4,
            error_type=None if number != 4 else "KeyError",
        )
        for number in range(9)
    ]
    looks, seen = [], 0
    for number, each in enumerate(jobs):
        store.record(each)
        if number % 2:
            until = newest_id(store.engine)
            looks.append(count_jobs(store.engine, after=seen, until=until))
            seen = until
    until = newest_id(store.engine)
    looks.append(count_jobs(store.engine, after=seen, until=until))
    assert by_key(added_up(*looks)) == by_key(count_jobs(store.engine, after=0, until=until))


def test_labels_that_nobody_knows_are_counted_together(store: PerformanceStore) -> None:
    store.record(
        *(
            a_job(
                f"job-{number}",
                f"type {number}",
                provider=f"provider {number}",
                success=False,
                error_type=f"Error{number}",
            )
            for number in range(5)
        )
    )
    counts = count_jobs(store.engine, after=0, until=newest_id(store.engine))
    kinds = {(line.kind, line.labels): line.count for line in counts}
    assert kinds["jobs", ("image", "other", "0")] == 5
    assert kinds["errors", ("other",)] == 5
    assert {labels for _, labels in kinds} == {("image", "other", "0"), ("other",)}


def test_estimates_are_held_against_the_time(store: PerformanceStore) -> None:
    base = a_job("base", "scene")
    cases = {"near": (11.0, 9.0, 12.0), "far": (25.0, 20.0, 30.0), "exact": (10.0, 10.0, 10.0)}
    store.record(
        *(
            promised(base.model_copy(update={"job_id": name}), *told)
            for name, told in cases.items()
        ),
        base,
        promised(base.model_copy(update={"job_id": "failed", "success": False}), 10.0, 9.0, 11.0),
    )
    counts = count_jobs(store.engine, after=0, until=newest_id(store.engine))
    errors = {line.bucket: line.count for line in counts if line.kind == "estimate_error"}
    bounds = BOUNDS["estimate_error"]
    assert errors == Counter(bisect_left(bounds, error) for error in (0.1, 1.5, 0.0))
    covered = {line.labels[1]: line.count for line in counts if line.kind == "covered"}
    assert covered == {"1": 2, "0": 1}


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.floats(0, 2000, allow_nan=False), min_size=1, max_size=12))
def test_every_value_is_in_the_bucket_of_its_bound(
    store: PerformanceStore, seconds: list[float]
) -> None:
    before = newest_id(store.engine)
    store.record(
        *(a_job(f"{before}-{number}", "trailer", value) for number, value in enumerate(seconds))
    )
    counts = count_jobs(store.engine, after=before, until=newest_id(store.engine))
    found = {line.bucket: line.count for line in counts if line.kind == "seconds"}
    assert found == Counter(bisect_left(BOUNDS["seconds"], value) for value in seconds)
    total = sum(line.total for line in counts if line.kind == "seconds")
    assert total == pytest.approx(sum(seconds))


def test_sums_survive_being_written_down() -> None:
    line = Line(kind="seconds", labels=("scene",), bucket=2, count=3, total=1.5)
    assert Line.model_validate_json(line.model_dump_json()) == line
    assert added_up([line], [line])[0].count == 6
