"""Sensors of the performance system: alerts, and estimators that have grown old.

Belongs here: gathering what a look needs and phrasing what follows. Does not belong here: what is
an alert (``performance.alert_watch``), when an estimator is trained again
(``performance.retraining_need``), the way out (``performance.alert_delivery``).
See https://docs.dagster.io/guides/automate/sensors.
"""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING

import dagster as dg

from animatize_assets.defs.performance import PerformanceResource
from animatize_assets.defs.performance_jobs import RETRAIN_JOB
from animatize_assets.defs.resources import Stores
from animatize_assets.errors import InvalidSetting
from animatize_assets.settings import Settings
from animatize_assets.workplace.service_readings import read_services

if TYPE_CHECKING:
    from animatize_assets.performance.alert_delivery import AlertDelivery
    from animatize_assets.performance.alert_watch import Look
    from animatize_assets.performance.models import AlertRecord

ALERTS_INTERVAL_S = 30
"""An alert is raised within a minute: two looks."""

DRIFT_INTERVAL_S = 60

DELIVERY_S = 10.0
"""For all deliveries of one look: two attempts at a webhook that hangs. The daemon looks at one
sensor after the other, and those that take in images wait meanwhile. What is left is delivered at
the next look."""


def performance_alerts(
    context: dg.SensorEvaluationContext, performance: PerformanceResource, stores: Stores
) -> dg.SensorResult:
    """Look at jobs, trends, providers and money once; raise, resolve and tell."""
    from animatize_assets.performance.alert_store import AlertStore  # noqa: PLC0415  # SQLAlchemy
    from animatize_assets.performance.alert_watch import AlertWatch, Seen  # noqa: PLC0415

    settings, room, now = Settings.read(), performance.room(), datetime.now(UTC)
    images, _ = stores.open()
    alerts = AlertStore(room.engine)
    watch = AlertWatch(
        room.store, alerts, thresholds=room.thresholds, least_accuracy=settings.accuracy_bar
    )
    seen = Seen.model_validate_json(context.cursor) if context.cursor else Seen()
    try:
        look = watch.look(seen, read_services(images.engine, settings, now=now), now=now)
        told = _tell(context, room.database_url, settings) if alerts.undelivered(1) else ""
    finally:
        images.engine.dispose()
        room.close()
    for alert in look.raised.new if look.raised else ():
        context.log.warning("New alert %d (%s): %s", alert.id, alert.severity, alert.message)
    return dg.SensorResult(
        cursor=look.seen.model_dump_json(), skip_reason=dg.SkipReason(_summary(look) + told)
    )


def estimator_drift(
    context: dg.SensorEvaluationContext, performance: PerformanceResource
) -> dg.SensorResult:
    """Ask for a training of each pipeline type that needs one, at most once a day."""
    from animatize_assets.performance.retraining_need import Asked, needs  # noqa: PLC0415

    room, now = performance.room(), datetime.now(UTC)
    asked = Asked.model_validate_json(context.cursor) if context.cursor else Asked()
    try:
        needed, asked = needs(
            room.store,
            room.registry.rows,
            asked,
            accuracy_bar=Settings.read().accuracy_bar,
            now=now,
        )
    finally:
        room.close()
    for pipeline, why in needed.items():
        context.log.info("An estimator of %s jobs is asked for: %s", pipeline, why)
    # The key keeps a day's second run away also when somebody resets the cursor.
    requests = [
        dg.RunRequest(
            run_key=f"{pipeline} {now:%Y-%m-%d}",
            partition_key=pipeline,
            tags={"animatize/why": why},
        )
        for pipeline, why in needed.items()
    ]
    return dg.SensorResult(
        cursor=asked.model_dump_json(),
        run_requests=requests,
        skip_reason=None if requests else dg.SkipReason("No estimator needs to learn anew."),
    )


def _tell(context: dg.SensorEvaluationContext, database_url: str, settings: Settings) -> str:
    """Deliver what is waiting; what goes wrong is told, and tried again at the next look."""
    url = settings.alert_webhook_url
    try:
        delivery = _delivery(database_url, url.get_secret_value() if url else None)
        done = asyncio.run(asyncio.wait_for(delivery.deliver(), DELIVERY_S))
    except InvalidSetting as error:
        context.log.error("Alerts are not delivered: %s", error.message)  # noqa: TRY400 - a sentence
        return f" Not delivered: {error.message}"
    except TimeoutError:
        context.log.warning("The webhook is slow: what is left is delivered at the next look.")
        return " The webhook is slow: the rest follows."
    if done.failure is not None:
        context.log.warning("%d alerts wait: %s.", done.waiting, done.failure)
    return f" {done.delivered} delivered, {done.waiting} waiting."


@lru_cache(maxsize=1)
def _delivery(database_url: str, webhook_url: str | None) -> "AlertDelivery":
    """Keep one for as long as this process lives: it remembers what the receiver refused."""
    from animatize_assets.database.engine import open_engine  # noqa: PLC0415  # SQLAlchemy
    from animatize_assets.performance.alert_delivery import AlertDelivery  # noqa: PLC0415
    from animatize_assets.performance.alert_store import AlertStore  # noqa: PLC0415

    return AlertDelivery(AlertStore(open_engine(database_url)), webhook_url)


def _summary(look: "Look") -> str:
    raised = look.raised
    if raised is None:
        return "Nothing is new."
    gone = [*raised.resolved, *look.stale]
    return (
        f"{_named('New', raised.new)}{len(raised.repeated)} as before. {_named('Resolved', gone)}"
    ).strip()


def _named(what: str, alerts: "Sequence[AlertRecord]") -> str:
    names = ", ".join(f"{alert.alert_type} ({alert.severity})" for alert in alerts[:20])
    return f"{what}: {names}. " if alerts else ""


def build_performance_sensors() -> list[dg.SensorDefinition]:
    """Make both sensors; they run from the start, and cost one small query while nothing is new."""
    return [
        dg.sensor(
            name="performance_alerts",
            minimum_interval_seconds=ALERTS_INTERVAL_S,
            default_status=dg.DefaultSensorStatus.RUNNING,
            description="Raises, resolves and delivers alerts on slow and failing jobs, trends, "
            "providers that are down and budgets.",
        )(performance_alerts),
        dg.sensor(
            name="estimator_drift",
            job_name=RETRAIN_JOB,
            minimum_interval_seconds=DRIFT_INTERVAL_S,
            default_status=dg.DefaultSensorStatus.RUNNING,
            description="Asks for a training where estimates have become bad, or where the first "
            "30 jobs have finished; at most once a day for each pipeline type.",
        )(estimator_drift),
    ]
