"""A step of a run, or a sensor's tick, that logs, traces and counts, and has sent all at its end.

A run's process lives for seconds: what it has not sent by then is lost. A code server lives for
long, and is ended without a word. A tick has a span only where it asks for runs: every few seconds
it finds nothing to do.

Belongs here: joining steps and ticks to ``process_telemetry``, and the tag that carries a tick's
trace on to the runs that it asks for. Does not belong here: what is told by whom.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from animatize_assets.settings import Settings
from animatize_assets.telemetry.metrics import record_queue
from animatize_assets.telemetry.tracing import IMAGE_KEY, RUN_ID, current_traceparent, span
from animatize_assets.workplace.process_telemetry import process_telemetry

if TYPE_CHECKING:
    from animatize_assets.images.store import ImageStore

_log = logging.getLogger(__name__)

TRACE_TAG: Final = "animatize/traceparent"
"""Of a run: the W3C context of whoever asked for it."""


@contextmanager
def run_telemetry(
    run_id: str, step: str, queue_seconds: float | None, tags: Mapping[str, str] | None = None
) -> Iterator[None]:
    """Make the block the span of a step.

    ``queue_seconds``: how long its run waited; ``tags``: of the run, one of which may name the
    trace to continue.
    """
    with process_telemetry(Settings.read(), "run"):
        record_queue("run", queue_seconds)
        with span(f"run {step}", {RUN_ID: run_id}, parent=(tags or {}).get(TRACE_TAG)):
            yield


@contextmanager
def asking(sensor: str) -> Iterator[Mapping[str, str]]:
    """Make the block the span of a tick that asks for runs; gives the tags that go with them."""
    with process_telemetry(Settings.read(), "code_server"), span(f"sensor {sensor}"):
        traceparent = current_traceparent()
        yield {} if traceparent is None else {TRACE_TAG: traceparent}


def note_asked(images: ImageStore, keys: Sequence[str]) -> None:
    """Tell in each image's own trace that its chain was asked for, by the current span.

    What cannot be told is logged: no tick fails because of its trace.
    """
    asked_by = current_traceparent()
    if asked_by is None:
        return
    try:
        for key in keys:
            with span(
                "ask for image",
                {IMAGE_KEY: key},
                parent=images.traceparent(key),
                links=[asked_by],
            ):
                pass
    except Exception:  # noqa: BLE001  # a database that cannot be read: the run tells of it
        _log.exception("It could not be traced that images were asked for.")
