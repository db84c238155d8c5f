"""``/``: the dashboard's pages, what they are made of, and the events that keep them up to date.

Belongs here: these routes. Does not belong here: what a page shows (``web.dashboard``). The pages
are marked public because a browser that has no session yet is sent to sign in; nothing of what is
stored is on that page.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Final
from urllib.parse import urlencode

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import HTMLResponse, StreamingResponse

from animatize_assets.web.dashboard.cache_use import LEVELS, cache_use
from animatize_assets.web.dashboard.comparison import Kind, compare
from animatize_assets.web.dashboard.events import stream, versions
from animatize_assets.web.dashboard.figures import Figures, figures
from animatize_assets.web.dashboard.now import NowReader
from animatize_assets.web.dashboard.pages import page, static_files
from animatize_assets.web.dashboard.showing import (
    SIGN_IN,
    drawing,
    must_sign_in,
    shown,
    sign_in_first,
)
from animatize_assets.web.dependencies import ServiceDep
from animatize_assets.web.problems import Refused
from animatize_assets.web.rules import public
from animatize_assets.web.service import Service
from animatize_assets.web.views import findings

router = APIRouter(tags=["dashboard"], include_in_schema=False)

STATIC_PATH: Final = "/static"

KEPT: Final = "public, max-age=86400"
"""Of styles and scripts: a page asks for those of its own version."""

PATIENCE_S: Final = 0.3
"""How long a page waits for what it shows: a service that has just started loads libraries first,
and a page is to be painted within a second."""

PERIODS: Final = (1, 7, 28, 90)
"""Days that can be chosen; records are kept for 90."""

Days = Annotated[int, Query(ge=1, le=PERIODS[-1], description="days that end now")]


class ToCompare(BaseModel):
    """What a person wants to see side by side; empty names: nothing is chosen yet."""

    model_config = ConfigDict(frozen=True)

    by: Kind = "provider"
    left: str = Field(default="", max_length=64)
    right: str = Field(default="", max_length=64)
    days: int = Field(default=PERIODS[2], ge=1, le=PERIODS[-1], description="that end now")


def now_reader(request: Request) -> NowReader:
    """Return the reader that all pages of the service share."""
    found: NowReader = request.app.state.now_reader
    return found


@router.get("/")
@public
def now(request: Request) -> Response:
    """Show how things stand; what takes long to read is asked for by the page."""
    if must_sign_in(request):
        return sign_in_first()
    view = now_reader(request).read_within(PATIENCE_S)
    return shown(request, "now.html.j2", view="now", title="Now", now=view)


@router.get("/now")
def now_part(request: Request) -> Response:
    """Send how things stand, as the part of the page that shows it."""
    return shown(request, "live_part.html.j2", now=now_reader(request).read())


@router.get(SIGN_IN)
@public
def sign_in() -> Response:
    """Ask for a token."""
    return HTMLResponse(page("sign_in.html.j2", view="sign-in", title="Sign in"))


@router.get("/performance")
@public
def performance(request: Request, days: Days = PERIODS[1]) -> Response:
    """Show the frame of the figures at once; the page asks for them itself."""
    if must_sign_in(request):
        return sign_in_first()
    return shown(
        request,
        "performance.html.j2",
        view="performance",
        title="Performance",
        days=days,
        periods=sorted({*PERIODS, days}),
    )


@router.get("/performance/figures")
def performance_figures(request: Request, service: ServiceDep, days: Days) -> Response:
    """Send the figures of a period, as the part of the page that shows them."""
    return shown(
        request,
        "figures_part.html.j2",
        figures=figures_of(service, days),
        newest=service.performance.store.newest_id() or 0,
        caches=cache_use(service, days),
        levels=LEVELS,
    )


@router.get("/performance/findings")
def performance_findings(request: Request, service: ServiceDep, days: Days) -> Response:
    """Send what holds jobs up, as the part of the page that shows it."""
    found = service.remembered.get_timed(
        ("findings", days),
        service.performance.store.newest_id(),
        lambda: service.analysis.timed(findings, days),
    )
    return shown(request, "findings_part.html.j2", findings=found)


@router.get("/performance/charts/{name}.svg")
def chart(name: Annotated[str, Path(max_length=32)], service: ServiceDep, days: Days) -> Response:
    """Send a chart of the same figures."""
    found = figures_of(service, days).charts.get(name)
    if found is None:
        raise Refused(HTTPStatus.NOT_FOUND, "There is nothing to draw.")
    return drawing(found)


def figures_of(service: Service, days: int) -> Figures:
    """Return the figures of a period; all who ask in the same moment share them."""
    return service.remembered.get_timed(
        ("figures", days),
        service.performance.store.newest_id(),
        lambda: service.analysis.timed(figures, days),
    )


@router.get("/compare")
@public
def compare_two(request: Request, asked: Annotated[ToCompare, Query()]) -> Response:
    """Show what can be chosen at once; the page asks for the comparison itself."""
    if must_sign_in(request):
        return sign_in_first()
    return shown(
        request,
        "compare.html.j2",
        view="compare",
        title="Compare",
        asked=asked,
        query=urlencode(asked.model_dump()),
        periods=sorted({*PERIODS, asked.days}),
    )


@router.get("/compare/figures")
def comparison_figures(
    request: Request, service: ServiceDep, asked: Annotated[ToCompare, Query()]
) -> Response:
    """Send two providers, or two runs, side by side, as the part of the page that shows them."""
    names = (asked.left.strip(), asked.right.strip())
    compared = service.remembered.get_timed(
        ("compare", asked.by, names, asked.days),
        service.performance.store.newest_id(),
        lambda: service.analysis.timed(compare, asked.by, names, asked.days),
    )
    return shown(request, "comparison_part.html.j2", compared=compared, by=asked.by)


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
