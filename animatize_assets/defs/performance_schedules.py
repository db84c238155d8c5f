"""When the performance system works by itself.

Belongs here: times. Does not belong here: what is done (``performance_jobs``), which days and weeks
have ended (``ended_periods``). Every schedule is off until a person turns it on, in the UI or with
``dagster schedule start NAME``: none of this work is needed before there are a few days of jobs.
The times are those of ``ANIMATIZE_TIME_ZONE``; days and weeks of the figures are always UTC.
See https://docs.dagster.io/guides/automate/schedules.

========================= ================ ====================================================
schedule                  runs             does
========================= ================ ====================================================
``daily_trends``          every day 00:30  aggregates the day that has ended
``daily_tidying``         every day 01:30  deletes old records, after the day has its aggregate
``weekly_retraining``     Sunday 03:00     trains an estimator of each pipeline type with new jobs
``weekly_report``         Monday 07:00     writes the report of the week that has ended
========================= ================ ====================================================

Where Monday 07:00 comes before the week has ended in UTC (east of UTC+7), the report is written in
the first full hour in which it has, all year.
"""

from collections.abc import Iterator

import dagster as dg

from animatize_assets.defs.ended_periods import (
    ended_days,
    ended_weeks,
    hour_after_utc_midnight,
)
from animatize_assets.defs.performance import PerformanceResource
from animatize_assets.defs.performance_jobs import (
    close_performance_day,
    retrain_estimators,
    tidy_performance_records,
    write_weekly_report,
)
from animatize_assets.performance.models import PIPELINE_TYPES

OFF = dg.DefaultScheduleStatus.STOPPED
UTC = "UTC"
REPORT_HOUR = 7

# Dagster's build_schedule_from_partitioned_job calls a function that Dagster deprecates (1.13.27).


def daily_trends(
    context: dg.ScheduleEvaluationContext,
) -> Iterator[dg.RunRequest | dg.SkipReason]:
    """Ask for each day that has ended since the schedule's last time."""
    days = ended_days(context.scheduled_execution_time)
    for day in days:
        yield dg.RunRequest(partition_key=day.isoformat(), run_key=day.isoformat())
    if not days:
        yield dg.SkipReason(
            "No day has ended in UTC since the last time: the clock was put forward."
        )


def weekly_report(
    context: dg.ScheduleEvaluationContext,
) -> Iterator[dg.RunRequest | dg.SkipReason]:
    """Ask for each week that has ended since the schedule's last time."""
    mondays = ended_weeks(context.scheduled_execution_time)
    for monday in mondays:
        yield dg.RunRequest(partition_key=monday.isoformat(), run_key=monday.isoformat())
    if not mondays:
        yield dg.SkipReason("No week has ended in UTC since the last time.")


def weekly_retraining(
    context: dg.ScheduleEvaluationContext, performance: PerformanceResource
) -> Iterator[dg.RunRequest | dg.SkipReason]:
    """Ask for one run per pipeline type, but not to learn the same again."""
    from animatize_assets.performance.retraining_need import has_news  # noqa: PLC0415  # SQLAlchemy

    day = context.scheduled_execution_time.date().isoformat()
    room = performance.room()
    try:
        news = [
            pipeline
            for pipeline in PIPELINE_TYPES
            if has_news(room.store, room.registry.rows.versions(pipeline), pipeline)
        ]
    finally:
        room.close()
    for pipeline in news:
        yield dg.RunRequest(partition_key=pipeline, run_key=f"{pipeline} {day}")
    if not news:
        yield dg.SkipReason("No job has finished since the newest trainings.")


def build_performance_schedules(time_zone: str = UTC) -> tuple[dg.ScheduleDefinition, ...]:
    """Make the schedules; ``time_zone``: the one in which they tell the time."""
    report_hour = hour_after_utc_midnight(REPORT_HOUR, time_zone)
    return (
        dg.schedule(
            name="daily_trends",
            job=close_performance_day,
            cron_schedule="30 0 * * *",
            execution_timezone=time_zone,
            description="Aggregates the jobs of the day that has ended.",
            default_status=OFF,
        )(daily_trends),
        dg.ScheduleDefinition(
            name="daily_tidying",
            job=tidy_performance_records,
            cron_schedule="30 1 * * *",
            execution_timezone=time_zone,
            description="Deletes old job records and versions of estimators.",
            default_status=OFF,
        ),
        dg.schedule(
            name="weekly_retraining",
            job=retrain_estimators,
            cron_schedule="0 3 * * 0",
            execution_timezone=time_zone,
            description="Trains an estimator of each pipeline type that has new jobs to learn "
            "from.",
            default_status=OFF,
        )(weekly_retraining),
        dg.schedule(
            name="weekly_report",
            job=write_weekly_report,
            cron_schedule=f"0 {report_hour} * * 1",
            execution_timezone=time_zone,
            description="Writes the report of the week that has ended.",
            default_status=OFF,
        )(weekly_report),
    )
