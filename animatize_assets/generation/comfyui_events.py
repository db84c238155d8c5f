"""What a ComfyUI server tells about a prompt over its websocket while it works.

These frames are hints: a socket may be replaced, close or say nothing. Whether a prompt is done is
read from the history (``comfyui_outcome``), and a frame only says that looking is worth while.

Belongs here: reading frames. Does not belong here: deciding anything by them.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import aiohttp

_log = logging.getLogger(__name__)

LARGEST_FRAME_BYTES = 16_000_000
"""Previews come over the same socket; a larger frame closes it, and polling goes on alone."""

_ENDS = frozenset({"execution_success", "execution_error", "execution_interrupted"})


@dataclass(frozen=True)
class Progress:
    """How far a prompt is."""

    node: str | None
    """The node at work; None when none is named."""
    share: float | None
    """Done of this node's steps, 0..1; None when it does not count steps."""
    ended: bool = False
    """Whether the prompt is done, well or not: only the history tells which."""


def read_frame(text: str, prompt_id: str) -> Progress | None:
    """Return what a text frame says of ``prompt_id``; None when it is about something else."""
    try:
        frame = json.loads(text)
    except (ValueError, RecursionError):
        return None
    said = frame.get("data") if isinstance(frame, dict) else None
    if not isinstance(said, dict) or said.get("prompt_id") != prompt_id:
        return None
    kind, node = frame.get("type"), said.get("node")
    if kind in _ENDS or (kind == "executing" and node is None):
        return Progress(node=None, share=None, ended=True)
    if kind in ("executing", "progress"):
        return Progress(node=None if node is None else str(node), share=_share(said))
    return None


async def listen(
    session: aiohttp.ClientSession,
    address: str,
    prompt_id: str,
    *,
    woken: asyncio.Event,
    on_progress: Callable[[Progress], None],
) -> None:
    """Report progress until the socket closes; ``woken`` is set when the prompt has ended.

    A socket that cannot be opened or breaks ends this in silence: polling does not need it.
    """
    import aiohttp

    try:
        async with session.ws_connect(
            address, heartbeat=20.0, max_msg_size=LARGEST_FRAME_BYTES
        ) as socket:
            async for message in socket:
                if message.type is not aiohttp.WSMsgType.TEXT:
                    continue
                progress = read_frame(message.data, prompt_id)
                if progress is None:
                    continue
                on_progress(progress)
                if progress.ended:
                    woken.set()
    except (aiohttp.ClientError, OSError) as error:
        _log.debug("The websocket of prompt %s broke: %s.", prompt_id, type(error).__name__)


def _share(said: dict[str, Any]) -> float | None:
    value, most = said.get("value"), said.get("max")
    if not isinstance(value, int | float) or not isinstance(most, int | float) or most <= 0:
        return None
    return min(1.0, max(0.0, value / most))
