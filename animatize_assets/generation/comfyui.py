"""Pictures by a ComfyUI server of the user's own, with any workflow.

The prompt's id is ours: a random UUID that is noted before anything is sent. So a lost answer loses
nothing: the server is asked whether it knows the id, and a process that was killed finds its
picture again. The history and the queue are the truth; the websocket only says when to look.

Belongs here: a request as a filled workflow, its result as a picture. Does not belong here:
workflows (``comfyui_workflow``), the conversation (``comfyui_server``), retries.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from uuid import uuid4

from animatize_assets.errors import ProviderError
from animatize_assets.generation.comfyui_events import Progress
from animatize_assets.generation.comfyui_outcome import files_of, rejection
from animatize_assets.generation.comfyui_server import ComfyUIServer, StillWorking
from animatize_assets.generation.comfyui_workflow import Workflow
from animatize_assets.generation.models import Call, MadePicture, PictureRequest
from animatize_assets.generation.polling import Patience, Sleep
from animatize_assets.generation.source_image import encoded_source, size_of
from animatize_assets.generation.verification import media_type_of

_log = logging.getLogger(__name__)

CALL_OFF_S = 5.0
"""Time for telling the server that a picture is no longer wanted."""


def _log_progress(progress: Progress) -> None:
    _log.debug("ComfyUI: node %s, %s done.", progress.node, progress.share)


def _random_id() -> str:
    """Return a canonical UUID: newer servers accept no other id."""
    return str(uuid4())


class ComfyUIPictures:
    """Fills in the workflow's slots, submits it and fetches the first picture that it keeps.

    ``size_multiple``: both sides are rounded to a multiple of it; default: the workflow's own.
    ``clock`` counts seconds and ``sleep`` waits for as many.
    """

    name: str = "comfyui"

    def __init__(
        self,
        base_url: str,
        workflow: Workflow,
        *,
        size_multiple: int | None = None,
        on_progress: Callable[[Progress], None] = _log_progress,
        new_id: Callable[[], str] = _random_id,
        sleep: Sleep = asyncio.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._server = ComfyUIServer(base_url)
        self._workflow = workflow
        self._multiple = size_multiple or workflow.size_multiple
        self._on_progress = on_progress
        self._new_id = new_id
        self._sleep = sleep
        self._clock = clock

    def __repr__(self) -> str:
        return f"ComfyUIPictures(host={self._server.host!r}, model={self.model!r})"

    @property
    def model(self) -> str:
        """The workflow's name and a hash of its content: another workflow is another model."""
        return f"{self._workflow.name}-{self._workflow.digest}"

    def expected_cost_usd(self, request: PictureRequest) -> float:  # noqa: ARG002 - own hardware
        """Return 0.0: the server is the user's own."""
        return 0.0

    async def close(self) -> None:
        """Close the connections."""
        await self._server.close()

    async def make(self, request: PictureRequest, call: Call) -> MadePicture:
        """Make the picture that ``request`` describes, or fetch the one that ``call`` resumes.

        When it is cancelled or out of time, our own prompt is taken back, and no other.

        Raises:
            ProviderError: it was not delivered; its kind says what may follow.

        """
        resumed = (call.resume or {}).get("prompt_id")
        prompt_id = resumed or self._new_id()
        if resumed is None:
            call.note_remote(prompt_id, {"prompt_id": prompt_id})
        patience, woken = self._patience(call.timeout_s), asyncio.Event()
        listening = asyncio.ensure_future(self._server.listen(prompt_id, woken, self._on_progress))
        try:
            # After a restart of the server nobody knows the id: it is submitted under it again.
            if resumed is None or not await self._server.knows(prompt_id, patience):
                prompt_id = await self._submitted(request, call, prompt_id, patience)
            entry = await self._server.ended(prompt_id, patience, woken)
            files = files_of(entry, prompt_id)
            content = await self._server.fetch(files[0], prompt_id, patience)
            return self._made(content, request, prompt_id, len(files))
        except StillWorking:
            await self._call_off(prompt_id)
            raise ProviderError(
                f"The ComfyUI server made no picture within {call.timeout_s:.0f} s; allow it more "
                "time or give it a lighter workflow.",
                kind="transient",
                remote_id=prompt_id,
            ) from None
        except asyncio.CancelledError:
            await self._call_off(prompt_id)
            raise
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)

    async def _submitted(
        self, request: PictureRequest, call: Call, prompt_id: str, patience: Patience
    ) -> str:
        """Submit the filled workflow and return the id under which the server knows it."""
        width, height = self._size(request)
        values: dict[str, str | int] = {
            "prompt": request.prompt.positive,
            "negative": request.prompt.negative or "",
            "seed": request.seed,
            "width": width,
            "height": height,
        }
        if "image" in self._workflow.slots:
            source = await asyncio.to_thread(
                encoded_source, request.source, width=width, height=height, form="PNG"
            )
            values["image"] = await self._server.upload(source, prompt_id, patience)
        graph = self._workflow.filled(values, file_mark=prompt_id[:8])
        said = await self._server.submit(graph, prompt_id, patience)
        if said is None:
            return prompt_id
        theirs = str(said["prompt_id"])
        if theirs != prompt_id:  # an old server gives ids of its own
            call.note_remote(theirs, {"prompt_id": theirs})
        if said.get("node_errors"):
            await self._call_off(theirs)  # it would run without the part that is not valid
            raise rejection(said)
        return theirs

    def _made(
        self, content: bytes, request: PictureRequest, prompt_id: str, pictures: int
    ) -> MadePicture:
        media_type, size = media_type_of(content), size_of(content)
        if media_type is None or size is None:
            raise ProviderError(
                "The ComfyUI server gave a file that is no readable PNG, JPEG or WebP picture.",
                kind="bad_output",
                remote_id=prompt_id,
            )
        return MadePicture(
            content=content,
            media_type=media_type,
            width=size[0],
            height=size[1],
            provider=self.name,
            model=self.model,
            seed=request.seed if "seed" in self._workflow.slots else None,
            cost_usd=0.0,
            asked_size=self._size(request) if self._workflow.takes_size else size,
            remote_id=prompt_id,
            notes=tuple(self._notes(request, size, pictures)),
        )

    def _notes(self, request: PictureRequest, size: tuple[int, int], pictures: int) -> list[str]:
        slots, notes = self._workflow.slots, []
        if "prompt" not in slots:
            notes.append("The workflow takes no prompt.")
        if request.prompt.negative and "negative" not in slots:
            notes.append("The workflow takes no negative prompt.")
        if "seed" not in slots:
            notes.append("The workflow takes no seed.")
        asked = (request.width, request.height)
        if not self._workflow.takes_size and size != asked:
            notes.append(f"The workflow chose {size[0]}x{size[1]} px, not {asked[0]}x{asked[1]}.")
        elif self._workflow.takes_size and self._size(request) != asked:
            notes.append(f"The nearest size that the workflow makes is {size[0]}x{size[1]} px.")
        if pictures > 1:
            notes.append(f"The workflow made {pictures} pictures; the first one is kept.")
        return notes

    def _size(self, request: PictureRequest) -> tuple[int, int]:
        """Round the asked sides to what the workflow makes, px."""
        step = self._multiple
        width, height = (
            max(step, round(side / step) * step) for side in (request.width, request.height)
        )
        return width, height

    async def _call_off(self, prompt_id: str) -> None:
        # Shielded: whoever cancels twice must not leave the work running.
        await asyncio.shield(self._server.call_off(prompt_id, self._patience(CALL_OFF_S)))

    def _patience(self, seconds: float) -> Patience:
        return Patience(seconds, clock=self._clock, sleep=self._sleep)
