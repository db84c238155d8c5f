"""``/api/anime/performance``: the predecessor's routes, so that its clients work unchanged.

Belongs here: these routes. Does not belong here: what they answer with (``performance``), what
clients send (``performance_requests``) and receive (``performance_models``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Body, Path, Query, Response

from animatize_assets.performance.alert_models import Severity
from animatize_assets.performance.alert_store import AlertStore, alert_body
from animatize_assets.performance.models import PipelineType, Submission
from animatize_assets.performance.recommendations import estimate_and_recommend, estimate_body
from animatize_assets.performance.recording import Kept
from animatize_assets.performance.system_status import system_status
from animatize_assets.performance.weekly_report import WEEK, monday_of
from animatize_assets.web import views
from animatize_assets.web.dependencies import CallerDep, ServiceDep
from animatize_assets.web.problems import Refused
from animatize_assets.web.routes.performance_models import (
    Alerts,
    Dashboard,
    EstimateAnswer,
    Models,
    Recorded,
    Resolved,
    TrainingStarted,
    Trends,
    WeeklyReport,
)
from animatize_assets.web.routes.performance_requests import (
    EstimateRequest,
    JobReport,
    TrainingRequest,
)
from animatize_assets.web.routes.reported_jobs import job_parameters, job_record
from animatize_assets.web.rules import reads

router = APIRouter(prefix="/api/anime/performance", tags=["performance"])

DEFAULT_SIDE_PX = 512
"""Of an image job that does not tell its size: the predecessor's default."""

FINDINGS_DAYS = 7
"""Of the dashboard: the predecessor's default period."""

LAST_ID = 2**31 - 1
"""The largest number of an alert: an integer of SQL."""

_TOLD: Final[Mapping[Kept, str]] = {
    "recorded": "is recorded",
    "known": "was recorded before and stays as it is",
    "spooled": "is on the service's disk and will be recorded when the database takes it",
}


@router.post("/estimate-time", summary="How long one job will take")
@reads
def estimate_time(asked: EstimateRequest, service: ServiceDep) -> EstimateAnswer:
    """Estimate a job that has not started, with what would make it shorter."""
    parameters = job_parameters(asked)
    if asked.pipeline_type == "image" and asked.resolution is None:
        parameters = parameters.model_copy(
            update={"width": DEFAULT_SIDE_PX, "height": DEFAULT_SIDE_PX}
        )
    submission = Submission(
        pipeline_type=asked.pipeline_type,
        parameters=parameters,
        submitted_at=datetime.now(UTC),
        queue_length=asked.queue_length,
    )
    told = estimate_and_recommend(submission, service.time_estimator.estimate_many)
    return EstimateAnswer.model_validate(estimate_body(*told))


@router.get("/trends", summary="Which way time, success and cost are going")
def trends(
    service: ServiceDep,
    days_back: Annotated[int, Query(ge=1, le=365, description="days that end now")] = 7,
    pipeline_type: Annotated[PipelineType | None, Query(description="only this one")] = None,
) -> Trends:
    """Return the trends of each pipeline that had jobs in the period."""
    room = service.performance
    return service.remembered.get_timed(
        ("trends", days_back, pipeline_type),
        room.store.newest_id(),
        lambda: service.analysis.timed(views.trends, days_back, pipeline_type).then(
            Trends.model_validate
        ),
    )


@router.get("/alerts", summary="What is, or was, wrong")
def alerts(
    service: ServiceDep,
    severity: Annotated[Severity | None, Query(description="only of this one")] = None,
    resolved: Annotated[
        Literal["true", "false"] | None, Query(description="only resolved ones, or only open ones")
    ] = None,
    limit: Annotated[int, Query(ge=1, le=500, description="alerts on a page")] = 100,
    cursor: Annotated[
        int | None, Query(ge=1, le=LAST_ID, description="`next_cursor` of the page before")
    ] = None,
) -> Alerts:
    """Return alerts, the newest first."""
    store = AlertStore(service.performance.engine)
    is_resolved = None if resolved is None else resolved == "true"
    # One more than asked for tells whether there is another page.
    found = store.alerts(
        severity=severity, is_resolved=is_resolved, older_than=cursor, limit=limit + 1
    )
    page = found[:limit]
    return Alerts.model_validate(
        {
            "alerts": [alert_body(each) for each in page],
            "total_count": store.count(severity=severity, is_resolved=is_resolved),
            "next_cursor": page[-1].id if len(found) > limit else None,
        }
    )


