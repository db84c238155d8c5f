"""Which stale prompts and pictures may be made again without a person asking for it.

Belongs here: the rule. Does not belong here: which are stale (``defs.stale_results``), the hard
limits (``generation.budget``), which hold for these calls like for all others.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable
from datetime import datetime

from animatize_assets.errors import NotConfigured
from animatize_assets.images.artifacts import ArtifactStore
from animatize_assets.images.store import ImageStore
from animatize_assets.pipeline.asked_before import request_before, requests_before
from animatize_assets.pipeline.generation_setup import GenerationSetup, ProviderSetup, missing
from animatize_assets.pipeline.request import PipelineRequest
from animatize_assets.workplace.allowances import affordable, allowance_usd, price_of

_log = logging.getLogger(__name__)


def free_prompts(artifacts: ArtifactStore, image_keys: Iterable[str]) -> list[str]:
    """Return the images whose prompt no language model expanded: the others are left to a person.

    What an expansion will cost is not known before the text is.
    """
    otherwise = PipelineRequest()
    return [key for key in image_keys if request_before(artifacts, key, otherwise).expand == "off"]


def affordable_pictures(
    images: ImageStore,
    artifacts: ArtifactStore,
    setup: GenerationSetup,
    image_keys: Collection[str],
    left_usd: float,
    *,
    now: datetime,
) -> tuple[list[str], float]:
    """Return the images whose picture may be made again as it was asked for, and what that costs.

    Free pictures always may. Of paid ones those that cost ``left_usd`` together at most, and for
    each provider no more than the budgets of the run and the day leave; none of a provider that
    cannot be used as it is set up.

    Raises:
        ImageNotFound: no accepted image has one of these keys.
    """
    chosen: list[str] = []
    spent = 0.0
    for request, keys in requests_before(artifacts, image_keys, PipelineRequest()).items():
        if request.provider == "local":
            chosen += keys
            continue
        how = setup.providers.get(request.provider, ProviderSetup())
        if missing(request.provider, how) is not None:
            continue
        limit = allowance_usd(images.engine, setup, request.provider, now=now)
        try:
            kept = affordable(images, setup, keys, request, min(limit, left_usd - spent))
            spent += price_of(images, setup, kept, request)
        except NotConfigured as error:
            _log.warning("Stale pictures by %s wait: %s", request.provider, error.message)
            continue
        chosen += kept
    return chosen, spent
