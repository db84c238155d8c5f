"""From what is set about generation to a source of pictures: clients, router, ledger, caches.

Belongs here: putting them together. Does not belong here: what any of them does (``generation``).
Clients and database are imported when they are opened, as a code location that only loads needs
neither.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from animatize_assets.errors import InvalidRule, NotConfigured
from animatize_assets.generation.sourcing import Caches, PictureSource
from animatize_assets.images.durable import local_path
from animatize_assets.pipeline.generation_setup import (
    PAID,
    GenerationSetup,
    ProviderSetup,
    missing,
)
from animatize_assets.telemetry.job_tracking import JobTracker, NoTracking

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from animatize_assets.generation.catalogue import Catalogue
    from animatize_assets.generation.ledger import SqlLedger
    from animatize_assets.generation.memory_cache import CacheUsage, MemoryBudget, MemoryCache
    from animatize_assets.generation.policy import Policy
    from animatize_assets.generation.provider import PictureProvider
    from animatize_assets.generation.result_store import ResultStore
    from animatize_assets.generation.router import Configured
    from animatize_assets.generation.semantic.encoder import Encoded, SentenceEncoder
    from animatize_assets.generation.shadowing import ShadowLog
    from animatize_assets.images.artifacts import ArtifactStore
    from animatize_assets.pipeline.expanding import Expansions
    from animatize_assets.pipeline.remembered_analyses import RememberedAnalyses
    from animatize_assets.scene.models import SceneAnalysis


VECTORS_BYTES = 5_000_000
"""Bound of the cache of texts' vectors: about 3,000 of them."""

ANALYSES_BYTES = 40_000_000
"""Bound of the cache of analyses that were read: about 1,500 of them, of 25 KB each."""

UNSTATED_CONCURRENCY = 8
"""Calls at a time to a provider that states no limit: enough to hide its latency."""


def open_source(
    setup: GenerationSetup,
    artifacts: ArtifactStore,
    engine: Engine,
    tracker: JobTracker | None = None,
) -> PictureSource:
    """Open everything that pictures come from; nothing is connected before the first picture.

    A provider that cannot be used refuses the pictures that would be asked of it, and no others.
    """
    from animatize_assets.generation.health import HealthBoard
    from animatize_assets.generation.request_log import RequestLog
    from animatize_assets.generation.router import Router
    from animatize_assets.generation.studio import Studio

    configured, unusable = open_providers(setup)
    there = {*configured, *unusable}
    ledger = open_ledger(setup, engine)
    health = HealthBoard(engine)
    return PictureSource(
        studio=Studio(
            lambda: Router(
                configured, policy_of(setup), ledger, on_change=health.note, tracker=tracker
            )
        ),
        providers={name: each.provider for name, each in configured.items()},
        order_of=lambda asked: [name for name in setup.order(asked) if name in there],
        at_once={name: each.concurrency for name, each in configured.items()},
        unavailable={
            name: missing(name, setup.providers.get(name, ProviderSetup())) or "it is switched off"
            for name in PAID
            if name not in there
        },
        unusable=unusable,
        caches=open_caches(setup, artifacts, engine) if len(configured) > 1 else None,
        log=RequestLog(engine),
        deadline_s=setup.deadline_s,
    )


class Opened(NamedTuple):
    """The providers that are enabled and configured."""

    usable: dict[str, Configured]
    unusable: dict[str, str]
    """Those of which no client could be made, each with the sentence that says why."""


def open_providers(setup: GenerationSetup) -> Opened:
    """Make a client of every provider that is enabled and configured."""
    from animatize_assets.generation.router import Configured

    opened: dict[str, Configured] = {}
    unusable: dict[str, str] = {}
    for name in setup.enabled:
        if name == "local":
            from animatize_assets.generation.local import LocalProvider

            opened[name] = Configured(LocalProvider(), in_house=True)
            continue
        how = setup.providers.get(name, ProviderSetup())
        if missing(name, how) is None:
            try:
                opened[name] = _open(name, how)
            except (NotConfigured, InvalidRule) as error:
                unusable[name] = error.message
    return Opened(opened, unusable)


def _open(name: str, how: ProviderSetup) -> Configured:
    from animatize_assets.generation.catalogue import load_catalogue
    from animatize_assets.generation.router import Configured

    catalogue = load_catalogue()
    today = datetime.now(UTC).date()
    model = catalogue.get(name, how.model, today) if how.model else catalogue.default(name)
    return Configured(
        _client(name, how, catalogue),
        concurrency=model.concurrency or UNSTATED_CONCURRENCY,
        requests_per_min=model.requests_per_min,
    )


def _client(name: str, how: ProviderSetup, catalogue: Catalogue) -> PictureProvider:
    from animatize_assets.generation.comfyui import ComfyUIPictures
    from animatize_assets.generation.comfyui_workflow import Workflow
    from animatize_assets.generation.flux import FluxPictures
    from animatize_assets.generation.imagen import ImagenPictures
    from animatize_assets.generation.openai_pictures import OpenAIPictures

    if name == "comfyui" and how.base_url and how.workflow:
        return ComfyUIPictures(how.base_url, Workflow.load(how.workflow))
    if how.api_key is None or name not in PAID:
        raise NotConfigured(f"Provider '{name}' is not configured: {missing(name, how)}.")
    today = datetime.now(UTC).date()
    model = catalogue.get(name, how.model, today) if how.model else catalogue.default(name)
    if name == "openai":
        return OpenAIPictures(how.api_key, how.base_url, model, edit=model.takes.input_image)
    if name == "flux":
        return FluxPictures(how.api_key, how.base_url, model)
    return ImagenPictures(how.api_key, how.base_url, model)


