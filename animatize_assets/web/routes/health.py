"""``/health``: whether the process lives, and whether it can do its work.

Belongs here: these routes. Does not belong here: the checks (``web.readiness``).
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from animatize_assets.web.dependencies import ServiceDep
from animatize_assets.web.problems import Fault, problem_response
from animatize_assets.web.readiness import CHECKS, faults
from animatize_assets.web.rules import public

router = APIRouter(prefix="/health", tags=["health"])

RETRY_AFTER_S = 5


class Alive(BaseModel):
    """The process answers."""

    status: Literal["alive"] = "alive"


class Ready(BaseModel):
    """Everything that requests need is there."""

    status: Literal["ready"] = "ready"
    checked: list[str] = Field(description="what was looked at", examples=[list(CHECKS)])


@router.get("/live", summary="Whether the process answers")
@public
async def live() -> Alive:
    """Answer. A service that does not should be started again."""
    return Alive()


@router.get("/ready", summary="Whether requests can be answered", response_model=Ready)
@public
def ready(service: ServiceDep) -> Response | Ready:
    """Look at everything that requests need; 503 names what is not ready, and why."""
    found = faults(service)
    if not found:
        return Ready(checked=list(CHECKS))
    return problem_response(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "not_ready",
        f"Not ready: {', '.join(found)}.",
        errors=[Fault(where=what, message=why) for what, why in found.items()],
        headers={"Retry-After": str(RETRY_AFTER_S)},
    )
