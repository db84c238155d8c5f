"""Asking providers what became of calls whose process is gone, and keeping what they made.

Belongs here: joining reconciliation to the clients and the result store. Does not belong here:
what is decided about a row (``generation.reconciliation``).
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from animatize_assets.errors import NotConfigured
from animatize_assets.generation.flux import RESULTS_KEPT
from animatize_assets.generation.kept_picture import keep_alone
from animatize_assets.generation.reconciliation import (
    Fetches,
    Reconciled,
    claims_of,
    reconcile,
)
from animatize_assets.pipeline.source_opening import open_caches, open_ledger, open_providers

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from animatize_assets.images.artifacts import ArtifactStore
    from animatize_assets.pipeline.generation_setup import GenerationSetup


def reconcile_calls(
    setup: GenerationSetup, artifacts: ArtifactStore, engine: Engine
) -> Sequence[Reconciled]:
    """Find out about every open call of a picture; what was made is kept for its next request.

    Raises:
        NotConfigured: the data folder is not a local one, so nothing could be kept.
        StorageFailed: the ledger could not be written.
    """
    caches = open_caches(setup, artifacts, engine)
    if caches is None:
        raise NotConfigured("Calls are reconciled where the data folder is a local one; go there.")

    async def work() -> Sequence[Reconciled]:
        opened = open_providers(setup).usable
        fetching = {
            name: cast("Fetches", each.provider)
            for name, each in opened.items()
            if hasattr(each.provider, "fetch")
        }
        try:
            return await reconcile(
                open_ledger(setup, engine),
                fetching,
                lambda fingerprint, made: keep_alone(caches, fingerprint, made),
                claims_of(caches.flights),
                kept_for={"flux": RESULTS_KEPT},
            )
        finally:
            for each in opened.values():
                await each.provider.close()

    return asyncio.run(work())
