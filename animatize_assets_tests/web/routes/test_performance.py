"""The predecessor's routes over real HTTP, on SQLite and on PostgreSQL."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy.exc import OperationalError

from animatize_assets.performance.alert_models import AlertDraft, Judgement
from animatize_assets.performance.alert_store import AlertStore
from animatize_assets.performance.models import JobRecord
from animatize_assets.performance.opening import SPOOL
from animatize_assets.performance.store import PerformanceStore
from animatize_assets.web.service import Service
from animatize_assets.web.trainings import RETRAIN_JOB, Trainings
from animatize_assets.workplace.opening import open_workplace
from animatize_assets_tests.performance.broken_databases import down
from animatize_assets_tests.performance.jobs import job
from animatize_assets_tests.web.conftest import AnalysisHere

API = "/api/anime/performance"
ASKED = {
    "pipeline_type": "video",
    "resolution": "768x768",
    "frame_count": 60,
    "steps": 25,
    "job_type": "scene",
}
REPORT = {
    "job_id": "render-1",
    "pipeline_type": "video",
    "total_time_seconds": 165.4,
    "queue_time_seconds": 12.0,
    "processing_time_seconds": 140.2,
    "gpu_utilization_avg": 87.5,
    "gpu_utilization_peak": 99.0,
    "vram_used_mb": 9800.0,
    "cpu_utilization_avg": 35.0,
    "memory_used_mb": 5200.0,
    "success": True,
    "error_details": None,
}
"""What the predecessor's clients send."""

SHORTER = re.compile(r"(\d+) steps instead of 25: about (\S+) s instead of (\S+) s")


