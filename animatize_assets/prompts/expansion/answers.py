"""What a language model answered, online or in a batch, read defensively.

Belongs here: from the JSON of a chat completion to a record. Does not belong here: judging the text
(``checking``), transport.
"""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field

from animatize_assets.errors import ProviderError
from animatize_assets.prompts.expansion.text_models import TextModel, TextUsage, cost_usd, usage_of
from animatize_assets.records import Record


class TextAnswer(Record):
    """One answered and paid call."""

    content: str | None = Field(description="the message; None when the model said nothing")
    refused: bool = Field(description="whether the model, or its filter, would not answer")
    cut: bool = Field(default=False, description="whether the bound of tokens ended the message")
    usage: TextUsage | None
    cost_usd: float | None = Field(description="None = not known")
    remote_id: str | None
    system_fingerprint: str | None = None
    temperature: float | None = Field(default=None, description="as sent; None = not sent")
    seed: int | None = Field(default=None, description="as sent; None = not sent")
    dropped_parameters: tuple[str, ...] = ()
    batch: bool = False
    kept: bool = Field(default=False, description="whether an earlier call paid for it")


def read_answer(
    completion: object, model: TextModel, body: Mapping[str, object], *, share: float, batch: bool
) -> TextAnswer:
    """Read a chat completion. ``body``: of the request as it was sent; ``share``: of the price.

    Raises:
        ProviderError: ``bad_output``, as it is no chat completion; what it cost is not known.

    """
    told = completion if isinstance(completion, Mapping) else {}
    choices = told.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    message = choice.get("message") if isinstance(choice, Mapping) else None
    if not isinstance(choice, Mapping) or not isinstance(message, Mapping):
        raise ProviderError(
            f"What {model.name} answered is no chat completion; see that the address speaks "
            "OpenAI's protocol.",
            kind="bad_output",
            billed_usd=None,
        )
    usage = usage_of(told.get("usage"))
    reason = choice.get("finish_reason")
    temperature, seed = body.get("temperature"), body.get("seed")
    return TextAnswer(
        content=_text(message.get("content")),
        refused=bool(message.get("refusal")) or reason == "content_filter",
        cut=reason == "length",
        usage=usage,
        cost_usd=cost_usd(model, usage, share=share),
        remote_id=_text(told.get("id")),
        system_fingerprint=_text(told.get("system_fingerprint")),
        temperature=float(temperature) if isinstance(temperature, (int, float)) else None,
        seed=seed if isinstance(seed, int) else None,
        batch=batch,
    )


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
