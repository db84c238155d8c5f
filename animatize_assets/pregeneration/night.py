"""One night: what came is taken, what is likely is chosen, and made until the window ends.

Batches are sent as soon as they are chosen, as somebody else works on them, and one's own hardware
works for the rest of the window. When the window ends nothing new is begun; what is planned and was
not made stays planned, and the next night goes on with it as far as it is still likely.

Belongs here: the order of a night. Does not belong here: each of its steps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from threading import Event

from pydantic import Field

from animatize_assets.errors import BudgetExceeded, NotConfigured, ProviderError
from animatize_assets.generation.catalogue import ProviderModel
from animatize_assets.generation.prices import Free
from animatize_assets.generation.source_image import sent_size
from animatize_assets.generation.sourcing import PictureOrder, PictureSource
from animatize_assets.pregeneration.demand import read_demand
from animatize_assets.pregeneration.likelihood import Likelihood
from animatize_assets.pregeneration.offers import offer_of
from animatize_assets.pregeneration.patterns import TOP, pattern_counts, with_variations
from animatize_assets.pregeneration.picture_batches import PictureBatches
from animatize_assets.pregeneration.planning import (
    Candidate,
    LeftOut,
    Limits,
    Plan,
    Quoted,
    plan_night,
)
from animatize_assets.pregeneration.pregenerated import PictureRow, PregeneratedPictures
from animatize_assets.pregeneration.preparation import PictureTimes, Preparation, Prepared
from animatize_assets.records import Record

WINDOW_DAYS = 60
"""How far back requests are read: with a half-life of a week older ones count below 0.3 %."""

LONGEST_AHEAD_DAYS = 7.0
"""How long a picture is expected to wait for its request at most, however long it is kept."""

LEAST_PROBABILITY = 0.3
"""Below it no candidate is looked at closer. Own choice: a batch at half the price pays from 0.5,
and what is free takes time and disk all the same."""

NOT_NOW = frozenset({"transient", "rate_limited", "quota", "not_configured", "ambiguous"})
"""Failures of the provider, not of the picture: it stays planned."""


class NightReport(Record):
    """What a night did."""

    plan: Plan
    came: int = Field(ge=0, description="pictures that batches of before brought")
    under_way: int = Field(ge=0, description="batches sent before that have not ended")
    sent: int = Field(ge=0, description="pictures sent in batches")
    made: int = Field(ge=0, description="pictures made on one's own hardware")
    failed: int = Field(ge=0, description="pictures tried in vain on it")
    remaining: int = Field(ge=0, description="planned pictures for another night")
    stopped: str | None = Field(description="why the night ended early, one sentence")


@dataclass(frozen=True)
class NightShift:
    """What works at night. Plain parts, so that a test gives its own.

    ``source``: where pictures come from, with its result store. ``model_of`` gives the catalogue's
    entry of a provider's model. ``batches``: None without OpenAI. ``claimed``: the work of one
    night at a time, as a context that raises ``TimeoutError`` when another one is at it.
    """

    rows: PregeneratedPictures
    preparation: Preparation
    source: PictureSource
    times: PictureTimes
    model_of: Callable[[str, str], ProviderModel | None]
    batches: PictureBatches | None
    claimed: Callable[[], AbstractContextManager[object]]
    kept_for: timedelta
    """How long the result store keeps what is not used."""
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)

    def plan(self, limits: Limits) -> Plan:
        """Return what would be made now; nothing is changed and nobody is asked."""
        now = self.clock()
        demand = read_demand(self.rows.engine, since=now - timedelta(days=WINDOW_DAYS), until=now)
        top = [each.pattern for each in pattern_counts(demand.asked, now)[:TOP]]
        patterns = with_variations(top)
        likelihood = Likelihood.learn(demand, now, patterns)
        days = self._days_ahead()
        doubt = self.rows.doubt(now - self._settling())
        candidates = (
            Candidate(image_key, pattern, max(0.0, 1.0 - doubt * (1.0 - probability)))
            for image_key in demand.stored
            for pattern, probability in likelihood.likely(image_key, days, LEAST_PROBABILITY)
        )
        return plan_night(candidates, self._quoting(now), limits, own=self._own())

    def work(self, limits: Limits, until: datetime, *, run_id: str | None = None) -> NightReport:
        """Do a night's work; nothing new is begun after ``until``.

        Raises:
            TimeoutError: another process is at it.
            ProviderError: OpenAI could not be asked for what batches of before brought.
            StorageFailed: the database or the disk did not take what was made.
        """
        with self.claimed():
            came, under_way = self._collected()
            self.rows.note_uses()
            plan = self.plan(limits)
            self.rows.keep_planned({each.fingerprint for each in plan.pictures})
            self.rows.plan(plan.pictures)
            sent, stopped = self._send(until, run_id)
            made, failed, own_stopped = self._make(until, run_id)
            remaining = len(self.rows.pictures("planned"))
        if remaining and stopped is None and own_stopped is None:
            stopped = "The window has ended."
        return NightReport(
            plan=plan,
            came=came,
            under_way=under_way,
            sent=sent,
            made=made,
            failed=failed,
            remaining=remaining,
            stopped=stopped or own_stopped,
        )

    def collect(self) -> tuple[int, int]:
        """Take what batches brought: how many pictures came, and how many batches are under way.

        Raises:
            TimeoutError: another process is at it.
            ProviderError: OpenAI could not be asked.
        """
        with self.claimed():
            found = self._collected()
            self.rows.note_uses()
            return found

    def _days_ahead(self) -> float:
        return min(LONGEST_AHEAD_DAYS, self.kept_for / timedelta(days=1))

    def _settling(self) -> timedelta:
        return min(self.kept_for, timedelta(days=LONGEST_AHEAD_DAYS))

    def _own(self) -> frozenset[str]:
        """Return the providers that cost nothing, which are one's own hardware."""
        models = {
            name: self.model_of(name, provider.model)
            for name, provider in self.source.providers.items()
        }
        return frozenset(
            name
            for name, model in models.items()
            if name != "local" and model is not None and isinstance(model.price, Free)
        )

    def _quoting(self, now: datetime) -> Callable[[Candidate], Quoted | LeftOut]:
        submitted = {row.fingerprint for row in self.rows.pictures("submitted")}
        failed = self.rows.failed_since(now - self._settling())

        def quote(candidate: Candidate) -> Quoted | LeftOut:
            provider = candidate.pattern.provider
            if provider not in self.source.providers:
                return "not_configured"
            prepared = self.preparation.prepared(candidate.image_key, candidate.pattern)
            if prepared is None:
                return "not_ready"
            if prepared.fingerprint in submitted:
                return "under_way"
            if prepared.fingerprint in failed:
                return "failed_before"
            return "kept" if self._is_kept(prepared) else self._offered(provider, prepared)

        return quote

    def _offered(self, provider: str, prepared: Prepared) -> Quoted | LeftOut:
        model = self.model_of(provider, prepared.model)
        if model is None:
            return "not_configured"
        size = (prepared.width, prepared.height)
        width, height = sent_size(prepared.source_size, size)
        offer = offer_of(model, size, input_pixels=width * height, characters=prepared.characters)
        if offer is None or (offer.way == "batch" and self.batches is None):
            return "not_cheaper"
        seconds = 0.0
        if offer.way == "own":
            places = max(1, self.source.at_once.get(provider, 1))
            seconds = self.times.seconds(provider, prepared) / places
        return Quoted(prepared.fingerprint, prepared.model, prepared.movement, offer, seconds)

    def _is_kept(self, prepared: Prepared) -> bool:
        caches = self.source.caches
        if caches is None:
            return False
        not_before = caches.results.not_before()
        return caches.results.index.find(prepared.fingerprint, not_before=not_before) is not None

    def _collected(self) -> tuple[int, int]:
        if self.batches is None:
            return 0, 0
        self.batches.resume()
        return self.batches.collect()

    def _send(self, until: datetime, run_id: str | None) -> tuple[int, str | None]:
        if self.batches is None:
            return 0, None
        before = len(self.rows.pictures("submitted"))
        stopped: str | None = None
        try:
            self.batches.send(self._ordered("batch", until), run_id=run_id)
        except (BudgetExceeded, ProviderError, NotConfigured) as error:
            stopped = error.message
        return len(self.rows.pictures("submitted")) - before, stopped

    def _ordered(self, way: str, until: datetime) -> Iterator[tuple[PictureRow, PictureOrder]]:
        """Give what is planned as it would be asked for, until the window ends."""
        for row in self.rows.pictures("planned"):
            if row.way != way:
                continue
            if self.clock() >= until:
                return
            order = self.preparation.order(row.image_key, row.pattern)
            if order is None or order.request.fingerprint != row.fingerprint:
                self.rows.drop([row], "A run would ask for another picture now.")
            else:
                yield row, order

    def _make(self, until: datetime, run_id: str | None) -> tuple[int, int, str | None]:
        """Make what is planned on one's own hardware, as many at once as it takes."""
        source = replace(self.source, log=None, order_of=lambda name: [name])
        work = _OwnWork(self.rows, source, run_id, Event())
        places = max([1, *(self.source.at_once.get(name, 1) for name in self._own())])
        with ThreadPoolExecutor(places, thread_name_prefix="pregeneration") as threads:
            outcomes: list[Future[str]] = []
            for row, order in self._ordered("own", until):
                if work.given_up.is_set():
                    break
                outcomes.append(threads.submit(work.make, row, order))
                if len(outcomes) >= places:  # pixels of no more images than are worked on
                    outcomes[-places].result()
            told = [each.result() for each in outcomes]
        reasons = [each for each in told if each not in ("made", "failed", "kept")]
        return told.count("made"), told.count("failed"), reasons[0] if reasons else None


@dataclass(frozen=True)
class _OwnWork:
    """Pictures made on one's own hardware, by several threads."""

    rows: PregeneratedPictures
    source: PictureSource
    run_id: str | None
    given_up: Event

    def make(self, row: PictureRow, order: PictureOrder) -> str:
        """Return ``made``, ``failed`` or ``kept``; or, when it is of no use to go on, why."""
        try:
            obtained = self.source.obtain(replace(order, run_id=self.run_id))
        except ProviderError as error:
            if error.kind in NOT_NOW:
                self.given_up.set()
                return error.message
            self.rows.failed(row, error.message, cost_usd=error.billed_usd)
            return "failed"
        except (BudgetExceeded, NotConfigured) as error:
            self.given_up.set()
            return error.message
        if obtained.reuse is not None:
            self.rows.drop([row], "It was made by day.")
            return "kept"
        cost = obtained.made.cost_usd
        self.rows.ready(row, cost_usd=cost, by_day_usd=cost)
        return "made"
