"""Old records go once their day is aggregated; recent estimators and the one in use stay."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, event, insert, select, update

from animatize_assets.database.performance_tables import (
    performance_prediction_models,
    performance_spool_imports,
    performance_trends,
)
from animatize_assets.performance import retention
from animatize_assets.performance.daily_trends import TrendStore, aggregate_day
from animatize_assets.performance.models import PipelineType
from animatize_assets.performance.retention import (
    OldModel,
    delete_old_imports,
    delete_old_jobs,
    drop_old_models,
)
from animatize_assets.performance.store import PerformanceStore
from animatize_assets_tests.performance.jobs import MONDAY, job

NOW = MONDAY + timedelta(days=90)
"""Records from before MONDAY's midnight are old."""


def ended(number: int, days: float, **known: Any) -> Any:
    return job(number, finished_at=MONDAY + timedelta(days=days), **known)


def keeping(store: PerformanceStore) -> retention.Aggregate:
    """The product's own aggregate."""
    trends = TrendStore(store.engine)
    return lambda frame, day, pipeline_type: trends.put(aggregate_day(frame, day, pipeline_type))


def aggregates(engine: Engine) -> dict[tuple[date, str], int]:
    with engine.connect() as connection:
        rows = connection.execute(select(performance_trends)).all()
    return {(row.date, row.pipeline_type): row.total_jobs for row in rows}


def left(store: PerformanceStore) -> list[str]:
    return [each.job_id for each in store.jobs()]


def test_old_days_become_aggregates(store: PerformanceStore) -> None:
    store.record(
        ended(1, -2), ended(2, -2, pipeline_type="video"), ended(3, -1), ended(4, -1), ended(5, 0)
    )
    assert delete_old_jobs(store, keeping(store), now=NOW) == retention.Deleted(4, ())
    assert left(store) == ["job-5"]
    assert aggregates(store.engine) == {
        (date(2026, 5, 30), "image"): 1,
        (date(2026, 5, 30), "video"): 1,
        (date(2026, 5, 31), "image"): 2,
    }
    assert delete_old_jobs(store, keeping(store), now=NOW) == retention.Deleted(0, ())


@pytest.mark.parametrize(("seconds", "stays"), [(-1, False), (0, True)])
def test_a_day_ends_at_midnight_in_utc(seconds: int, stays: bool, store: PerformanceStore) -> None:
    midnight = datetime(2026, 6, 1, tzinfo=UTC)
    store.record(job(1, finished_at=midnight + timedelta(seconds=seconds)))
    delete_old_jobs(store, keeping(store), now=NOW)
    assert bool(left(store)) == stays


def test_a_day_without_its_aggregate_stays_and_holds_up_no_other(
    store: PerformanceStore, caplog: pytest.LogCaptureFixture
) -> None:
    store.record(ended(1, -3), ended(2, -2), ended(3, -1))
    keep = keeping(store)

    def fail_once(frame: pd.DataFrame, day: date, pipeline_type: PipelineType) -> None:
        if day == date(2026, 5, 30):
            raise RuntimeError("no aggregate")
        keep(frame, day, pipeline_type)

    done = delete_old_jobs(store, fail_once, now=NOW)
    assert done == retention.Deleted(2, (date(2026, 5, 30),))
    assert left(store) == ["job-2"]
    assert "no aggregate" in caplog.text


def test_an_aggregate_that_was_not_stored_deletes_nothing(store: PerformanceStore) -> None:
    store.record(ended(1, -3))
    assert delete_old_jobs(store, lambda *_: None, now=NOW).jobs == 0
    assert left(store) == ["job-1"]


def test_a_record_that_came_late_is_in_the_aggregate(store: PerformanceStore) -> None:
    store.record(ended(1, -3))
    keep = keeping(store)
    day = date(2026, 5, 29)
    keep(store.frame(), day, "image")
    store.record(ended(2, -3))
    assert delete_old_jobs(store, keep, now=NOW).jobs == 2
    assert aggregates(store.engine) == {(day, "image"): 2}


def test_a_record_that_comes_while_its_day_is_aggregated_stays(store: PerformanceStore) -> None:
    store.record(ended(1, -3))
    keep = keeping(store)

    def late(frame: pd.DataFrame, day: date, pipeline_type: PipelineType) -> None:
        keep(frame, day, pipeline_type)
        store.record(ended(2, -3))

    assert delete_old_jobs(store, late, now=NOW).jobs == 1
    assert left(store) == ["job-2"]


class Stopped(BaseException):
    """As a process that is killed between two transactions."""


@pytest.mark.parametrize("after", [1, 2, 3])
def test_it_may_be_stopped_between_any_two_transactions(
    after: int, store: PerformanceStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "BATCH", 2)
    store.record(*(ended(number, -3) for number in range(7)))
    commits = Counter[str]()

    def count(_: object) -> None:
        commits["all"] += 1
        if commits["all"] > after:
            raise Stopped

    event.listen(store.engine, "commit", count)
    with pytest.raises(Stopped):
        delete_old_jobs(store, keeping(store), now=NOW)
    event.remove(store.engine, "commit", count)
    assert 0 < len(left(store)) < 8
    delete_old_jobs(store, keeping(store), now=NOW)
    assert left(store) == []
    assert aggregates(store.engine) == {(date(2026, 5, 29), "image"): 7}


