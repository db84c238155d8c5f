"""The application: which routers it has, and the layers that every request passes.

Belongs here: putting it together. Does not belong here: routes (``routes``), how it is served
(``server``).

From outside to inside: headers, ``MeasuredRequests``, ``ProblemPages`` (problems as a browser shows
them), ``Answering`` (nothing leaks), CORS, ``AccessControl``, the routes.
"""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import APIRouter, FastAPI
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp

from animatize_assets import __version__
from animatize_assets.web.access import AccessControl
from animatize_assets.web.answering import Answering, Headers
from animatize_assets.web.dashboard.drawings import Drawings
from animatize_assets.web.dashboard.now import NowReader
from animatize_assets.web.dashboard.problem_pages import ProblemPages
from animatize_assets.web.limits import MAX_BODY_BYTES, RateLimit
from animatize_assets.web.openapi import PROBLEMS, describe
from animatize_assets.web.own_process import MeasuredRequests
from animatize_assets.web.problems import tell_problems
from animatize_assets.web.routes import (
    batches,
    dashboard,
    dashboard_images,
    dashboard_week,
    health,
    image_pictures,
    images,
    metrics,
    performance,
    session,
)
from animatize_assets.web.rules import Rules, methods_of
from animatize_assets.web.service import Service

ROUTERS: tuple[APIRouter, ...] = (
    performance.router,
    images.router,
    image_pictures.router,
    batches.router,
    health.router,
    metrics.router,
    session.router,
    dashboard.router,
    dashboard_images.router,
    dashboard_week.router,
)
"""Every router has its whole prefix itself."""

PUBLIC_PATHS: tuple[str, ...] = ("/openapi.json",)
"""What anybody may look at: it is the same for everybody and tells nothing of what is stored."""


class _Application(FastAPI):
    """FastAPI with a layer outside of its own: also what those answer has the headers."""

    def build_middleware_stack(self) -> ASGIApp:
        return Headers(super().build_middleware_stack())


def create_app(service: Service) -> FastAPI:
    """Return the application. ``service`` is closed when it shuts down."""
    settings = service.settings

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        warming = threading.Thread(target=service.warm_up, name="warm-up", daemon=True)
        warming.start()
        service.spooled_jobs.start()
        yield
        await run_in_threadpool(warming.join)
        await run_in_threadpool(service.close)

    app = _Application(
        title="animatize_assets",
        version=__version__,
        summary="Camera moves from still images, and how long, how much and why they take.",
        docs_url=None,  # its page loads scripts from elsewhere
        redoc_url=None,
        lifespan=lifespan,
        responses=PROBLEMS,
        max_body_size=MAX_BODY_BYTES,
        redirect_slashes=False,
        middleware=[
            Middleware(MeasuredRequests, own=service.own_process),
            Middleware(ProblemPages),
            Middleware(Answering),
            Middleware(
                CORSMiddleware,
                allow_origins=sorted(service.access.origins),
                allow_methods=["GET", "POST", "DELETE"],
                allow_headers=["Authorization", "Content-Type"],
            ),
            Middleware(
                AccessControl,
                access=service.access,
                rules=Rules(ROUTERS, PUBLIC_PATHS),
                rate=RateLimit(settings.serve_requests_per_s),
            ),
        ],
    )
    app.state.service = service
    app.state.now_reader = NowReader(service)
    app.state.drawings = Drawings(service)
    app.state.is_ending = lambda: False  # whoever serves it knows better
    tell_problems(app, lambda request: methods_of(ROUTERS, request))
    for router in ROUTERS:
        app.include_router(router)
    describe(app)
    return app
