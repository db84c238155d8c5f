"""What the Gemini API's answers mean: pictures, the refusals that come as success, errors.

Told from status, code and reason; never from a message.

Belongs here: this translation. Does not belong here: the call (``imagen``), what follows from a
kind (``failures``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from animatize_assets.errors import ProviderError
from animatize_assets.generation.catalogue import cost_of
from animatize_assets.generation.http_answers import kind_of_status, retry_after_s
from animatize_assets.generation.models import Usage
from animatize_assets.generation.picture_call import (
    GATEWAY_STATUSES,
    count_in,
    list_in,
    part_of,
    use,
)

if TYPE_CHECKING:
    from animatize_assets.generation.catalogue import ProviderModel
    from animatize_assets.generation.http_exchange import Answer

UNLUCKY = frozenset({"RECITATION", "IMAGE_OTHER", "NO_IMAGE", "MAX_TOKENS"})
"""Finish reasons without a picture that another call may not have; all others are refusals."""

KEY_REASONS = frozenset({"SERVICE_DISABLED", "CONSUMER_INVALID", "BILLING_DISABLED"})
"""Beside ``API_KEY_...``: reasons why a key is not accepted, whatever the status."""

_WORD = re.compile(r"[A-Z0-9_]{1,60}")
_SECONDS = re.compile(r"(\d{1,6}(?:\.\d{1,9})?)s")


def usage_in(said: Mapping[str, Any]) -> Usage:
    """Return what an answer says that the call used."""
    told = part_of(said, "usageMetadata")
    asked, total = count_in(told, "promptTokenCount"), count_in(told, "totalTokenCount")
    written, thought = count_in(told, "candidatesTokenCount"), count_in(told, "thoughtsTokenCount")
    output = None if written is None and thought is None else (written or 0) + (thought or 0)
    if output is None and asked is not None and total is not None:
        output = max(0, total - asked)
    pictures = _of_pictures(told, "candidatesTokensDetails")
    if pictures is None and written in (None, 0) and output is not None:
        pictures = 0  # nothing but thoughts
    return Usage(
        input_tokens=asked,
        input_image_tokens=_of_pictures(told, "promptTokensDetails"),
        cached_tokens=count_in(told, "cachedContentTokenCount"),
        output_tokens=output,
        output_image_tokens=pictures,
        images=len(pictures_in(said)),
    )


def pictures_in(said: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the finished pictures of all candidates, not those of its thoughts."""
    return [
        part["inlineData"]
        for candidate in list_in(said, "candidates")
        for part in list_in(part_of(candidate, "content"), "parts")
        if isinstance(part.get("inlineData"), dict) and part.get("thought") is not True
    ]


def without_picture(said: Mapping[str, Any], model: ProviderModel) -> ProviderError:
    """Return what a success without a picture means.

    A blocked prompt, a candidate that ended for a reason of its own, or words instead of a picture
    are refusals, and may be billed. An answer that says nothing at all is no refusal.
    """
    remote_id = response_id(said)
    usage = usage_in(said)
    billed = cost_of(model, usage) if usage.input_tokens is not None else None
    blocked = _word(part_of(said, "promptFeedback").get("blockReason"))
    reasons = [_word(each.get("finishReason")) for each in list_in(said, "candidates")]
    told = [reason for reason in reasons if reason]
    if blocked is None and not told:
        return ProviderError(
            "imagen answered without a picture and without a reason.",
            kind="bad_output",
            remote_id=remote_id,
            billed_usd=billed,
        )
    refusing = [reason for reason in told if reason not in UNLUCKY]
    unlucky = blocked is None and not refusing
    reason = blocked or (told if unlucky else refusing)[0]
    what = "words instead of a picture" if reason == "STOP" else reason
    return ProviderError(
        f"imagen made no picture this time ({what})."
        if unlucky
        else f"imagen will not make this picture ({what}).",
        kind="bad_output" if unlucky else "refused_content",
        remote_id=remote_id,
        billed_usd=billed,
    )


def response_id(said: Mapping[str, Any]) -> str | None:
    """Return the provider's id of an answer."""
    told = said.get("responseId")
    return told[:100] if isinstance(told, str) and told else None


def error_of(answer: Answer, model: ProviderModel) -> ProviderError:
    """Return what an answer whose status is no success means."""
    said = answer.json()
    if isinstance(said, list) and said:
        said = said[0]  # some answers come as a list of one
    error = part_of(said, "error") if isinstance(said, dict) else {}
    details = list_in(error, "details")
    word = _word(error.get("status"))
    kind = _kind(answer.status, word, details)
    what = f"status {answer.status}" + (f", {word}" if word else "")
    sentences = {
        "rate_limited": f"imagen asks for patience ({what}).",
        "quota": f"The account's quota at imagen is used up ({what}); raise it or wait a day.",
        "not_configured": f"imagen does not accept the key, or not for '{model.model}' ({what}).",
        "invalid_request": f"imagen does not accept the request ({what}).",
    }
    sentence = sentences.get(kind, f"imagen is disturbed ({what}).")
    if answer.status == 404:
        sentence = f"imagen has no model '{model.model}' ({what}); {use(model.successor)}."
    asked = _retry_delay_s(details)
    return ProviderError(
        sentence,
        kind=kind,
        retry_after_s=retry_after_s(answer.headers) if asked is None else asked,
        billed_usd=None if answer.status in GATEWAY_STATUSES else 0.0,
    )


def _kind(status: int, word: str | None, details: list[dict[str, Any]]) -> str:
    reasons = {_word(detail.get("reason")) or "" for detail in details}
    if reasons & KEY_REASONS or any(reason.startswith("API_KEY_") for reason in reasons):
        return "not_configured"
    if status == 400 and word == "FAILED_PRECONDITION":
        return "not_configured"  # no billing account, or a region that is not served
    if status == 429:
        return _kind_of_limit(details)
    return kind_of_status(status)


def _kind_of_limit(details: list[dict[str, Any]]) -> str:
    """Tell a limit of the minute from one of the day, which no waiting within a run outlasts."""
    violations = [each for detail in details for each in list_in(detail, "violations")]
    if any("PerDay" in str(each.get("quotaId")) for each in violations):
        return "quota"
    if _retry_delay_s(details) is not None:
        return "rate_limited"
    exhausted = any(str(detail.get("@type")).endswith(".QuotaFailure") for detail in details)
    return "quota" if exhausted else "rate_limited"


def _retry_delay_s(details: list[dict[str, Any]]) -> float | None:
    """Return the delay of google.rpc.RetryInfo, seconds: it is in the body, not in a header."""
    for detail in details:
        if found := _SECONDS.fullmatch(str(detail.get("retryDelay"))):
            return float(found[1])
    return None


def _of_pictures(told: Mapping[str, Any], name: str) -> int | None:
    if not isinstance(told.get(name), list):
        return None
    counts = [
        count_in(each, "tokenCount")
        for each in list_in(told, name)
        if each.get("modality") == "IMAGE"
    ]
    return None if None in counts else sum(count or 0 for count in counts)


def _word(told: object) -> str | None:
    """Return a code that may be shown: anything may stand where a code should."""
    return told if isinstance(told, str) and _WORD.fullmatch(told) else None
