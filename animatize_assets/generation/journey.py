"""The way of one request: from provider to provider until one delivers.

Belongs here: the order of steps of a try. Does not belong here: what is noted of each
(``attempts``), what outlives the request (``station``), equal requests (``router``), the rules of
single failures (``failures``) and waits (``retrying``).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import uuid4

from animatize_assets.errors import (
    BudgetExceeded,
    NotConfigured,
    ProviderError,
    StorageFailed,
)
from animatize_assets.generation.accounting import PlannedCall
from animatize_assets.generation.across_runs import AcrossRuns, shared_place
from animatize_assets.generation.attempts import OVER_BUDGET, AttemptLog, Begun
from animatize_assets.generation.failures import Next, Verdict, kind_of, possible_spend, rule_of
from animatize_assets.generation.models import Call, Delivery, MadePicture, PictureRequest, Resume
from animatize_assets.generation.policy import Policy
from animatize_assets.generation.rate_limit import Clock, Sleep
from animatize_assets.generation.retrying import with_retries
from animatize_assets.generation.station import BreakerOpen, Station
from animatize_assets.generation.verification import verify_picture
from animatize_assets.telemetry import metrics
from animatize_assets.telemetry.calls import TracedCall, traced_call
from animatize_assets.telemetry.job_tracking import JobTracker, TrackedJob
from animatize_assets.telemetry.tracing import JOB_ID, describe

_log = logging.getLogger(__name__)

PROVIDER_CALL, PROVIDER_FETCH = "provider_call", "provider_fetch"
"""Job types of a call's record: one that asks for a picture, one that only fetches it."""

GRACE_S = 5.0
"""A provider that watches its own time ends a call itself and says what is known of it; one that
does not is cut off this much later."""

Keep = Callable[[Delivery], None]
"""Stores a picture for good. Called beside the event loop, before the ledger's row is closed: a
process that is killed in between leaves an open row to fetch by, never a paid picture lost."""


class _OutOfTime(Exception):
    """Too little of the deadline is left to begin a call."""


@dataclass(frozen=True)
class Surroundings:
    """What a journey needs and does not decide. ``now`` gives the time with its zone."""

    policy: Policy
    clock: Clock
    sleep: Sleep
    random: Callable[[], float]
    now: Callable[[], datetime]
    tracker: JobTracker


