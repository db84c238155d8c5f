"""What the code location offers, found by name: the job and the assets it makes.

Belongs here: the only place that loads the code location. It is named by a string, so that the
door to Dagster does not depend on what it starts.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module

from dagster import AssetKey, Definitions, JobDefinition

from animatize_assets.errors import OrchestrationFailed

CODE_LOCATION = "animatize_assets.definitions"
PIPELINE_JOB = "animate_images"


@dataclass(frozen=True)
class PipelineAsset:
    """One asset of the pipeline as the code location declares it now."""

    name: str
    code_version: str | None
    needs: tuple[str, ...]
    """Names of the pipeline's assets that it is made from."""


@lru_cache(maxsize=4)
def load_definitions(module: str = CODE_LOCATION) -> Definitions:
    """Import the code location once per process.

    Raises:
        OrchestrationFailed: the module has no ``Definitions`` named ``defs``.

    """
    definitions = getattr(import_module(module), "defs", None)
    if not isinstance(definitions, Definitions):
        raise OrchestrationFailed(f"{module} has no Dagster Definitions named 'defs'.")
    return definitions


def load_job(module: str = CODE_LOCATION, name: str = PIPELINE_JOB) -> JobDefinition:
    """Return the job that materializes the whole pipeline."""
    return load_definitions(module).resolve_job_def(name)


def pipeline_assets(module: str = CODE_LOCATION) -> tuple[PipelineAsset, ...]:
    """Return the assets of the pipeline's job, upstream before downstream."""
    graph = load_definitions(module).resolve_asset_graph()
    selected = load_job(module).asset_layer.selected_asset_keys
    return tuple(
        PipelineAsset(
            name=key.to_user_string(),
            code_version=graph.get(key).code_version,
            needs=tuple(
                sorted(p.to_user_string() for p in graph.get(key).parent_keys if p in selected)
            ),
        )
        for key in graph.toposorted_asset_keys
        if key in selected
    )


def asset_keys(names: tuple[str, ...]) -> list[AssetKey]:
    """Dagster's keys of the assets so named."""
    return [AssetKey.from_user_string(name) for name in names]
