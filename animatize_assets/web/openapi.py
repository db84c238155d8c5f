"""What ``/openapi.json`` says beside the routes: problems, and how a caller proves who they are.

Belongs here: additions to FastAPI's own description. Does not belong here: any route.
"""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI

from animatize_assets.web.access import COOKIE
from animatize_assets.web.problems import CONTENT_TYPE, Fault, Problem

_PROBLEM = {
    "content": {CONTENT_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
}

PROBLEMS: dict[int | str, dict[str, Any]] = {
    "4XX": {"description": "The request was refused; `code` says why.", **_PROBLEM},
    "5XX": {"description": "The service could not answer.", **_PROBLEM},
}
"""Answers that any route may give."""

_SECURITY_SCHEMES = {
    "token": {
        "type": "http",
        "scheme": "bearer",
        "description": "Made by `animatize serve --new-token NAME`. On loopback without any token "
        "none is needed.",
    },
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": COOKIE,
        "description": "What a browser gets for a token: `POST /session`.",
    },
}


def describe(app: FastAPI) -> None:
    """Add to the description that FastAPI makes of ``app``."""
    made_by_fastapi = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = made_by_fastapi()
            components = document.setdefault("components", {})
            schemas = components.setdefault("schemas", {})
            for model in (Fault, Problem):
                schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
                schema.pop("$defs", None)
                schemas[model.__name__] = schema
            components["securitySchemes"] = _SECURITY_SCHEMES
            document["security"] = [{"token": []}, {"session": []}, {}]
            app.openapi_schema = document
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI documents just this
