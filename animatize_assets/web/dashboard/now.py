"""What goes on at this moment: work, money, providers, the machine, alerts.

Belongs here: which stores are asked for the view Now. Does not belong here: how it looks
(``templates``), figures of many days (``figures``).
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from datetime import time as time_of_day
from typing import Final

from animatize_assets.errors import AnimatizeError, BatchNotFound
from animatize_assets.generation.spending import totals
from animatize_assets.performance.alert_models import Spending
from animatize_assets.performance.alert_store import AlertStore
from animatize_assets.performance.host import HostReading, read_host
from animatize_assets.performance.job_counts import PROVIDERS
from animatize_assets.performance.models import AlertRecord
from animatize_assets.performance.system_status import SystemStatus, system_status
from animatize_assets.web.routes.batch_models import Batch
from animatize_assets.web.routes.batches import progress_of
from animatize_assets.web.service import Service
from animatize_assets.workplace.service_readings import provider_states, spending

_log = logging.getLogger(__name__)

MOST_RUNS: Final = 20
"""Of those that wait or go on, as many are shown; more are counted."""

MOST_ALERTS: Final = 10

MACHINE_EVERY_S: Final = 10.0
"""How long a reading of the machine is shown: utilization is the average in between."""

HOUR: Final = timedelta(hours=1)

SHARED_S: Final = 1.0
"""Pages that are opened within so long share a reading."""


@dataclass(frozen=True)
class ProviderLine:
    """One provider, as far as anybody knows."""

    name: str
    lacks: str | None
    """Why it cannot be asked; None: it is set up."""
    state: str
    """Of its breaker: ``closed``, ``open``, ``half_open``, or ``not asked lately``."""
    reason: str | None
    spent_usd: float | None
    """Today (UTC); None: nothing was asked of it today."""


@dataclass(frozen=True)
class NowView:
    """How things stand."""

    work: tuple[Batch, ...]
    unknown_work: str | None
    """Why runs cannot be told; None: they are in ``work``."""
    day: SystemStatus
    hour: SystemStatus
    images: dict[str, int]
    spent_usd: float
    """Today (UTC), what may have been billed included."""
    limits: tuple[Spending, ...]
    providers: tuple[ProviderLine, ...]
    machine: HostReading
    alerts: tuple[AlertRecord, ...]
    open_alerts: int

    @property
    def is_new(self) -> bool:
        """Whether nobody has worked here yet."""
        return not (self.work or self.images or self.day.jobs)


class NowReader:
    """Reads how things stand in one service. Threads may share it: they share a moment's reading.

    ``timer`` counts seconds; ``clock`` tells the time.
    """

    def __init__(
        self,
        service: Service,
        *,
        timer: Callable[[], float] = time.monotonic,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._service = service
        self._timer = timer
        self._clock = clock
        self._lock = threading.Lock()
        self._reading = ThreadPoolExecutor(1, thread_name_prefix="now")
        self._machine: HostReading | None = None
        self._machine_at: float | None = None
        self._view: NowView | None = None
        self._view_at: float | None = None

    def read(self, *, at_most_old_s: float = 0.0) -> NowView:
        """Return how things stand, or stood ``at_most_old_s`` seconds ago.

        Raises:
            SQLAlchemyError: a database cannot be read.

        """
        with self._lock:
            at = self._timer()
            is_good = self._view_at is not None and at - self._view_at < at_most_old_s
            if self._view is None or not is_good:
                self._view = self._read()
                self._view_at = at
            return self._view

    def read_within(self, seconds: float) -> NowView | None:
        """Return how things stand; None when that takes longer, as while the service starts.

        It is read on then, for whoever asks next.

        Raises:
            SQLAlchemyError: a database cannot be read.

        """
        reading = self._reading.submit(self.read, at_most_old_s=SHARED_S)
        try:
            return reading.result(seconds)
        except TimeoutError:
            return None

    def _read(self) -> NowView:
        service, now = self._service, self._clock()
        store = service.performance.store
        alerts = AlertStore(service.performance.engine)
        work, problem = _work(service)
        midnight = datetime.combine(now.date(), time_of_day(), now.tzinfo)
        engine = service.images.engine
        spent = {
            each.provider: each.billed_usd + each.possible_usd
            for each in totals(engine, since=midnight)
        }
        service.gallery.catch_up()
        return NowView(
            work=work,
            unknown_work=problem,
            day=system_status(store, now=now),
            hour=system_status(store, now=now, period=HOUR),
            images=service.remembered.get("image counts", object(), service.gallery.counts),
            spent_usd=sum(spent.values()),
            limits=spending(engine, service.settings, now=now),
            providers=_providers(service, spent, now),
            machine=self._read_machine(),
            alerts=tuple(alerts.alerts(is_resolved=False, limit=MOST_ALERTS)),
            open_alerts=alerts.count(is_resolved=False),
        )

    def _read_machine(self) -> HostReading:
        at = self._timer()
        is_due = self._machine_at is None or at - self._machine_at >= MACHINE_EVERY_S
        if self._machine is None or is_due:
            monitor = self._service.performance.gpu_monitor
            self._machine = read_host(self._machine, monitor)
            self._machine_at = at
        return self._machine


def _work(service: Service) -> tuple[tuple[Batch, ...], str | None]:
    """Return runs that go on or wait, then batches that wait; and why runs cannot be told."""
    from animatize_assets.orchestration import unfinished_runs  # noqa: PLC0415  # a second

    problem = None
    ids: tuple[str, ...] = ()
    try:
        ids = unfinished_runs(service.dagster, limit=MOST_RUNS)
    except Exception:  # noqa: BLE001  # everything else of the page can still be told
        _log.exception("Dagster cannot be asked which runs go on.")
        problem = "Dagster cannot be asked which runs go on; the service's log says why."
    queue = service.batches.queue()[:MOST_RUNS]
    found = []
    for batch_id in (*ids, *(each.batch_id for each in queue)):
        try:
            found.append(progress_of(service, batch_id))
        except BatchNotFound:  # it was deleted a moment ago
            continue
    return tuple(found), problem


def _providers(
    service: Service, spent: dict[str, float], now: datetime
) -> tuple[ProviderLine, ...]:
    states = {each.provider: each for each in provider_states(service.images.engine, now=now)}
    lines = []
    for name in PROVIDERS:
        lacks = None
        try:
            service.workplace.check_provider(name)
        except AnimatizeError as error:
            lacks = error.message
        seen = states.get(name)
        lines.append(
            ProviderLine(
                name=name,
                lacks=lacks,
                state="not asked lately" if seen is None else seen.state,
                reason=None if seen is None else seen.reason,
                spent_usd=spent.get(name),
            )
        )
    return tuple(lines)
