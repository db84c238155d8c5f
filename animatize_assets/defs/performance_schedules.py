"""When the performance system works by itself.

Belongs here: times, in UTC. Does not belong here: what is done (``performance_jobs``). Every
schedule is off until a person turns it on, in the UI or with ``dagster schedule start NAME``: none
of this work is needed before there are a few days of jobs.
See https://docs.dagster.io/guides/automate/schedules.

========================= ================ ====================================================
schedule                  runs (UTC)       does
========================= ================ ====================================================
``daily_trends``          every day 00:30  aggregates the day that has ended
``daily_tidying``         every day 01:30  deletes old records, after the day has its aggregate
``weekly_retraining``     Sunday 03:00     trains an estimator of each pipeline type with new jobs
``weekly_report``         Monday 07:00     writes the report of the week that has ended
========================= ================ ====================================================
"""

from collections.abc import Iterator
from datetime import timedelta

import dagster as dg

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

# Dagster's build_schedule_from_partitioned_job calls a function that Dagster deprecates (1.13.27).


@dg.schedule(
    name="daily_trends",
    job=close_performance_day,
    cron_schedule="30 0 * * *",
    execution_timezone=UTC,
    description="Aggregates the jobs of the day that has ended.",
    default_status=OFF,
)
def daily_trends(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
    """Ask for the day before."""
    day = context.scheduled_execution_time.date() - timedelta(days=1)
    return dg.RunRequest(partition_key=day.isoformat(), run_key=day.isoformat())


@dg.schedule(
    name="weekly_report",
    job=write_weekly_report,
    cron_schedule="0 7 * * 1",
    execution_timezone=UTC,
    description="Writes the report of the week that has ended.",
    default_status=OFF,
)
def weekly_report(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
    """Ask for the week that began seven days before this Monday."""
    monday = context.scheduled_execution_time.date() - timedelta(weeks=1)
    return dg.RunRequest(partition_key=monday.isoformat(), run_key=monday.isoformat())


@dg.schedule(
    name="weekly_retraining",
    job=retrain_estimators,
    cron_schedule="0 3 * * 0",
    execution_timezone=UTC,
    description="Trains an estimator of each pipeline type that has new jobs to learn from.",
    default_status=OFF,
)
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


daily_tidying = dg.ScheduleDefinition(
    name="daily_tidying",
    job=tidy_performance_records,
    cron_schedule="30 1 * * *",
    execution_timezone=UTC,
    description="Deletes old job records and versions of estimators.",
    default_status=OFF,
)

performance_schedules = (daily_trends, daily_tidying, weekly_retraining, weekly_report)
