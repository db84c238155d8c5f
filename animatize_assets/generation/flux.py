"""Pictures by the FLUX models of Black Forest Labs.

Belongs here: a request as the body of a task, its result as a picture. Does not belong here: the
conversation (``flux_tasks``), model ids, sizes and prices (``catalogue.yaml``), retries.
"""

from __future__ import annotations

import asyncio
import time
from base64 import b64encode
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from animatize_assets.errors import ProviderError
from animatize_assets.generation.catalogue import expected_cost, nearest_size
from animatize_assets.generation.flux_tasks import FluxTasks, Task
from animatize_assets.generation.models import Call, MadePicture, PictureRequest, Usage
from animatize_assets.generation.polling import Patience, Sleep
from animatize_assets.generation.source_image import encoded_source, size_of
from animatize_assets.generation.verification import media_type_of

if TYPE_CHECKING:
    from pydantic import SecretStr

    from animatize_assets.generation.catalogue import ProviderModel

BASE_URL = "https://api.bfl.ai"
"""The address for the whole world; https://api.eu.bfl.ai and https://api.us.bfl.ai stay there."""

ALLOWED_HOSTS = ("*.bfl.ai",)
"""Hosts that a task may be polled at with the key; the configured host always may."""


class FluxPictures:
    """Submits one task per picture, polls it and fetches the result before its address expires.

    ``make`` returns only when the task has ended, so whoever counts its calls counts active tasks,
    which is what the service limits. ``clock`` counts seconds and ``sleep`` waits for as many.

    Raises ``NotConfigured`` for an address that would send the key unencrypted.
    """

    name: str = "flux"

    def __init__(
        self,
        api_key: SecretStr,
        base_url: str | None,
        model: ProviderModel,
        *,
        allowed_hosts: Sequence[str] = ALLOWED_HOSTS,
        sleep: Sleep = asyncio.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._tasks = FluxTasks(api_key, base_url or BASE_URL, allowed_hosts)
        self._model = model
        self._sleep = sleep
        self._clock = clock

    def __repr__(self) -> str:
        return f"FluxPictures(model={self.model!r})"

    @property
    def model(self) -> str:
        """The provider model's id."""
        return self._model.model

    def expected_cost_usd(self, request: PictureRequest) -> float | None:
        """Return what the catalogue says that the picture costs; None when it has no price."""
        return expected_cost(self._model, request.width, request.height)

    async def close(self) -> None:
        """Close the connections."""
        await self._tasks.close()

    async def make(self, request: PictureRequest, call: Call) -> MadePicture:
        """Make the picture that ``request`` describes, or fetch the one that ``call`` resumes.

        Raises:
            ProviderError: it was not delivered; its kind says what may follow.

        """
        patience = Patience(call.timeout_s, clock=self._clock, sleep=self._sleep)
        task = Task.resumed(call.resume or {})
        if task is None:
            body = await asyncio.to_thread(self._body, request)
            task = await self._tasks.submit(self.model, body, patience)
            if task.cost_usd is None:
                task = replace(task, cost_usd=self.expected_cost_usd(request))
            call.note_remote(task.id, task.resume)
        delivered = await self._tasks.deliver(task, patience)
        return self._made(delivered.content, delivered.seed, request, task)

    def _body(self, request: PictureRequest) -> dict[str, Any]:
        """Return the task: only what the catalogue says that the model takes."""
        takes = self._model.takes
        width, height = nearest_size(self._model, request.width, request.height)
        # PNG: the picture is judged, graded and encoded again afterwards.
        body: dict[str, Any] = {"prompt": request.prompt.positive, "output_format": "png"}
        if self._by_aspect:
            body["aspect_ratio"] = _ratio(width, height)
        else:
            body |= {"width": width, "height": height}
        if takes.seed:
            body["seed"] = request.seed
        if takes.input_image and request.with_source:
            source = encoded_source(request.source, width=width, height=height, form="JPEG")
            body["input_image"] = b64encode(source).decode("ascii")
        return body

    @property
    def _by_aspect(self) -> bool:
        return self._model.sizes.rule == "aspect_ratios"

    def _made(
        self, content: bytes, seed: int | None, request: PictureRequest, task: Task
    ) -> MadePicture:
        media_type, size = media_type_of(content), size_of(content)
        if media_type is None or size is None:
            raise ProviderError(
                "flux delivered a file that is no readable PNG, JPEG or WebP picture.",
                kind="bad_output",
                remote_id=task.id,
                billed_usd=task.cost_usd,
            )
        asked = nearest_size(self._model, request.width, request.height)
        takes_seed = self._model.takes.seed
        return MadePicture(
            content=content,
            media_type=media_type,
            width=size[0],
            height=size[1],
            provider=self.name,
            model=self.model,
            seed=(request.seed if seed is None else seed) if takes_seed else None,
            cost_usd=task.cost_usd,
            asked_size=asked,
            aspect_only=self._by_aspect,
            usage=Usage(images=1, megapixels=size[0] * size[1] / 1e6),
            remote_id=task.id,
            notes=tuple(self._notes(request, asked)),
        )

    def _notes(self, request: PictureRequest, asked: tuple[int, int]) -> list[str]:
        notes = []
        if request.prompt.negative and not self._model.takes.negative:
            notes.append(f"{self.model} takes no negative prompt.")
        if asked != (request.width, request.height):
            what = f"{asked[0]}x{asked[1]} px"
            if self._by_aspect:
                what = f"the aspect ratio {_ratio(*asked)}, in a number of pixels of its own choice"
            notes.append(f"The nearest that {self.model} makes is {what}.")
        if request.with_source and not self._model.takes.input_image:
            notes.append(f"{self.model} takes no input image: the picture is made from text alone.")
        return notes


def _ratio(width: int, height: int) -> str:
    from math import gcd

    common = gcd(width, height)
    return f"{width // common}:{height // common}"
