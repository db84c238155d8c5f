"""From the environment's settings to the plain arguments of the rooms.

Belongs here: that translation, for the Dagster layer, the command line and the web service alike.
Does not belong here: Dagster (this module is imported where it must not be), any decision.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from animatize_assets.images.disk_space import DiskSpace
from animatize_assets.pipeline.generation_setup import GenerationSetup, ProviderSetup
from animatize_assets.settings import Settings

if TYPE_CHECKING:
    from animatize_assets.performance.gpu import GpuMonitor
    from animatize_assets.performance.opening import PerformanceRoom

DAY_S = 86_400
GIGA = 1_000_000_000


def generation_setup(settings: Settings) -> GenerationSetup:
    """Return what a person has set about generation."""
    return GenerationSetup(
        providers={
            "openai": ProviderSetup(
                settings.openai_api_key, settings.openai_base_url, settings.openai_model
            ),
            "flux": ProviderSetup(
                settings.flux_api_key, settings.flux_base_url, settings.flux_model
            ),
            "imagen": ProviderSetup(
                settings.imagen_api_key, settings.imagen_base_url, settings.imagen_model
            ),
            "comfyui": ProviderSetup(
                base_url=settings.comfyui_url, workflow=settings.comfyui_workflow
            ),
        },
        fallback=settings.fallback,
        fallback_to_local=settings.fallback_to_local,
        share_refused=settings.share_refused,
        max_attempts=settings.max_attempts,
        deadline_s=settings.picture_deadline_s,
        budget_run_usd=settings.budget_run_usd,
        budget_day_usd=settings.budget_day_usd,
        budget_provider_day_usd=settings.budget_provider_day_usd,
        expansion_model=settings.expansion_model,
        expansion_draft_model=settings.expansion_draft_model,
        semantic_reuse=settings.semantic_reuse,
        similarity=settings.similarity,
        sentence_model=settings.sentence_model,
        shadow_share=settings.shadow_share,
        results_ttl_s=settings.results_ttl_days * DAY_S,
        results_max_bytes=round(settings.results_max_gb * GIGA),
        disk=disk_space(settings),
    )


def disk_space(settings: Settings) -> DiskSpace:
    """Return what tells whether there is room for new work, and for Dagster's events of it."""
    home = os.environ.get("DAGSTER_HOME")
    return DiskSpace(
        folders=(settings.data_dir, *([Path(home)] if home else [])),
        least_free_bytes=round(settings.disk_free_gb * GIGA),
        least_free_share=settings.disk_free_percent / 100,
    )


def performance_room(settings: Settings, monitor: GpuMonitor | None = None) -> PerformanceRoom:
    """Return the performance room of the data folder. ``monitor``: reads GPUs, where one does."""
    # SQLAlchemy, which a code location that only loads does not need.
    from animatize_assets.performance.opening import DATABASE, MLFLOW_DATABASE, PerformanceRoom
    from animatize_assets.performance.thresholds import Thresholds

    folder = settings.data_dir
    url = settings.performance_database_url or settings.database_url
    return PerformanceRoom(
        database_url=url.get_secret_value() if url else f"sqlite:///{folder / DATABASE}",
        tracking_uri=settings.mlflow_tracking_uri or f"sqlite:///{folder / MLFLOW_DATABASE}",
        folder=folder / "performance",
        thresholds=Thresholds(
            slow_image_s=settings.slow_image_s,
            slow_video_s=settings.slow_video_s,
            low_gpu_percent=settings.low_gpu_percent,
            high_cpu_percent=settings.high_cpu_percent,
            failure_rate=settings.failure_rate,
            high_queue_s=settings.high_queue_s,
        ),
        sample_interval_s=settings.sample_interval_s,
        gpu_monitor=monitor,
    )
