"""Answering with a page, or with the way to sign in.

Belongs here: what all routes of the dashboard share. Does not belong here: the routes
(``routes.dashboard`` and those beside it), templates (``pages``).
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from animatize_assets.web.dashboard.pages import page

SIGN_IN: Final = "/sign-in"

CHART_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'"
"""A chart is a picture with styles of its own, and can do nothing."""


def shown(request: Request, template: str, **values: Any) -> Response:
    """Return a page, or a part of one, as the caller may see it."""
    caller = request.state.caller
    return HTMLResponse(page(template, may_write=caller.scope == "write", **values))


def must_sign_in(request: Request) -> bool:
    """Whether nobody knows who asks for a page."""
    return request.state.caller is None


def sign_in_first() -> Response:
    """Send a browser to sign in."""
    return RedirectResponse(SIGN_IN, HTTPStatus.SEE_OTHER)


def drawing(svg: str) -> Response:
    """Return a chart as a picture of its own."""
    return Response(
        svg,
        media_type="image/svg+xml",
        headers={"Content-Security-Policy": CHART_POLICY, "Cache-Control": "private, max-age=60"},
    )
