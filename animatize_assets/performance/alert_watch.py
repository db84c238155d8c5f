"""Looking at everything that may be an alert, again and again, without doing work twice.

Belongs here: which jobs each rule is given, when a look is due, what is remembered between looks.
Does not belong here: the rules (``alerts``, ``trend_alerts``, ``service_alerts``), telling somebody
(``alert_delivery``), who looks and how often (``defs``).

A look at which nothing is new costs one small query. Everything else is bounded: at most
:data:`MOST_JOBS` records of each pipeline, and trends at most once an hour.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from pydantic import AwareDatetime

from animatize_assets.performance import alerts, service_alerts
from animatize_assets.performance.alert_models import Judgement, ProviderState, Spending
from animatize_assets.performance.alert_store import AlertStore, Raised
from animatize_assets.performance.models import PIPELINE_TYPES, AlertRecord, JobRecord
from animatize_assets.performance.store import PerformanceStore
from animatize_assets.performance.thresholds import Thresholds
from animatize_assets.performance.trend_alerts import worsening
from animatize_assets.performance.trend_fitting import LEAST_POINTS
from animatize_assets.records import Record

MOST_JOBS = 300
"""Newest jobs of a pipeline that one look reads, a few hundredths of a second."""

PRESENT = timedelta(hours=1)
"""Slow jobs and busy machines are news for so long."""

RATED_JOBS, RATED_WITHIN = 50, timedelta(days=1)
"""A failure rate is that of a pipeline's newest jobs; failures of an earlier day are no news."""

CONFIRM_EVERY = timedelta(minutes=10)
"""What has not changed is looked at again, so that what is over by now is resolved."""

TRENDS_EVERY = timedelta(hours=1)
TREND_DAYS = 28
MOST_TREND_JOBS = 20_000
"""Newest jobs behind a trend: a second of statistics."""

LEAST_TREND_JOBS = 3 * LEAST_POINTS
"""Three jobs a day on as many days as a trend needs."""


class Services(Record):
    """What others keep and hand in: breakers and money."""

    providers: tuple[ProviderState, ...] = ()
    spending: tuple[Spending, ...] = ()

    @property
    def digest(self) -> str:
        """Changes when anything in it does."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:16]


class Seen(Record):
    """What the last look saw; small, and plain JSON."""

    newest_job_id: int | None = None
    services: str = ""
    """Their digest."""
    judged_at: AwareDatetime | None = None
    trends_at: AwareDatetime | None = None
    trends_job_id: int | None = None


@dataclass(frozen=True)
class Look:
    """What a look came to."""

    seen: Seen
    """For the next one."""
    raised: Raised | None = None
    """None: nothing was new, so nothing was judged."""
    stale: tuple[AlertRecord, ...] = ()
    """Resolved because nothing confirmed them for a week."""


class AlertWatch:
    """Judges the jobs of one store into one store of alerts.

    ``least_accuracy``: share of the last 50 estimates within 20 %.
    """

    def __init__(
        self,
        store: PerformanceStore,
        alert_store: AlertStore,
        *,
        thresholds: Thresholds | None = None,
        least_accuracy: float = alerts.LEAST_ACCURACY,
    ) -> None:
        self._store = store
        self._alerts = alert_store
        self._thresholds = thresholds or Thresholds()
        self._least_accuracy = least_accuracy

    def look(self, seen: Seen, services: Services, *, now: datetime) -> Look:
        """Judge if anything is new, or has not been judged for ten minutes.

        Raises:
            SQLAlchemyError: the database could not be read or written; the next look sees the same.

        """
        newest_id, digest = self._store.newest_id(), services.digest
        is_new = newest_id != seen.newest_job_id or digest != seen.services
        if not is_new and seen.judged_at and now - seen.judged_at < CONFIRM_EVERY:
            return Look(seen)
        judgement = Judgement.of(
            service_alerts.provider_down(services.providers),
            service_alerts.budget(services.spending),
            self._of_jobs(now),
        )
        trends_at, trends_job_id = seen.trends_at, seen.trends_job_id
        if newest_id != trends_job_id and (trends_at is None or now - trends_at >= TRENDS_EVERY):
            judgement += self._of_trends(now)
            trends_at, trends_job_id = now, newest_id
        return Look(
            seen=Seen(
                newest_job_id=newest_id,
                services=digest,
                judged_at=now,
                trends_at=trends_at,
                trends_job_id=trends_job_id,
            ),
            raised=self._alerts.raise_(judgement),
            stale=self._alerts.resolve_stale(),
        )

    def _of_jobs(self, now: datetime) -> Judgement:
        newest = {
            pipeline: self._store.jobs(pipeline_type=pipeline, newest=MOST_JOBS)
            for pipeline in PIPELINE_TYPES
        }
        jobs = [job for of_pipeline in newest.values() for job in of_pipeline]
        present = _since(jobs, now - PRESENT)
        rated = [
            job
            for of_pipeline in newest.values()
            for job in _since(of_pipeline, now - RATED_WITHIN)[-RATED_JOBS:]
        ]
        return Judgement.of(
            alerts.slow_generation(present, self._thresholds),
            alerts.high_cpu(present, self._thresholds),
            alerts.high_vram(present),
            alerts.high_failure_rate(rated, self._thresholds),
            alerts.accuracy_drift(jobs, least_share=self._least_accuracy),
        )

    def _of_trends(self, now: datetime) -> Judgement:
        since = now - timedelta(days=TREND_DAYS)
        if self._store.count(since=since) < LEAST_TREND_JOBS:
            return Judgement()
        # pandas, which a watch over few jobs does not need
        from animatize_assets.performance.trends import find_trends

        jobs = self._store.frame(since=since, until=now, newest=MOST_TREND_JOBS)
        return worsening(find_trends(jobs, since=since, until=now), self._thresholds)


def _since(jobs: Sequence[JobRecord], moment: datetime) -> list[JobRecord]:
    return [job for job in jobs if job.finished_at >= moment]
