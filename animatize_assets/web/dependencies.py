"""What a route asks FastAPI for.

Belongs here: the annotations. Does not belong here: what they give.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request

from animatize_assets.web.access import Caller
from animatize_assets.web.service import Service


def _service(request: Request) -> Service:
    found: Service = request.app.state.service
    return found


def _caller(request: Request) -> Caller:
    found: Caller = request.state.caller
    return found


ServiceDep = Annotated[Service, Depends(_service)]
"""The service that the application was made for."""

CallerDep = Annotated[Caller, Depends(_caller)]
"""Who calls a route that is not public."""
