"""What became of calls whose process is gone: ask the provider, and settle what it says.

A picture that was paid for and never arrived is fetched and kept, so the next request for it costs
nothing. Work that was submitted and never named cannot be fetched: where its provider forgets work
after a stated time it is written off then, at the most that it may have cost. What nobody can tell
stays open, as possible spend, and is listed for a person.

Belongs here: deciding about open rows. Does not belong here: the rows (``ledger``), fetching
(each provider), where pictures are kept (the caller's ``keep``).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal, Protocol

from animatize_assets.errors import AnimatizeError, ProviderError
from animatize_assets.generation.ledger import OpenRow, SqlLedger
from animatize_assets.generation.models import MadePicture, Resume
from animatize_assets.generation.single_flight import SingleFlight

_log = logging.getLogger(__name__)

FINAL_KINDS = frozenset({"refused_content", "invalid_request", "bad_output"})
"""Failures that say what became of the work. Any other kind says that the provider could not be
asked just now: the row stays open, whatever the error says of the bill."""

_MINUTE = timedelta(minutes=1)

FORGETTING_MARGIN = timedelta(minutes=20)
"""Added to how long a provider keeps a result, which counts from the result: until then a task may
have waited and been worked on, for as long as a picture is waited for (15 minutes unless set
otherwise), and two clocks may differ."""

Found = Literal["fetched", "failed", "never_known", "closed", "written_off", "in_work", "unknown"]


class Fetches(Protocol):
    """A provider that can be asked for work that was submitted earlier."""

    async def fetch(self, resume: Resume) -> MadePicture | None:
        """Fetch what an earlier call made, waiting for it if it is still being made.

        None: the provider never knew this work, so it was not billed.

        Raises:
            ProviderError: it ended without a picture, or the provider could not be asked.
        """


@dataclass(frozen=True)
class Reconciled:
    """What was found out about one open row."""

    row: OpenRow
    found: Found
    cost_usd: float | None
    """What the call turned out to cost; None when it is not known, or not yet."""
    why: str
    """One sentence for a person."""

    @property
    def is_open(self) -> bool:
        """Whether the row still counts as possible spend."""
        return self.found in ("in_work", "unknown")


Claim = Callable[[str], AbstractContextManager[bool]]
"""Takes a request, by its fingerprint, away from every other process for as long as the context is
open. Gives False when one is working on it now."""


def claims_of(flights: SingleFlight) -> Claim:
    """Claim requests by the locks that working processes hold; a killed one holds none."""

    @contextmanager
    def claim(fingerprint: str) -> Iterator[bool]:
        with ExitStack() as held:
            try:
                held.enter_context(flights.hold(fingerprint, 0))
            except TimeoutError:
                yield False
                return
            yield True

    return claim


async def reconcile(
    ledger: SqlLedger,
    providers: Mapping[str, Fetches],
    keep: Callable[[str, MadePicture], None],
    claim: Claim,
    *,
    kept_for: Mapping[str, timedelta] | None = None,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Sequence[Reconciled]:
    """Find out about every open row of a picture that no process is working on.

    ``providers``: those that can be asked, by name. ``keep(fingerprint, picture)`` stores a fetched
    picture before its row is settled; if it raises, the row stays open. ``kept_for``: how long a
    provider keeps a result, by name, of those that say so. ``now`` tells the time, with its zone.
    Safe to be run at any time and by several processes at once. Rows are returned oldest first.

    Raises:
        StorageFailed: the ledger could not be written.

    """
    found = []
    for row in ledger.open_rows(purpose="picture"):
        with claim(row.fingerprint) as is_ours:
            if not is_ours:
                found.append(Reconciled(row, "in_work", None, "A process is working on it."))
            elif not ledger.is_open(row.call_id):
                why = "Another process closed the row meanwhile."
                found.append(Reconciled(row, "closed", None, why))
            elif row.resume is None:
                kept = (kept_for or {}).get(row.provider)
                found.append(_never_named(row, ledger, kept, now()))
            else:
                provider = providers.get(row.provider)
                found.append(await _asked(row, row.resume, ledger, provider, keep))
    return found


def _never_named(
    row: OpenRow, ledger: SqlLedger, kept_for: timedelta | None, now: datetime
) -> Reconciled:
    """Close the row of work that cannot be asked after, once nothing can come of it any more."""
    if row.expected_usd == 0:
        ledger.fail(row.call_id, kind="transient", billed_usd=0.0)
        return Reconciled(row, "closed", 0.0, "It is free: nothing can have been billed.")
    why = (
        "The process ended before the provider named its work"
        if row.failure is None
        else "The answer in which the provider names its work was lost"
    )
    if kept_for is None:
        return _left_open(row, f"{why}.")
    forgotten_at = row.opened_at + kept_for + FORGETTING_MARGIN
    if now < forgotten_at:
        return _left_open(row, f"{why}; it is written off from {forgotten_at:%H:%M} UTC on.")
    try:
        ledger.write_off(row.call_id)
    except LookupError:  # a person was faster, who takes no claim
        return Reconciled(row, "closed", None, "It was written off by hand meanwhile.")
    most = "of a price that is not known"
    if row.expected_usd is not None:
        most = f"at the most that it may cost, {row.expected_usd:.4f} $"
    return Reconciled(
        row,
        "written_off",
        None,
        f"{why}, and {row.provider} keeps nothing longer than {kept_for / _MINUTE:g} minutes: it "
        f"cannot be fetched any more and counts as spent, {most}.",
    )


async def _asked(
    row: OpenRow,
    resume: Resume,
    ledger: SqlLedger,
    provider: Fetches | None,
    keep: Callable[[str, MadePicture], None],
) -> Reconciled:
    if provider is None:
        return _left_open(row, f"Provider '{row.provider}' cannot be used, or cannot tell.")
    try:
        made = await provider.fetch(resume)
        if made is not None:
            keep(row.fingerprint, made)
    except ProviderError as error:
        return _after_failure(row, ledger, error)
    except AnimatizeError as error:
        _log.warning("Call %s was fetched and could not be kept.", row.call_id)
        return _left_open(row, error.message)
    if made is None:
        ledger.fail(row.call_id, kind=row.failure or "transient", billed_usd=0.0)
        return Reconciled(row, "never_known", 0.0, "The provider never knew it: nothing is billed.")
    ledger.settle(row.call_id, cost_usd=made.cost_usd, usage=made.usage)
    return Reconciled(row, "fetched", made.cost_usd, "It was made, and is kept now.")


def _after_failure(row: OpenRow, ledger: SqlLedger, error: ProviderError) -> Reconciled:
    if error.kind not in FINAL_KINDS or error.billed_usd is None:
        return _left_open(row, error.message)
    ledger.fail(row.call_id, kind=error.kind, billed_usd=error.billed_usd)
    return Reconciled(row, "failed", error.billed_usd, error.message)


def _left_open(row: OpenRow, why: str) -> Reconciled:
    return Reconciled(row, "unknown", None, why)
