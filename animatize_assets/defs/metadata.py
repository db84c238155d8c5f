"""What a person sees of one finished stage without opening a file.

Belongs here: choosing and phrasing metadata, and the tags from which Dagster tells staleness.
Does not belong here: measuring anything. Everything that is stored here stays in the event log
for ever, so pictures are thumbnails and long texts are cut.
See https://docs.dagster.io/guides/build/assets/metadata-and-tags.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from typing import Any

import dagster as dg

from animatize_assets.animatic.models import ClipRecord
from animatize_assets.errors import StorageFailed
from animatize_assets.generation.models import Attempt, PictureRecord
from animatize_assets.images.artifacts import ArtifactStore
from animatize_assets.images.models import ImageRecord
from animatize_assets.movement.models import MovementPrediction
from animatize_assets.pipeline.stages import StageOutcome
from animatize_assets.prompts.models import MotionPrompt
from animatize_assets.scene.models import SceneAnalysis

CODE_VERSION_TAG = "dagster/code_version"
DATA_VERSION_TAG = "dagster/data_version"
INPUT_DATA_VERSION_TAG = "dagster/input_data_version/"
INPUT_EVENT_POINTER_TAG = "dagster/input_event_pointer/"
"""Tags that Dagster itself sets on the output of an asset (_core/definitions/data_version.py);
a materialization that is logged by hand must carry them to take part in staleness."""

SHOWN_SHARE = 0.01
"""Surfaces with a smaller share of the image are not named."""

SHOWN_MOVEMENTS = 3
"""Movements that are told, the camera's first."""


def version_tags(outcome: StageOutcome, pointers: Mapping[str, int]) -> dict[str, str]:
    """Code version, data version and those of the inputs.

    ``pointers``: input stage -> storage id of its materialization that was used.
    """
    tags = {CODE_VERSION_TAG: outcome.code_version}
    if outcome.data_version is not None:
        tags[DATA_VERSION_TAG] = outcome.data_version
    for stage, data_version in outcome.inputs.items():
        tags[INPUT_DATA_VERSION_TAG + stage] = data_version
        if stage in pointers:
            tags[INPUT_EVENT_POINTER_TAG + stage] = str(pointers[stage])
    return tags


def materialization_metadata(outcome: StageOutcome, artifacts: ArtifactStore) -> dict[str, Any]:
    """Describe a stage that has a result.

    Few entries with several facts each: SQLite keeps every event twice in pages of 4 KB, and each
    entry costs 120 bytes beside its value.
    """
    shown: dict[str, Any] = {
        "seconds": round(outcome.seconds, 4),
        "reused": outcome.status == "reused",
    }
    if outcome.phases:
        shown["phases"] = ", ".join(f"{name} {s:.3f} s" for name, s in outcome.phases.items())
        if outcome.estimated_seconds is not None:
            shown["phases"] += f"; estimated {outcome.estimated_seconds:.3g} s"
    shown.update(_DESCRIBED[outcome.stage](outcome.record, artifacts))
    if (thumbnail := _thumbnail(outcome, artifacts)) is not None:
        shown["preview"] = thumbnail
    return shown


def _thumbnail(outcome: StageOutcome, artifacts: ArtifactStore) -> dg.MarkdownMetadataValue | None:
    from animatize_assets.pipeline.thumbnails import THUMBNAIL  # noqa: PLC0415  # loads OpenCV

    place = f"artifacts/{outcome.stage}/{outcome.image_key}/{outcome.fingerprint}/{THUMBNAIL}"
    try:
        content = artifacts.upath(place).read_bytes()
    except FileNotFoundError:
        return None  # stages without pixels have none
    except OSError as error:
        raise StorageFailed(f"The preview {place} cannot be read: {error}.") from error
    data = base64.b64encode(content).decode()
    return dg.MetadataValue.md(f"![{outcome.stage}](data:image/webp;base64,{data})")


def _link(artifacts: ArtifactStore, relative: str) -> dg.PathMetadataValue:
    return dg.MetadataValue.path(str(artifacts.upath(relative)))


def _image(record: ImageRecord, artifacts: ArtifactStore) -> dict[str, Any]:
    size = f"{record.width}x{record.height} px"
    return {
        "image": f"{record.original_name}: {record.format}, {size}",
        "file": _link(artifacts, record.original_path),
    }


def _scene(record: SceneAnalysis, _: ArtifactStore) -> dict[str, Any]:
    kind = record.scene_type
    surfaces = [f"{name} {r.share:.0%}" for name, r in record.regions if r.share >= SHOWN_SHARE]
    return {
        "scene": ", ".join([f"{kind.type} (score {kind.score:.2f})", *surfaces]),
        "confidence": float(record.confidence),
    }


def _prediction(record: MovementPrediction, _: ArtifactStore) -> dict[str, Any]:
    lines = [
        f"- **{m.name}** ({m.category}, {m.confidence:.2f}): {m.justification}"
        for m in [record.camera, *(m for m in record.movements if m is not record.camera)]
    ]
    return {"movement": dg.MetadataValue.md("\n".join(lines[:SHOWN_MOVEMENTS]))}


def _prompt(record: MotionPrompt, _: ArtifactStore) -> dict[str, Any]:
    taken = f"{record.length} of {record.length_limit} {record.length_unit}"
    shown: dict[str, Any] = {
        "prompt": record.positive,
        "target": f"{record.target}, {record.style}: {taken}",
    }
    if record.negative:
        shown["negative"] = record.negative
    if record.expansion is not None:
        left = record.expansion.fallback
        shown["expansion"] = (
            f"by {record.expansion.model}" if left is None else f"template's, because of: {left}"
        )
    return shown


def _picture(record: PictureRecord, artifacts: ArtifactStore) -> dict[str, Any]:
    way = ", ".join(_attempt(each) for each in record.attempts)
    if record.reuse is not None:
        reuse = record.reuse
        way = f"reused ({reuse.level}) from {reuse.source_image_key}: {reuse.why}"
    shown: dict[str, Any] = {
        "provider": record.provider,
        "picture": f"{record.model}, {record.width}x{record.height} px: {way}",
        "file": _link(artifacts, record.path),
    }
    if record.is_fallback:
        shown["asked_provider"] = record.asked_provider
    if record.notes:
        shown["notes"] = " ".join(record.notes)
    if record.cost_usd is not None:
        shown["cost_usd"] = float(record.cost_usd)
    return shown


def _attempt(attempt: Attempt) -> str:
    told = f"{attempt.provider} {attempt.outcome} in {attempt.seconds:.2f} s"
    if attempt.reason is not None:
        told += f" ({attempt.reason})"
    return told if not attempt.cost_usd else f"{told} for {attempt.cost_usd:.4f} $"


def _clip(record: ClipRecord, artifacts: ArtifactStore) -> dict[str, Any]:
    size = f"{record.width}x{record.height} px"
    return {
        "clip": f"{size}, {record.duration_s:g} s at {record.fps} fps",
        "file": _link(artifacts, record.path),
    }


_DESCRIBED: dict[str, Callable[[Any, ArtifactStore], dict[str, Any]]] = {
    "source_image": _image,
    "scene_analysis": _scene,
    "movement_prediction": _prediction,
    "motion_prompt": _prompt,
    "generated_picture": _picture,
    "animatic_clip": _clip,
}
