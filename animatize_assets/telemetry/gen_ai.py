"""How OpenTelemetry's conventions for generative AI call what our providers do.

Belongs here: names of attributes and values. Does not belong here: instruments (``metrics``), spans
(``tracing``). The conventions are still in development; what they have no name for keeps ours.
See https://opentelemetry.io/docs/specs/semconv/gen-ai/ (version 1.38).
"""

from __future__ import annotations

from typing import Literal

Operation = Literal["generate_content", "chat"]
"""A picture; a text."""

OPERATION = "gen_ai.operation.name"
PROVIDER = "gen_ai.provider.name"
MODEL = "gen_ai.request.model"
OUTPUT = "gen_ai.output.type"
RESPONSE_ID = "gen_ai.response.id"
TOKEN_TYPE = "gen_ai.token.type"  # noqa: S105  # a name, no secret
INPUT_TOKENS = "gen_ai.usage.input_tokens"
OUTPUT_TOKENS = "gen_ai.usage.output_tokens"
ERROR_TYPE = "error.type"

PROVIDERS = {"imagen": "gcp.gemini"}
"""Ours -> the conventions' name where it is another one. They know no ``flux``, ``comfyui``,
``local``; a custom value is allowed there."""

OWN_MODELS = {"comfyui": "workflow"}
"""Providers whose models are a person's files: any number of names, so metrics count them as
one."""


def provider_name(provider: str) -> str:
    """Return what the conventions call a provider."""
    return PROVIDERS.get(provider, provider)


def call_attributes(operation: Operation, provider: str, model: str) -> dict[str, str]:
    """Return the attributes that a call's span begins with."""
    return {
        OPERATION: operation,
        PROVIDER: provider_name(provider),
        MODEL: model,
        OUTPUT: "image" if operation == "generate_content" else "json",
    }


def metric_attributes(operation: Operation, provider: str, model: str) -> dict[str, str]:
    """Return the attributes of a measurement: few values each."""
    return {
        OPERATION: operation,
        PROVIDER: provider_name(provider),
        MODEL: OWN_MODELS.get(provider, model),
    }
