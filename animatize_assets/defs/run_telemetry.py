"""A step of a run that logs, traces and counts, and has sent all of it when it ends.

A run's process lives for seconds: what it has not sent by then is lost. Belongs here: joining a
step to ``process_telemetry``. Does not belong here: what is told by whom.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from animatize_assets.settings import Settings
from animatize_assets.telemetry.metrics import record_queue
from animatize_assets.telemetry.tracing import RUN_ID, span
from animatize_assets.workplace.process_telemetry import process_telemetry


@contextmanager
def run_telemetry(run_id: str, step: str, queue_seconds: float | None) -> Iterator[None]:
    """Make the block the span of a step. ``queue_seconds``: how long its run waited."""
    with process_telemetry(Settings.read(), "run"):
        record_queue("run", queue_seconds)
        with span(f"run {step}", {RUN_ID: run_id}):
            yield
