"""The assets of the performance system: daily trends, the weekly report, the estimators.

Belongs here: what they are called, their partitions and what a person sees of them. Does not belong
here: how anything is computed (``performance``), when (``performance_schedules``).

Why a training is two assets with a check between them: ``time_estimator`` is a version that was
trained and registered, ``estimator_in_use`` is the one that estimates are made with. The check
``estimator_beats_baseline_and_champion`` blocks the way from one to the other, so that a version
that is no better never comes into use, and everybody sees why. Its failure makes the run fail,
which is the only way in which a check of Dagster can block (one of severity WARN stops nothing).
It is an ordinary result all the same: nothing is broken, what was in use stays in use, nobody tries
again, and neither sensor nor schedule asks again for the same jobs (``retraining_need``). With
fewer than 30 jobs nothing is trained, checked or put into use: an observation says so, and the run
succeeds.
See https://docs.dagster.io/guides/test/asset-checks.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import dagster as dg
from pydantic import Field

from animatize_assets.defs.assets import OWNERS
from animatize_assets.defs.performance import PerformanceResource
from animatize_assets.defs.performance_metadata import (
    candidate_metadata,
    report_metadata,
    trends_metadata,
)
from animatize_assets.defs.resources import Stores
from animatize_assets.errors import NotEnoughJobs
from animatize_assets.images.durable import write_whole
from animatize_assets.performance.model_types import MODEL_TYPES, ModelType
from animatize_assets.performance.models import PIPELINE_TYPES, PipelineType

if TYPE_CHECKING:
    from animatize_assets.performance.learning import Candidate
    from animatize_assets.performance.opening import PerformanceRoom

GROUP = "performance"
PROMOTION_CHECK = "estimator_beats_baseline_and_champion"
STAYS = (
    "An ordinary result, nothing is broken: this version is not put into use, and what tells times "
    "now (the version in use, else the formula) goes on. New jobs may change it."
)
# Dagster's daemon judges an asset by the newest materialization of any of its partitions. Without
# one nothing is said: what nobody uses is not late. The windows end well after the next turn of the
# schedule (``performance_schedules``), an hour of a changed clock and a run that takes its time.
TRENDS_FRESH = dg.FreshnessPolicy.time_window(
    warn_window=timedelta(hours=26), fail_window=timedelta(hours=48)
)
REPORT_FRESH = dg.FreshnessPolicy.time_window(
    warn_window=timedelta(days=7, hours=2), fail_window=timedelta(days=8)
)
ESTIMATOR_FRESH = dg.FreshnessPolicy.time_window(
    warn_window=timedelta(days=7, hours=2), fail_window=timedelta(days=15)
)
"""Weeks without a new job train nothing: two of them missed are what a person should see."""

FIRST_MONDAY = "2026-01-05"
"""Before the first release: no job record is older."""

days = dg.DailyPartitionsDefinition(start_date=FIRST_MONDAY, timezone="UTC")
weeks = dg.WeeklyPartitionsDefinition(start_date=FIRST_MONDAY, timezone="UTC", day_offset=1)
"""Monday to Sunday; a key is its Monday."""

pipeline_types = dg.StaticPartitionsDefinition(list(PIPELINE_TYPES))


# A backfill policy is stable on a multi-asset and beta on a plain one (Dagster 1.13). One run for
# many days pays once for a process and its statistics.
@dg.multi_asset(
    specs=[
        dg.AssetSpec(
            "daily_performance_trends",
            group_name=GROUP,
            owners=OWNERS,
            kinds={"python", "pandas"},
            code_version="1",
            freshness_policy=TRENDS_FRESH,
            description="What the jobs of one UTC day came to: times, success, cost, use of GPU "
            "and CPU, accuracy of the estimates, bottlenecks. Kept when the single records are "
            "deleted.",
        )
    ],
    partitions_def=days,
    backfill_policy=dg.BackfillPolicy.single_run(),
)
def daily_performance_trends(
    context: dg.AssetExecutionContext, performance: PerformanceResource
) -> None:
    """Close each day of the run."""
    from animatize_assets.performance.daily_closing import close_day  # noqa: PLC0415

    room = performance.room()
    for key in context.partition_keys:
        closed = close_day(room.store, date.fromisoformat(key), thresholds=room.thresholds)
        context.add_asset_metadata(trends_metadata(closed), partition_key=key)


@dg.asset(
    partitions_def=weeks,
    deps=["daily_performance_trends"],
    group_name=GROUP,
    owners=OWNERS,
    kinds={"python", "html"},
    code_version="1",
    freshness_policy=REPORT_FRESH,
    description="A week of jobs against the week before: totals, trends, bottlenecks, how good the "
    "estimates were, what to do. JSON and a page to read below <data>/reports.",
)
def weekly_performance_report(
    context: dg.AssetExecutionContext, performance: PerformanceResource, stores: Stores
) -> dg.MaterializeResult[None]:
    """Write the report of one week."""
    from animatize_assets.performance.daily_closing import deleted_jobs  # noqa: PLC0415
    from animatize_assets.performance.report_page import html_page  # noqa: PLC0415
    from animatize_assets.performance.weekly_report import WEEK, build_weekly_report  # noqa: PLC0415

    room = performance.room()
    monday = date.fromisoformat(context.partition_key)
    if lost := deleted_jobs(room.store, monday, monday + WEEK):
        raise dg.Failure(
            f"{lost} job records of the week of {monday} were deleted for their age, so its report "
            "would be of a part. One that was written before is still there.",
            allow_retries=False,
        )
    report = build_weekly_report(room.store, monday, thresholds=room.thresholds)
    folder = stores.location() / "reports"
    page, numbers = folder / f"week-{monday}.html", folder / f"week-{monday}.json"
    write_whole(numbers, report.model_dump_json(indent=2).encode())
    write_whole(page, html_page(report).encode())
    return dg.MaterializeResult(metadata=report_metadata(report, page, numbers))


class TrainingConfig(dg.Config):
    """What a training compares."""

    model_types: list[str] = Field(
        default=list(MODEL_TYPES),
        description=f"Types of model, of which the best is taken: {', '.join(MODEL_TYPES)}.",
    )

    def chosen(self) -> tuple[ModelType, ...]:
        """Return the types.

        Raises:
            dg.Failure: there is none, or one that is not known.

        """
        unknown = sorted(set(self.model_types) - set(MODEL_TYPES))
        if unknown or not self.model_types:
            raise dg.Failure(
                f"model_types must name some of {', '.join(MODEL_TYPES)}; "
                f"{', '.join(unknown) or 'nothing'} is given.",
                allow_retries=False,
            )
        return tuple(name for name in MODEL_TYPES if name in self.model_types)


@dg.asset(
    partitions_def=pipeline_types,
    output_required=False,
    group_name=GROUP,
    owners=OWNERS,
    kinds={"python", "scikitlearn", "mlflow"},
    code_version="1",
    freshness_policy=ESTIMATOR_FRESH,
    description="A model that learned from the job records how long a job takes, registered in "
    "MLflow. Whether it is put into use its check says.",
)
def time_estimator(
    context: dg.AssetExecutionContext, config: TrainingConfig, performance: PerformanceResource
) -> Iterator[dg.MaterializeResult[None]]:
    """Train and register a version, or say that there are too few jobs to learn from."""
    from animatize_assets.performance.learning import (  # noqa: PLC0415
        Candidate,
        forget_old_versions,
        train_and_register,
    )

    room, pipeline = performance.room(), _pipeline(context.partition_key)
    try:
        registered, trained = train_and_register(
            room.store,
            room.registry,
            room.champions,
            pipeline,
            now=datetime.now(UTC),
            model_types=config.chosen(),
        )
    except NotEnoughJobs as error:
        context.log.warning("%s The heuristic tells times until then.", error.message)
        context.log_event(
            dg.AssetObservation(
                "time_estimator", partition=pipeline, metadata={"not_trained": error.message}
            )
        )
        return
    forget_old_versions(room.registry, room.engine)
    yield dg.MaterializeResult(metadata=candidate_metadata(Candidate(registered, trained.card)))


@dg.asset_check(
    asset=time_estimator,
    name=PROMOTION_CHECK,
    blocking=True,
    description="On the newest jobs, unseen when it was judged, the newest version is better than "
    "the mean of the last two like jobs and than the one in use. When it is not, that one stays.",
)
def promotion_check(
    context: dg.AssetCheckExecutionContext, performance: PerformanceResource
) -> dg.AssetCheckResult:
    """Judge the newest version by what is stored of it, and note why it is not used if so."""
    room = performance.room()
    candidate = _newest(room, _pipeline(context.partition_key))
    if not candidate.is_better:
        room.registry.rows.leave_out_of_use(candidate.registered, candidate.reason)
    return dg.AssetCheckResult(
        passed=candidate.is_better,
        description=candidate.reason if candidate.is_better else f"{STAYS} {candidate.reason}",
        metadata=candidate_metadata(candidate),
    )


@dg.asset(
    partitions_def=pipeline_types,
    deps=[time_estimator],
    group_name=GROUP,
    owners=OWNERS,
    kinds={"python", "mlflow"},
    code_version="1",
    description="The version that estimates are made with: MLflow's alias 'champion'.",
)
def estimator_in_use(
    context: dg.AssetExecutionContext, performance: PerformanceResource
) -> dg.MaterializeResult[None]:
    """Put the newest version into use, which its check has let through."""
    from animatize_assets.performance.learning import promote_or_reject  # noqa: PLC0415

    room = performance.room()
    candidate = _newest(room, _pipeline(context.partition_key))
    if not promote_or_reject(room.registry, candidate):
        raise dg.Failure(
            f"Version {candidate.registered.version} is not put into use. {candidate.reason}",
            allow_retries=False,
        )
    return dg.MaterializeResult(metadata=candidate_metadata(candidate))


def _newest(room: "PerformanceRoom", pipeline: PipelineType) -> "Candidate":
    from animatize_assets.performance.learning import newest_candidate  # noqa: PLC0415

    candidate = newest_candidate(room.registry, pipeline)
    if candidate is None:
        raise dg.Failure(
            f"There is no {pipeline} estimator yet: materialize time_estimator first.",
            allow_retries=False,
        )
    return candidate


def _pipeline(key: str) -> PipelineType:
    return next(pipeline for pipeline in PIPELINE_TYPES if pipeline == key)


performance_assets = (
    daily_performance_trends,
    weekly_performance_report,
    time_estimator,
    estimator_in_use,
)
performance_checks = (promotion_check,)
