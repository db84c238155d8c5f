"""What each stage does: one call to a room, its files, and what determines the result.

Belongs here: the six stages as data and the few lines that join a room's input to its output.
Does not belong here: the order of stages and their failures (``stages``), any measurement,
rule or pixel arithmetic (the rooms).
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from datetime import UTC, datetime
from time import perf_counter

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from animatize_assets.animatic.clip import write_clip
from animatize_assets.animatic.models import ClipRecord
from animatize_assets.animatic.preview import shrink_preview
from animatize_assets.errors import NotConfigured, StorageFailed
from animatize_assets.generation.models import Attempt, PictureRecord, PictureRequest
from animatize_assets.generation.provider import PictureProvider
from animatize_assets.generation.verification import verify_picture
from animatize_assets.images.artifacts import Draft
from animatize_assets.images.decoding import load_working_copy
from animatize_assets.images.models import ImageRecord
from animatize_assets.movement.models import MovementPrediction
from animatize_assets.movement.prediction import predict_movements
from animatize_assets.pipeline.stages import Stage, Work, digest_of
from animatize_assets.prompts.compiler import compile_prompt
from animatize_assets.prompts.models import MotionPrompt
from animatize_assets.records import Record
from animatize_assets.rendering.frame import FrameRenderer
from animatize_assets.rendering.overlay import draw_composition
from animatize_assets.rendering.size import output_size
from animatize_assets.rendering.thumbnail import encode_thumbnail
from animatize_assets.scene.analysis import analyze_scene
from animatize_assets.scene.models import SceneAnalysis, SceneArrays
from animatize_assets.scene.working_copy import WORKING_LONG_SIDE_PX

CLIP_DURATION_S = 5.0
CLIP_FPS = 24
"""What a clip is like unless a target model says otherwise (issue: 5 s at 24 fps)."""

THUMBNAIL = "thumbnail.webp"
"""File beside a result that shows it in few bytes."""
THUMBNAIL_BYTES = {
    "source_image": 3_500,
    "scene_analysis": 7_000,
    "generated_picture": 5_000,
    "animatic_clip": 6_500,
}
"""Together 22 000 bytes, 29 400 as base64: what is embedded of one image stays below 30 KB."""
THUMBNAIL_SIDE_PX = {"source_image": 160, "scene_analysis": 320, "generated_picture": 240}
EXTENSIONS = {"image/png": "png", "image/jpeg": "jpg", "image/webp": "webp"}


def default_stages() -> dict[str, Stage]:
    """Return the six stages as this project makes them."""
    return {
        "source_image": Stage(ImageRecord, _image_determinants, _take_image, _image_version),
        "scene_analysis": Stage(SceneAnalysis, _scene_determinants, _analyze, _fingerprint),
        "movement_prediction": Stage(
            MovementPrediction, _movement_determinants, _predict, _prediction_version
        ),
        "motion_prompt": Stage(MotionPrompt, _prompt_determinants, _compile, _prompt_version),
        "generated_picture": Stage(
            PictureRecord, _picture_determinants, _make_picture, _picture_version
        ),
        "animatic_clip": Stage(ClipRecord, _frame_determinants, _make_clip, _fingerprint),
    }


def _fingerprint(_: Record, fingerprint: str) -> str:
    """For a result that differs whenever anything that determines it does."""
    return fingerprint[:16]


# --- source_image ---------------------------------------------------------------------------


def _image_determinants(work: Work) -> Mapping[str, object]:
    return {"sha256": work.workshop.images.get(work.image_key).sha256}


def _take_image(work: Work, draft: Draft) -> ImageRecord:
    record = work.workshop.images.get(work.image_key)
    with work.workshop.images.local_original(work.image_key) as original:
        with work.phases.phase("verify"), original.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != record.sha256:
            raise StorageFailed(
                f"The stored bytes of {work.image_key} are not those that were uploaded: "
                "ingest the file again."
            )
        with work.phases.phase("decode"):
            pixels = load_working_copy(original, THUMBNAIL_SIDE_PX["source_image"])
    _write_thumbnail(draft, "source_image", pixels)
    return record


def _image_version(record: Record, _: str) -> str:
    assert isinstance(record, ImageRecord)  # noqa: S101  # Stage.record_type
    return record.sha256[:16]


# --- scene_analysis -------------------------------------------------------------------------


def _scene_determinants(work: Work) -> Mapping[str, object]:
    return {
        "image": work.inputs["source_image"].data_version,
        "models": work.workshop.scene_models_digest,
    }


def _analyze(work: Work, draft: Draft) -> SceneAnalysis:
    image = work.input("source_image", ImageRecord)
    with (
        work.phases.phase("decode"),
        work.workshop.images.local_original(work.image_key) as original,
    ):
        pixels = load_working_copy(original, WORKING_LONG_SIDE_PX)
    with work.phases.phase("analyze"):
        measured = analyze_scene(
            pixels, image_size=(image.width, image.height), models=work.workshop.scene_models
        )
    np.save(draft.path("depth.npy"), measured.depth.astype(np.float16))
    np.save(draft.path("regions.npy"), measured.regions)
    with work.phases.phase("preview"):
        _write_thumbnail(draft, "scene_analysis", draw_composition(pixels, measured.analysis))
    arrays = SceneArrays(depth=draft.relative("depth.npy"), regions=draft.relative("regions.npy"))
    return measured.analysis.model_copy(update={"arrays": arrays})


# --- movement_prediction --------------------------------------------------------------------


def _movement_determinants(work: Work) -> Mapping[str, object]:
    return {
        "scene": work.inputs["scene_analysis"].data_version,
        "aspect_ratio": work.request.aspect_ratio,
        "duration_s": CLIP_DURATION_S,
        "fps": CLIP_FPS,
    }


def _predict(work: Work, _: Draft) -> MovementPrediction:
    with work.phases.phase("predict"):
        return predict_movements(
            work.input("scene_analysis", SceneAnalysis),
            work.workshop.rules,
            aspect_ratio=work.request.aspect_ratio,
            duration_s=CLIP_DURATION_S,
            fps=CLIP_FPS,
        )


def _prediction_version(record: Record, _: str) -> str:
    """Tell movements apart, not the rules that led to them."""
    return digest_of(record.model_dump(mode="json", exclude={"version", "rules_version"}))[:16]


# --- motion_prompt --------------------------------------------------------------------------


def _prompt_determinants(work: Work) -> Mapping[str, object]:
    return {
        "scene": work.inputs["scene_analysis"].data_version,
        "movement": work.inputs["movement_prediction"].data_version,
        "target": work.request.target,
        "style": work.request.style,
    }


def _compile(work: Work, _: Draft) -> MotionPrompt:
    with work.phases.phase("compile"):
        return compile_prompt(
            work.input("scene_analysis", SceneAnalysis),
            work.input("movement_prediction", MovementPrediction),
            target=work.request.target,
            style=work.request.style,
            dialects=work.workshop.dialects,
        )


def _prompt_version(record: Record, _: str) -> str:
    """Tell texts apart, not the templates that they come from."""
    provenance = {"template_version", "dialect_version"}
    return digest_of(record.model_dump(mode="json", exclude=provenance))[:16]


# --- generated_picture ----------------------------------------------------------------------


def _provider(work: Work) -> PictureProvider:
    provider = work.workshop.providers.get(work.request.provider)
    if provider is None:
        raise NotConfigured(
            f"Provider '{work.request.provider}' is not configured; there is: "
            f"{', '.join(sorted(work.workshop.providers)) or 'none'}."
        )
    return provider


def _frame_determinants(work: Work) -> dict[str, object]:
    """Image, depth and path determine a frame, but not why the path was chosen."""
    prediction = work.input("movement_prediction", MovementPrediction)
    return {
        "image": work.inputs["source_image"].data_version,
        "scene": work.inputs["scene_analysis"].data_version,
        "path": prediction.camera_path.model_dump(mode="json"),
        "size": work.request.size,
    }


def _picture_determinants(work: Work) -> Mapping[str, object]:
    provider = _provider(work)
    return _frame_determinants(work) | {
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


def _make_picture(work: Work, draft: Draft) -> PictureRecord:
    provider = _provider(work)
    width, height = _frame_size(work)
    with work.phases.phase("open"):
        source, depth = work.opened.pixels(), _depth(work)
    request = PictureRequest(
        image_key=work.image_key,
        prompt=work.input("motion_prompt", MotionPrompt),
        width=width,
        height=height,
        seed=work.request.seed,
        source=source,
        depth=depth,
        camera_path=work.input("movement_prediction", MovementPrediction).camera_path,
        grade=work.request.grade,
    )
    started_at, started = datetime.now(UTC), perf_counter()
    with work.phases.phase("generate"):
        made = provider.make(request)
    attempt = Attempt(
        provider=made.provider,
        model=made.model,
        started_at=started_at,
        seconds=perf_counter() - started,
        outcome="made",
    )
    with work.phases.phase("verify"):
        verify_picture(made, request)
    name = f"picture.{EXTENSIONS[made.media_type]}"
    draft.path(name).write_bytes(made.content)
    with work.phases.phase("preview"):
        _write_thumbnail(draft, "generated_picture", _decoded(made.content))
    return PictureRecord(
        provider=made.provider,
        model=made.model,
        path=draft.relative(name),
        media_type=made.media_type,
        sha256=hashlib.sha256(made.content).hexdigest(),
        width=made.width,
        height=made.height,
        seed=made.seed,
        graded=work.request.grade,
        cost_usd=made.cost_usd,
        attempts=(attempt,),
    )


def _picture_version(record: Record, _: str) -> str:
    assert isinstance(record, PictureRecord)  # noqa: S101  # Stage.record_type
    return record.sha256[:16]


# --- animatic_clip --------------------------------------------------------------------------


def _make_clip(work: Work, draft: Draft) -> ClipRecord:
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
        draft.path(THUMBNAIL).write_bytes(shrink_preview(preview, THUMBNAIL_BYTES["animatic_clip"]))
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


def _write_thumbnail(draft: Draft, stage: str, pixels: NDArray[np.uint8]) -> None:
    draft.path(THUMBNAIL).write_bytes(
        encode_thumbnail(
            pixels, long_side_px=THUMBNAIL_SIDE_PX[stage], max_bytes=THUMBNAIL_BYTES[stage]
        )
    )


def _decoded(content: bytes) -> NDArray[np.uint8]:
    """Decode a verified file to rows x columns x RGB."""
    with Image.open(io.BytesIO(content)) as picture:
        return np.asarray(picture.convert("RGB"))
