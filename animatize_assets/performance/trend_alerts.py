"""What a person must be told of before it happens: rules over trends.

Belongs here: when a trend is an alert. Does not belong here: finding trends (``trends``), rules
over what happened already and how severe an alert is (``alerts``).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from animatize_assets.performance.alert_models import AlertDraft, AlertType, Judgement
from animatize_assets.performance.alerts import severity_of, slow_s
from animatize_assets.performance.thresholds import Thresholds
from animatize_assets.performance.trends import Trend


@dataclass(frozen=True)
class _Course:
    """A trend as something that should stay below a limit."""

    alert_type: AlertType
    now: float
    in_a_week: float
    """The better end of the forecast's 80 % interval."""
    limit: float
    scale: float
    unit: str


def worsening(trends: Iterable[Trend], thresholds: Thresholds | None = None) -> Judgement:
    """Judge whether a degrading trend surely passes its limit within a week.

    Surely: the better end of the forecast's 80 % interval is beyond the limit already. Generation
    time and success rate have limits; other trends are not judged.
    """
    limits = thresholds or Thresholds()
    judged = Judgement()
    for trend in trends:
        course = _course(trend, limits)
        if course is None:
            continue
        subject = f"{trend.pipeline_type} in a week"
        if trend.direction != "degrading" or course.in_a_week <= course.limit:
            judged += Judgement.fine(course.alert_type, subject)
        else:
            judged += Judgement.bad(_draft(trend, course, subject))
    return judged


def _draft(trend: Trend, course: _Course, subject: str) -> AlertDraft:
    def told(value: float) -> str:
        return f"{course.scale * value:.0f} {course.unit}"

    return AlertDraft(
        alert_type=course.alert_type,
        subject=subject,
        severity=severity_of(course.in_a_week / course.limit),
        message=f"{trend.pipeline_type.capitalize()} jobs get worse: {told(course.now)} now, at "
        f"least {told(course.in_a_week)} in 7 days (limit {told(course.limit)}): see "
        "`animatize trends` for since when.",
        threshold_value=course.limit,
        actual_value=course.in_a_week,
        details={"metric": trend.metric, "p_value": trend.p_value},
    )


def _course(trend: Trend, limits: Thresholds) -> _Course | None:
    pipeline = trend.pipeline_type
    if trend.metric == f"{pipeline}_generation_time":
        return _Course(
            "slow_generation",
            trend.current_value,
            trend.predicted_low_7d,
            slow_s(pipeline, limits),
            1.0,
            "s",
        )
    if trend.metric == f"{pipeline}_success_rate":
        return _Course(
            "high_failure_rate",
            1 - trend.current_value,
            1 - trend.predicted_high_7d,
            limits.failure_rate,
            100.0,
            "% failures",
        )
    return None
