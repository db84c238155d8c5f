"""What a run over images is said to take by whoever launches it: the tags that it is queued with.

Belongs here: joining images, a request and an estimator to tags, for the command line, the sensors
and the run itself. Does not belong here: the estimate (``run_estimates``), the tags' words
(``run_tags``), Dagster (the command line uses this too).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from animatize_assets.defs.run_tags import promised
from animatize_assets.pipeline.request import PipelineRequest

if TYPE_CHECKING:
    from animatize_assets.images.store import ImageStore
    from animatize_assets.performance.run_promises import Estimator

_log = logging.getLogger(__name__)


def estimate_tags(
    images: ImageStore,
    keys: Sequence[str],
    request: PipelineRequest,
    stages: Sequence[str],
    estimator: Estimator,
    *,
    at_once: int,
    provider_model: str | None,
) -> dict[str, str]:
    """Return the tags that tell how long ``stages`` of the images ``keys`` will take.

    ``at_once``: images under way at the same time; ``provider_model``: which the provider uses.

    Raises:
        SQLAlchemyError: a database cannot be read.
        ImageNotFound: one of the images is not there.
    """
    from animatize_assets.workplace.run_estimates import run_estimate  # noqa: PLC0415  # loads numpy

    records = [images.get(key) for key in keys]
    estimate = run_estimate(
        [(each.image_key, each.width, each.height) for each in records],
        request,
        stages,
        estimator,
        at_once,
        provider_model=provider_model,
    )
    return promised(estimate)


def tags_or_none(estimated: Callable[[], Mapping[str, str]]) -> Mapping[str, str]:
    """Return what ``estimated`` gives; nothing, and a word in the log, when it cannot."""
    try:
        return estimated()
    except Exception:  # noqa: BLE001  # no run fails because it cannot be estimated
        _log.exception("A run is launched without an estimate.")
        return {}
