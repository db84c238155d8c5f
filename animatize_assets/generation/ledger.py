"""The ledger: a row before each call that may cost money, its outcome after it.

What counts as spent is what is known to be billed, and for every call whose outcome is not known
the most that it may cost. So the sum can be too high until a call is reconciled, and never too low
by a call that nobody wrote down.

Belongs here: the rows. Does not belong here: their sums (``spending``), the limits (``budget``),
asking providers about open rows (``reconciliation``).
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection, Engine, Row, insert, select, text, update
from sqlalchemy.exc import OperationalError

from animatize_assets.database.tables import generation_calls
from animatize_assets.errors import StorageFailed
from animatize_assets.generation.accounting import OpenCall, PlannedCall
from animatize_assets.generation.budget import Budget, Limit, check
from animatize_assets.generation.models import Resume, Usage
from animatize_assets.generation.money import to_nanousd, to_usd
from animatize_assets.generation.spending import Totals, calls_in, in_utc, spent_nanousd, totals
from animatize_assets.images.disk_space import UNLIMITED, DiskSpace

_log = logging.getLogger(__name__)
_ADVISORY_LOCK = 0x6C656467  # "ledg": an arbitrary number that only this ledger takes

_calls = generation_calls.c
_REMOTE_ID_LENGTH = 256
"""The column's; a longer id is cut for display, what is fetched by stands in ``resume``."""


@dataclass(frozen=True)
class OpenRow(OpenCall):
    """An open row with what a person needs to judge it."""

    purpose: str
    image_key: str | None
    run_id: str | None
    expected_usd: float | None
    failure: str | None
    """Kind of the last failure; None when the process ended, or works on it still."""
    opened_at: datetime


