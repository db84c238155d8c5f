"""One HTTP exchange with a provider: sent once, answered once, with a time limit and a size limit.

Belongs here: the connection and what is known when it breaks. Does not belong here: what a status
means (``http_answers``), keys (each provider adds its own header to its own host), asking again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import aiohttp

MAX_ANSWER_BYTES = 64_000_000
"""More than the largest picture that is stored; a longer answer is not read to its end."""

CONNECT_S = 10.0
"""A host that does not accept a connection within this time is not there."""

KEEP_ALIVE_S = 5.0
"""Idle connections are closed before servers close them: a request on a connection that the server
is just closing is lost without anyone knowing whether it was read."""


class Unanswered(Exception):
    """No whole answer came. ``sent`` tells whether the request may have reached the server."""

    def __init__(self, reason: str, *, sent: bool) -> None:
        super().__init__(reason)
        self.reason = reason
        self.sent = sent


@dataclass(frozen=True)
class Answer:
    """A whole answer, read to its end."""

    status: int
    headers: Mapping[str, str]
    """By name, in any case."""
    content: bytes

    def json(self) -> Any:
        """Return what the body says; None when it is not JSON."""
        try:
            return json.loads(self.content)
        except (ValueError, RecursionError):
            return None

    def json_object(self) -> dict[str, Any]:
        """Return the body's JSON object; empty when it is something else."""
        said = self.json()
        return said if isinstance(said, dict) else {}


class HttpExchange:
    """Connections to one provider's hosts, opened when first used, in the loop that uses them.

    Redirects are not followed: a key must not travel to a host that nobody named.
    """

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None

    @property
    def session(self) -> aiohttp.ClientSession:
        """The open session; for a websocket, which is no exchange."""
        import aiohttp

        if self._session is None or self._session.closed:
            connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEP_ALIVE_S)
            self._session = aiohttp.ClientSession(connector=connector)
        return self._session

    async def get(
        self, url: str, *, timeout_s: float, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Ask for ``url``.

        Raises:
            Unanswered: no whole answer came in time.

        """
        return await self._exchange("GET", url, timeout_s, headers=headers)

    async def post(
        self,
        url: str,
        *,
        timeout_s: float,
        headers: Mapping[str, str] | None = None,
        json_body: Mapping[str, Any] | None = None,
        form: aiohttp.FormData | None = None,
    ) -> Answer:
        """Send a JSON body or a form to ``url``, once.

        Raises:
            Unanswered: no whole answer came in time.

        """
        return await self._exchange(
            "POST", url, timeout_s, headers=headers, json=json_body, data=form
        )

    async def _exchange(self, method: str, url: str, timeout_s: float, **parts: Any) -> Answer:
        import aiohttp

        limit = aiohttp.ClientTimeout(
            total=max(timeout_s, 0.001), sock_connect=min(CONNECT_S, max(timeout_s, 0.001))
        )
        try:
            async with self.session.request(
                method, url, timeout=limit, allow_redirects=False, **parts
            ) as response:
                content = await _bounded(response)
                return Answer(response.status, response.headers, content)
        except (
            aiohttp.ClientConnectorError,
            aiohttp.ClientSSLError,
            aiohttp.ConnectionTimeoutError,
        ) as error:
            raise Unanswered("no connection could be made", sent=False) from error
        except aiohttp.InvalidURL:
            raise Unanswered("the address is not valid", sent=False) from None
        except TimeoutError as error:
            raise Unanswered(f"no answer came within {timeout_s:.0f} s", sent=True) from error
        except (aiohttp.ClientError, OSError) as error:
            raise Unanswered("the connection broke before the answer", sent=True) from error

    async def close(self) -> None:
        """Close every connection."""
        if self._session is not None:
            await self._session.close()
            self._session = None


async def _bounded(response: aiohttp.ClientResponse) -> bytes:
    content = bytearray()
    async for piece in response.content.iter_chunked(1 << 16):
        content += piece
        if len(content) > MAX_ANSWER_BYTES:
            response.close()
            raise Unanswered(f"the answer is longer than {MAX_ANSWER_BYTES} bytes", sent=True)
    return bytes(content)
