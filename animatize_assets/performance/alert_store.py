"""Alerts in the database: one open row per thing that is wrong, and the history of those before.

Belongs here: raising, resolving, listing. Does not belong here: what is an alert (``alerts``),
telling somebody (``alert_delivery``).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, Row, func, insert, select, text, update

from animatize_assets.database.performance_tables import performance_alerts
from animatize_assets.performance.alert_models import (
    SEVERITIES,
    AlertDraft,
    Judgement,
    Severity,
    runbook_of,
)
from animatize_assets.performance.models import AlertRecord
from animatize_assets.performance.store import in_utc

_alerts = performance_alerts.c
_ADVISORY_LOCK = 0x616C7274  # "alrt": an arbitrary number that only alerts take

AUTOMATIC = "automatic"
"""Who resolved an alert whose condition is gone."""

STALE = timedelta(days=7)
"""An open alert that nothing confirmed for so long is about something that is no longer there."""


@dataclass(frozen=True)
class Raised:
    """What became of a judgement."""

    new: tuple[AlertRecord, ...]
    repeated: tuple[AlertRecord, ...]
    """Open already: seen once more."""
    resolved: tuple[AlertRecord, ...]


class AlertStore:
    """The alerts of one database, which must be at the newest revision.

    Each method is one transaction. Safe to use from several threads and processes at once: they
    raise one after the other, so nothing is open twice. ``clock`` tells the time, with its zone.
    """

    def __init__(
        self, engine: Engine, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._engine = engine
        self._clock = clock

    def raise_(self, judgement: Judgement) -> Raised:
        """Open alerts for what is new, count what is open already, resolve what is gone.

        An alert that is seen again gets the newest numbers. One that became more severe counts as
        not delivered yet, so that it is delivered again.
        """
        drafts = {draft.fingerprint: draft for draft in judgement.drafts}
        new, repeated = [], []
        with self._writing() as connection:
            now = self._now()
            for fingerprint, draft in drafts.items():
                row = connection.execute(_open_rows(fingerprint)).one_or_none()
                if row is None:
                    new.append(_insert(connection, draft, now))
                else:
                    repeated.append(_see_again(connection, row, draft, now))
            gone = [name for name in judgement.cleared if name not in drafts]
            resolved = _resolve(connection, _alerts.fingerprint.in_(gone), AUTOMATIC, now)
        return Raised(tuple(new), tuple(repeated), resolved)

    def resolve(self, alert_id: int, by: str) -> AlertRecord:
        """Resolve an alert on a person's word; one that is resolved already stays as it is.

        Raises:
            LookupError: there is no such alert.

        """
        with self._writing() as connection:
            _resolve(connection, _alerts.id == alert_id, by, self._now())
            row = connection.execute(_rows().where(_alerts.id == alert_id)).one_or_none()
        if row is None:
            raise LookupError(f"There is no alert {alert_id}; see `animatize alerts`.")
        return _record(row)

    def resolve_stale(self, unseen_for: timedelta = STALE) -> tuple[AlertRecord, ...]:
        """Resolve what nothing confirmed for so long: a worker or provider that is gone."""
        with self._writing() as connection:
            now = self._now()
            return _resolve(connection, _alerts.last_seen_at < now - unseen_for, AUTOMATIC, now)

    def alerts(
        self,
        *,
        severity: Severity | None = None,
        is_resolved: bool | None = None,
        fingerprint: str | None = None,
        older_than: int | None = None,
        limit: int | None = None,
    ) -> tuple[AlertRecord, ...]:
        """Return alerts, newest first. A fingerprint gives the history of one thing.

        ``older_than``: the id of an alert; only those that were raised before it.
        """
        where = _where(severity, is_resolved, fingerprint)
        if older_than is not None:
            where.append(_alerts.id < older_than)
        wanted = _rows().where(*where).order_by(_alerts.id.desc()).limit(limit)
        with self._engine.connect() as connection:
            return tuple(_record(row) for row in connection.execute(wanted))

    def count(self, *, severity: Severity | None = None, is_resolved: bool | None = None) -> int:
        """Return how many alerts there are."""
        where = _where(severity, is_resolved, None)
        wanted = select(func.count()).select_from(performance_alerts).where(*where)
        with self._engine.connect() as connection:
            return int(connection.scalar(wanted) or 0)

    def predecessor_body(
        self,
        *,
        severity: Severity | None = None,
        is_resolved: bool | None = None,
        limit: int = 100,
    ) -> dict[str, Any]:
        """Return alerts as the predecessor's clients read them; the count is of all that match."""
        found = self.alerts(severity=severity, is_resolved=is_resolved, limit=limit)
        return {
            "alerts": [alert_body(alert) for alert in found],
            "total_count": self.count(severity=severity, is_resolved=is_resolved),
        }

    def undelivered(self, limit: int | None = None) -> tuple[AlertRecord, ...]:
        """Return what nobody was told of, oldest first, also when it is resolved already."""
        wanted = _rows().where(_alerts.delivered_at.is_(None)).order_by(_alerts.id).limit(limit)
        with self._engine.connect() as connection:
            return tuple(_record(row) for row in connection.execute(wanted))

    def mark_delivered(self, alerts: Sequence[AlertRecord]) -> None:
        """Remember that somebody was told; one that became more severe meanwhile stays undelivered.

        ``alerts``: as they were told.
        """
        with self._writing() as connection:
            for alert in alerts:
                connection.execute(
                    update(performance_alerts)
                    .where(_alerts.id == alert.id, _alerts.severity == alert.severity)
                    .values(delivered_at=self._now())
                )

    def _now(self) -> datetime:
        return self._clock().astimezone(UTC)

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        """Give the only transaction, of any process, that writes alerts."""
        with self._engine.connect() as connection:
            if connection.dialect.name == "sqlite":
                # A deferred transaction would look for open alerts before it may add one.
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            else:
                connection.execute(text(f"SELECT pg_advisory_xact_lock({_ADVISORY_LOCK})"))
            yield connection
            connection.commit()


