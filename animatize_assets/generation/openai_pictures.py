"""Pictures by OpenAI's image models, with the SDK.

Belongs here: one attempt, from a request to a picture. Does not belong here: model ids, sizes and
prices (``catalogue.yaml``), what a failure means (``openai_failures``), asking again.
"""

from __future__ import annotations

import asyncio
import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from animatize_assets.errors import ProviderError
from animatize_assets.generation.catalogue import cost_of, expected_cost, nearest_size
from animatize_assets.generation.http_exchange import CONNECT_S, KEEP_ALIVE_S, MAX_ANSWER_BYTES
from animatize_assets.generation.models import Call, MadePicture, PictureRequest, Usage
from animatize_assets.generation.openai_failures import failure_of
from animatize_assets.generation.picture_call import (
    address_of,
    count_in,
    json_of,
    key_of,
    list_in,
    made_from,
    notes_on,
    part_of,
    text_of,
)
from animatize_assets.generation.remembered import Remembered
from animatize_assets.generation.source_image import encoded_source

if TYPE_CHECKING:
    from collections.abc import Mapping

    import openai
    from pydantic import SecretStr

    from animatize_assets.generation.catalogue import ProviderModel

BASE_URL = "https://api.openai.com/v1"


@dataclass(frozen=True)
class BatchLine:
    """One call of a batch."""

    endpoint: Literal["/v1/images/generations", "/v1/images/edits"]
    body: dict[str, Any]
    remembered: Remembered
    """What is true of the picture, whenever it comes."""


@dataclass(frozen=True)
class _Answer:
    content: bytes
    request_id: str | None