@pytest.fixture
def service(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Service:
    monkeypatch.setenv("ANIMATIZE_PERFORMANCE_DATABASE_URL", database_url)
    monkeypatch.setattr(Service, "warm_up", lambda _self: None)
    opened = Service.of(open_workplace())
    opened.analysis = AnalysisHere(opened.performance)
    return opened


@pytest.fixture
def store(service: Service) -> PerformanceStore:
    return service.performance.store


def recent(number: int, **known: Any) -> JobRecord:
    """Make a job that ended ``number`` hours ago."""
    return job(number, finished_at=datetime.now(UTC) - timedelta(hours=number, minutes=1), **known)


def test_a_job_is_estimated_as_the_predecessor_answered(client: httpx.Client) -> None:
    answer = client.post(f"{API}/estimate-time", json=ASKED)
    assert answer.status_code == 200
    told = answer.json()
    assert list(told)[:6] == [
        "predicted_time_seconds",
        "confidence",
        "prediction_method",
        "model_used",
        "uncertainty_range",
        "recommendations",
    ]
    assert told["prediction_method"] == "heuristic"
    assert told["model_used"] == "fallback"
    assert told["confidence"] is None


def test_what_is_recommended_is_what_would_be_estimated(client: httpx.Client) -> None:
    told = client.post(f"{API}/estimate-time", json=ASKED).json()
    found = [match for each in told["recommendations"] if (match := SHORTER.match(each))]
    assert len(found) == 1
    steps, then, now = found[0].groups()
    changed = client.post(f"{API}/estimate-time", json=ASKED | {"steps": int(steps)}).json()
    assert float(then) == pytest.approx(changed["predicted_time_seconds"], rel=0.05)
    assert float(now) == pytest.approx(told["predicted_time_seconds"], rel=0.05)


def test_an_image_of_no_size_is_one_of_512_px(client: httpx.Client) -> None:
    plain = client.post(f"{API}/estimate-time", json={"pipeline_type": "image"}).json()
    sized = {"pipeline_type": "image", "resolution": "512x512"}
    assert plain == client.post(f"{API}/estimate-time", json=sized).json()


@pytest.mark.parametrize(
    ("changed", "where"),
    [
        ({"pipeline_type": "audio"}, "/pipeline_type"),
        ({"steps": "25"}, "/steps"),
        ({"steps": 0}, "/steps"),
        ({"resolution": "768"}, "/resolution"),
        ({"guidance_scale": 1e9}, "/guidance_scale"),
        ({"step": 25}, "/step"),
        ({"job_type": "a\u0000b"}, "/job_type"),
    ],
)
def test_what_does_not_fit_is_named(
    client: httpx.Client, changed: Mapping[str, object], where: str
) -> None:
    answer = client.post(f"{API}/estimate-time", json=ASKED | changed)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["code"] == "invalid_request"
    assert [fault["where"] for fault in problem["errors"]] == [where]


def test_a_job_is_recorded_with_all_that_was_told(
    client: httpx.Client, store: PerformanceStore
) -> None:
    answer = client.post(f"{API}/record-metrics", json=REPORT)
    assert answer.status_code == 200
    assert set(answer.json()) == {"message", "job_id"}
    kept = store.job("render-1")
    assert kept is not None
    assert kept.total_time_seconds == 165.4
    assert kept.queue_time_seconds == 12.0
    assert kept.phase_seconds("processing") == 140.2
    assert kept.phase_seconds("initialization") is None
    assert kept.resources.gpu_utilization_avg == 87.5
    assert kept.resources.memory_used_mb == 5200.0
    assert kept.started_at is not None
    assert (kept.finished_at - kept.started_at).total_seconds() == pytest.approx(165.4)
    assert (kept.started_at - kept.submitted_at).total_seconds() == pytest.approx(12.0)
    assert kept.cost_usd is None


def test_a_job_is_recorded_once(client: httpx.Client, store: PerformanceStore) -> None:
    client.post(f"{API}/record-metrics", json=REPORT)
    again = client.post(f"{API}/record-metrics", json=REPORT | {"total_time_seconds": 1.0})
    assert again.status_code == 200
    assert again.json()["job_id"] == "render-1"
    assert [each.total_time_seconds for each in store.jobs()] == [165.4]


def test_a_record_waits_on_the_disk_while_the_database_takes_none(
    client: httpx.Client, service: Service, store: PerformanceStore
) -> None:
    with down(service.performance.reports._store.engine):
        answer = client.post(f"{API}/record-metrics", json=REPORT)
        again = client.post(f"{API}/record-metrics", json=REPORT | {"total_time_seconds": 1.0})
    assert answer.status_code == again.status_code == 202
    assert answer.json()["job_id"] == "render-1"
    assert "when the database takes it" in answer.json()["message"]
    service.performance.import_spooled()
    assert [each.total_time_seconds for each in store.jobs()] == [165.4]


def test_a_record_that_is_nowhere_is_not_acknowledged(
    client: httpx.Client, service: Service, store: PerformanceStore
) -> None:
    spool = service.performance.folder / SPOOL
    spool.parent.mkdir(parents=True, exist_ok=True)
    spool.write_text("no folder")
    with down(service.performance.reports._store.engine):
        answer = client.post(f"{API}/record-metrics", json=REPORT)
    assert answer.status_code == 503
    assert answer.json()["code"] == "storage_failed"
    assert "retry-after" in answer.headers
    assert str(spool) not in answer.text
    assert store.jobs() == []


def test_a_record_that_no_database_takes_is_refused(
    client: httpx.Client, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service.performance.reports, "record", lambda _: "refused")
    answer = client.post(f"{API}/record-metrics", json=REPORT)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


def test_a_database_that_is_away_is_told_without_its_words(
    client: httpx.Client, store: PerformanceStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> int:
        raise OperationalError("SELECT", {}, Exception("password=hunter2"))

    monkeypatch.setattr(store, "newest_id", refuse)
    answer = client.get(f"{API}/trends")
    assert answer.status_code == 503
    assert answer.json()["code"] == "storage_failed"
    assert "retry-after" in answer.headers
    assert "hunter2" not in answer.text


def test_trends_are_of_the_pipelines_with_jobs(
    client: httpx.Client, store: PerformanceStore
) -> None:
    store.record(*[recent(hours, pipeline_type="video") for hours in range(40)])
    told = client.get(f"{API}/trends", params={"days_back": 7}).json()
    assert told["period_days"] == 7
    assert datetime.fromisoformat(told["analysis_date"]).utcoffset() == timedelta(0)
    assert set(told["trends"]) == {"video"}
    video = told["trends"]["video"]
    assert list(video)[:5] == [
        "avg_generation_time",
        "time_trend",
        "success_rate",
        "bottlenecks",
        "recommendations",
    ]
    assert video["avg_generation_time"] == pytest.approx(10.0)
    assert video["success_rate"] == 1.0
    only = client.get(f"{API}/trends", params={"pipeline_type": "image"}).json()
    assert only["trends"] == {}


def raised(service: Service, *severities: str) -> list[int]:
    drafts = tuple(
        AlertDraft(
            alert_type="resource",
            subject=f"worker-{number}",
            severity=severity,
            message="Memory is short.",
            threshold_value=90.0,
            actual_value=97.0,
        )
        for number, severity in enumerate(severities)
    )
    done = AlertStore(service.performance.engine).raise_(Judgement(drafts=drafts))
    return [alert.id for alert in done.new]


def test_alerts_are_filtered_and_paged(client: httpx.Client, service: Service) -> None:
    ids = raised(service, "low", "high", "high", "critical", "high")
    told = client.get(f"{API}/alerts", params={"severity": "high", "limit": 2}).json()
    assert told["total_count"] == 3
    assert [each["id"] for each in told["alerts"]] == [ids[4], ids[2]]
    rest = client.get(
        f"{API}/alerts",
        params={"severity": "high", "limit": 2, "cursor": told["next_cursor"]},
    ).json()
    assert [each["id"] for each in rest["alerts"]] == [ids[1]]
    assert rest["next_cursor"] is None
    assert list(rest["alerts"][0])[:10] == [
        "id",
        "alert_type",
        "severity",
        "message",
        "details",
        "threshold_value",
        "actual_value",
        "is_resolved",
        "created_at",
        "resolved_at",
    ]


def test_an_alert_is_resolved_by_who_says_so(client: httpx.Client, service: Service) -> None:
    first, second = raised(service, "low", "high")
    answer = client.post(f"{API}/alerts/{first}/resolve")
    assert answer.status_code == 200
    assert answer.json()["alert"]["resolved_by"] == "this machine"
    open_ones = client.get(f"{API}/alerts", params={"resolved": "false"}).json()["alerts"]
    assert [each["id"] for each in open_ones] == [second]
    done = client.get(f"{API}/alerts", params={"resolved": "true"}).json()["alerts"]
    assert [each["id"] for each in done] == [first]


def test_an_alert_that_is_not_there_is_told_so(client: httpx.Client) -> None:
    answer = client.post(f"{API}/alerts/7/resolve")
    assert answer.status_code == 404
    assert answer.json()["code"] == "alert_not_found"


def test_the_week_is_reported_as_the_predecessor_did(client: httpx.Client) -> None:
    told = client.get(f"{API}/weekly-report").json()
    assert list(told) == [
        "week_start",
        "week_end",
        "total_jobs",
        "total_generation_time",
        "avg_generation_time",
        "success_rate",
        "top_bottlenecks",
        "performance_trends",
        "predictions_accuracy",
    ]
    start = datetime.fromisoformat(told["week_start"]).date()
    assert start.weekday() == 0
    assert timedelta(0) < datetime.now(UTC).date() - start <= timedelta(days=13)
    this_week = client.get(f"{API}/weekly-report", params={"weeks_back": 0}).json()
    assert datetime.fromisoformat(this_week["week_start"]).date() - start == timedelta(days=7)


def test_the_estimators_are_listed(client: httpx.Client, service: Service) -> None:
    assert client.get(f"{API}/model-status").json() == {"models": [], "total_models": 0}
    row = {
        "model_name": "animatize-time-estimator-video",
        "version": "3",
        "model_type": "random_forest",
        "pipeline_type": "video",
        "accuracy_score": 0.91,
        "mean_absolute_error": 12.5,
        "interval_coverage": None,
        "baseline_accuracy": 0.62,
        "training_data_count": 412,
        "data_hash": "0" * 64,
        "content_sha256": "0" * 64,
        "mlflow_run_id": None,
        "tracking_uri": "sqlite:///mlflow.db",
        "last_trained_at": datetime(2026, 6, 1, tzinfo=UTC),
        "is_active": True,
        "promotion_note": "It is better.",
    }
    service.performance.registry.rows.add(row)
    told = client.get(f"{API}/model-status").json()
    assert told["total_models"] == 1
    (model,) = told["models"]
    assert model["last_trained_at"] == "2026-06-01T00:00:00Z"
    assert model["is_active"] is True
    assert model["interval_coverage"] is None
    assert not {"data_hash", "content_sha256", "tracking_uri"} & set(model)


class FakeRuns:
    """Runs that go on until a test ends them."""

    def __init__(self, job_name: str, partitions: tuple[str, ...]) -> None:
        self.job_name = job_name
        self.run_ids = {partition: f"run-of-{partition}" for partition in partitions}
        self.is_going_on = True


def test_a_training_is_started_once_at_a_time(
    client: httpx.Client, service: Service, store: PerformanceStore
) -> None:
    started: list[FakeRuns] = []

    def start(job_name: str, partitions: tuple[str, ...]) -> FakeRuns:
        started.append(FakeRuns(job_name, partitions))
        return started[-1]

    service.trainings = Trainings(start)
    store.record(*[recent(number, pipeline_type="video") for number in range(30)])
    first = client.post(f"{API}/train-models")
    assert first.status_code == 202
    assert first.json()["run_ids"] == {"video": "run-of-video"}
    again = client.post(f"{API}/train-models", json={"pipeline_type": "video"})
    assert again.json()["run_ids"] == first.json()["run_ids"]
    assert "already" in again.json()["message"]
    assert [each.job_name for each in started] == [RETRAIN_JOB]
    started[0].is_going_on = False
    client.post(f"{API}/train-models", json={})
    assert len(started) == 2


def test_too_few_jobs_are_not_trained_on(client: httpx.Client) -> None:
    answer = client.post(f"{API}/train-models")
    assert answer.status_code == 409
    assert answer.json()["code"] == "not_enough_jobs"


def test_the_dashboard_of_an_empty_store_invents_nothing(client: httpx.Client) -> None:
    assert client.get(f"{API}/dashboard").json()["system_status"] == {
        "jobs_24h": 0,
        "avg_generation_time": None,
        "success_rate_24h": None,
        "queued_jobs": 0,
    }


def test_the_dashboard_counts_the_last_day(
    client: httpx.Client, store: PerformanceStore, data_dir: Path
) -> None:
    # Asked for the first time: an answer before, if the process for it was long in starting, would
    # be given once more.
    store.record(*[recent(hours, seconds=400.0, success=hours % 4 > 0) for hours in range(48)])
    told = client.get(f"{API}/dashboard").json()
    assert told["system_status"] == {
        "jobs_24h": 24,
        "avg_generation_time": pytest.approx(400.0),
        "success_rate_24h": pytest.approx(0.75),
        "queued_jobs": 0,
    }
    assert "high_failure_rate" in {each["type"] for each in told["bottlenecks"]}
    assert told["optimization_opportunities"]
    assert (data_dir / "dagster").is_dir()
