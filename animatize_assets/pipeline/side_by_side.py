"""Several images of a run at the same time, while some of them wait for a picture.

Belongs here: which thread goes through which image, and how much of it may compute at once. Does
not belong here: the stages (``stages``), how many calls a provider takes (``generation``).
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from queue import SimpleQueue
from threading import Event
from typing import TYPE_CHECKING

from animatize_assets.pipeline.request import PipelineRequest
from animatize_assets.pipeline.stages import STAGES, StageOutcome, run_stages

if TYPE_CHECKING:
    from animatize_assets.pipeline.workshop import Workshop


def run_images(
    workshop: Workshop,
    image_keys: Sequence[str],
    request: PipelineRequest,
    stages: Sequence[str] = STAGES,
    *,
    at_once: int = 1,
) -> Generator[StageOutcome]:
    """Bring ``stages`` of every image to completion and tell each outcome as it comes.

    ``at_once``: images that are under way at the same time. With 1 they come one after the other;
    with more, the stages of one image still come in their order. A consumer that stops listening
    ends the work after the stages that are being made.
    """
    if at_once == 1 or len(image_keys) <= 1:
        for image_key in image_keys:
            yield from run_stages(workshop, image_key, request, stages)
        return
    told: SimpleQueue[StageOutcome | None] = SimpleQueue()
    stop = Event()

    def go_through(image_key: str) -> None:
        try:
            for outcome in run_stages(workshop, image_key, request, stages):
                told.put(outcome)
                if stop.is_set():
                    return
        finally:
            told.put(None)

    with ThreadPoolExecutor(min(at_once, len(image_keys)), "images") as crew:
        # each with a copy of this context: the run's span is known in its threads, too
        under_way: list[Future[None]] = [
            crew.submit(copy_context().run, go_through, key) for key in image_keys
        ]
        try:
            ended = 0
            while ended < len(under_way):
                outcome = told.get()
                if outcome is None:
                    ended += 1
                else:
                    yield outcome
        finally:
            stop.set()
            for image in under_way:
                image.cancel()
    for image in under_way:
        image.result()
