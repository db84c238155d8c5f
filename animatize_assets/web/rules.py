"""What a route asks of its caller, written beside the route.

A request that only looks (GET, HEAD) needs the scope ``read``, any other one ``write``. A route
that differs says so with a decorator below its path::

    @router.post("/estimate-time")
    @reads
    def estimate_time(...): ...

Belongs here: these marks and finding those of a request. Does not belong here: checking them
(``access``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Literal, TypeVar

from fastapi import APIRouter
from fastapi.routing import APIRoute
from starlette.routing import Match
from starlette.types import Scope as AsgiScope

Needs = Literal["nothing", "read", "write"]
Endpoint = TypeVar("Endpoint", bound=Callable[..., object])

LOOKING = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that change nothing (safe methods, RFC 9110 section 9.2.1)."""

_MARK = "animatize_needs"


def public(endpoint: Endpoint) -> Endpoint:
    """Mark a route that anybody may call: it tells nothing of what is stored."""
    setattr(endpoint, _MARK, "nothing")
    return endpoint


def reads(endpoint: Endpoint) -> Endpoint:
    """Mark a route that is called with POST and changes nothing."""
    setattr(endpoint, _MARK, "read")
    return endpoint


def methods_of(routers: Iterable[APIRouter], request: AsgiScope) -> frozenset[str]:
    """Return every method that the path of a request can be asked with, over all its routes."""
    found: set[str] = set()
    for router in routers:
        for route in router.routes:
            if isinstance(route, APIRoute) and route.matches(request)[0] is not Match.NONE:
                found |= route.methods or set()
    return frozenset(found)


class Rules:
    """The marks of all routes of ``routers``; each must have its whole path itself.

    ``public_paths``: beginnings of paths that anybody may look at, such as a page's scripts.
    """

    def __init__(self, routers: Iterable[APIRouter], public_paths: tuple[str, ...] = ()) -> None:
        self._public_paths = public_paths
        self._marked = [
            (route, needs)
            for router in routers
            for route in router.routes
            if isinstance(route, APIRoute) and (needs := getattr(route.endpoint, _MARK, None))
        ]

    def needs(self, request: AsgiScope) -> Needs:
        """Return what a request needs. An unknown path needs what its method says."""
        for route, needs in self._marked:
            if route.matches(request)[0] is Match.FULL:
                found: Needs = needs
                return found
        if request["method"] not in LOOKING:
            return "write"
        path = str(request["path"])
        is_public = any(path == each or path.startswith(f"{each}/") for each in self._public_paths)
        return "nothing" if is_public else "read"
