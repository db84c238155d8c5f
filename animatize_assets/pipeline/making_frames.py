"""The two stages that render: the picture and the clip.

Belongs here: joining image, depth, camera path and prompt to a provider and to the renderer.
Does not belong here: the stages that only measure and describe (``making``), pixels (the rooms).
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from contextlib import nullcontext

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from animatize_assets.animatic.clip import write_clip
from animatize_assets.animatic.models import ClipRecord
from animatize_assets.errors import StorageFailed
from animatize_assets.generation.models import PictureRecord, PictureRequest
from animatize_assets.generation.sourcing import PictureOrder, derive_seed
from animatize_assets.images.artifacts import Draft
from animatize_assets.images.models import ImageRecord
from animatize_assets.movement.models import MovementPrediction
from animatize_assets.pipeline.stages import Work, digest_of
from animatize_assets.pipeline.thumbnails import write_animated_thumbnail, write_thumbnail
from animatize_assets.prompts.models import MotionPrompt
from animatize_assets.records import Record
from animatize_assets.rendering.frame import FrameRenderer
from animatize_assets.rendering.size import output_size
from animatize_assets.scene.models import SceneAnalysis

EXTENSIONS = {"image/png": "png", "image/jpeg": "jpg", "image/webp": "webp"}


def frame_determinants(work: Work) -> dict[str, object]:
    """Image, depth and path determine a frame, but not why the path was chosen."""
    prediction = work.input("movement_prediction", MovementPrediction)
    return {
        "image": work.inputs["source_image"].data_version,
        "scene": work.inputs["scene_analysis"].data_version,
        "path": prediction.camera_path.model_dump(mode="json"),
        "size": work.request.size,
    }


def picture_determinants(work: Work) -> Mapping[str, object]:
    """Add prompt, provider and its options: all that a paid call depends on."""
    provider = work.workshop.pictures.provider(work.request.provider)
    return frame_determinants(work) | {
        "prompt": work.inputs["motion_prompt"].data_version,
        "provider": provider.name,
        "model": provider.model,
        "grade": work.request.grade,
        "seed": work.request.seed,
    }


def _frame_size(work: Work) -> tuple[int, int]:
    image = work.input("source_image", ImageRecord)
    return output_size(image.width, image.height, size=work.request.size)


def _depth(work: Work) -> NDArray[np.float32]:
    stored = work.input("scene_analysis", SceneAnalysis).arrays.depth
    if stored is None:
        raise StorageFailed(f"{work.image_key} has no stored depth; make scene_analysis again.")
    return work.opened.depth(stored)


def make_picture(work: Work, draft: Draft) -> PictureRecord:
    """Have the picture found or made, and keep it.

    Raises:
        ProviderError: nothing usable was delivered.
        NotConfigured: there is no such provider.
        BudgetExceeded: it could cost more than is allowed.

    """
    with work.phases.phase("open"):
        order = picture_order(work, draft.fingerprint)
    # The desk is for computing: whoever waits for another's computer leaves it.
    away = work.workshop.desks.left() if order.provider != "local" else nullcontext()
    with work.phases.phase("generate"), away:
        obtained = work.workshop.pictures.obtain(order)
    made = obtained.made
    name = f"picture.{EXTENSIONS[made.media_type]}"
    draft.path(name).write_bytes(made.content)
    with work.phases.phase("preview"):
        write_thumbnail(draft, "generated_picture", _decoded(made.content))
    return PictureRecord(
        provider=made.provider,
        model=made.model,
        path=draft.relative(name),
        media_type=made.media_type,
        sha256=hashlib.sha256(made.content).hexdigest(),
        width=made.width,
        height=made.height,
        seed=made.seed,
        graded=work.request.grade and made.provider == "local",
        cost_usd=made.cost_usd,
        attempts=obtained.attempts,
        asked_provider=work.request.provider,
        request=work.request.model_dump(mode="json"),
        asked_size=made.asked_size,
        aspect_only=made.aspect_only,
        notes=made.notes,
        reproducible=made.reproducible,
        usage=made.usage,
        reuse=obtained.reuse,
        prompt=order.request.prompt.positive,
    )


def picture_order(work: Work, fingerprint: str) -> PictureOrder:
    """Put together what is asked of the source of pictures."""
    prompt = work.input("motion_prompt", MotionPrompt)
    provider = work.workshop.pictures.provider(work.request.provider)
    width, height = _frame_size(work)
    local = provider.name == "local"
    seed = work.request.seed
    request = PictureRequest(
        image_key=work.image_key,
        prompt=prompt,
        width=width,
        height=height,
        seed=seed if local else derive_seed(work.image_key, seed, provider.name, provider.model),
        source=work.opened.pixels(),
        depth=_depth(work),
        camera_path=work.input("movement_prediction", MovementPrediction).camera_path,
        grade=work.request.grade,
        fingerprint=fingerprint,
    )
    structured = frame_determinants(work) | {
        "provider": provider.name,
        "model": provider.model,
        "size": [width, height],
        "seed": request.seed,
        "grade": work.request.grade,
        "negative": prompt.negative,
        "target": prompt.target,
        "templates": [prompt.template_version, prompt.dialect_version],
        "code": work.workshop.code_versions["generated_picture"],
    }
    return PictureOrder(
        request=request,
        provider=provider.name,
        structured=structured,
        style=work.request.style,
        run_id=work.workshop.run_id,
    )


def picture_is_final(record: Record) -> bool:
    """Whether a stored picture answers its request for good.

    One that fell back to the local provider does not: the next run asks its provider again.
    """
    assert isinstance(record, PictureRecord)  # noqa: S101  # Stage.record_type
    return not (record.is_fallback and record.provider == "local")


def picture_version(record: Record, _: str) -> str:
    """Tell pictures apart by their bytes."""
    assert isinstance(record, PictureRecord)  # noqa: S101  # Stage.record_type
    return record.sha256[:16]


def make_clip(work: Work, draft: Draft) -> ClipRecord:
    """Render and encode the camera path; the file is decoded again before it counts.

    Raises:
        RenderingFailed: it does not decode to what the path says.

    """
    path = work.input("movement_prediction", MovementPrediction).camera_path
    width, height = _frame_size(work)
    recipe: dict[str, str | int | float] = {
        "image_key": work.image_key,
        "camera_path": digest_of(path.model_dump(mode="json"))[:16],
        "seed": work.request.seed,
        "scene": work.inputs["scene_analysis"].data_version,
        "code": work.workshop.code_versions["animatic_clip"],
    }
    with work.phases.phase("open"):
        renderer = FrameRenderer(work.opened.pixels(), _depth(work), path, width, height)
    mp4, preview = draft.path("clip.mp4"), draft.path("preview.webp")
    with work.phases.phase("render"):
        facts = write_clip(renderer, path, mp4=mp4, preview=preview, recipe=recipe)
    with work.phases.phase("preview"):
        write_animated_thumbnail(draft, preview, facts.duration_s)
    return ClipRecord(
        path=draft.relative("clip.mp4"),
        preview_path=draft.relative("preview.webp"),
        width=facts.width,
        height=facts.height,
        fps=facts.fps,
        frame_count=facts.frame_count,
        duration_s=facts.duration_s,
        codec=facts.codec,
        byte_count=facts.byte_count,
        recipe=recipe,
    )


def _decoded(content: bytes) -> NDArray[np.uint8]:
    """Decode a verified file to rows x columns x RGB."""
    with Image.open(io.BytesIO(content)) as picture:
        return np.asarray(picture.convert("RGB"))
