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
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from uuid import uuid4

from animatize_assets.errors import ProviderError
from animatize_assets.generation.comfyui_events import Progress
from animatize_assets.generation.comfyui_outcome import files_of, rejection
from animatize_assets.generation.comfyui_server import ComfyUIServer, StillWorking
from animatize_assets.generation.comfyui_workflow import Workflow
from animatize_assets.generation.models import Call, MadePicture, PictureRequest, Resume
from animatize_assets.generation.polling import Patience, Sleep
from animatize_assets.generation.remembered import Remembered
from animatize_assets.generation.source_image import encoded_source

_log = logging.getLogger(__name__)

CALL_OFF_S = 5.0
"""Time for telling the server that a picture is no longer wanted."""

FETCH_S = 300.0
"""How long reconciliation waits for a picture that is still being made."""


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
        patience = Patience(call.timeout_s, clock=self._clock, sleep=self._sleep)
        if call.resume is None:
            prompt_id, asked = self._new_id(), self._remembered(request)
            call.note_remote(prompt_id, asked.noted(prompt_id=prompt_id))
        else:
            asked, prompt_id = Remembered.of(call.resume), call.resume["prompt_id"]
        async with self._listening(prompt_id) as woken:
            try:
                # After a restart of the server nobody knows the id: it is submitted under it again.
                if call.resume is None or not await self._server.knows(prompt_id, patience):
                    prompt_id = await self._submitted(request, call, prompt_id, patience)
                return await self._delivered(prompt_id, asked, patience, woken)
            except StillWorking:
                await self._call_off(prompt_id)
                raise ProviderError(
                    f"The ComfyUI server made no picture within {call.timeout_s:.0f} s; allow it "
                    "more time or give it a lighter workflow.",
                    kind="transient",
                    remote_id=prompt_id,
                ) from None
            except asyncio.CancelledError:
                await self._call_off(prompt_id)
                raise

    async def fetch(self, resume: Resume) -> MadePicture | None:
        """Fetch what an earlier call made, waiting for it if it is still being made.

        None: the server does not know it, or was kept from finishing it; it cost nothing.

        Raises:
            ProviderError: it failed for good, or (``ambiguous``) the server could not be asked.

        """
        asked, prompt_id = Remembered.of(resume), resume["prompt_id"]
        patience = Patience(FETCH_S, clock=self._clock, sleep=self._sleep)
        async with self._listening(prompt_id) as woken:
            try:
                if not await self._server.knows(prompt_id, patience):
                    return None
                return await self._delivered(prompt_id, asked, patience, woken)
            except StillWorking:
                raise ProviderError(
                    f"The ComfyUI server still works on the picture after {FETCH_S:.0f} s.",
                    kind="ambiguous",
                    remote_id=prompt_id,
                    billed_usd=None,
                ) from None
            except ProviderError as error:
                if error.kind == "transient":
                    return None
                raise

    @asynccontextmanager
    async def _listening(self, prompt_id: str) -> AsyncIterator[asyncio.Event]:
        """Listen to the server's events meanwhile; gives what is set when the prompt has ended."""
        woken = asyncio.Event()
        listening = asyncio.ensure_future(self._server.listen(prompt_id, woken, self._on_progress))
        try:
            yield woken
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)

    async def _delivered(
        self, prompt_id: str, asked: Remembered, patience: Patience, woken: asyncio.Event
    ) -> MadePicture:
        """Wait for a submitted prompt and fetch its first picture."""
        entry = await self._server.ended(prompt_id, patience, woken)
        files = files_of(entry, prompt_id)
        content = await self._server.fetch(files[0], prompt_id, patience)
        notes = []
        if asked.asked_size is None:
            notes.append("The workflow chose the size.")
        if len(files) > 1:
            notes.append(f"The workflow made {len(files)} pictures; the first one is kept.")
        return asked.made(content, remote_id=prompt_id, cost_usd=0.0, notes=tuple(notes))

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
            call.note_remote(theirs, self._remembered(request).noted(prompt_id=theirs))
        if said.get("node_errors"):
            await self._call_off(theirs)  # it would run without the part that is not valid
            raise rejection(said)
        return theirs

    def _remembered(self, request: PictureRequest) -> Remembered:
        slots, notes = self._workflow.slots, []
        size = self._size(request)
        if "prompt" not in slots:
            notes.append("The workflow takes no prompt.")
        if request.prompt.negative and "negative" not in slots:
            notes.append("The workflow takes no negative prompt.")
        if "seed" not in slots:
            notes.append("The workflow takes no seed.")
        if self._workflow.takes_size and size != (request.width, request.height):
            notes.append(f"The nearest size that the workflow makes is {size[0]}x{size[1]} px.")
        return Remembered(
            provider=self.name,
            model=self.model,
            seed=request.seed if "seed" in slots else None,
            asked_size=size if self._workflow.takes_size else None,
            notes=tuple(notes),
        )

    def _size(self, request: PictureRequest) -> tuple[int, int]:
        """Round the asked sides to what the workflow makes, px."""
        step = self._multiple
        width, height = (
            max(step, round(side / step) * step) for side in (request.width, request.height)
        )
        return width, height

    async def _call_off(self, prompt_id: str) -> None:
        # Shielded: whoever cancels twice must not leave the work running.
        patience = Patience(CALL_OFF_S, clock=self._clock, sleep=self._sleep)
        await asyncio.shield(self._server.call_off(prompt_id, patience))
