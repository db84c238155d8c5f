"""The estimates of one run: made before it starts, and kept while its jobs start.

A run of hundreds of images has few kinds of jobs. What was said of a kind before the run is the
promise that each of its jobs is held to; asking again for each would cost more than recording it,
and would let a run grade itself by what it learned on the way.

Belongs here: remembering. Does not belong here: estimating (``time_estimator``), what a run
consists of (``defs``).
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from typing import Protocol

from animatize_assets.performance.models import Estimate, Submission

_log = logging.getLogger(__name__)

MOST_KEPT = 10_000
"""Kinds of jobs that are remembered: a kilobyte each."""


class Estimator(Protocol):
    """Whatever estimates jobs: ``time_estimator.TimeEstimator``."""

    def estimate_many(self, submissions: Sequence[Submission]) -> list[Estimate]:
        """Return the estimate of each job, in their order."""


class RunPromises:
    """Estimates each kind of job once. Threads may share it.

    A kind is what was asked for: pipeline type and parameters, the seed left out.
    ``open_estimator`` is called when there is something to estimate. One that fails is told once
    in the log; jobs then start without a promise.
    """

    def __init__(self, open_estimator: Callable[[], Estimator]) -> None:
        self._open_estimator = open_estimator
        self._kept: dict[str, Estimate] = {}
        self._lock = threading.Lock()
        self._has_failed = False

    def estimate_many(self, submissions: Sequence[Submission]) -> list[Estimate]:
        """Return the estimate of each job; those of a new kind are asked for together.

        Raises:
            Exception: whatever the estimator raises.
        """
        kinds = [_kind(each) for each in submissions]
        with self._lock:
            new = {
                kind: each
                for kind, each in zip(kinds, submissions, strict=True)
                if kind not in self._kept
            }
            if new:
                if len(self._kept) + len(new) > MOST_KEPT:
                    self._kept.clear()
                told = self._open_estimator().estimate_many(list(new.values()))
                self._kept.update(zip(new, told, strict=True))
            if not self._kept.keys() >= set(kinds):
                # Known ones were dropped just now, to make room for the new ones.
                return self._open_estimator().estimate_many(submissions)
            return [self._kept[kind] for kind in kinds]

    def __call__(self, submission: Submission) -> Estimate | None:
        """Return the promise of a job that starts, for ``tracker.Tracking``."""
        try:
            return self.estimate_many([submission])[0]
        except Exception:  # noqa: BLE001  # no job fails because it cannot be estimated
            if not self._has_failed:
                _log.exception("Jobs start without an estimate.")
                self._has_failed = True
            return None


def _kind(submission: Submission) -> str:
    parameters = submission.parameters.model_copy(update={"seed": None})
    return f"{submission.pipeline_type} {parameters.model_dump_json()}"