def alert_body(alert: AlertRecord) -> dict[str, Any]:
    """Return one alert as JSON values, with the predecessor's names first."""
    return {
        "id": alert.id,
        "alert_type": alert.alert_type,
        "severity": alert.severity,
        "message": alert.message,
        "details": dict(alert.details),
        "threshold_value": alert.threshold_value,
        "actual_value": alert.actual_value,
        "is_resolved": alert.is_resolved,
        "created_at": alert.created_at.isoformat(),
        "resolved_at": None if alert.resolved_at is None else alert.resolved_at.isoformat(),
        "fingerprint": alert.fingerprint,
        "occurrences": alert.occurrences,
        "last_seen_at": alert.last_seen_at.isoformat(),
        "resolved_by": alert.resolved_by,
        "runbook": runbook_of(alert.alert_type),
    }


def _rows() -> Any:
    return select(performance_alerts)


def _open_rows(fingerprint: str) -> Any:
    return _rows().where(_alerts.fingerprint == fingerprint, _alerts.is_resolved.is_(False))


def _where(
    severity: Severity | None, is_resolved: bool | None, fingerprint: str | None
) -> list[ColumnElement[bool]]:
    equal = {
        _alerts.severity: severity,
        _alerts.is_resolved: is_resolved,
        _alerts.fingerprint: fingerprint,
    }
    return [column == value for column, value in equal.items() if value is not None]


def _numbers(draft: AlertDraft) -> dict[str, Any]:
    details = json.dumps(dict(draft.details), ensure_ascii=False, allow_nan=False, sort_keys=True)
    return {
        "severity": draft.severity,
        "message": draft.message,
        "details": details,
        "threshold_value": draft.threshold_value,
        "actual_value": draft.actual_value,
    }


def _insert(connection: Connection, draft: AlertDraft, now: datetime) -> AlertRecord:
    statement = insert(performance_alerts).values(
        fingerprint=draft.fingerprint,
        alert_type=draft.alert_type,
        is_resolved=False,
        occurrences=1,
        created_at=now,
        last_seen_at=now,
        **_numbers(draft),
    )
    return _record(connection.execute(statement.returning(performance_alerts)).one())


def _see_again(
    connection: Connection, row: Row[Any], draft: AlertDraft, now: datetime
) -> AlertRecord:
    values = _numbers(draft) | {"occurrences": row.occurrences + 1, "last_seen_at": now}
    if SEVERITIES.index(draft.severity) > SEVERITIES.index(row.severity):
        values["delivered_at"] = None
    statement = update(performance_alerts).where(_alerts.id == row.id).values(values)
    return _record(connection.execute(statement.returning(performance_alerts)).one())


def _resolve(
    connection: Connection, which: ColumnElement[bool], by: str, now: datetime
) -> tuple[AlertRecord, ...]:
    statement = (
        update(performance_alerts)
        .where(which, _alerts.is_resolved.is_(False))
        .values(is_resolved=True, resolved_at=now, resolved_by=by)
    )
    rows = connection.execute(statement.returning(performance_alerts)).all()
    return tuple(sorted((_record(row) for row in rows), key=lambda alert: alert.id))


def _record(row: Row[Any]) -> AlertRecord:
    found = dict(row._mapping)  # noqa: SLF001  # SQLAlchemy's documented view of a row
    for name in ("created_at", "last_seen_at", "resolved_at", "delivered_at"):
        found[name] = None if found[name] is None else in_utc(found[name])
    found["details"] = json.loads(found["details"])
    return AlertRecord(**found)
