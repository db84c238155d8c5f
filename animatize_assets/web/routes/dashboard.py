"""``/``: the dashboard's pages, what they are made of, and the events that keep them up to date.

Belongs here: these routes. Does not belong here: what a page shows (``web.dashboard``). The pages
are marked public because a browser that has no session yet is sent to sign in; nothing of what is
stored is on that page.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Request, Response
from starlette.responses import HTMLResponse, RedirectResponse, StreamingResponse

from animatize_assets.web.dashboard.events import stream, versions
from animatize_assets.web.dashboard.now import NowReader
from animatize_assets.web.dashboard.pages import page, static_files
from animatize_assets.web.dependencies import ServiceDep
from animatize_assets.web.problems import Refused
from animatize_assets.web.rules import public

router = APIRouter(tags=["dashboard"], include_in_schema=False)

STATIC_PATH: Final = "/static"
SIGN_IN: Final = "/sign-in"

KEPT: Final = "public, max-age=86400"
"""Of styles and scripts: a page asks for those of its own version."""


def now_reader(request: Request) -> NowReader:
    """Return the reader that all pages of the service share."""
    found: NowReader = request.app.state.now_reader
    return found


def shown(request: Request, template: str, **values: Any) -> Response:
    """Return a page, or the way to sign in when the caller may not see it."""
    caller = request.state.caller
    return HTMLResponse(page(template, may_write=caller.scope == "write", **values))


def must_sign_in(request: Request) -> bool:
    """Whether nobody knows who asks for a page."""
    return request.state.caller is None


def sign_in_first() -> Response:
    """Send a browser to sign in."""
    return RedirectResponse(SIGN_IN, HTTPStatus.SEE_OTHER)


@router.get("/")
@public
def now(request: Request) -> Response:
    """Show how things stand."""
    if must_sign_in(request):
        return sign_in_first()
    return shown(request, "now.html.j2", view="now", title="Now", now=now_reader(request).read())


@router.get(SIGN_IN)
@public
def sign_in() -> Response:
    """Ask for a token."""
    return HTMLResponse(page("sign_in.html.j2", view="sign-in", title="Sign in"))


@router.get("/events")
async def events(request: Request, service: ServiceDep) -> Response:
    """Tell whenever something is new, for as long as the page is open."""
    reader = now_reader(request)
    return StreamingResponse(
        stream(lambda: versions(service, reader), request.app.state.is_ending),
        media_type="text/event-stream",
    )


@router.get(f"{STATIC_PATH}/{{name}}")
@public
def static(name: Annotated[str, Path(max_length=64)]) -> Response:
    """Send a style or a script."""
    found = static_files().get(name)
    if found is None:
        raise Refused(HTTPStatus.NOT_FOUND, "There is no such file.")
    content, media_type = found
    return Response(content, media_type=media_type, headers={"Cache-Control": KEPT})
