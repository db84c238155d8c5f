"""Sessions of browsers: a token is exchanged once for a cookie.

Pictures and event streams of a page cannot send a header, and a token that a page kept could be
read by a script. A session lives in the memory of this process: a restart ends it, and so does the
end of its token.

Belongs here: which session ids are good. Does not belong here: cookies and requests (``access``).
"""

from __future__ import annotations

import hashlib
import secrets
import threading
import time
from collections.abc import Callable
from typing import Final

from cachetools import TTLCache

from animatize_assets.web.tokens import AccessToken

LIFETIME_S: Final = 12 * 3600
"""A working day."""

MOST_SESSIONS: Final = 1_000
"""The one used least recently goes first."""


class Sessions:
    """Session ids and the tokens behind them. Threads may share it; ``timer`` counts seconds."""

    def __init__(self, timer: Callable[[], float] = time.monotonic) -> None:
        self._open: TTLCache[str, AccessToken] = TTLCache(MOST_SESSIONS, LIFETIME_S, timer)
        self._lock = threading.Lock()

    def begin(self, token: AccessToken) -> str:
        """Return the id of a new session."""
        session_id = secrets.token_urlsafe(32)
        with self._lock:
            self._open[_digest(session_id)] = token
        return session_id

    def find(self, session_id: str) -> AccessToken | None:
        """Return the token of a session; None when it has ended or never was.

        Looked up by hash, so the time that it takes says nothing of the ids that there are.
        """
        with self._lock:
            found: AccessToken | None = self._open.get(_digest(session_id))
        return found

    def end(self, session_id: str) -> None:
        """End a session; no harm when there is none."""
        with self._lock:
            self._open.pop(_digest(session_id), None)


def _digest(session_id: str) -> str:
    return hashlib.sha256(session_id.encode("utf-8", "surrogateescape")).hexdigest()
