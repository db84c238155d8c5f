"""The conversation with a ComfyUI server about one prompt.

Belongs here: asking, and waiting until there is an answer. Does not belong here: what is asked for
and what is made of it (``comfyui``), what the answers mean (``comfyui_outcome``).
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

from animatize_assets.errors import ProviderError
from animatize_assets.generation.comfyui_events import Progress, listen
from animatize_assets.generation.comfyui_outcome import (
    OutputFile,
    finished,
    is_queued,
    refusal,
)
from animatize_assets.generation.http_exchange import Answer, HttpExchange, Unanswered
from animatize_assets.generation.polling import Patience
from animatize_assets.generation.verification import media_type_of
from animatize_assets.telemetry.tracing import TRACEPARENT, current_traceparent

_log = logging.getLogger(__name__)

LOST_AFTER_LOOKS = 2
"""A prompt can move from the queue to the history between two questions, but not twice."""

TIMES_SUBMITTED = 2
"""A prompt whose answer was lost is sent once more: under the same id it cannot become two."""


class StillWorking(Exception):
    """The attempt's time is up, and the server has the prompt still."""


class ComfyUIServer:
    """One server. Every method raises ``ProviderError`` when the server does not play its part."""

    def __init__(self, base_url: str) -> None:
        self._base = base_url.rstrip("/")
        self._http = HttpExchange()

    @property
    def host(self) -> str | None:
        """The host alone: the address may hold a password."""
        return urlsplit(self._base).hostname

    async def close(self) -> None:
        """Close the connections."""
        await self._http.close()

    async def listen(
        self, prompt_id: str, woken: asyncio.Event, on_progress: Callable[[Progress], None]
    ) -> None:
        """Report progress for as long as the websocket holds."""
        scheme, _, rest = self._base.partition("://")
        await listen(
            self._http.session,
            f"{'wss' if scheme == 'https' else 'ws'}://{rest}/ws?clientId={prompt_id}",
            prompt_id,
            woken=woken,
            on_progress=on_progress,
        )

    async def upload(self, content: bytes, prompt_id: str, patience: Patience) -> str:
        """Upload a PNG and return the name under which a LoadImage node finds it."""
        import aiohttp

        form = aiohttp.FormData()
        # Named by its content: the same image is uploaded once, and no other is overwritten.
        name = f"animatize-{hashlib.sha256(content).hexdigest()[:24]}.png"
        form.add_field("image", content, filename=name, content_type="image/png")
        form.add_field("type", "input")
        form.add_field("overwrite", "false")
        try:
            answer = await self._post("/upload/image", patience, form=form)
        except Unanswered as error:
            raise _unreachable(error, prompt_id) from error
        if answer.status != 200:
            raise refusal(answer.status, answer.json_object(), prompt_id)
        said = answer.json_object()
        if not isinstance(said.get("name"), str):
            raise _not_comfyui(prompt_id)
        return "/".join(part for part in (said.get("subfolder"), said["name"]) if part)

    async def submit(
        self, graph: Mapping[str, Any], prompt_id: str, patience: Patience
    ) -> dict[str, Any] | None:
        """Submit a prompt and return the answer; None when it was lost and the server has it."""
        body: dict[str, Any] = {"prompt": graph, "client_id": prompt_id, "prompt_id": prompt_id}
        if (traceparent := current_traceparent()) is not None:
            # kept with the prompt in the server's history; its nodes see it as hidden input
            body["extra_data"] = {TRACEPARENT: traceparent}
        lost: Unanswered | None = None
        for _ in range(TIMES_SUBMITTED):
            try:
                answer = await self._post("/prompt", patience, json_body=body)
            except Unanswered as error:
                if not error.sent:
                    raise _unreachable(error, prompt_id) from error
                if await self.knows(prompt_id, patience):
                    return None
                lost = error
                continue
            if answer.status == 409:
                return None
            said = answer.json_object()
            if answer.status == 200 and isinstance(said.get("prompt_id"), str):
                return said
            unclear = answer.status == 200 or answer.status >= 500
            if unclear and await self.knows(prompt_id, patience):
                return None
            if answer.status == 200:
                raise _not_comfyui(prompt_id)
            raise refusal(answer.status, said, prompt_id)
        raise _unreachable(lost or Unanswered("no answer came", sent=True), prompt_id) from lost

    async def knows(self, prompt_id: str, patience: Patience) -> bool:
        """Whether the server has the prompt, done or not."""
        while True:
            try:
                entry, queued = await self._look(prompt_id, patience)
            except Unanswered as error:
                if not error.sent or patience.unheard() or patience.is_over:
                    raise _silent(error.reason, prompt_id) from error
                await patience.pause()
                continue
            patience.heard()
            return entry is not None or queued

    async def ended(
        self, prompt_id: str, patience: Patience, woken: asyncio.Event
    ) -> Mapping[str, Any]:
        """Wait until the prompt is done, well or not, and return the history's entry.

        Raises:
            StillWorking: it is not done in time.

        """
        unknown = 0
        while True:
            try:
                entry, queued = await self._look(prompt_id, patience)
                patience.heard()
                if entry is not None:
                    return entry
                unknown = 0 if queued else unknown + 1
                if unknown >= LOST_AFTER_LOOKS:
                    raise ProviderError(
                        "The ComfyUI server no longer knows the work; it was restarted or its "
                        "queue was cleared.",
                        kind="transient",
                        remote_id=prompt_id,
                    )
            except Unanswered as error:
                # One question that our own time limit cut short is no silence of the server.
                was_silent = patience.is_silent
                if patience.unheard() or (patience.is_over and was_silent):
                    raise _silent(error.reason, prompt_id) from error
            if patience.is_over:
                raise StillWorking
            await patience.pause(woken=woken)

    async def fetch(self, file: OutputFile, prompt_id: str, patience: Patience) -> bytes:
        """Return the bytes of a made file; they begin like those of a picture."""
        address = f"{self._base}/view?{urlencode(file.query)}"
        while True:
            try:
                answer = await self._http.get(address, timeout_s=patience.step_s)
                if answer.status == 200 and media_type_of(answer.content):
                    return answer.content
                if answer.status < 500:
                    raise ProviderError(
                        f"The ComfyUI server made '{file.filename}' but gives no PNG, JPEG or "
                        f"WebP picture for it (status {answer.status}).",
                        kind="bad_output",
                        remote_id=prompt_id,
                    )
                reason = f"it answered with status {answer.status}"
            except Unanswered as error:
                reason = error.reason
            if patience.unheard() or patience.is_over:
                raise _silent(reason, prompt_id)
            await patience.pause()

    async def call_off(self, prompt_id: str, patience: Patience) -> None:
        """Take our prompt out of the queue, or stop it when it runs; leave every other alone."""
        try:
            await self._post("/queue", patience, json_body={"delete": [prompt_id]})
            # Servers that do not know the id's meaning would stop whoever runs.
            if is_queued(await self._asked("/queue", patience), prompt_id, running_only=True):
                await self._post("/interrupt", patience, json_body={"prompt_id": prompt_id})
        except Unanswered as error:
            _log.warning("ComfyUI prompt %s could not be called off: %s.", prompt_id, error.reason)

    async def _look(
        self, prompt_id: str, patience: Patience
    ) -> tuple[Mapping[str, Any] | None, bool]:
        """Return the history's entry, if there is one, and whether the prompt is queued."""
        entry = finished(await self._asked(f"/history/{prompt_id}", patience), prompt_id)
        if entry is not None:
            return entry, False
        return None, is_queued(await self._asked("/queue", patience), prompt_id)

    async def _asked(self, path: str, patience: Patience) -> dict[str, Any]:
        answer = await self._http.get(f"{self._base}{path}", timeout_s=patience.step_s)
        said = answer.json()
        if answer.status != 200 or not isinstance(said, dict):
            raise Unanswered(f"it answered with status {answer.status}", sent=True)
        return said

    async def _post(self, path: str, patience: Patience, **body: Any) -> Answer:
        return await self._http.post(f"{self._base}{path}", timeout_s=patience.step_s, **body)


def _unreachable(error: Unanswered, prompt_id: str) -> ProviderError:
    return ProviderError(
        f"The ComfyUI server cannot be used: {error.reason}; see that it runs at the configured "
        "address.",
        kind="transient",
        remote_id=prompt_id,
    )


def _silent(reason: str, prompt_id: str) -> ProviderError:
    """Build the error of work whose fate is unknown: it costs nothing, yet it can be fetched."""
    return ProviderError(
        f"The ComfyUI server went silent while it had the work: {reason}.",
        kind="ambiguous",
        remote_id=prompt_id,
        billed_usd=None,
    )


def _not_comfyui(prompt_id: str) -> ProviderError:
    return ProviderError(
        "What answers at the ComfyUI address does not speak ComfyUI's protocol; check the address.",
        kind="transient",
        remote_id=prompt_id,
    )
