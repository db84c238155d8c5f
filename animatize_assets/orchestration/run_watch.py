"""Reads the events of one run while it happens, and stops it when asked.

Belongs here: translating Dagster's events. Does not belong here: starting a run.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Callable
from threading import Event
from typing import Any

from dagster import (
    AssetMaterialization,
    DagsterEvent,
    DagsterEventType,
    DagsterExecutionInterruptedError,
    DagsterInstance,
    EventLogEntry,
)

from animatize_assets.orchestration.results import StageFinished

FAILED_IMAGES = "failed_images"
"""Metadata key of the step failure: image key -> {asset, code, reason}."""

OnEvent = Callable[[StageFinished], None]


class RunWatch:
    """Collects what one run does. Give it to ``DagsterInstance.add_event_listener``."""

    def __init__(
        self,
        instance: DagsterInstance,
        run_id: str,
        *,
        on_event: OnEvent | None = None,
        cancel: Event | None = None,
    ) -> None:
        self._instance = instance
        self._run_id = run_id
        self._on_event = on_event
        self._cancel = cancel
        self._stopping = False
        self.finished: dict[str, dict[str, StageFinished]] = defaultdict(dict)
        """Image key -> asset -> its materialization."""
        self.provider: dict[str, str] = {}
        self.cost_usd: dict[str, float] = {}
        """Image key -> what the picture's materialization states."""
        self.failed: dict[str, str] = {}
        """Image key -> reason."""
        self.problem: str | None = None
        """A failure that belongs to no single image."""

    def __call__(self, entry: EventLogEntry) -> None:
        """Take one event; called in the thread that executes the run.

        Raises:
            DagsterExecutionInterruptedError: a cancel was asked for. Raised here, between two
                stages, so that neither a stored result nor an event is ever cut in half.

        """
        event = entry.dagster_event
        if event is None:
            return
        kind = event.event_type
        if kind is DagsterEventType.ASSET_MATERIALIZATION:
            self._materialized(event.step_materialization_data.materialization)
        elif kind is DagsterEventType.STEP_FAILURE:
            self._step_failed(event)
        elif kind is DagsterEventType.RUN_FAILURE:
            self._run_failed(event)
        if kind in (DagsterEventType.ASSET_MATERIALIZATION, DagsterEventType.STEP_START):
            self._stop_if_asked()

    def reason(self, image_key: str) -> str:
        """Why ``image_key`` is not complete, one sentence."""
        if image_key in self.failed:
            return self.failed[image_key]
        if self._stopping:
            return "Canceled before it was complete."
        return self.problem or "The run ended without materializing all of its assets."

    def _materialized(self, made: AssetMaterialization) -> None:
        if made.partition is None:
            return
        metadata: dict[str, Any] = {name: value.value for name, value in made.metadata.items()}
        finished = StageFinished(
            image_key=made.partition,
            asset=made.asset_key.to_user_string(),
            seconds=metadata.get("seconds"),
            reused=bool(metadata.get("reused", False)),
        )
        self.finished[made.partition][finished.asset] = finished
        if "provider" in metadata:
            self.provider[made.partition] = str(metadata["provider"])
        if metadata.get("cost_usd") is not None:
            self.cost_usd[made.partition] = float(metadata["cost_usd"])
        if self._on_event is not None:
            self._on_event(finished)

    def _step_failed(self, event: DagsterEvent) -> None:
        failure = event.step_failure_data
        stated = failure.user_failure_data.metadata if failure.user_failure_data else {}
        if FAILED_IMAGES in stated:
            listed = stated[FAILED_IMAGES].value
            failed: Any = json.loads(listed) if isinstance(listed, str) else listed
            for image_key, why in failed.items():
                self.failed[image_key] = f"{why['asset']}: {why['reason']}"
        elif not self._stopping:
            self.problem = self.problem or sentence_of(failure.error, event.step_key)

    def _run_failed(self, event: DagsterEvent) -> None:
        if self.failed or self.problem or self._stopping:
            return
        self.problem = sentence_of_run(event)

    def _stop_if_asked(self) -> None:
        if self._stopping or self._cancel is None or not self._cancel.is_set():
            return
        self._stopping = True
        run = self._instance.get_run_by_id(self._run_id)
        if run is not None:
            self._instance.report_run_canceling(run)  # makes the run end canceled, not failed
        raise DagsterExecutionInterruptedError


def sentence_of_run(event: DagsterEvent) -> str:
    """Return why a run failed; one that was ended from outside has no error, only a message."""
    told: Any = event.event_specific_data
    if told is None and event.message:
        return event.message
    return sentence_of(None if told is None else told.error, None)


def sentence_of(error: Any, step: str | None) -> str:
    """Return the innermost cause of a Dagster error, in one line."""
    where = f"step '{step}'" if step else "the run"
    if error is None:
        return f"Something in {where} failed without saying why."
    while error.cause is not None:
        error = error.cause
    lines = [line.strip() for line in error.message.strip().splitlines() if line.strip()]
    said = re.sub(r"^[A-Za-z_][\w.]*(Error|Exception|Failed|Failure)?: ", "", " ".join(lines))
    return f"In {where}: {said or error.cls_name}"
