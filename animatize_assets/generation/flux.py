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
from datetime import timedelta
from math import prod
from typing import TYPE_CHECKING, Any

from animatize_assets.generation.catalogue import expected_cost, nearest_size
from animatize_assets.generation.flux_answers import Task
from animatize_assets.generation.flux_tasks import FluxTasks
from animatize_assets.generation.models import Call, MadePicture, PictureRequest, Resume, Usage
from animatize_assets.generation.picture_call import notes_on, text_of
from animatize_assets.generation.polling import Patience, Sleep
from animatize_assets.generation.remembered import Remembered
from animatize_assets.generation.sizes import AspectRatios
from animatize_assets.generation.source_image import encoded_source, sent_size

if TYPE_CHECKING:
    from pydantic import SecretStr

    from animatize_assets.generation.catalogue import ProviderModel

BASE_URL = "https://api.bfl.ai"
"""The address for the whole world; https://api.eu.bfl.ai and https://api.us.bfl.ai stay there."""

ALLOWED_HOSTS = ("*.bfl.ai",)
"""Hosts that a task may be polled at with the key; the configured host always may."""

RESULTS_KEPT = timedelta(minutes=10)
"""How long a picture can be fetched once it is made. Source: docs.bfl.ai,
quick_start/generating_images (signed addresses are valid for 10 minutes). There is no list of an
account's tasks: one whose id was lost can be found by nobody."""

FETCH_S = 120.0
"""How long reconciliation waits for a picture that is still being made."""


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
        rows, columns = request.source.shape[:2]
        asked = nearest_size(self._model, request.width, request.height)
        return expected_cost(
            self._model,
            request.width,
            request.height,
            input_image=self._model.takes.input_image and request.with_source,
            input_pixels=prod(sent_size((columns, rows), asked)),
            characters=len(request.prompt.positive),
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._tasks.close()

    async def make(self, request: PictureRequest, call: Call) -> MadePicture:
        """Make the picture that ``request`` describes, or fetch the one that ``call`` resumes.

        Raises:
            ProviderError: it was not delivered; its kind says what may follow.

        """
        patience = Patience(call.timeout_s, clock=self._clock, sleep=self._sleep)
        if call.resume is not None:
            return await self._delivered(call.resume, patience)
        body = await asyncio.to_thread(self._body, request)
        task = await self._tasks.submit(self._model, body, patience)
        if task.cost_usd is None:
            task = replace(task, cost_usd=self.expected_cost_usd(request))
        resume = self._remembered(request).noted(**task.address)
        call.note_remote(task.id, resume)
        return await self._delivered(resume, patience)

    async def fetch(self, resume: Resume) -> MadePicture:
        """Fetch what an earlier call made, waiting for it if it is still being made.

        Raises:
            ProviderError: it ended without a picture, or (``ambiguous``) nobody could be asked.

        """
        return await self._delivered(
            resume, Patience(FETCH_S, clock=self._clock, sleep=self._sleep)
        )

    async def _delivered(self, resume: Resume, patience: Patience) -> MadePicture:
        """Wait for a submitted task and fetch its picture."""
        asked, task = Remembered.of(resume), Task.at(resume)
        delivered = await self._tasks.deliver(task, patience)
        return asked.made(
            delivered.content,
            remote_id=task.id,
            cost_usd=task.cost_usd,
            seed=delivered.seed,
            usage=Usage(images=1),
        )

    def _body(self, request: PictureRequest) -> dict[str, Any]:
        """Return the task: only what the catalogue says that the model takes."""
        takes = self._model.takes
        width, height = nearest_size(self._model, request.width, request.height)
        # PNG: the picture is judged, graded and encoded again afterwards.
        text, _ = text_of(request.prompt, self._model.max_prompt_characters)
        body: dict[str, Any] = {"prompt": text, "output_format": "png"}
        ratio = self._ratio(request)
        body |= {"width": width, "height": height} if ratio is None else {"aspect_ratio": ratio}
        if takes.seed:
            body["seed"] = request.seed
        if takes.input_image and request.with_source:
            source = encoded_source(request.source, width=width, height=height, form="JPEG")
            body["input_image"] = b64encode(source).decode("ascii")
        return body

    def _ratio(self, request: PictureRequest) -> str | None:
        """Return the aspect ratio to ask for; None of a model that takes width and height."""
        sizes = self._model.sizes
        if not isinstance(sizes, AspectRatios):
            return None
        return sizes.choice((request.width, request.height))[0]

    def _remembered(self, request: PictureRequest) -> Remembered:
        asked = nearest_size(self._model, request.width, request.height)
        return Remembered(
            provider=self.name,
            model=self.model,
            seed=request.seed if self._model.takes.seed else None,
            asked_size=asked,
            aspect_only=self._ratio(request) is not None,
            notes=tuple(self._notes(request, asked)),
        )

    def _notes(self, request: PictureRequest, asked: tuple[int, int]) -> list[str]:
        _, notes = text_of(request.prompt, self._model.max_prompt_characters)
        other = None if asked == (request.width, request.height) else asked
        left_out = request.with_source and not self._model.takes.input_image
        return [*notes, *notes_on(self._model, other, source_left_out=left_out)]