class SqlLedger:
    """The ledger in the project's database, which must be at the newest revision.

    Each method is one transaction and durable when it returns. Safe to use from several threads
    and processes at once: they open calls one after the other, so no two of them can pass a limit
    together. ``clock`` tells the time, with its time zone. ``disk``: where what is paid for will be
    written.
    """

    def __init__(
        self,
        engine: Engine,
        budget: Budget,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        *,
        disk: DiskSpace = UNLIMITED,
    ) -> None:
        self._engine = engine
        self._budget = budget
        self._clock = clock
        self._disk = disk
        self._lock = threading.Lock()

    def open_call(self, planned: PlannedCall) -> str:
        """Write the row and return its id, if every limit allows the call.

        Raises:
            BudgetExceeded: the call could pass a limit; nothing is written.
            DiskNearlyFull: what comes of it might not be kept; nothing is written.
            StorageFailed: the database could not be written.

        """
        self._disk.check()
        call_id = str(uuid4())
        expected = planned.expected_usd
        with self._writing() as connection:
            now = self._now()
            for limit in self._budget.limits_of(planned):
                check(planned, limit, self._spent_of(connection, limit, planned, now))
            connection.execute(
                insert(generation_calls).values(
                    call_id=call_id,
                    purpose=planned.purpose,
                    provider=planned.provider,
                    model=planned.model,
                    fingerprint=planned.fingerprint,
                    image_key=planned.image_key,
                    run_id=planned.run_id,
                    state="open",
                    expected_nanousd=None if expected is None else to_nanousd(expected),
                    opened_at=now,
                )
            )
        return call_id

    def note_remote(self, call_id: str, remote_id: str, resume: Resume) -> None:
        """Remember under which id the provider works on it, and how to fetch it.

        Raises:
            LookupError: the ledger has no such call.
            StorageFailed: the database could not be written.

        """
        with self._writing() as connection:
            _state_of(connection, call_id)
            _change(
                connection,
                call_id,
                remote_id=remote_id[:_REMOTE_ID_LENGTH],
                resume=json.dumps(dict(resume), sort_keys=True),
            )

    def settle(self, call_id: str, *, cost_usd: float | None, usage: Usage | None) -> None:
        """Close the row: it was delivered. A row that is settled stays as it is.

        A delivery is the last word: it overrules a failure and a row that was written off.

        Raises:
            LookupError: the ledger has no such call.
            StorageFailed: the database could not be written.

        """
        with self._writing() as connection:
            if _state_of(connection, call_id) == "settled":
                return
            _change(
                connection,
                call_id,
                state="settled",
                cost_nanousd=None if cost_usd is None else to_nanousd(cost_usd),
                usage=None if usage is None else usage.model_dump_json(exclude_none=True),
                closed_at=self._now(),
            )

    def fail(self, call_id: str, *, kind: str, billed_usd: float | None) -> None:
        """Note the failure and close the row, unless ``billed_usd`` is None: then it stays open.

        A row that is closed already stays as it is.

        Raises:
            LookupError: the ledger has no such call.
            StorageFailed: the database could not be written.

        """
        with self._writing() as connection:
            state = _state_of(connection, call_id)
            if state != "open":
                _log.warning("Call %s is %s already; its failure is not noted.", call_id, state)
            elif billed_usd is None:
                _change(connection, call_id, failure=kind)
            else:
                _change(
                    connection,
                    call_id,
                    state="failed",
                    failure=kind,
                    cost_nanousd=to_nanousd(billed_usd),
                    closed_at=self._now(),
                )

    def write_off(self, call_id: str, *, cost_usd: float | None = None) -> None:
        """Close an open row whose outcome nobody can find out any more.

        It counts as spent: at ``cost_usd`` where the bill tells, else at the most it may cost.

        Raises:
            LookupError: the ledger has no open call of this id.
            StorageFailed: the database could not be written.

        """
        with self._writing() as connection:
            state = _state_of(connection, call_id)
            if state != "open":
                raise LookupError(f"Call {call_id} is {state}; only open calls are written off.")
            _change(
                connection,
                call_id,
                state="written_off",
                cost_nanousd=None if cost_usd is None else to_nanousd(cost_usd),
                closed_at=self._now(),
            )

    def unfinished(self, fingerprint: str, provider: str) -> OpenCall | None:
        """Return the newest open row of this request with that provider that can be fetched."""
        if not fingerprint:
            return None
        of_request = (_calls.fingerprint == fingerprint) & (_calls.provider == provider)
        can_be_fetched = (_calls.state == "open") & _calls.resume.is_not(None)
        query = select(generation_calls).where(of_request, can_be_fetched)
        query = query.order_by(_calls.id.desc()).limit(1)
        with self._engine.connect() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else _open_row(row)

    def is_open(self, call_id: str) -> bool:
        """Tell whether the outcome of a call is not known yet.

        Raises:
            LookupError: the ledger has no such call.

        """
        with self._engine.connect() as connection:
            return _state_of(connection, call_id) == "open"

    def open_rows(self, *, purpose: str | None = None) -> tuple[OpenRow, ...]:
        """Return every open row, oldest first: those in work, and those that nobody closed."""
        query = select(generation_calls).where(_calls.state == "open").order_by(_calls.id)
        if purpose is not None:
            query = query.where(_calls.purpose == purpose)
        with self._engine.connect() as connection:
            return tuple(_open_row(row) for row in connection.execute(query))

    def spent_usd(
        self,
        *,
        since: datetime | None = None,
        provider: str | None = None,
        run_id: str | None = None,
    ) -> float:
        """Return what is spent or possibly spent by the calls opened since ``since``."""
        where = calls_in(since=since, provider=provider, run_id=run_id)
        with self._engine.connect() as connection:
            return to_usd(spent_nanousd(connection, where))

    def totals(
        self, *, since: datetime | None = None, run_id: str | None = None
    ) -> tuple[Totals, ...]:
        """Return the sums per provider, by its name."""
        return totals(self._engine, since=since, run_id=run_id)

    def _now(self) -> datetime:
        return self._clock().astimezone(UTC)

    def _spent_of(
        self, connection: Connection, limit: Limit, planned: PlannedCall, now: datetime
    ) -> int:
        if limit.scope == "run":
            if planned.run_id is None:
                return 0
            return spent_nanousd(connection, calls_in(run_id=planned.run_id))
        midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
        provider = planned.provider if limit.scope == "provider_day" else None
        return spent_nanousd(connection, calls_in(since=midnight, provider=provider))

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        """Give the only transaction, of any process, that writes to the ledger."""
        try:
            # This lock spares the threads of one process SQLite's own waiting, which is unfair.
            with self._lock, self._engine.connect() as connection:
                if connection.dialect.name == "sqlite":
                    # A deferred transaction would read the sum before it has the right to write.
                    connection.exec_driver_sql("BEGIN IMMEDIATE")
                elif connection.dialect.name == "postgresql":
                    connection.execute(text(f"SELECT pg_advisory_xact_lock({_ADVISORY_LOCK})"))
                yield connection
                connection.commit()
        except OperationalError as error:
            raise StorageFailed(
                "The ledger could not be written, so no paid call may start; see that the database "
                f"can be reached and its disk is not full ({error.orig})."
            ) from error


def _state_of(connection: Connection, call_id: str) -> str:
    state = connection.scalar(select(_calls.state).where(_calls.call_id == call_id))
    if state is None:
        raise LookupError(f"The ledger has no call {call_id}.")
    return str(state)


def _change(connection: Connection, call_id: str, **values: Any) -> None:
    connection.execute(update(generation_calls).where(_calls.call_id == call_id).values(**values))


def _open_row(row: Row[Any]) -> OpenRow:
    expected = row.expected_nanousd
    return OpenRow(
        call_id=row.call_id,
        provider=row.provider,
        model=row.model,
        fingerprint=row.fingerprint,
        remote_id=row.remote_id,
        resume=None if row.resume is None else json.loads(row.resume),
        purpose=row.purpose,
        image_key=row.image_key,
        run_id=row.run_id,
        expected_usd=None if expected is None else to_usd(expected),
        failure=row.failure,
        opened_at=in_utc(row.opened_at),
    )
