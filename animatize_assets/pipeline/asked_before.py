"""What was asked for of an image before, so that its results can be made again in the same way.

A result that is made again because a rule file, a template or a model changed must stay what a
person asked for: in that style, by that provider. Belongs here: reading it from what is stored.
Does not belong here: who makes anything again, and when (``defs.stale_results``).
"""

from __future__ import annotations

from collections.abc import Iterable

from animatize_assets.generation.models import PictureRecord
from animatize_assets.images.artifacts import ArtifactStore
from animatize_assets.pipeline.request import PipelineRequest
from animatize_assets.prompts.models import MotionPrompt


def request_before(
    artifacts: ArtifactStore, image_key: str, otherwise: PipelineRequest
) -> PipelineRequest:
    """Return the last request of the image, by its picture, else as far as its prompt tells.

    ``otherwise``: for an image of which neither is there.
    """
    picture = artifacts.current("generated_picture", image_key, PictureRecord)
    if picture is not None:
        return PipelineRequest.model_validate(picture.request)
    prompt = artifacts.current("motion_prompt", image_key, MotionPrompt)
    if prompt is not None:
        return otherwise.model_copy(update={"target": prompt.target, "style": prompt.style})
    return otherwise


def requests_before(
    artifacts: ArtifactStore, image_keys: Iterable[str], otherwise: PipelineRequest
) -> dict[PipelineRequest, list[str]]:
    """Return last request -> the images of which it was the last one, in the given order."""
    found: dict[PipelineRequest, list[str]] = {}
    for key in image_keys:
        found.setdefault(request_before(artifacts, key, otherwise), []).append(key)
    return found
