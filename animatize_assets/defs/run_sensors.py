"""Sensors that watch runs: those that failed, and those that say nothing any more.

Belongs here: gathering what a look needs and phrasing what follows. Does not belong here: what is
an alert (``performance.run_alerts``), reading a run (``failed_runs``); alerts are delivered by
``performance_alerts``. Both are off until a person turns them on (docs/automation.md).
See https://docs.dagster.io/guides/automate/sensors.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import takewhile

import dagster as dg

from animatize_assets.defs.failed_runs import (
    failures_of,
    is_judged,
    is_repaired,
    keys_of,
    unfinished,
)
from animatize_assets.defs.performance import PerformanceResource
from animatize_assets.performance.run_alerts import (
    RunningRun,
    StuckRules,
    failed_work,
    stuck_runs,
    told_of_stuck,
)
from animatize_assets.settings import Settings

INTERVAL_S = 30
STUCK_INTERVAL_S = 60

FAILURES_AT_ONCE = 50
"""Failed runs that one look reads of; the next look goes on."""

FIRST_LOOK = timedelta(days=1)
"""A sensor without a memory reads of the runs that failed so lately."""


def failed_runs(
    context: dg.SensorEvaluationContext, performance: PerformanceResource
) -> dg.SensorResult:
    """Raise what failed since the last look; resolve what a later run has repaired."""
    from animatize_assets.performance.alert_store import AlertStore  # noqa: PLC0415  # SQLAlchemy

    instance, now = context.instance, datetime.now(UTC)
    found = instance.fetch_run_status_changes(
        dg.RunStatusChangeRecordsFilter(
            event_type=dg.DagsterEventType.RUN_FAILURE,
            after_storage_id=int(context.cursor) if context.cursor else None,
            after_timestamp=None if context.cursor else (now - FIRST_LOOK).timestamp(),
        ),
        limit=FAILURES_AT_ONCE,
        ascending=True,
    ).records
    failed = [(change, instance.get_run_record_by_id(change.run_id)) for change in found]
    # The next look goes on with the first of which Dagster has not yet said what it does.
    judged = list(takewhile(lambda each: is_judged(instance, each[1], now=now), failed))
    room = performance.room()
    try:
        alerts = AlertStore(room.engine)
        raised = alerts.raise_(
            failed_work(
                [
                    work
                    for _, record in judged
                    if record is not None
                    for work in failures_of(instance, record)
                ],
                alerts.alerts(is_resolved=False),
                lambda keys, stages: unfinished(instance, keys, stages),
                lambda work: is_repaired(instance, work),
                now=now,
            )
        )
    finally:
        room.close()
    for alert in raised.new:
        context.log.warning("New alert %d (%s): %s", alert.id, alert.severity, alert.message)
    return dg.SensorResult(
        cursor=str(judged[-1][0].storage_id) if judged else context.cursor,
        skip_reason=dg.SkipReason(
            f"{len(judged)} runs failed since the last look: {len(raised.new)} new alerts, "
            f"{len(raised.repeated)} as before, {len(raised.resolved)} resolved."
        ),
    )


def silent_runs(
    context: dg.SensorEvaluationContext, performance: PerformanceResource
) -> dg.SkipReason:
    """Raise runs that said nothing for too long; cancel them where a setting says so."""
    from animatize_assets.performance.alert_store import AlertStore  # noqa: PLC0415  # SQLAlchemy

    settings, now = Settings.read(), datetime.now(UTC)
    rules = StuckRules(least_s=settings.stuck_run_s, factor=settings.stuck_run_factor)
    stuck = stuck_runs(_running(context.instance, rules, now), rules, now=now)
    room = performance.room()
    try:
        alerts = AlertStore(room.engine)
        judgement = told_of_stuck(
            stuck,
            alerts.alerts(is_resolved=False),
            rules,
            is_cancelled=settings.stuck_run_cancel,
            now=now,
        )
        raised = alerts.raise_(judgement)
    finally:
        room.close()
    for alert in raised.new:
        context.log.warning("New alert %d (%s): %s", alert.id, alert.severity, alert.message)
    if settings.stuck_run_cancel:
        for run in stuck:
            _cancel(context, run)
    return dg.SkipReason(
        f"{len(stuck)} runs are stuck; {len(raised.resolved)} go on or have ended."
    )


def _running(
    instance: dg.DagsterInstance, rules: StuckRules, now: datetime
) -> Iterator[RunningRun]:
    """Give the runs that began long enough ago to be stuck at all."""
    from animatize_assets.orchestration.batches import estimate_of  # noqa: PLC0415  # SQLAlchemy

    for record in instance.get_run_records(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED])):
        began = record.start_time
        if began is None or now.timestamp() - began <= rules.least_s:
            continue
        run = record.dagster_run
        newest = instance.get_records_for_run(run.run_id, limit=1, ascending=False).records
        last = max(began, newest[0].event_log_entry.timestamp) if newest else began
        _, interval = estimate_of(run.tags)
        yield RunningRun(
            run_id=run.run_id,
            job=run.job_name,
            started_at=datetime.fromtimestamp(began, UTC),
            last_event_at=datetime.fromtimestamp(last, UTC),
            images=len(keys_of(instance, run)) or None,
            at_most_s=interval[1] if interval else None,
        )


def _cancel(context: dg.SensorEvaluationContext, run: RunningRun) -> None:
    if context.instance.run_launcher.terminate(run.run_id):
        context.log.warning("Run %s is cancelled: it said nothing for too long.", run.run_id)
    else:
        context.log.error(
            "Run %s cannot be cancelled from here: the process that executes it was not launched "
            "by Dagster, or is gone. End that process.",
            run.run_id,
        )


def build_run_sensors(interval_s: int | None = None) -> list[dg.SensorDefinition]:
    """Make both sensors; a person turns them on.

    ``interval_s``: seconds between two looks of either; None: each its own.
    """
    return [
        dg.sensor(
            name="failed_runs",
            minimum_interval_seconds=interval_s or INTERVAL_S,
            default_status=dg.DefaultSensorStatus.STOPPED,
            description="Makes failed runs alerts, by what failed in them; resolves an alert when "
            "a later run has completed its images.",
        )(failed_runs),
        dg.sensor(
            name="stuck_runs",
            minimum_interval_seconds=interval_s or STUCK_INTERVAL_S,
            default_status=dg.DefaultSensorStatus.STOPPED,
            description="Makes runs alerts that said nothing for longer than their estimate "
            "allows; cancels them where ANIMATIZE_STUCK_RUN_CANCEL is true.",
        )(silent_runs),
    ]
