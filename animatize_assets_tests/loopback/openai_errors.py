"""Refusals of the OpenAI protocol.

Belongs here: error bodies and the key check. Does not belong here: what is refused, and when.
"""

from __future__ import annotations

from typing import Any

from aiohttp import web

from animatize_assets_tests.loopback.faults import Fault
from animatize_assets_tests.loopback.world import Protocol, World, wait_headers

RETIRED = {
    "dall-e-2", "dall-e-3", "gpt-image-1", "gpt-4", "gpt-3.5-turbo", "gpt-4.1-nano", "o4-mini",
    "o1",
}  # fmt: skip


class Refusal(Exception):
    """A request that is answered with an error."""

    def __init__(
        self,
        status: int,
        code: str | None,
        message: str,
        param: str | None = None,
        kind: str = "invalid_request_error",
        **more: Any,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.body = {"message": message, "type": kind, "param": param, "code": code, **more}

    def response(self, world: World) -> web.Response:
        """Return the answer."""
        return error(world, self.status, self.body)


def error(
    world: World, status: int, body: dict[str, Any], headers: dict[str, str] | None = None
) -> web.Response:
    """Wrap an error body in its envelope."""
    return web.json_response(
        {"error": body},
        status=status,
        headers={"x-request-id": f"req_{world.number()}", **(headers or {})},
    )


def unknown_model(model: object) -> Refusal:
    """Return what a model that is gone or never was is answered with."""
    return Refusal(
        404,
        "model_not_found",
        f"The model `{model}` does not exist or you do not have access to it.",
    )


def moderated(code: str | None, stage: str = "output") -> Refusal:
    """Return the refusal of content."""
    return Refusal(
        400,
        code or "moderation_blocked",
        "Your request was rejected by the safety system. safety_violations=[violence].",
        kind="image_generation_user_error",
        moderation_details={"moderation_stage": stage, "categories": ["violence"]},
    )


def _fault(world: World, fault: Fault) -> web.Response:
    if fault.kind == "quota":
        body = {
            "message": "You exceeded your current quota",
            "type": "insufficient_quota",
            "param": None,
            "code": fault.code or "credit_balance_exhausted",
        }
        return error(world, 429, body, dict(fault.headers))
    if fault.kind == "rate_limited":
        body = {
            "message": "Rate limit reached",
            "type": "rate_limit_error",
            "param": None,
            "code": fault.code or "rate_limit_exceeded",
        }
        return error(world, 429, body, dict(fault.headers) or wait_headers(world))
    status = fault.status or (500, 503, 529)[int(world.faults.throw("errors") * 3)]
    body = {
        "message": "The server had an error",
        "type": "server_error",
        "param": None,
        "code": fault.code,
    }
    return error(world, status, body, dict(fault.headers))


def _unauthorised(request: web.Request, world: World) -> web.Response | None:
    if request.headers.getall("Authorization", []) == [f"Bearer {world.keys['openai']}"]:
        return None
    return Refusal(401, "invalid_api_key", "Incorrect API key provided.").response(world)


PROTOCOL = Protocol("openai", _fault, _unauthorised)