@router.post("/alerts/{id}/resolve", summary="Say that something is not wrong any more")
def resolve_alert(
    alert_id: Annotated[int, Path(alias="id", ge=1, le=LAST_ID)],
    service: ServiceDep,
    caller: CallerDep,
) -> Resolved:
    """Resolve an alert; one that is resolved already stays as it is."""
    try:
        resolved = AlertStore(service.performance.engine).resolve(alert_id, caller.name)
    except LookupError as error:
        raise Refused(
            HTTPStatus.NOT_FOUND, f"There is no alert {alert_id}.", code="alert_not_found"
        ) from error
    return Resolved.model_validate(
        {"message": f"Alert {alert_id} is resolved.", "alert": alert_body(resolved)}
    )


@router.get("/weekly-report", summary="What a week of jobs was")
def weekly_report(
    service: ServiceDep,
    weeks_back: Annotated[
        int, Query(ge=0, le=520, description="1: the last whole week; 0: this week so far")
    ] = 1,
) -> WeeklyReport:
    """Report a week, Monday to Sunday in UTC."""
    room = service.performance
    monday = monday_of(datetime.now(UTC).date()) - weeks_back * WEEK
    return service.remembered.get_timed(
        ("weekly-report", monday),
        room.store.newest_id(),
        lambda: service.analysis.timed(views.weekly_report, monday).then(
            WeeklyReport.model_validate
        ),
    )


@router.post(
    "/record-metrics",
    summary="Record a finished job",
    responses={
        200: {"description": "It is in the database."},
        202: {
            "model": Recorded,
            "description": "The database takes nothing at present. The record is safe on the "
            "service's disk and comes to the database by itself; do not send it again.",
        },
    },
)
def record_metrics(job: JobReport, service: ServiceDep, response: Response) -> Recorded:
    """Record a job, once: a job id that is there already stays as it is.

    What is acknowledged is never lost: with 200 it is in the database, with 202 on the disk until
    the database takes it. After 503 it is in neither: send it again.
    """
    kept = service.performance.reports.record(job_record(job, received_at=datetime.now(UTC)))
    if kept == "refused":
        raise Refused(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            "The database cannot store this record; it is set aside, and the service's log says "
            "where and why.",
        )
    if kept not in _TOLD:
        raise Refused(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "Neither the database nor the disk takes the record now. Send it again.",
            code="storage_failed",
            headers={"Retry-After": "5"},
        )
    if kept == "spooled":
        response.status_code = HTTPStatus.ACCEPTED
    return Recorded(message=f"Job {job.job_id} {_TOLD[kept]}.", job_id=job.job_id)


@router.get("/model-status", summary="The estimators that are kept, and which are in use")
def model_status(service: ServiceDep) -> Models:
    """Return every version that is kept, the newest first."""
    found: list[dict[str, Any]] = [
        asdict(each) for each in service.performance.registry.rows.versions()
    ]
    return Models.model_validate({"models": found, "total_models": len(found)})


@router.post(
    "/train-models",
    summary="Train estimators on the finished jobs",
    status_code=HTTPStatus.ACCEPTED,
)
def train_models(
    service: ServiceDep, asked: Annotated[TrainingRequest | None, Body()] = None
) -> TrainingStarted:
    """Start a Dagster run for each pipeline type that has enough jobs, and do not wait for it.

    A training that is under way already is told instead. One that is better is put into use.
    """
    only = None if asked is None else asked.pipeline_type
    runs, is_new = service.trainings.start(service.performance.store, only)
    kinds = " and ".join(runs)
    told = f"Training of {kinds} estimators "
    return TrainingStarted.model_validate(
        {"message": told + ("has started." if is_new else "is under way already."), "run_ids": runs}
    )


@router.get("/dashboard", summary="How things stand")
def dashboard(service: ServiceDep) -> Dashboard:
    """Return the last 24 hours in numbers, and what the last 7 days showed."""
    from animatize_assets.orchestration import waiting_runs  # noqa: PLC0415  # Dagster, a second

    room = service.performance

    found = service.remembered.get_timed(
        "findings",
        room.store.newest_id(),
        lambda: service.analysis.timed(views.findings, FINDINGS_DAYS),
    )
    status = system_status(room.store, now=datetime.now(UTC))
    return Dashboard.model_validate(
        {
            "system_status": {
                "jobs_24h": status.jobs,
                "avg_generation_time": status.avg_generation_time,
                "success_rate_24h": status.success_rate,
                "queued_jobs": waiting_runs(service.dagster),
            },
            "bottlenecks": found.bottlenecks,
            "optimization_opportunities": found.opportunities,
        }
    )
