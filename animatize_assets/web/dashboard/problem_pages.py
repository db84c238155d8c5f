"""A refusal, told to a person who looks at pages: in the dashboard's own layout.

Whoever calls the API, and whoever does not prefer HTML, gets the problem details themselves
(RFC 9457, section 3: a page for browsers is negotiated by ``Accept``).

Belongs here: turning one into the other. Does not belong here: what is refused and why
(``web.problems``).
"""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from animatize_assets.web.dashboard.pages import page
from animatize_assets.web.dashboard.showing import SIGN_IN
from animatize_assets.web.problems import CONTENT_TYPE

NEVER_PAGES: Final = ("/api/", "/health/", "/metrics", "/openapi.json", "/session", "/static/")
"""Beginnings of paths that programs ask for, whatever they say that they accept."""

KEPT_HEADERS: Final = ("retry-after", "allow")
"""Of the problem's answer, on the page."""


class ProblemPages:
    """ASGI: shows a problem as a page where a browser asked for one."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one connection."""
        if not _wants_page(scope):
            await self._app(scope, receive, send)
            return
        started: Message | None = None
        told = bytearray()

        async def send_on(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start" and _is_problem(message):
                started = message
            elif started is None:
                await send(message)
            else:
                told.extend(message.get("body", b""))

        await self._app(scope, receive, send_on)
        if started is not None:
            answer = _page_of(json.loads(told), Headers(raw=started["headers"]))
            await answer(scope, receive, send)


def prefers_page(accept: str) -> bool:
    """Whether an Accept header names HTML, and nothing that problem details are before it.

    A wildcard alone, which every program sends, does not (RFC 9110, section 12.5.1).
    """
    quality = {kind: weight for kind, weight in map(_weighed, accept.lower().split(",")) if kind}
    page_weight = quality.get("text/html", 0.0)
    others = (quality.get(kind, 0.0) for kind in (CONTENT_TYPE, "application/json"))
    return page_weight > 0 and page_weight >= max(others)


def _weighed(part: str) -> tuple[str, float]:
    """Return a media type and its weight, 1 unless told; 0 where what is told is no number."""
    kind, *parameters = (each.strip() for each in part.split(";"))
    weight = next((each[2:] for each in parameters if each.startswith("q=")), "1")
    try:
        return kind, float(weight)
    except ValueError:
        return kind, 0.0


def _wants_page(scope: Scope) -> bool:
    if scope["type"] != "http" or scope["method"] != "GET":
        return False
    path = str(scope["path"])
    if any(path.startswith(each) for each in NEVER_PAGES):
        return False
    return prefers_page(Headers(scope=scope).get("accept", ""))


def _is_problem(message: Message) -> bool:
    content_type = MutableHeaders(raw=message["headers"]).get("content-type", "")
    return content_type.startswith(CONTENT_TYPE)


def _page_of(problem: dict[str, str | int], headers: Headers) -> Response:
    status = int(problem["status"])
    if status == HTTPStatus.UNAUTHORIZED:
        return RedirectResponse(SIGN_IN, HTTPStatus.SEE_OTHER, headers={"Vary": "Accept"})
    kept = {name: headers[name] for name in KEPT_HEADERS if name in headers}
    shown = page(
        "problem.html.j2",
        view="",
        title=problem["title"],
        detail=problem["detail"],
        code=problem["code"],
        status=status,
    )
    return HTMLResponse(shown, status, headers={**kept, "Vary": "Accept"})
