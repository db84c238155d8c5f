"""What ``/openapi.json`` says beside the routes: problems, examples, who may call.

Belongs here: additions to FastAPI's own description. Does not belong here: any route.
"""

from __future__ import annotations

from typing import Any, Final

from fastapi import FastAPI
from pydantic import BaseModel

from animatize_assets.web.access import COOKIE
from animatize_assets.web.answer_examples import EXAMPLES
from animatize_assets.web.problems import CONTENT_TYPE, Fault, Problem
from animatize_assets.web.routes import (
    batch_models,
    image_models,
    performance_models,
    performance_requests,
)

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


_MODELS: Final = (batch_models, image_models, performance_models, performance_requests)
"""Modules whose models have examples beside them."""


def _examples() -> dict[str, list[Any]]:
    """Return examples by the name of their schema. FastAPI leaves out of its own what is null."""
    found: dict[str, list[Any]] = {name: [example] for name, example in EXAMPLES.items()}
    for module in _MODELS:
        for model in vars(module).values():
            if isinstance(model, type) and issubclass(model, BaseModel):
                extra = model.model_config.get("json_schema_extra")
                beside = extra.get("examples") if isinstance(extra, dict) else None
                if isinstance(beside, list):
                    found[model.__name__] = beside
    return found


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
            for name, examples in _examples().items():
                if name in schemas:
                    schemas[name]["examples"] = examples
            components["securitySchemes"] = _SECURITY_SCHEMES
            document["security"] = [{"token": []}, {"session": []}, {}]
            app.openapi_schema = document
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI documents just this
