"""``/performance/week``: the newest weekly report, its charts, and its own page.

Belongs here: these routes. Does not belong here: what they show (``web.dashboard.week``), the rest
of the view (``dashboard``).
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from http import HTTPStatus
from typing import Annotated, Final

from fastapi import APIRouter, Path, Query, Request, Response
from starlette.responses import HTMLResponse

from animatize_assets.performance.weekly_report import WEEK, monday_of
from animatize_assets.web.dashboard.showing import drawing, shown
from animatize_assets.web.dashboard.week import Week, week_of, written_report, written_weeks
from animatize_assets.web.dependencies import ServiceDep
from animatize_assets.web.problems import Refused
from animatize_assets.web.service import Service

router = APIRouter(prefix="/performance/week", tags=["dashboard"], include_in_schema=False)

REPORT_POLICY: Final = (
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'; sandbox"
)
"""The report's page has styles of its own and stands for itself: it runs no script, asks for
nothing, and is of no origin."""

Monday = Annotated[date | None, Query(description="first day of the week; default: the newest")]


@router.get("")
def performance_week(request: Request, service: ServiceDep, monday: Monday = None) -> Response:
    """Send a week's report, as the part of the page that shows it."""
    chosen = _chosen(service, monday)
    return shown(
        request,
        "week_part.html.j2",
        week=week_shown(service, chosen),
        monday=chosen,
        weeks=[each for each in written_weeks(service.data_dir) if each != chosen],
    )


@router.get("/report")
def report_page(service: ServiceDep, monday: Monday = None) -> Response:
    """Send the report's own page."""
    week = week_shown(service, _chosen(service, monday))
    return HTMLResponse(week.page, headers={"Content-Security-Policy": REPORT_POLICY})


@router.get("/charts/{number}.svg")
def week_chart(
    number: Annotated[int, Path(ge=0, le=9, description="in the order of the report")],
    service: ServiceDep,
    monday: Monday = None,
) -> Response:
    """Send a chart of a report."""
    charts = week_shown(service, _chosen(service, monday)).charts
    if number >= len(charts):
        raise Refused(HTTPStatus.NOT_FOUND, "There is nothing to draw.")
    return drawing(charts[number])


def week_shown(service: Service, monday: date) -> Week:
    """Return a week's report; all who ask in the same moment share it."""
    written = written_report(service.data_dir, monday)
    version = service.performance.store.newest_id() if written is None else written.generated_at
    return service.remembered.get_timed(
        ("week", monday), version, lambda: service.analysis.timed(week_of, monday, written)
    )


def _chosen(service: Service, monday: date | None) -> date:
    """Return the week that is asked for: the last whole one, or one that has been written.

    Raises:
        Refused: nobody has written a report of that week.

    """
    last = monday_of(datetime.now(UTC).date()) - WEEK
    if monday is None or monday == last:
        return last
    if monday not in written_weeks(service.data_dir):
        raise Refused(HTTPStatus.NOT_FOUND, f"No report of the week of {monday} has been written.")
    return monday
