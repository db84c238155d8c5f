"""Who may call: bearer tokens, sessions, and what a browser must not be tricked into.

On loopback without any token everything is allowed, to programs of this machine. A web page that a
person has open is not one of them: it may post to loopback, or have its own name resolve to it (DNS
rebinding). So the Host header must name this service, and a request that changes something must not
come from another origin.

Belongs here: the decision. Does not belong here: tokens and sessions themselves, routes.
"""

from __future__ import annotations

import ipaddress
import logging
from collections.abc import Iterable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Send
from starlette.types import Scope as AsgiScope

from animatize_assets.errors import InvalidSetting, NotConfigured
from animatize_assets.web.limits import RateLimit
from animatize_assets.web.problems import Refused, refusal
from animatize_assets.web.rules import LOOKING, Rules
from animatize_assets.web.sessions import Sessions
from animatize_assets.web.tokens import AccessToken, Scope, TokenFile

_log = logging.getLogger(__name__)

COOKIE: Final = "animatize_session"
LOOPBACK_NAMES: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_BEARER = "bearer "


@dataclass(frozen=True)
class Caller:
    """Who asks, and what they may."""

    name: str
    scope: Scope


LOCAL: Final = Caller("this machine", "write")
"""Whoever calls on loopback while there are no tokens."""


@dataclass(frozen=True)
class Access:
    """Decides about each request.

    ``is_loopback``: whether only this machine can reach the service. ``hosts``: further names by
    which it is reached. ``origins``: of pages elsewhere that may call it (CORS).
    """

    tokens: TokenFile
    is_loopback: bool
    hosts: frozenset[str] = frozenset()
    origins: frozenset[str] = frozenset()
    sessions: Sessions = field(default_factory=Sessions)

    def check_start(self) -> None:
        """Return when the service may be started like this.

        Raises:
            NotConfigured: others could reach it and there is no token.
            InvalidSetting: the tokens cannot be read.

        """
        if not self.tokens.tokens() and not self.is_loopback:
            raise NotConfigured(
                "Off loopback the service needs an access token: make one with "
                "`animatize serve --new-token NAME`, or serve on 127.0.0.1."
            )

    def check_host(self, request: HTTPConnection) -> None:
        """Return when the request names this service.

        Raises:
            Refused: it names another one. Off loopback any name is taken while none is listed:
                there every request needs a token, which no page of another name has.

        """
        allowed = self.hosts | LOOPBACK_NAMES if self.is_loopback else self.hosts
        name = _host_name(request.headers.get("host", ""))
        if allowed and name not in allowed:
            raise Refused(
                HTTPStatus.MISDIRECTED_REQUEST,
                "This service is not called by that name; ANIMATIZE_SERVE_HOSTS lists names.",
            )

    def check_origin(self, request: HTTPConnection) -> None:
        """Return when a request that changes something does not come from a page elsewhere.

        Raises:
            Refused: it does. A browser tells its origin with every such request, a program none.

        """
        origin = request.headers.get("origin")
        if origin is not None:
            is_own = urlsplit(origin).netloc.lower() == request.headers.get("host", "").lower()
            if not is_own and origin.lower() not in self.origins:
                raise Refused(HTTPStatus.FORBIDDEN, "Pages of another origin may not do this.")
        elif request.headers.get("sec-fetch-site", "none") not in {"none", "same-origin"}:
            raise Refused(HTTPStatus.FORBIDDEN, "Pages of another origin may not do this.")

    def caller(self, request: HTTPConnection) -> Caller | None:
        """Return who asks; None when they do not say so truly."""
        if not self.tokens.tokens():
            return LOCAL if self.is_loopback else None
        found = self._token(request)
        return None if found is None else Caller(found.name, found.scope)

    def _token(self, request: HTTPConnection) -> AccessToken | None:
        given = request.headers.get("authorization", "")
        if given[: len(_BEARER)].lower() == _BEARER:
            return self.tokens.find(given[len(_BEARER) :].strip())
        found = self.sessions.find(request.cookies.get(COOKIE, ""))
        return found if found in self.tokens.tokens() else None


class AccessControl:
    """ASGI: lets a request through when its caller may, and tells the route who it is.

    The caller is ``request.state.caller``: None on a public route without a token.
    """

    def __init__(self, app: ASGIApp, access: Access, rules: Rules, rate: RateLimit) -> None:
        self._app = app
        self._access = access
        self._rules = rules
        self._rate = rate

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        """Answer one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            caller = self._admitted(scope)
        except Refused as refused:
            await refusal(refused)(scope, receive, send)
            return
        scope.setdefault("state", {})["caller"] = caller
        await self._app(scope, receive, send)

    def _admitted(self, scope: AsgiScope) -> Caller | None:
        request = HTTPConnection(scope)
        self._access.check_host(request)
        needs = self._rules.needs(scope)
        unusable = None
        try:
            caller = self._access.caller(request)
        except InvalidSetting as error:
            caller, unusable = None, error
        address = request.client.host if request.client else "unknown"
        # Who guesses tokens is counted by address; a caller by the name of the token, too.
        if wait_s := self._rate.take(f"{caller.name if caller else ''}@{address}"):
            raise Refused(
                HTTPStatus.TOO_MANY_REQUESTS,
                "Too many requests in too short a time; ANIMATIZE_SERVE_REQUESTS_PER_S says how "
                "many one client may send.",
                headers={"Retry-After": str(max(1, round(wait_s)))},
            )
        if scope["method"] not in LOOKING:
            self._access.check_origin(request)
        if unusable is not None and (needs != "nothing" or scope["method"] not in LOOKING):
            _log.error("Nobody is let in: %s", unusable.message)
            raise Refused(
                HTTPStatus.SERVICE_UNAVAILABLE,
                "The service cannot read its access tokens; its log says why.",
                headers={"Retry-After": "30"},
            ) from unusable
        if needs == "nothing":
            return caller
        if caller is None:
            raise Refused(
                HTTPStatus.UNAUTHORIZED,
                "This needs an access token: send 'Authorization: Bearer TOKEN', or sign in.",
                headers={"WWW-Authenticate": "Bearer"},
            )
        if needs == "write" and caller.scope != "write":
            raise Refused(
                HTTPStatus.FORBIDDEN, f"The token '{caller.name}' may only read; this needs write."
            )
        return caller


def is_loopback(host: str) -> bool:
    """Return whether only this machine reaches a service that is bound to ``host``."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def lower(names: Iterable[str]) -> frozenset[str]:
    """Return names of hosts or origins as they are compared."""
    return frozenset(name.lower().rstrip("/") for name in names)


def _host_name(header: str) -> str:
    """Return the name in a Host header, without its port; empty when it is none."""
    try:
        return (urlsplit(f"//{header}").hostname or "").lower()
    except ValueError:
        return ""
