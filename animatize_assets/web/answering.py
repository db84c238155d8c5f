"""What every answer has: headers that tell a browser to be strict, and never a traceback.

Belongs here: the outermost layers of the application. Does not belong here: refusals on purpose
(``problems``).
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from animatize_assets.web.problems import too_large, unexpected

_SOURCES: Final = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "font-src": "'self'",
    "img-src": "'self' data: blob:",
    "media-src": "'self' blob:",
    "connect-src": "'self'",
    "manifest-src": "'self'",
    "form-action": "'self'",
    "base-uri": "'none'",
    "frame-ancestors": "'none'",
}
CONTENT_SECURITY_POLICY: Final = "; ".join(f"{what} {where}" for what, where in _SOURCES.items())
"""Nothing inline and nothing from elsewhere."""

HEADERS: Final = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
"""As the OWASP HTTP Headers Cheat Sheet recommends."""

PRIVATE: Final = "no-store"
"""What an answer says of caching unless its route does: figures are of this moment."""


class Answering:
    """ASGI: answers for what nobody caught."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        has_begun = False

        async def send_on(message: Message) -> None:
            nonlocal has_begun
            has_begun = True
            await send(message)

        try:
            await self._app(scope, receive, send_on)
        except Exception as error:
            if has_begun:
                raise
            await unexpected(error)(scope, receive, send)


class Headers:
    """ASGI, outside of everything: adds the headers, and tells as a problem that a body is long.

    FastAPI, which measures it, answers that in plain words.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        is_told = False

        async def send_on(message: Message) -> None:
            nonlocal is_told
            if is_told:
                return  # the rest of the plain words
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                if _is_plain_refusal(message["status"], headers):
                    is_told = True
                    await too_large()(scope, receive, send_with_headers)
                    return
            await send_with_headers(message)

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("Cache-Control", PRIVATE)
            await send(message)

        await self._app(scope, receive, send_on)


def _is_plain_refusal(status: int, headers: MutableHeaders) -> bool:
    content_type = headers.get("Content-Type", "")
    return status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE and content_type.startswith("text/plain")