def test_no_transaction_deletes_more_than_a_batch(
    store: PerformanceStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "BATCH", 3)
    store.record(*(ended(number, -3) for number in range(8)))
    counts: list[int] = []

    def count(*arguments: Any) -> None:
        if arguments[2].startswith("DELETE"):
            counts.append(arguments[1].rowcount)

    event.listen(store.engine, "after_cursor_execute", count)
    assert delete_old_jobs(store, keeping(store), now=NOW).jobs == 8
    assert counts == [3, 3, 2]


def test_nothing_is_kept_for_no_time(store: PerformanceStore) -> None:
    with pytest.raises(ValueError, match="at least 1 day"):
        delete_old_jobs(store, keeping(store), now=NOW, keep_days=0)
    with pytest.raises(ValueError, match="At least 1 version"):
        drop_old_models(store.engine, keep=0)


def test_old_imports_are_forgotten(engine: Engine) -> None:
    with engine.begin() as connection:
        for number in range(3):
            at = NOW - timedelta(days=89 + number)
            connection.execute(
                insert(performance_spool_imports).values(spool_id=f"{number}", imported_at=at)
            )
    assert delete_old_imports(engine, now=NOW) == 1
    assert delete_old_imports(engine, now=NOW, keep_days=89) == 1


def model(number: int, model_type: str, pipeline_type: str, *, is_active: bool) -> dict[str, Any]:
    return {
        "model_name": f"{pipeline_type}-{model_type}",
        "version": str(number),
        "model_type": model_type,
        "pipeline_type": pipeline_type,
        "accuracy_score": 0.9,
        "mean_absolute_error": 1.0,
        "training_data_count": 40,
        "data_hash": "d",
        "content_sha256": "c",
        "last_trained_at": MONDAY + timedelta(days=number),
        "is_active": is_active,
        "promotion_note": "",
    }


def versions(engine: Engine) -> list[tuple[str, str, int, bool]]:
    columns = performance_prediction_models.c
    with engine.connect() as connection:
        rows = connection.execute(select(performance_prediction_models).order_by(columns.id)).all()
    return [(row.model_type, row.pipeline_type, int(row.version), row.is_active) for row in rows]


def test_three_versions_of_a_kind_are_kept_and_the_one_in_use(engine: Engine) -> None:
    with engine.begin() as connection:
        for number in range(6):
            for pipeline_type in ("image", "video"):
                in_use = pipeline_type == "image" and number == 1
                row = model(number, "random_forest", pipeline_type, is_active=in_use)
                connection.execute(insert(performance_prediction_models).values(row))
    dropped = drop_old_models(engine)
    assert OldModel("image-random_forest", "0", "random_forest", "image") in dropped
    assert [(each.pipeline_type, each.version) for each in dropped] == [
        ("image", "0"), ("video", "0"), ("video", "1"), ("image", "2"), ("video", "2"),
    ]  # fmt: skip
    assert [number for _, kind, number, _ in versions(engine) if kind == "image"] == [1, 3, 4, 5]
    assert drop_old_models(engine) == ()


def test_a_version_that_comes_into_use_in_the_meantime_stays(engine: Engine) -> None:
    with engine.begin() as connection:
        for number in range(4):
            row = model(number, "random_forest", "image", is_active=False)
            connection.execute(insert(performance_prediction_models).values(row))

    def promote(connection: Any, _c: Any, statement: str, *_: Any) -> None:
        if statement.startswith("DELETE"):
            oldest = performance_prediction_models.c.version == "0"
            connection.execute(
                update(performance_prediction_models).where(oldest).values(is_active=True)
            )

    event.listen(engine, "before_cursor_execute", promote)
    assert drop_old_models(engine) == ()
    assert len(versions(engine)) == 4


MODELS = st.lists(
    st.tuples(st.sampled_from("ab"), st.sampled_from(["image", "video"]), st.booleans()),
    max_size=16,
)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(rows=MODELS, keep=st.integers(1, 4))
def test_what_is_dropped_is_old_and_unused(
    rows: list[tuple[str, str, bool]], keep: int, engine: Engine
) -> None:
    table = performance_prediction_models
    with engine.begin() as connection:
        connection.execute(table.delete())
        for number, (kind, pipeline_type, is_active) in enumerate(rows):
            row = model(number, kind, pipeline_type, is_active=is_active)
            connection.execute(insert(table).values(row))
    before = versions(engine)
    drop_old_models(engine, keep=keep)
    expected = [
        each
        for place, each in enumerate(before)
        if each[3] or sum(each[:2] == later[:2] for later in before[place + 1 :]) < keep
    ]
    assert versions(engine) == expected