class OpenAIPictures:
    """Makes a picture from words, or from words and the source image.

    ``edit``: whether the source is sent when a request has it and the model takes it.
    Raises ``NotConfigured`` for a key that cannot be one, and for an address without encryption.
    """

    name: str = "openai"

    def __init__(
        self, api_key: SecretStr, base_url: str | None, model: ProviderModel, edit: bool
    ) -> None:
        self._key = key_of(api_key, self.name)
        self._base_url = address_of(base_url or BASE_URL, self.name)
        self._model = model
        self._edit = edit and model.takes.input_image
        self._client: openai.AsyncOpenAI | None = None
        self._opening = asyncio.Lock()

    def __repr__(self) -> str:
        return f"OpenAIPictures(model={self.model!r}, edit={self._edit})"

    @property
    def model(self) -> str:
        """The provider model's id."""
        return self._model.model

    def expected_cost_usd(self, request: PictureRequest) -> float | None:
        """Return what the picture costs at most by the catalogue; None when it does not tell."""
        return expected_cost(
            self._model,
            request.width,
            request.height,
            input_image=self._edit and request.with_source,
            characters=len(self._text(request)[0]),
        )

    async def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            await self._client.close()
            self._client = None

    def batch_line(self, request: PictureRequest) -> BatchLine:
        """Return the call that :meth:`make` would make as a line of a batch.

        A batch is JSON throughout, so the source travels as a data URL.
        """
        body = self._parameters(request)
        width, height = nearest_size(self._model, request.width, request.height)
        remembered = Remembered(
            provider=self.name,
            model=self.model,
            seed=None,
            asked_size=(width, height),
            notes=(*self._text(request)[1], *self._notes(request)),
        )
        source = body.pop("image", None)
        if source is None:
            return BatchLine("/v1/images/generations", body, remembered)
        _, content, media_type = source
        encoded = base64.b64encode(content).decode()
        body["images"] = [{"image_url": f"data:{media_type};base64,{encoded}"}]
        return BatchLine("/v1/images/edits", body, remembered)

    async def make(self, request: PictureRequest, call: Call) -> MadePicture:
        """Make the picture that ``request`` describes, in one call.

        Raises:
            ProviderError: it was not delivered; its kind says what may follow.

        """
        # Neither is part of the call: nothing is sent yet, and a slow start is no lost answer.
        client = await self._opened()
        parameters = await asyncio.to_thread(self._parameters, request)
        outcome = await self._asked(client, parameters, call.timeout_s)
        if isinstance(outcome, ProviderError):
            raise outcome  # here, where no exception of the SDK hangs on to it
        return await asyncio.to_thread(self._made, outcome, request)

    def _parameters(self, request: PictureRequest) -> dict[str, Any]:
        width, height = nearest_size(self._model, request.width, request.height)
        parameters: dict[str, Any] = {
            "model": self.model,
            "prompt": self._text(request)[0],
            "size": f"{width}x{height}",
            "n": 1,
            "background": "opaque",
            "output_format": "png",
        }
        if self._model.quality is not None:
            parameters["quality"] = self._model.quality
        if self._edit and request.with_source:
            source = encoded_source(request.source, width=width, height=height, form="PNG")
            parameters["image"] = ("source.png", source, "image/png")
        return parameters

    def _text(self, request: PictureRequest) -> tuple[str, list[str]]:
        return text_of(request.prompt, self._model.max_prompt_characters)

    async def _asked(
        self, client: openai.AsyncOpenAI, parameters: Mapping[str, Any], timeout_s: float
    ) -> _Answer | ProviderError:
        import httpx2
        import openai

        images = client.images.with_streaming_response
        ask = images.edit if "image" in parameters else images.generate
        limit = httpx2.Timeout(timeout_s, connect=min(CONNECT_S, timeout_s))
        try:
            async with (
                asyncio.timeout(timeout_s),
                ask(**parameters, timeout=limit) as response,
            ):
                content = bytearray()
                async for piece in response.iter_bytes():
                    content += piece
                    if len(content) > MAX_ANSWER_BYTES:
                        return _too_long(response.headers.get("x-request-id"))
                return _Answer(bytes(content), response.headers.get("x-request-id"))
        except (openai.OpenAIError, httpx2.HTTPError, httpx2.InvalidURL, TimeoutError) as error:
            return failure_of(error, model=self.model, successor=self._model.successor)

    async def _opened(self) -> openai.AsyncOpenAI:
        """Return the client; the SDK takes seconds to import, which holds up no other call."""
        async with self._opening:
            if self._client is None:
                self._client = await asyncio.to_thread(_client, self._key, self._base_url)
            return self._client

    def _made(self, answer: _Answer, request: PictureRequest) -> MadePicture:
        said = json_of(answer.content)
        if said is None:
            raise ProviderError(
                "openai answered with something that is not its protocol.",
                kind="bad_output",
                remote_id=answer.request_id,
                billed_usd=None,
            )
        usage = usage_of(said)
        asked = nearest_size(self._model, request.width, request.height)
        pictures = list_in(said, "data")
        return made_from(
            pictures[0].get("b64_json") if pictures else None,
            model=self._model,
            asked=asked,
            aspect_only=False,
            cost_usd=cost_of(self._model, usage),
            usage=usage,
            remote_id=answer.request_id,
            notes=[*self._text(request)[1], *self._notes(request)],
        )

    def _notes(self, request: PictureRequest) -> list[str]:
        asked = nearest_size(self._model, request.width, request.height)
        other = None if asked == (request.width, request.height) else asked
        left_out = request.with_source and not self._edit
        return notes_on(self._model, other, source_left_out=left_out)


def _client(key: str, base_url: str) -> openai.AsyncOpenAI:
    import httpx2
    import openai

    return openai.AsyncOpenAI(
        api_key=key,
        base_url=base_url,
        max_retries=0,  # one place asks again: the router
        http_client=openai.DefaultAsyncHttpxClient(
            follow_redirects=False,  # a key must not travel to a host that nobody named
            limits=httpx2.Limits(max_connections=None, keepalive_expiry=KEEP_ALIVE_S),
        ),
    )


def usage_of(said: Mapping[str, Any]) -> Usage:
    """Return what an answer says that it used up."""
    told = part_of(said, "usage")
    asked, answered = part_of(told, "input_tokens_details"), part_of(told, "output_tokens_details")
    return Usage(
        input_tokens=count_in(told, "input_tokens"),
        input_image_tokens=count_in(asked, "image_tokens"),
        cached_tokens=count_in(asked, "cached_tokens"),
        output_tokens=count_in(told, "output_tokens"),
        output_image_tokens=count_in(answered, "image_tokens"),
        images=len(list_in(said, "data")),
    )


def _too_long(request_id: str | None) -> ProviderError:
    return ProviderError(
        f"openai's answer is longer than {MAX_ANSWER_BYTES} bytes; it was not read to its end.",
        kind="bad_output",
        remote_id=request_id,
        billed_usd=None,
    )
