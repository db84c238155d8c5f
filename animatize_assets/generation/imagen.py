"""Pictures by Google's image models, under the name that people know.

Imagen itself is shut down; Gemini's image models make the pictures now. Belongs here: one attempt,
from a request to a picture. Does not belong here: model ids, ratios and prices
(``catalogue.yaml``), what an answer means (``imagen_answers``), asking again.
"""

from __future__ import annotations

import asyncio
from base64 import b64encode
from typing import TYPE_CHECKING, Any

from animatize_assets.errors import NotConfigured, ProviderError
from animatize_assets.generation.catalogue import cost_of, expected_cost, nearest_size
from animatize_assets.generation.http_answers import SUCCESS, kind_of_status
from animatize_assets.generation.http_exchange import Answer, HttpExchange, Unanswered
from animatize_assets.generation.imagen_answers import (
    error_of,
    pictures_in,
    response_id,
    usage_in,
    without_picture,
)
from animatize_assets.generation.models import Call, MadePicture, PictureRequest
from animatize_assets.generation.picture_call import (
    address_of,
    json_of,
    key_of,
    made_from,
    notes_on,
    text_of,
)
from animatize_assets.generation.sizes import AspectRatios
from animatize_assets.generation.source_image import encoded_source

if TYPE_CHECKING:
    from pydantic import SecretStr

    from animatize_assets.generation.catalogue import ProviderModel

BASE_URL = "https://generativelanguage.googleapis.com"

KEY_HEADER = "x-goog-api-key"
"""Never as a parameter of the address: addresses are logged on the way."""


class ImagenPictures:
    """Makes a picture from words, and from the source image where the model takes one.

    It is asked for an aspect ratio and a resolution class; the pixels are the model's choice.
    Raises ``NotConfigured`` for a key that cannot be one, an address without encryption, and a
    model that is not asked by aspect ratio.
    """

    name: str = "imagen"

    def __init__(self, api_key: SecretStr, base_url: str | None, model: ProviderModel) -> None:
        if not isinstance(model.sizes, AspectRatios):
            raise NotConfigured(
                f"Model '{model.model}' cannot be used by imagen: the catalogue gives it no aspect "
                "ratios."
            )
        self._key = key_of(api_key, self.name)
        self._base_url = address_of(base_url or BASE_URL, self.name)
        self._model = model
        self._sizes = model.sizes
        self._http = HttpExchange()

    def __repr__(self) -> str:
        return f"ImagenPictures(model={self.model!r})"

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
            input_image=self._sends_source(request),
            characters=len(self._text(request)[0]),
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._http.close()

    async def make(self, request: PictureRequest, call: Call) -> MadePicture:
        """Make the picture that ``request`` describes, in one call.

        Raises:
            ProviderError: it was not delivered; its kind says what may follow.

        """
        loop = asyncio.get_running_loop()
        ends_at = loop.time() + call.timeout_s
        body = await asyncio.to_thread(self._body, request)
        try:
            answer = await self._http.post(
                f"{self._base_url}/v1beta/models/{self.model}:generateContent",
                timeout_s=ends_at - loop.time(),
                headers={KEY_HEADER: self._key},
                json_body=body,
            )
        except Unanswered as error:
            raise _unanswered(error) from error
        if kind_of_status(answer.status) != SUCCESS:
            raise error_of(answer, self._model)
        return await asyncio.to_thread(self._made, answer, request)

    def _body(self, request: PictureRequest) -> dict[str, Any]:
        ratio, resolution = self._sizes.choice((request.width, request.height))
        parts: list[dict[str, Any]] = [{"text": self._text(request)[0]}]
        if self._sends_source(request):
            width, height = self._asked(request)
            source = encoded_source(request.source, width=width, height=height, form="JPEG")
            encoded = b64encode(source).decode("ascii")
            parts.append({"inlineData": {"mimeType": "image/jpeg", "data": encoded}})
        image = {"aspectRatio": ratio}
        if len(self._sizes.resolutions) > 1:  # models with one class do not know the parameter
            image["imageSize"] = resolution
        return {
            "contents": [{"role": "user", "parts": parts}],
            "generationConfig": {"responseModalities": ["TEXT", "IMAGE"], "imageConfig": image},
        }

    def _made(self, answer: Answer, request: PictureRequest) -> MadePicture:
        said = json_of(answer.content)
        if said is None:
            raise ProviderError(
                "imagen answered with something that is not its protocol.",
                kind="bad_output",
                billed_usd=None,
            )
        pictures = pictures_in(said)
        if not pictures:
            raise without_picture(said, self._model)
        usage, asked = usage_in(said), self._asked(request)
        ratio, resolution = self._sizes.choice((request.width, request.height))
        left_out = request.with_source and not self._sends_source(request)
        notes = notes_on(self._model, None, source_left_out=left_out)
        return made_from(
            pictures[0].get("data"),
            model=self._model,
            asked=asked,
            aspect_only=True,
            cost_usd=cost_of(self._model, usage),
            usage=usage,
            remote_id=response_id(said),
            notes=[
                *self._text(request)[1],
                f"{self.model} was asked for {ratio} in {resolution}; the pixels are its choice.",
                *notes,
            ],
        )

    def _asked(self, request: PictureRequest) -> tuple[int, int]:
        return nearest_size(self._model, request.width, request.height)

    def _text(self, request: PictureRequest) -> tuple[str, list[str]]:
        return text_of(request.prompt, self._model.max_prompt_characters)

    def _sends_source(self, request: PictureRequest) -> bool:
        return self._model.takes.input_image and request.with_source


def _unanswered(error: Unanswered) -> ProviderError:
    if not error.sent:
        return ProviderError(f"imagen cannot be reached: {error.reason}.", kind="transient")
    return ProviderError(
        f"imagen was asked and its answer was lost: {error.reason}; the picture may have been made "
        "and billed.",
        kind="ambiguous",
        billed_usd=None,
    )
