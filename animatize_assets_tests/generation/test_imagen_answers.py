from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from animatize_assets.errors import FAILURE_KINDS
from animatize_assets.generation.catalogue import cost_of, load_catalogue
from animatize_assets.generation.http_exchange import Answer
from animatize_assets.generation.imagen_answers import (
    error_of,
    pictures_in,
    response_id,
    usage_in,
    without_picture,
)

MODEL = load_catalogue().default("imagen")

NAMES = [
    "candidates", "candidatesTokenCount", "candidatesTokensDetails", "content", "data", "details",
    "error", "finishReason", "inlineData", "modality", "parts", "promptFeedback", "blockReason",
    "promptTokenCount", "promptTokensDetails", "quotaId", "reason", "responseId", "retryDelay",
    "status", "thoughtsTokenCount", "tokenCount", "totalTokenCount", "usageMetadata", "violations",
    "@type", "thought",
]  # fmt: skip
WORDS = ["STOP", "SAFETY", "NO_IMAGE", "IMAGE", "TEXT", "API_KEY_INVALID", "37s", "PerDay", ""]

plain = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.sampled_from(WORDS)
)
anything = st.recursive(
    plain,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(NAMES), inner, max_size=5)
    ),
    max_leaves=25,
)
answers = st.dictionaries(st.sampled_from(NAMES), anything, max_size=6)


@given(answers)
def test_whatever_comes_means_something(said: dict[str, Any]) -> None:
    for picture in pictures_in(said):
        assert isinstance(picture, dict)
    usage = usage_in(said)
    assert (usage.output_image_tokens or 0) >= 0
    cost = cost_of(MODEL, usage)
    assert cost is None or 0 <= cost < 1e9
    refused = without_picture(said, MODEL)
    assert refused.kind in {"refused_content", "bad_output"}
    assert refused.billed_usd is None or refused.billed_usd >= 0
    assert response_id(said) is None or isinstance(response_id(said), str)


@given(st.integers(300, 599), st.one_of(anything, answers), st.booleans())
def test_whatever_error_comes_has_a_kind(status: int, said: object, listed: bool) -> None:
    content = json.dumps([said] if listed else said).encode()
    error = error_of(Answer(status, {}, content), MODEL)
    assert error.kind in FAILURE_KINDS
    assert error.retry_after_s is None or error.retry_after_s >= 0


@given(asked=st.integers(0, 5000), thought=st.integers(0, 5000), picture=st.sampled_from([0, 1120]))
def test_what_a_call_used_is_counted_once(asked: int, thought: int, picture: int) -> None:
    told = {
        "promptTokenCount": asked,
        "thoughtsTokenCount": thought,
        "candidatesTokenCount": picture,
        "totalTokenCount": asked + thought + picture,
        "candidatesTokensDetails": [{"modality": "IMAGE", "tokenCount": picture}],
    }
    usage = usage_in({"usageMetadata": told})
    assert usage.input_tokens == asked
    assert usage.output_tokens == thought + picture
    assert usage.output_image_tokens == picture
    whole = cost_of(MODEL, usage)
    assert whole is not None
    assert abs(whole - (1.5 * asked + 7.5 * thought + 30 * picture) / 1e6) < 1e-9
