"""What clients of ``/api/anime/performance`` receive.

The predecessor's names come first; what is ours besides is added behind them. Seconds are wall
clock seconds, shares are 0..1, instants are ISO 8601 in UTC. Null: not measured.

Belongs here: models of answers. Does not belong here: requests (``performance_requests``), routes.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from animatize_assets.performance.alert_models import AlertType, Severity
from animatize_assets.performance.bottlenecks.findings import Bottleneck
from animatize_assets.performance.models import (
    Count,
    PipelineType,
    PredictionMethod,
    Seconds,
)
from animatize_assets.performance.opportunities import Opportunity
from animatize_assets.performance.trends import Direction, Trend
from animatize_assets.records import Share
from animatize_assets.web.answer_examples import ALERT

Interval = Annotated[list[Seconds], Field(min_length=2, max_length=2)]
"""Low and high end."""


class EstimateAnswer(BaseModel):
    """How long a job will take."""

    model_config = ConfigDict(
        protected_namespaces=(),
        json_schema_extra={
            "examples": [
                {
                    "predicted_time_seconds": 187.3,
                    "confidence": 0.87,
                    "prediction_method": "ml_model",
                    "model_used": "random_forest",
                    "uncertainty_range": [142.1, 234.8],
                    "recommendations": [
                        "20 steps instead of 25: about 152 s instead of 187 s (19 % less)."
                    ],
                    "interval_90": [131.0, 262.5],
                    "model_version": "3",
                    "learned_from": 412,
                    "notes": [],
                }
            ]
        },
    )

    predicted_time_seconds: Seconds
    confidence: Share | None = Field(
        description="calibrated probability that the actual time is within +-20 %; null: no such "
        "job has ended here yet"
    )
    prediction_method: PredictionMethod
    model_used: str = Field(description="type of the estimator; 'fallback' for the stated formula")
    uncertainty_range: Interval | None = Field(description="80 % interval, s")
    recommendations: list[str] = Field(
        description="one change each that would save at least 15 %, as the estimator says"
    )
    interval_90: Interval | None
    model_version: str | None
    learned_from: Count = Field(description="finished jobs behind the estimate")
    notes: list[str]


class Recorded(BaseModel):
    """What became of a job's report."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"message": "Job render-7f3a is recorded.", "job_id": "render-7f3a"}]
        }
    )

    message: str
    job_id: str


class PipelineTrends(BaseModel):
    """How one pipeline is doing."""

    avg_generation_time: Seconds | None = Field(description="s, of successful jobs")
    time_trend: Direction | None = Field(description="null: too few days have jobs")
    success_rate: Share
    bottlenecks: list[str] = Field(description="types, the most severe first")
    recommendations: list[str]
    total_jobs: Count
    metrics: list[Trend] = Field(description="every trend with its numbers")


class Trends(BaseModel):
    """How the pipelines with jobs in the period are doing."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "period_days": 7,
                    "analysis_date": "2026-11-25T10:30:00Z",
                    "trends": {
                        "video": {
                            "avg_generation_time": 165.4,
                            "time_trend": "improving",
                            "success_rate": 0.94,
                            "bottlenecks": ["high_queue_time"],
                            "recommendations": ["Start a second worker from 09:00 to 17:00 UTC."],
                            "total_jobs": 310,
                            "metrics": [],
                        }
                    },
                }
            ]
        }
    )

    period_days: int
    analysis_date: AwareDatetime
    trends: dict[PipelineType, PipelineTrends]


class Alert(BaseModel):
    """Something that is, or was, wrong."""

    model_config = ConfigDict(json_schema_extra={"examples": [dict(ALERT)]})

    id: int
    alert_type: AlertType
    severity: Severity
    message: str
    details: dict[str, Any]
    threshold_value: float | None
    actual_value: float | None
    is_resolved: bool
    created_at: AwareDatetime
    resolved_at: AwareDatetime | None
    fingerprint: str = Field(description="the same for the same thing going wrong again")
    occurrences: Count
    last_seen_at: AwareDatetime
    resolved_by: str | None
    runbook: str = Field(description="where the repository tells what to do")


class Alerts(BaseModel):
    """A page of alerts, newest first."""

    alerts: list[Alert]
    total_count: Count = Field(description="of all that match, on whatever page")
    next_cursor: int | None = Field(
        description="give it as `cursor` for the next page; null: this is the last"
    )


class Resolved(BaseModel):
    """An alert that is resolved now."""

    message: str
    alert: Alert


class WeekBottleneck(BaseModel):
    """What held jobs up in a week."""

    type: str
    severity: Share
    affected_jobs: Count
    description: str
    recommendations: list[str]
    metrics: dict[str, Any]


class Day(BaseModel):
    """The jobs of one pipeline that ended on one day (UTC)."""

    date: date
    pipeline_type: PipelineType
    avg_generation_time: Seconds | None
    median_generation_time: Seconds | None
    success_rate: Share | None
    total_jobs: Count
    bottlenecks: list[str]
    recommendations: list[str]


class WeeklyReport(BaseModel):
    """A week of jobs, Monday to Sunday in UTC."""

    week_start: date
    week_end: date = Field(description="the last day, Sunday")
    total_jobs: Count
    total_generation_time: Seconds = Field(description="s, of successful jobs, without waiting")
    avg_generation_time: Seconds | None
    success_rate: Share | None
    top_bottlenecks: list[WeekBottleneck]
    performance_trends: list[Day] = Field(description="days with jobs")
    predictions_accuracy: dict[PipelineType, Share] = Field(
        description="share of estimates within +-20 % of the actual time"
    )


class Model(BaseModel):
    """One version of an estimator."""

    model_config = ConfigDict(protected_namespaces=())

    model_name: str
    model_type: str
    pipeline_type: PipelineType
    accuracy_score: Share = Field(description="share of unseen jobs within +-20 %")
    mean_absolute_error: Seconds = Field(description="s, on unseen jobs")
    training_data_count: Count = Field(description="finished jobs learned from")
    last_trained_at: AwareDatetime
    is_active: bool = Field(description="whether estimates come from it")
    version: str
    interval_coverage: Share | None = Field(description="of the 80 % interval, on unseen jobs")
    baseline_accuracy: Share | None = Field(description="of the mean of the last two like jobs")
    promotion_note: str = Field(description="why it is in use, or is not")


class Models(BaseModel):
    """The estimators that are kept, the newest first."""

    models: list[Model]
    total_models: Count


class TrainingStarted(BaseModel):
    """A training that is under way."""

    message: str
    run_ids: dict[PipelineType, str] = Field(description="Dagster's run of each pipeline type")


class SystemStatus(BaseModel):
    """The last 24 hours in numbers."""

    jobs_24h: Count
    avg_generation_time: Seconds | None = Field(description="s, of successful jobs")
    success_rate_24h: Share | None
    queued_jobs: Count = Field(description="Dagster runs that wait to be started")


class Dashboard(BaseModel):
    """How things stand. The findings are about the last 7 days."""

    system_status: SystemStatus
    bottlenecks: list[Bottleneck] = Field(description="the most severe first")
    optimization_opportunities: list[Opportunity] = Field(description="the largest first")
