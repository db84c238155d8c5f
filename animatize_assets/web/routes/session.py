"""``/session``: a browser signs in with a token, and out again.

Belongs here: the cookie. Does not belong here: which sessions there are (``sessions``).
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from animatize_assets.web.access import COOKIE
from animatize_assets.web.dependencies import ServiceDep
from animatize_assets.web.problems import Refused
from animatize_assets.web.rules import public
from animatize_assets.web.sessions import LIFETIME_S
from animatize_assets.web.tokens import Scope

router = APIRouter(prefix="/session", tags=["session"])


class SignIn(BaseModel):
    """What a browser sends once."""

    model_config = ConfigDict(strict=True, extra="forbid")

    token: Annotated[str, Field(min_length=1, max_length=256)]


class Session(BaseModel):
    """Who is signed in."""

    name: str = Field(description="of the token, or 'this machine' where none is needed")
    scope: Scope


@router.post("", summary="Exchange a token for a session cookie")
@public
def sign_in(body: SignIn, request: Request, response: Response, service: ServiceDep) -> Session:
    """Set a cookie that no script can read and no other site's page sends."""
    found = service.access.tokens.find(body.token)
    if found is None:
        raise Refused(
            HTTPStatus.UNAUTHORIZED,
            "There is no such token.",
            headers={"WWW-Authenticate": "Bearer"},
        )
    response.set_cookie(
        COOKIE,
        service.access.sessions.begin(found),
        max_age=LIFETIME_S,
        httponly=True,
        samesite="strict",
        # Behind a proxy with TLS the scheme here is http; Origin tells what the browser sees.
        secure=request.headers.get("origin", str(request.url)).startswith("https:"),
    )
    return Session(name=found.name, scope=found.scope)


@router.get("", summary="Who is signed in")
@public
def who(request: Request) -> Session | None:
    """Return who the caller is; null: they must sign in."""
    caller = request.state.caller
    return None if caller is None else Session(name=caller.name, scope=caller.scope)


@router.delete("", summary="End the session", status_code=HTTPStatus.NO_CONTENT)
@public
def sign_out(request: Request, response: Response, service: ServiceDep) -> None:
    """End the session of the cookie, if there is one, and remove the cookie."""
    service.access.sessions.end(request.cookies.get(COOKIE, ""))
    response.delete_cookie(COOKIE, httponly=True, samesite="strict")
