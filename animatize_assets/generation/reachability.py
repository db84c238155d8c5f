"""Asking a provider whether it is there and takes our key, without making anything.

Belongs here: one cheap question per provider. Does not belong here: which of them are configured
(``pipeline.generation_setup``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from animatize_assets.errors import NotConfigured
from animatize_assets.generation.picture_call import address_of, key_of

if TYPE_CHECKING:
    from pydantic import SecretStr

TIMEOUT_S = 10.0

_QUESTIONS = {
    "openai": ("https://api.openai.com/v1", "/models"),
    "flux": ("https://api.bfl.ai", "/v1/credits"),
    "imagen": ("https://generativelanguage.googleapis.com", "/v1beta/models"),
    "comfyui": ("", "/system_stats"),
}
"""Provider -> its address, and a question that costs nothing there."""


@dataclass(frozen=True)
class Reached:
    """What came of the question."""

    ok: bool
    says: str
    """One sentence, without the address's credentials and without the key."""


async def reach(name: str, base_url: str | None, api_key: SecretStr | None) -> Reached:
    """Ask the provider ``name`` whether it is there and takes the key.

    Raises:
        NotConfigured: it has no address, or a key or an address that would not be used.
    """
    import aiohttp

    usual, path = _QUESTIONS[name]
    address = checked_address(name, base_url) or usual
    if not address:
        raise NotConfigured(f"Provider '{name}' has no address; set ANIMATIZE_COMFYUI_URL.")
    timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.get(
                address + path, headers=_headers(name, api_key), allow_redirects=False
            ) as answer,
        ):
            return _told(answer.status)
    except TimeoutError:
        return Reached(ok=False, says=f"It did not answer within {TIMEOUT_S:g} s.")
    except aiohttp.ClientError as error:
        return Reached(ok=False, says=f"It cannot be reached ({type(error).__name__}).")


def checked_address(name: str, base_url: str | None) -> str | None:
    """Return the address that is set, without a slash at its end.

    Raises:
        NotConfigured: it is none, or a key would travel unencrypted to it.
    """
    if not base_url:
        return None
    return base_url.rstrip("/") if name == "comfyui" else address_of(base_url, name)


def _headers(name: str, api_key: SecretStr | None) -> dict[str, str]:
    if api_key is None:
        return {}
    key = key_of(api_key, name)
    if name == "openai":
        return {"Authorization": f"Bearer {key}"}
    return {"flux": {"x-key": key}, "imagen": {"x-goog-api-key": key}}.get(name, {})


def _told(status: int) -> Reached:
    if status == 200:
        return Reached(ok=True, says="It answers and takes the key.")
    if status in (400, 401, 403):
        return Reached(ok=False, says=f"It answers, but does not take the key (HTTP {status}).")
    return Reached(ok=False, says=f"It answers with HTTP {status}.")