def policy_of(setup: GenerationSetup) -> Policy:
    """Return how hard one picture is tried for."""
    from animatize_assets.generation.policy import Policy

    return Policy(
        max_attempts=setup.max_attempts,
        deadline_s=setup.deadline_s,
        share_refused=setup.share_refused,
    )


def open_ledger(setup: GenerationSetup, engine: Engine) -> SqlLedger:
    """Open the ledger with the budgets that are set."""
    from animatize_assets.generation.budget import Budget
    from animatize_assets.generation.ledger import SqlLedger

    budget = Budget(
        per_run_usd=setup.budget_run_usd,
        per_day_usd=setup.budget_day_usd,
        per_provider_day_usd=setup.budget_provider_day_usd,
    )
    return SqlLedger(engine, budget, disk=setup.disk)


def open_results(setup: GenerationSetup, artifacts: ArtifactStore, engine: Engine) -> ResultStore:
    """Open the store of paid results.

    Nothing in it is pinned: an asset's files are the artefact store's own copies, which no cache
    ever drops.
    """
    from animatize_assets.generation.result_store import ResultStore

    return ResultStore(
        artifacts.data_dir,
        engine,
        max_bytes=setup.results_max_bytes,
        ttl=timedelta(seconds=setup.results_ttl_s),
    )


def open_caches(setup: GenerationSetup, artifacts: ArtifactStore, engine: Engine) -> Caches | None:
    """Open what keeps paid pictures; None when the data folder is not a local one."""
    from animatize_assets.generation.semantic.reuse import Reuser
    from animatize_assets.generation.shadowing import Shadow
    from animatize_assets.generation.single_flight import SingleFlight

    folder = local_path(artifacts.data_dir)
    if folder is None:
        return None
    results = open_results(setup, artifacts, engine)
    log = open_shadow_log(folder)
    reuser = Reuser(
        results.index,
        results.not_before,
        level=setup.semantic_reuse,
        threshold=setup.similarity,
        encoder=open_encoder(setup),
        false_hits=lambda: log.counts().get("similar"),
    )
    shadow = Shadow(log, setup.shadow_share) if setup.shadow_share > 0 else None
    return Caches(results, SingleFlight(folder / "results" / "in-flight"), reuser, shadow)


def open_shadow_log(folder: Path) -> ShadowLog:
    """Open what remembers, of a local data folder, how often reuse was wrong."""
    from animatize_assets.generation.shadowing import ShadowLog

    return ShadowLog(folder / "results" / "shadow.jsonl")


@lru_cache(maxsize=1)
def _memory() -> MemoryBudget:
    """Return this process's one budget of caches in memory."""
    from animatize_assets.generation.memory_cache import MemoryBudget

    return MemoryBudget()


def memory_usage() -> tuple[CacheUsage, ...]:
    """Return bytes, hits and misses of every cache in this process's memory, as metrics tell them.

    A cache that nothing was looked up in yet is not among them.
    """
    return _memory().usage()


@lru_cache(maxsize=1)
def open_analyses() -> RememberedAnalyses:
    """Open this process's one cache of analyses."""
    from animatize_assets.generation.memory_cache import size_in_bytes
    from animatize_assets.pipeline.remembered_analyses import RememberedAnalyses, Stored

    kept: MemoryCache[Stored, SceneAnalysis] = _memory().cache(
        "analyses", ANALYSES_BYTES, size_in_bytes, counted_as="analysis"
    )
    return RememberedAnalyses(kept)


@lru_cache(maxsize=2)
def _encoder(folder: Path) -> SentenceEncoder:
    """Return the sentence model of ``folder``, loaded at most once per process."""
    from animatize_assets.generation.memory_cache import size_in_bytes
    from animatize_assets.generation.semantic.encoder import SentenceEncoder

    vectors: MemoryCache[str, Encoded] = _memory().cache(
        f"vectors of {folder}", VECTORS_BYTES, size_in_bytes, counted_as="vector"
    )
    return SentenceEncoder(folder, vectors)


def open_encoder(setup: GenerationSetup) -> SentenceEncoder | None:
    """Open the sentence model; None when none is set."""
    return None if setup.sentence_model is None else _encoder(setup.sentence_model)


def open_expansions(
    setup: GenerationSetup,
    engine: Engine,
    tracker: JobTracker | None = None,
    artifacts: ArtifactStore | None = None,
) -> Expansions | None:
    """Open what expands prompts; None without OpenAI's key.

    Answers are kept beside the pictures of ``artifacts``' data folder; without it they are not.
    """
    openai = setup.providers.get("openai")
    if openai is None or missing("openai", openai):
        return None
    from animatize_assets.generation.catalogue import load_catalogue
    from animatize_assets.generation.health import HealthBoard
    from animatize_assets.generation.stored_answers import StoredAnswers
    from animatize_assets.generation.text_station import TextStation
    from animatize_assets.pipeline.expanding import Expansions

    # a retired or misspelt model is told by the run that asks it
    model = load_catalogue().models.get(f"openai/{setup.expansion_model}")
    at_once = (model and model.concurrency) or UNSTATED_CONCURRENCY
    return Expansions(
        setup,
        engine,
        open_ledger(setup, engine),
        TextStation("openai", at_once, on_change=HealthBoard(engine).note),
        tracker=tracker or NoTracking(),
        answers=StoredAnswers(open_results(setup, artifacts, engine)) if artifacts else None,
    )
