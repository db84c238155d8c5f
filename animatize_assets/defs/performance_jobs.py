"""Jobs of the performance system, which schedules, sensors and people start by name.

Belongs here: selections of its assets, and the one job that is not about assets. Does not belong
here: what they compute (``performance``). See https://docs.dagster.io/guides/build/jobs.
"""

from datetime import UTC, datetime

import dagster as dg

from animatize_assets.defs.performance import PerformanceResource
from animatize_assets.settings import Settings

RETRAIN_JOB = "retrain_estimators"

retrain_estimators = dg.define_asset_job(
    RETRAIN_JOB,
    selection=dg.AssetSelection.assets("time_estimator", "estimator_in_use"),
    description="Train an estimator of one pipeline type, check it, and put it into use if it is "
    "better. A run that fails at the check means that it is not: the one in use stays.",
)

close_performance_day = dg.define_asset_job(
    "close_performance_day",
    selection=dg.AssetSelection.assets("daily_performance_trends"),
    description="Aggregate the jobs of one day.",
)

write_weekly_report = dg.define_asset_job(
    "write_weekly_report",
    selection=dg.AssetSelection.assets("weekly_performance_report"),
    description="Write the report of one week.",
)


@dg.op(
    description="Bring spooled job records in; delete records older than "
    "ANIMATIZE_JOB_RETENTION_DAYS, whose days stay as aggregates, and old versions of estimators.",
    out=dg.Out(dg.Nothing),
)
def keep_performance_in_order(
    context: dg.OpExecutionContext, performance: PerformanceResource
) -> None:
    """Do what keeps the records in order, once a day."""
    from animatize_assets.performance.upkeep import keep_in_order  # noqa: PLC0415  # SQLAlchemy

    done = keep_in_order(
        performance.room(), now=datetime.now(UTC), keep_days=Settings.read().job_retention_days
    )
    context.log.info(
        "%d spooled records came in; %d old records and %d old estimators went.",
        done.imported,
        done.deleted_jobs,
        done.removed_models,
    )
    if done.outage is not None:
        context.log.warning("The database takes no spooled records now: %s", done.outage)
    if done.kept_days:
        raise dg.Failure(
            f"{len(done.kept_days)} old days could not be aggregated, so their records stay: "
            f"{', '.join(map(str, done.kept_days))}.",
            allow_retries=False,
        )


@dg.job(description="Let go of what is too old; nothing in use and no unfinished day is touched.")
def tidy_performance_records() -> None:
    """Let go of what is too old."""
    keep_performance_in_order()


performance_jobs = (
    retrain_estimators,
    close_performance_day,
    write_weekly_report,
    tidy_performance_records,
)