class Journey:
    """One request on its way. To be walked once."""

    def __init__(
        self,
        request: PictureRequest,
        around: Surroundings,
        *,
        run_id: str | None,
        keep: Keep | None,
        across_runs: AcrossRuns | None = None,
    ) -> None:
        self._request = request
        self._around = around
        self._policy = around.policy
        self._run_id = run_id
        self._keep = keep
        self._across_runs = across_runs
        self._ends_at = around.clock() + around.policy.deadline_s
        self._log = AttemptLog(clock=around.clock, now=around.now)
        self._was_refused = False
        self._is_late = False

    async def walk(self, stations: Sequence[Station | str]) -> Delivery:
        """Ask one station after the other; a name stands for a provider that is not configured.

        Raises:
            NothingDelivered: nobody made the picture, or it is of no use to ask the others.
            BudgetExceeded: the next call could pass a limit.
            StorageFailed: the picture could not be kept, or no row be written before a call.
            DiskNearlyFull: a picture might not be kept, so none is asked for.
        """
        last: Exception | None = None
        for station in stations:
            if isinstance(station, str):
                message = f"Provider '{station}' is not configured."
                self._log.not_asked(station, "", "not_configured", message)
                continue
            if self._was_refused and not (station.in_house or self._policy.share_refused):
                continue
            try:
                delivery = await self._ask(station)
            except _OutOfTime:
                self._is_late = True
            except (BreakerOpen, BudgetExceeded, ProviderError, NotConfigured) as error:
                last = error
                if not self._goes_on(station, error):
                    break
            else:
                if delivery.made.provider != _name_of(stations[0]):
                    metrics.count_fallback(_name_of(stations[0]), delivery.made.provider)
                return delivery
        remark = f" Its deadline of {self._policy.deadline_s:.0f} s is over." * self._is_late
        raise self._log.nothing_delivered(self._request.image_key, remark) from last

    def _goes_on(self, station: Station, error: Exception) -> bool:
        """Whether another provider may be asked after ``error``.

        Raises:
            BudgetExceeded: it is that, and it ends the request.
        """
        if isinstance(error, BreakerOpen):
            state = error.state
            self._log.not_asked(
                station.name, station.model, state.reason or "transient", str(error)
            )
        elif isinstance(error, BudgetExceeded):
            self._log.not_asked(station.name, station.model, OVER_BUDGET, error.message)
            if not self._policy.fall_back_over_budget:
                raise error
        elif isinstance(error, ProviderError | NotConfigured):
            then = rule_of(error).then
            self._was_refused |= then is Next.IF_SHARED
            if then is Next.NOBODY:
                return False
        _log.info("%s makes no picture of %s.", station.name, self._request.image_key)
        return True

    async def _ask(self, station: Station) -> Delivery:
        begun, made = await with_retries(
            lambda: self._try(station),
            self._policy,
            provider=station.name,
            left_s=lambda: self._ends_at - self._around.clock(),
            random=self._around.random,
            sleep=self._around.sleep,
        )
        delivery = Delivery(made=made, attempts=self._log.attempts)
        if self._keep is not None:
            await asyncio.to_thread(self._keep, delivery)
        settle = station.ledger.settle
        await _noted(settle, begun, cost_usd=made.cost_usd, usage=made.usage)
        metrics.add_cost(station.name, "picture", made.cost_usd)
        return delivery

    async def _try(self, station: Station) -> tuple[Begun, MadePicture]:
        station.check()
        queued_at, ends_at = self._around.clock(), self._ends_at

        def called_up() -> None:
            self._ends_at = ends_at + self._around.clock() - queued_at

        def check() -> None:
            called_up()
            station.check()

        # not behind a long queue again: what a provider has made can be fetched for minutes only
        first = bool(self._log.attempts)
        shared = None if station.in_house else self._across_runs
        async with (
            station.limiter.place(check, first=first) as place,
            shared_place(shared, station.name, station.concurrency, check),
        ):
            called_up()
            metrics.record_queue("provider", self._around.clock() - queued_at)
            left_s = self._ends_at - self._around.clock()
            if left_s < self._policy.least_left_s and not station.in_house:
                raise _OutOfTime
            admission = station.admit()
            try:
                begun = await self._begin(station)
                try:
                    made = await self._call(station, begun, left_s)
                    place.leave()
                    await asyncio.to_thread(verify_picture, made, self._request)
                except (ProviderError, NotConfigured) as error:
                    # counted before its place is free: the breaker must not let one more through
                    verdict = self._verdict(error, left_s)
                    await station.record(admission, verdict, kind_of(error))
                    place.leave()
                    await self._failed(station, begun, error)
                    raise
            except BaseException:
                station.forget(admission)
                raise
            await station.record(admission, Verdict.GOOD)
        self._log.made(begun, made)
        return begun, made

    def _verdict(self, error: ProviderError | NotConfigured, left_s: float) -> Verdict:
        """Return what ``error`` says of the provider, which is not to blame for our haste."""
        was_hasty = left_s < self._policy.call_timeout_s and kind_of(error) == "ambiguous"
        return Verdict.NEUTRAL if was_hasty else rule_of(error).verdict

    async def _begin(self, station: Station) -> Begun:
        """Find work to fetch, or write the row of a new call."""
        request, ledger = self._request, station.ledger
        if request.fingerprint:
            left = await asyncio.to_thread(ledger.unfinished, request.fingerprint, station.name)
            if left and left.resume is not None and not self._log.is_spoiled(left.call_id):
                return self._log.begin(
                    left.call_id,
                    station.name,
                    left.model,
                    resume=left.resume,
                    remote_id=left.remote_id,
                )
        expected = station.provider.expected_cost_usd(request)
        self._check_spending(station, expected)
        planned = PlannedCall(
            provider=station.name,
            model=station.model,
            fingerprint=request.fingerprint,
            expected_usd=expected,
            image_key=request.image_key,
            run_id=self._run_id,
        )
        call_id = await asyncio.to_thread(ledger.open_call, planned)
        return self._log.begin(call_id, station.name, station.model, expected_usd=expected)

    def _check_spending(self, station: Station, expected: float | None) -> None:
        limit = self._policy.picture_usd
        if limit is None or station.in_house:
            return
        if expected is None:
            raise BudgetExceeded(
                f"A call to {station.name} ({station.model}) has no known price, so it could pass "
                f"the limit of ${limit:g} per picture; take a model whose price is known."
            )
        possible = self._log.possible_usd
        if possible + expected > limit:
            raise BudgetExceeded(
                f"A call to {station.name} ({station.model}) may cost ${expected:g} and would pass "
                f"the limit of ${limit:g} per picture, ${possible:g} of which may be spent; raise "
                "the limit."
            )

    async def _call(self, station: Station, begun: Begun, left_s: float) -> MadePicture:
        timeout_s = self._policy.call_timeout_s
        if not station.in_house:
            timeout_s = min(timeout_s, left_s)

        def note(remote_id: str, resume: Resume) -> None:
            begun.remote_id = remote_id
            station.ledger.note_remote(begun.call_id, remote_id, resume)

        call = Call(timeout_s=timeout_s, note_remote=note, resume=begun.resume)
        with self._traced(station) as traced:
            try:
                async with asyncio.timeout(None if station.in_house else timeout_s + GRACE_S):
                    with self._tracked(station, begun) as job:
                        made = await station.provider.make(self._request, call)
                        job.note(cost_usd=made.cost_usd, retries=len(self._log.attempts))
                        job.mark_success()
            except TimeoutError as error:
                raise ProviderError(
                    f"{station.name} ({station.model}) gave no answer within {timeout_s:.0f} s.",
                    kind="ambiguous",
                    remote_id=begun.remote_id,
                    billed_usd=None,
                ) from error
            traced.made(made.usage, response_id=made.remote_id or begun.remote_id)
        return made

    def _traced(self, station: Station) -> AbstractContextManager[TracedCall]:
        return traced_call(
            "generate_content",
            station.name,
            station.model,
            image_key=self._request.image_key,
            run_id=self._run_id,
            clock=self._around.clock,
            in_house=station.in_house,
        )

    def _tracked(self, station: Station, begun: Begun) -> AbstractContextManager[TrackedJob]:
        """Track one call; fetching what an earlier one had made is a job of its own.

        Work that costs nothing has no id of the ledger's to tell it from that of other processes.
        """
        request = self._request
        job_id = f"{begun.call_id}-{uuid4().hex[:12]}"
        describe({JOB_ID: job_id})
        return self._around.tracker.track(
            job_id,
            "image",
            {
                "job_type": PROVIDER_CALL if begun.resume is None else PROVIDER_FETCH,
                "width": request.width,
                "height": request.height,
                "frame_count": 1,
                "batch_size": 1,
                "seed": request.seed,
                "provider": station.name,
                "model": station.model,
                "partition_key": request.image_key,
                "run_id": self._run_id,
            },
        )

    async def _failed(
        self, station: Station, begun: Begun, error: ProviderError | NotConfigured
    ) -> None:
        self._log.failed(begun, error)
        fail = station.ledger.fail
        await _noted(fail, begun, kind=kind_of(error), billed_usd=possible_spend(error))
        metrics.add_cost(station.name, "picture", possible_spend(error))


def _name_of(station: Station | str) -> str:
    return station if isinstance(station, str) else station.name


async def _noted(write: Callable[..., None], begun: Begun, **outcome: Any) -> None:
    """Write an outcome; a row that cannot be closed stays open, which is possible spend."""
    try:
        await asyncio.to_thread(write, begun.call_id, **outcome)
    except StorageFailed as error:
        _log.warning("Call %s to %s stays open: %s", begun.call_id, begun.provider, error)
