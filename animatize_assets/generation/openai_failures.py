"""What an exception of OpenAI's SDK means: a kind of failure, how long to wait, what it may cost.

Told from status, code and type; never from a message, which changes and may repeat the key. For the
same reason no error made here carries the SDK's own as its cause.

Belongs here: this translation. Does not belong here: the call (``openai_pictures``), what follows
from a kind (``failures``).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from animatize_assets.errors import ProviderError
from animatize_assets.generation.http_answers import kind_of_status, retry_after_s
from animatize_assets.generation.picture_call import GATEWAY_STATUSES, use

if TYPE_CHECKING:
    import openai

QUOTA_CODES = frozenset(
    {
        "insufficient_quota",
        "credit_balance_exhausted",
        "organization_spend_limit_exceeded",
        "project_spend_limit_exceeded",
        "organization_usage_limit_exceeded",
        "billing_hard_limit_reached",
    }
)
"""Of the 429 that does not pass by itself; as type or as code (OpenAI's error guide)."""

REFUSAL_CODES = frozenset({"moderation_blocked", "content_policy_violation"})
"""The safety system's. Captured bodies of 2026; the second one is DALL-E's."""

_CODE = re.compile(r"[a-z0-9_]{1,60}")


def failure_of(error: Exception, *, model: str, successor: str | None) -> ProviderError:
    """Return what ``error`` of a paid call means.

    ``error``: ``OpenAIError``, an httpx2 error, or ``TimeoutError`` when the call's time was up.
    ``successor``: the model to name when ``model`` turns out to be gone, if one is known.
    """
    import openai

    if isinstance(error, openai.APIStatusError):
        return _refused(error, model, successor)
    if isinstance(error, openai.APIConnectionError):
        cause = error.__cause__
        return _unanswered(cause if isinstance(cause, Exception) else error)
    if isinstance(error, openai.OpenAIError):
        return _nonsense()
    return _unanswered(error)


def _unanswered(error: Exception) -> ProviderError:
    """Tell apart what never left us from what was sent and whose answer was lost."""
    import httpx2

    if isinstance(error, (httpx2.UnsupportedProtocol, httpx2.LocalProtocolError)):
        return ProviderError(
            "openai cannot be asked: the configured address or key cannot be sent; check both.",
            kind="not_configured",
        )
    never_sent = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout, httpx2.ProxyError)
    if isinstance(error, never_sent):
        return ProviderError("openai cannot be reached: no connection was made.", kind="transient")
    return ProviderError(
        "openai was asked and its answer was lost; the picture may have been made and billed.",
        kind="ambiguous",
        billed_usd=None,
    )


def _nonsense() -> ProviderError:
    return ProviderError(
        "openai answered with something that is not its protocol.",
        kind="bad_output",
        billed_usd=None,
    )


def _refused(error: openai.APIStatusError, model: str, successor: str | None) -> ProviderError:
    status, code = error.status_code, _shown(error.code)
    kind = _kind(error)
    what = f"status {status}" + (f", {code}" if code else "")
    sentences = {
        "rate_limited": f"openai asks for patience ({what}).",
        "quota": f"The account's credit or limit at openai is used up ({what}); top it up.",
        "refused_content": f"openai will not make this picture ({what}).",
        "not_configured": f"openai does not accept the key, or not for '{model}' ({what}).",
        "invalid_request": f"openai does not accept the request ({what}).",
    }
    sentence = sentences.get(kind, f"openai is disturbed ({what}).")
    if status == 404:
        sentence = f"openai has no model '{model}', or not for this key ({what}); {use(successor)}."
    return ProviderError(
        sentence,
        kind=kind,
        retry_after_s=retry_after_s(error.response.headers),
        remote_id=error.request_id,
        billed_usd=_billed(error, kind),
    )


def _kind(error: openai.APIStatusError) -> str:
    if {error.code, error.type} & QUOTA_CODES:
        return "quota"
    if error.code in REFUSAL_CODES:
        return "refused_content"
    return kind_of_status(error.status_code)


def _billed(error: openai.APIStatusError, kind: str) -> float | None:
    """Return 0.0 where nothing was made; None where a picture may have been made and withheld."""
    if kind == "refused_content":
        body: Any = error.body
        details = body.get("moderation_details") if isinstance(body, dict) else None
        stage = details.get("moderation_stage") if isinstance(details, dict) else None
        return None if stage == "output" else 0.0
    return None if error.status_code in GATEWAY_STATUSES else 0.0


def _shown(code: object) -> str | None:
    """Return a code that may be shown: anything may stand where a code should."""
    return code if isinstance(code, str) and _CODE.fullmatch(code) else None
