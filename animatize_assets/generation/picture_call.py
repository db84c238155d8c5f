"""What the providers that answer with a picture at once have in common around their call.

Belongs here: the key and the address, the text that is sent, reading counts and pictures out of an
answer nobody vouches for. Does not belong here: any provider's protocol, the connection
(``http_exchange``).
"""

from __future__ import annotations

import binascii
import json
from base64 import b64decode
from collections.abc import Mapping
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from animatize_assets.errors import NotConfigured, ProviderError
from animatize_assets.generation.models import MadePicture, Usage
from animatize_assets.generation.source_image import size_of
from animatize_assets.generation.verification import media_type_of

if TYPE_CHECKING:
    from pydantic import SecretStr

    from animatize_assets.generation.catalogue import ProviderModel
    from animatize_assets.generation.sizes import Size
    from animatize_assets.prompts.models import MotionPrompt

GATEWAY_STATUSES = frozenset({502, 504})
"""A gateway says so when it lost the answer of the work behind it, which may have been billed."""

MOST_TOKENS = 100_000_000
"""A count above it is no count of one call: the largest context is a hundredth of it."""


def key_of(api_key: SecretStr, provider: str) -> str:
    """Return the key, fit for a header.

    Raises:
        NotConfigured: it is not; the sentence does not repeat it.

    """
    key = api_key.get_secret_value().strip()
    if not key or not key.isascii() or not key.isprintable() or " " in key:
        raise NotConfigured(
            f"The key of {provider} is empty or has characters that no key has; copy it again."
        )
    return key


def address_of(base_url: str, provider: str) -> str:
    """Return the address without a slash at its end.

    Raises:
        NotConfigured: it is none, or it would carry the key unencrypted over a network.

    """
    parts = urlsplit(base_url)
    if parts.scheme == "https" and parts.hostname:
        return base_url.rstrip("/")
    if parts.scheme == "http" and parts.hostname and _is_loopback(parts.hostname):
        return base_url.rstrip("/")
    raise NotConfigured(
        f"The address of {provider} must begin with 'https://': anything else would send the key "
        "unencrypted; only this machine itself may be asked by 'http://'."
    )


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def use(successor: str | None) -> str:
    """Say what to do about a model that is gone."""
    return f"use '{successor}'" if successor else "choose another one of the catalogue"


def text_of(prompt: MotionPrompt, at_most: int | None) -> tuple[str, list[str]]:
    """Return the text for a model without a parameter for negatives, and what to note of it.

    ``at_most``: characters that the model takes; None when it states no limit.
    """
    if not prompt.negative:
        return prompt.positive, []
    both = f"{prompt.positive} Avoid: {prompt.negative}."
    if at_most is not None and len(both) > at_most:
        return prompt.positive, ["The negative prompt is left out: the text would be too long."]
    return both, ["The model takes no negative prompt; it is part of the text."]


def notes_on(model: ProviderModel, other_size: Size | None, *, source_left_out: bool) -> list[str]:
    """Return what a person should know of a picture: no seed, another size, no input image.

    ``other_size``: what the model was asked for, when it is not what was wished for.
    """
    notes = [] if model.takes.seed else [f"{model.model} takes no seed: each call differs."]
    if other_size is not None:
        width, height = other_size
        notes.append(f"The nearest that {model.model} makes is {width}x{height} px.")
    if source_left_out:
        notes.append("The image was not sent along: the picture is made from text alone.")
    return notes


def json_of(content: bytes) -> dict[str, Any] | None:
    """Return the object that an answer holds; None when it holds anything else."""
    try:
        said = json.loads(content)
    except (ValueError, RecursionError):
        return None
    return said if isinstance(said, dict) else None


def part_of(said: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return an object inside an answer; empty when it is not there or is something else."""
    part = said.get(name)
    return part if isinstance(part, dict) else {}


def list_in(said: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    """Return the objects of a list inside an answer; empty when there is no such list."""
    part = said.get(name)
    return [each for each in part if isinstance(each, dict)] if isinstance(part, list) else []


def count_in(said: Mapping[str, Any], name: str) -> int | None:
    """Return a count inside an answer; None when it is not told, or cannot be one."""
    number = said.get(name)
    if isinstance(number, bool) or not isinstance(number, int):
        return None
    return number if 0 <= number <= MOST_TOKENS else None


def picture_bytes(encoded: object) -> bytes:
    """Return what base64 holds; nothing when it is none."""
    try:
        return b64decode(encoded, validate=True) if isinstance(encoded, str) else b""
    except (binascii.Error, ValueError):
        return b""


def made_from(
    encoded: object,
    *,
    model: ProviderModel,
    asked: Size,
    aspect_only: bool,
    cost_usd: float | None,
    usage: Usage | None,
    remote_id: str | None,
    notes: list[str],
) -> MadePicture:
    """Return the picture that an answer holds as base64.

    Raises:
        ProviderError: it holds none; ``bad_output``, billed ``cost_usd``.

    """
    content = picture_bytes(encoded)
    media_type, size = media_type_of(content), size_of(content)
    if media_type is None or size is None:
        raise ProviderError(
            f"{model.provider} answered with something that is no readable PNG, JPEG or WebP "
            "picture.",
            kind="bad_output",
            remote_id=remote_id,
            billed_usd=cost_usd,
        )
    return MadePicture(
        content=content,
        media_type=media_type,
        width=size[0],
        height=size[1],
        provider=model.provider,
        model=model.model,
        seed=None,
        cost_usd=cost_usd,
        asked_size=asked,
        aspect_only=aspect_only,
        usage=usage,
        remote_id=remote_id,
        notes=tuple(notes),
    )
