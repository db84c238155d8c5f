"""Reading how things stand, for ``/metrics``.

Belongs here: which rooms are asked. Does not belong here: what the figures are called
(``metrics_page``), sums over jobs (``job_sums``).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from animatize_assets.generation.request_log import RequestLog
from animatize_assets.generation.spending import totals
from animatize_assets.performance.alert_models import SEVERITIES
from animatize_assets.performance.alert_store import AlertStore
from animatize_assets.performance.job_counts import PROVIDERS, Counts
from animatize_assets.web.metrics_page import Readings
from animatize_assets.workplace.opening import Workplace
from animatize_assets.workplace.service_readings import provider_states, spending


def read(
    workplace: Workplace, *, jobs: Counts, images: Mapping[str, int], now: datetime
) -> Readings:
    """Return what the databases say now; sums over jobs and images by state are given.

    Raises:
        SQLAlchemyError: one of them cannot be read.
    """
    engine = workplace.images.engine
    alerts = AlertStore(workplace.performance.engine)
    monitor = workplace.performance.gpu_monitor
    return Readings(
        jobs=jobs,
        calls=tuple(each for each in totals(engine) if each.provider in PROVIDERS),
        requests={
            str(outcome): count
            for (outcome,), count in RequestLog(engine).counts(["outcome"]).items()
        },
        images=images,
        alerts={
            severity: alerts.count(severity=severity, is_resolved=False) for severity in SEVERITIES
        },
        providers=tuple(
            each for each in provider_states(engine, now=now) if each.provider in PROVIDERS
        ),
        spending=tuple(spending(engine, workplace.settings, now=now)),
        gpus=() if monitor is None else monitor.read(),
    )
