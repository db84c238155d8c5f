"""Telling open pages that something is new, by server-sent events.

An event names what is new and carries no figures: the page asks for its own part again, so there
is one way in which figures reach a page.

Belongs here: when an event is due, and its form. Does not belong here: HTTP, what pages show.
See https://html.spec.whatwg.org/multipage/server-sent-events.html.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Callable
from typing import Any, Final

from starlette.concurrency import run_in_threadpool

from animatize_assets.web.dashboard.now import NowReader
from animatize_assets.web.service import Service

LOOK_EVERY_S: Final = 2.0
LISTEN_EVERY_S: Final = 0.2
"""How soon a stream notices that the service ends."""

SILENCE_S: Final = 15.0
"""A comment is sent after so long without an event, so that no proxy closes the stream."""

LONGEST_STREAM_S: Final = 600.0
"""Then the browser connects again, which asks anew whether it may."""

Versions = dict[str, Any]


def versions(service: Service, reader: NowReader) -> Versions:
    """Return what changes with each view: a mark of its content, and the newest open alert."""
    view = reader.read(at_most_old_s=LOOK_EVERY_S / 2)
    newest = view.alerts[0] if view.alerts else None
    return {
        "now": _mark(repr(view)),
        "images": _mark(repr(sorted(view.images.items()))),
        "performance": service.performance.store.newest_id(),
        "alert": None if newest is None else {"id": newest.id, "message": newest.message},
    }


async def stream(
    look: Callable[[], Versions],
    is_ending: Callable[[], bool],
    *,
    pause: Callable[[float], Any] = asyncio.sleep,
) -> AsyncIterator[str]:
    """Yield an event at once and then whenever ``look`` returns something else."""
    told: Versions | None = None
    silent_s = open_s = 0.0
    yield "retry: 3000\n\n"
    while not is_ending() and open_s < LONGEST_STREAM_S:
        seen = await run_in_threadpool(look)
        if seen != told:
            told, silent_s = seen, 0.0
            yield f"event: changed\ndata: {json.dumps(seen)}\n\n"
        elif silent_s >= SILENCE_S:
            silent_s = 0.0
            yield ": nothing is new\n\n"
        for _ in range(round(LOOK_EVERY_S / LISTEN_EVERY_S)):
            if is_ending():
                return
            await pause(LISTEN_EVERY_S)
        silent_s += LOOK_EVERY_S
        open_s += LOOK_EVERY_S


def _mark(content: str) -> str:
    return hashlib.sha256(content.encode()).hexdigest()[:16]
