"""``/``: the dashboard's pages, what they are made of, and the events that keep them up to date.

Belongs here: these routes. Does not belong here: what a page shows (``web.dashboard``). The pages
are marked public because a browser that has no session yet is sent to sign in; nothing of what is
stored is on that page.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Query, Request, Response
from starlette.responses import HTMLResponse, RedirectResponse, StreamingResponse

from animatize_assets.web.dashboard.events import stream, versions
from animatize_assets.web.dashboard.now import NowReader
from animatize_assets.web.dashboard.pages import page, static_files
from animatize_assets.web.dashboard.pictures import (
    MOVES,
    PROVIDERS,
    STATES,
    Filters,
    chunks,
    pack,
    read_gallery,
    usable_providers,
)
from animatize_assets.web.dependencies import ServiceDep
from animatize_assets.web.problems import Refused
from animatize_assets.web.routes import images
from animatize_assets.web.routes.images import ImageKey
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


@router.get("/images")
@public
def gallery(
    request: Request, service: ServiceDep, filters: Annotated[Filters, Query()]
) -> Response:
    """Show a page of the images."""
    if must_sign_in(request):
        return sign_in_first()
    return shown(
        request,
        "images.html.j2",
        view="images",
        title="Images",
        gallery=read_gallery(service, filters),
        usable=usable_providers(service),
        states=STATES,
        moves=MOVES,
        providers=PROVIDERS,
    )


@router.get("/images/{image_key:image_key}")
@public
def image_card(image_key: ImageKey, request: Request, service: ServiceDep) -> Response:
    """Show everything known of one image."""
    if must_sign_in(request):
        return sign_in_first()
    image = images.image(image_key, service)
    return shown(
        request,
        "image.html.j2",
        view="images",
        title=image.source_image.original_name,
        image=image,
    )


@router.get("/images/{image_key:image_key}/download")
def download(image_key: ImageKey, service: ServiceDep) -> Response:
    """Send what was made of an image, with the recipe."""
    archive = pack(service, images.image(image_key, service))
    name = f'attachment; filename="{image_key}.zip"'
    return StreamingResponse(
        chunks(archive), media_type="application/zip", headers={"Content-Disposition": name}
    )


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
