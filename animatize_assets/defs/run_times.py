"""What a run of images is said to take, written on the run before its work and compared after.

Who launches a run tags it while it is queued (``launch_estimates``: the command line, the sensors).
A run that nobody tagged, such as one of Dagster's own backfills, is tagged here when its step
begins; so is one that was told by the formula where an estimator has learned.

Belongs here: joining a run to its estimate and its tags. Does not belong here: the estimate
(``run_estimates``), the tags' words (``run_tags``).
"""

import logging
import time
from collections.abc import Mapping, Sequence

import dagster as dg

from animatize_assets.defs.launch_estimates import estimate_tags
from animatize_assets.defs.run_tags import is_better, kept
from animatize_assets.pipeline.request import PipelineRequest
from animatize_assets.pipeline.stages import StageOutcome
from animatize_assets.pipeline.workshop import Workshop

_log = logging.getLogger(__name__)


class RunTime:
    """The time of one run. Make it when the work is about to begin."""

    def __init__(self, instance: dg.DagsterInstance, run: dg.DagsterRun) -> None:
        self._instance = instance
        self._run = run
        self._tags: Mapping[str, str] = run.tags
        self._made_everything = True
        self._started = time.monotonic()

    def promise(
        self,
        bench: Workshop,
        keys: Sequence[str],
        request: PipelineRequest,
        stages: Sequence[str],
    ) -> None:
        """Tag the run with how long it will take, unless it is told as well already.

        What cannot be estimated is told in the log.
        """
        try:
            tags = _estimated(bench, keys, request, stages)
        except Exception:  # noqa: BLE001  # no run fails because it cannot be estimated
            _log.exception("Run %s starts without an estimate.", self._run.run_id)
            return
        # Dagster hands the tags of a run on to one that does it again.
        own = self._tags if self._run.parent_run_id is None else {}
        if is_better(tags, own):
            self._tags = {**self._tags, **tags}
            self._instance.add_run_tags(self._run.run_id, tags)

    def note(self, outcome: StageOutcome) -> None:
        """Notice whether something was not made anew."""
        self._made_everything &= outcome.status == "done"

    def settle(self) -> None:
        """Tag the run with how long it took, beside what was said."""
        seconds = time.monotonic() - self._started
        tags = kept(self._tags, seconds, made_everything=self._made_everything)
        self._instance.add_run_tags(self._run.run_id, tags)


def _estimated(
    bench: Workshop, keys: Sequence[str], request: PipelineRequest, stages: Sequence[str]
) -> dict[str, str]:
    """Return the tags, by what promises each of the run's jobs; empty where nobody tracks."""
    # SQLAlchemy, which a code location that only loads does not need.
    from animatize_assets.performance.run_promises import RunPromises  # noqa: PLC0415
    from animatize_assets.performance.tracker import Tracking  # noqa: PLC0415

    promises = bench.tracker.estimate if isinstance(bench.tracker, Tracking) else None
    if not isinstance(promises, RunPromises):
        return {}
    return estimate_tags(
        bench.images,
        keys,
        request,
        stages,
        promises,
        at_once=bench.images_at_once(request),
        provider_model=bench.pictures.provider(request.provider).model,
    )
