"""Whether an error says that a database is away for a moment, rather than that something is wrong.

Belongs here: reading errors. Does not belong here: waiting, or trying again.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

_GONE = frozenset({"57P01", "57P02", "57P03"})
"""SQLSTATE: shut down by an administrator, after a crash, not ready yet. Class 08: the connection.
https://www.postgresql.org/docs/current/errcodes-appendix.html"""

_BUSY = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})


def is_outage(error: BaseException) -> bool:
    """Whether ``error``, or one that it comes from, tells of a database that was away."""
    # Slow to import, and there is no error of its kind before something else has imported it.
    from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError  # noqa: PLC0415

    for each in causes(error):
        if not isinstance(each, DBAPIError):
            continue
        if each.connection_invalidated:
            return True
        if not isinstance(each, InterfaceError | OperationalError):
            continue
        if isinstance(each.orig, sqlite3.Error):
            code = getattr(each.orig, "sqlite_errorcode", None)
            return code is not None and code & 0xFF in _BUSY
        state = getattr(each.orig, "pgcode", None)
        return state is None or state in _GONE or state.startswith("08")
    return False


def causes(error: BaseException) -> Iterator[BaseException]:
    """Give ``error`` and every error that it comes from, the latest first."""
    cause: BaseException | None = error
    seen: set[int] = set()
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        yield cause
        cause = cause.__cause__ or cause.__context__
