"""How a refusal is told: problem details (RFC 9457) with the stable codes of ``errors``.

Belongs here: from an exception to an answer. Does not belong here: raising any. An answer names
what was wrong with the request, never what it contained, and never where in the code it went wrong.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.types import Scope

from animatize_assets.errors import AnimatizeError

_log = logging.getLogger(__name__)

CONTENT_TYPE = "application/problem+json"
TYPE_PREFIX = "urn:animatize:problem:"

STATUS: dict[str, int] = {
    "image_not_found": HTTPStatus.NOT_FOUND,
    "alert_not_found": HTTPStatus.NOT_FOUND,
    "batch_not_found": HTTPStatus.NOT_FOUND,
    "invalid_setting": HTTPStatus.UNPROCESSABLE_ENTITY,
    "invalid_rule": HTTPStatus.UNPROCESSABLE_ENTITY,
    "not_configured": HTTPStatus.CONFLICT,
    "not_enough_jobs": HTTPStatus.CONFLICT,
    "no_jobs": HTTPStatus.CONFLICT,
    "budget_exceeded": HTTPStatus.CONFLICT,
    "provider_error": HTTPStatus.BAD_GATEWAY,
    "storage_failed": HTTPStatus.SERVICE_UNAVAILABLE,
    "orchestration_failed": HTTPStatus.SERVICE_UNAVAILABLE,
    "disk_nearly_full": HTTPStatus.INSUFFICIENT_STORAGE,
}
"""HTTP status by our code; a code that begins with ``image_`` is 422, any other 500."""

CODES: dict[int, str] = {
    HTTPStatus.BAD_REQUEST: "bad_request",
    HTTPStatus.UNAUTHORIZED: "unauthorized",
    HTTPStatus.FORBIDDEN: "forbidden",
    HTTPStatus.NOT_FOUND: "not_found",
    HTTPStatus.METHOD_NOT_ALLOWED: "method_not_allowed",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "request_too_large",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "unsupported_media_type",
    HTTPStatus.MISDIRECTED_REQUEST: "unknown_host",
    HTTPStatus.UNPROCESSABLE_ENTITY: "invalid_request",
    HTTPStatus.TOO_MANY_REQUESTS: "too_many_requests",
    HTTPStatus.SERVICE_UNAVAILABLE: "unavailable",
}
"""Our code of a refusal that HTTP itself has a status for."""


class Fault(BaseModel):
    """One thing that is wrong in a request."""

    where: str = Field(description="JSON pointer into the body, or query, path or header and name")
    message: str


class Problem(BaseModel):
    """Problem details, RFC 9457. ``code`` is stable; sentences may change."""

    type: str = Field(examples=[f"{TYPE_PREFIX}image_not_found"])
    title: str = Field(description="the status in words", examples=["Not Found"])
    status: int = Field(ge=400, le=599, examples=[404])
    detail: str = Field(
        description="one sentence that names the thing, the limit and the remedy",
        examples=["No image has the key 'x'."],
    )
    code: str = Field(examples=["image_not_found"])
    errors: list[Fault] = Field(default=[], description="of a request that is not valid")


class Refused(Exception):
    """A request that is answered with a problem; for refusals that have no error of ours."""

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        code: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.code = code or CODES.get(status, "refused")
        self.headers = dict(headers or {})


def problem_response(
    status: int,
    code: str,
    detail: str,
    *,
    errors: list[Fault] | None = None,
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """Return the answer that tells a problem."""
    problem = Problem(
        type=TYPE_PREFIX + code,
        title=HTTPStatus(status).phrase,
        status=status,
        detail=detail,
        code=code,
        errors=errors or [],
    )
    return JSONResponse(
        problem.model_dump(), status_code=status, headers=headers, media_type=CONTENT_TYPE
    )


def refusal(refused: Refused) -> JSONResponse:
    """Return the answer to a request that was refused."""
    return problem_response(refused.status, refused.code, refused.detail, headers=refused.headers)


def too_large() -> JSONResponse:
    """Return the answer to a request whose body is longer than its route takes."""
    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    return problem_response(
        status,
        CODES[status],
        "The request is longer than this takes.",
        headers={"Connection": "close"},  # what is still coming is not read
    )


def unexpected(error: Exception) -> JSONResponse:
    """Return the answer when something of ours went wrong; the log has it whole."""
    if isinstance(error, SQLAlchemyError):
        _log.error("The database could not be used: %s", error)
        return problem_response(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "storage_failed",
            "The database could not be used just now. Ask again.",
            headers={"Retry-After": "5"},
        )
    _log.error("A request failed", exc_info=error)
    return problem_response(
        HTTPStatus.INTERNAL_SERVER_ERROR,
        "internal_error",
        "Something went wrong here; the service's log says what.",
    )


def tell_problems(app: FastAPI, methods_of: Callable[[Scope], Iterable[str]]) -> None:
    """Let every refusal of ``app`` be told as a problem.

    ``methods_of`` a request's path: those that a wrong one is told of. A router names only those
    of the first route that has the path (RFC 9110, section 10.2.1, asks for all).
    """

    async def http(request: Request, error: Exception) -> JSONResponse:
        answer = await _http(request, error)
        if answer.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            answer.headers["Allow"] = ", ".join(sorted(methods_of(request.scope)))
        return answer

    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(AnimatizeError, _ours)
    app.add_exception_handler(Refused, _refused)


async def _refused(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, Refused)  # noqa: S101  # Starlette looked the handler up by this type
    return refusal(error)


async def _ours(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, AnimatizeError)  # noqa: S101  # as above
    status = STATUS.get(error.code)
    if status is None:
        is_refusal = error.code.startswith("image_")
        status = HTTPStatus.UNPROCESSABLE_ENTITY if is_refusal else HTTPStatus.INTERNAL_SERVER_ERROR
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        _log.error("A request failed: %s: %s", error.code, error.message)
    return problem_response(status, error.code, error.message)


async def _http(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101  # as above
    code = CODES.get(error.status_code, "refused")
    return problem_response(
        error.status_code, code, f"{str(error.detail).rstrip('.')}.", headers=error.headers
    )


async def _invalid(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)  # noqa: S101  # as above
    faults = [Fault(where=_where(each), message=f"{each['msg']}.") for each in error.errors()]
    first = faults[0]
    more = f" And {len(faults) - 1} more." if len(faults) > 1 else ""
    return problem_response(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "invalid_request",
        f"{first.where}: {first.message}{more}",
        errors=faults,
    )


def _where(fault: Mapping[str, Any]) -> str:
    """Return where a fault is: ``/steps`` in a body (RFC 6901), else ``query days_back``."""
    place, *names = fault["loc"]
    if place == "body":
        escaped = (str(name).replace("~", "~0").replace("/", "~1") for name in names)
        return "".join(f"/{name}" for name in escaped) or "body"
    return " ".join(str(name) for name in (place, *names))
