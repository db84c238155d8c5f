"""Tracking generation jobs: a decorator, a ``with`` block, and what both record.

::

    with use_tracking(Tracking(recorder)):
        with track_generation_job("job_123", "video", {"width": 768, "steps": 25}) as tracker:
            tracker.mark_queued()
            ...
            tracker.mark_processing_start()
            tracker.mark_phase("model_load", "weights from the disk")
            ...
            tracker.mark_success()

A block that ends without an exception and without ``mark_success`` is recorded as not successful
(``error_type`` ``not_marked``): who leaves a block early has mostly given up, and a failure that
counts as a success would be noticed by nobody. A decorated function that returns has succeeded.

Belongs here: what users call. Does not belong here: the life of a block (``tracker``), the marks
(``tracked_job``), which tracking a process of this project uses (``defs``).
"""

from __future__ import annotations

import functools
import inspect
import logging
import threading
import uuid
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any, ParamSpec, TypeVar, cast

from animatize_assets.performance.given_parameters import JobFacts
from animatize_assets.performance.job_sampling import Sampler, Sampling
from animatize_assets.performance.models import JobParameters, PipelineType
from animatize_assets.performance.tracker import Recorder, Tracking, current_job
from animatize_assets.telemetry.job_tracking import JobTracker, NoTracking, TrackedJob

__all__ = [
    "Recorder",
    "Sampler",
    "Sampling",
    "Tracking",
    "current_job",
    "track_generation_job",
    "track_performance",
    "use_tracking",
]

_log = logging.getLogger(__name__)

P = ParamSpec("P")
R = TypeVar("R")

_NAMES_OF_CALLS = (frozenset(JobParameters.model_fields) - {"extra"}) | frozenset(
    JobFacts.model_fields
)


class _Default:
    """What is tracked with when nobody says otherwise, in this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tracking: JobTracker | None = None
        self._is_told = False

    def set(self, tracking: JobTracker | None) -> JobTracker | None:
        """Set it; returns the one before."""
        with self._lock:
            before, self._tracking = self._tracking, tracking
            self._is_told = False
            return before

    def get(self) -> JobTracker:
        with self._lock:
            if self._tracking is not None:
                return self._tracking
            is_told, self._is_told = self._is_told, True
        if not is_told:
            _log.warning("Jobs are not tracked: use_tracking() was not called in this process.")
        return NoTracking()


_default = _Default()


class use_tracking:  # noqa: N801  # read as a statement, and as the head of a block
    """Track with ``tracking`` from now on in this process; as a ``with`` block, until it ends.

    None: track nothing.
    """

    def __init__(self, tracking: JobTracker | None) -> None:
        self._before = _default.set(tracking)

    def __enter__(self) -> None:
        """Nothing more to do: it holds already."""

    def __exit__(self, *_: object) -> None:
        _default.set(self._before)


def track_generation_job(
    job_id: str,
    pipeline_type: PipelineType,
    params: Mapping[str, object] | None = None,
    *,
    queued_at: datetime | None = None,
    tracking: JobTracker | None = None,
) -> AbstractContextManager[TrackedJob]:
    """Track the work of a ``with`` block: see the module's description.

    ``queued_at``: when it was enqueued, where that lies before the block. ``tracking``: instead of
    the one in use (:class:`use_tracking`).
    """
    known = dict(params or {})
    if queued_at is not None:
        known["queued_at"] = queued_at
    return (tracking or _default.get()).track(job_id, pipeline_type, known)


def track_performance(
    pipeline_type: PipelineType, *, tracking: JobTracker | None = None, **parameters: object
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Track every call of a function, plain or async; one that returns has succeeded.

    ``parameters`` are of every call. The call's own arguments (and defaults) that are named like a
    field of ``JobParameters``, or ``run_id``, ``partition_key``, ``queue_length``, ``queued_at``,
    ``queue_time_seconds``, count before them, and before those of a dict argument ``params``. The
    job id is the argument ``job_id``, else a new one. Within the call, :func:`current_job` is its
    job.

    Raises:
        TypeError: the function makes a generator; calling it does no work yet.

    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise TypeError(
                f"{function.__name__}() makes a generator, and calling it does no work yet; use "
                "track_generation_job inside it."
            )
        signature = inspect.signature(function)

        def block(
            args: tuple[object, ...], kwargs: Mapping[str, object]
        ) -> AbstractContextManager[TrackedJob]:
            arguments = _arguments(signature, args, kwargs)
            job_id = arguments.get("job_id") or f"{function.__name__}-{uuid.uuid4().hex}"
            own = {name: arguments[name] for name in arguments.keys() & _NAMES_OF_CALLS}
            given = arguments.get("params")
            known = parameters | (dict(given) if isinstance(given, Mapping) else {}) | own
            return track_generation_job(str(job_id), pipeline_type, known, tracking=tracking)

        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def awaited(*args: P.args, **kwargs: P.kwargs) -> Any:
                with block(args, kwargs) as job:
                    result = await function(*args, **kwargs)
                    job.mark_success()
                    return result

            return cast("Callable[P, R]", awaited)

        @functools.wraps(function)
        def called(*args: P.args, **kwargs: P.kwargs) -> R:
            with block(args, kwargs) as job:
                result = function(*args, **kwargs)
                job.mark_success()
                return result

        return called

    return decorate


def _arguments(
    signature: inspect.Signature, args: tuple[object, ...], kwargs: Mapping[str, object]
) -> dict[str, object]:
    """Return a call's arguments by name; those that are None say nothing."""
    try:
        bound = signature.bind(*args, **kwargs)
    except TypeError:  # the call itself is about to raise it
        return {}
    bound.apply_defaults()
    found = dict(bound.arguments)
    for parameter in signature.parameters.values():
        if parameter.kind is inspect.Parameter.VAR_KEYWORD:
            found |= cast("dict[str, object]", found.pop(parameter.name))
    return {name: value for name, value in found.items() if value is not None}
