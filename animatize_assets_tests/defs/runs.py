"""Starting runs of the cheap code location in this process, and asking what became of them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import dagster as dg
from upath import UPath

from animatize_assets.defs.build import build_definitions
from animatize_assets.defs.partitions import IMAGE_PARTITIONS, images, range_tags
from animatize_assets.images.limits import ImageLimits
from animatize_assets.pipeline.stages import STAGES
from animatize_assets.pipeline.workshop import open_stores
from animatize_assets_tests.pipeline.cheap import cheap_overrides, write_images

QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


def register(instance: dg.DagsterInstance, data_dir: Path, count: int) -> list[str]:
    """Ingest ``count`` small images and make them partitions."""
    url = os.environ.get("ANIMATIZE_DATABASE_URL")
    store, _ = open_stores(UPath(data_dir), ImageLimits(), database_url=url)
    keys = [store.ingest(path).image_key or "" for path in write_images(data_dir / "given", count)]
    instance.add_dynamic_partitions(IMAGE_PARTITIONS, keys)
    return keys


def cheap_definitions(
    code_versions: dict[str, str] | None = None, **versions: str
) -> dg.Definitions:
    return build_definitions(cheap_overrides(**versions), code_versions=code_versions)


def run(
    instance: dg.DagsterInstance,
    keys: Sequence[str],
    *,
    definitions: dg.Definitions | None = None,
    job: str = "animate_images",
    **config: Any,
) -> dg.ExecuteInProcessResult:
    definitions = definitions or cheap_definitions()
    return definitions.resolve_job_def(job).execute_in_process(
        instance=instance,
        tags=range_tags(keys),
        run_config={"ops": {"image_pipeline": {"config": config}}, **QUIET},
        raise_on_error=False,
    )


def states(instance: dg.DagsterInstance, keys: Sequence[str]) -> dict[str, dict[str, str | None]]:
    """Asset -> image key -> materialized, failed, in_progress or None."""
    found = {}
    for stage in STAGES:
        statuses = instance.get_status_by_partition(dg.AssetKey(stage), list(keys), images) or {}
        found[stage] = {
            key: status.value.lower() if (status := statuses.get(key)) else None for key in keys
        }
    return found


def materializations(
    result: dg.ExecuteInProcessResult,
) -> dict[tuple[str, str], dg.AssetMaterialization]:
    """(asset, image key) -> what was logged."""
    found = {}
    for event in result.all_events:
        if event.is_step_materialization:
            made = event.step_materialization_data.materialization
            found[made.asset_key.to_user_string(), made.partition or ""] = made
    return found


def failed_images(result: dg.ExecuteInProcessResult) -> dict[str, dict[str, str]]:
    """The list that the step's failure carries."""
    (failure,) = [e.step_failure_data for e in result.all_events if e.is_step_failure]
    assert failure.user_failure_data is not None
    return failure.user_failure_data.metadata["failed_images"].value  # type: ignore[return-value]
