"""What each stage does: one call to a room, its files, and what determines the result.

Belongs here: the six stages as data and the few lines that join a room's input to its output.
Does not belong here: the order of stages and their failures (``stages``), any measurement,
rule or pixel arithmetic (the rooms).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from animatize_assets.animatic.models import ClipRecord
from animatize_assets.errors import NotConfigured, StorageFailed
from animatize_assets.generation.models import PictureRecord
from animatize_assets.generation.sourcing import derive_seed
from animatize_assets.images.artifacts import Draft
from animatize_assets.images.decoding import load_working_copy
from animatize_assets.images.models import ImageRecord
from animatize_assets.movement.models import MovementPrediction
from animatize_assets.movement.prediction import predict_movements
from animatize_assets.pipeline.generation_setup import KEY_VARIABLES
from animatize_assets.pipeline.making_frames import (
    frame_determinants,
    make_clip,
    make_picture,
    picture_determinants,
    picture_is_final,
    picture_version,
)
from animatize_assets.pipeline.stages import Stage, Work, digest_of
from animatize_assets.pipeline.thumbnails import THUMBNAIL_SIDE_PX, write_thumbnail
from animatize_assets.prompts.compiler import compile_prompt
from animatize_assets.prompts.models import MotionPrompt
from animatize_assets.records import Record
from animatize_assets.rendering.overlay import draw_composition
from animatize_assets.scene.analysis import analyze_scene
from animatize_assets.scene.models import SceneAnalysis, SceneArrays
from animatize_assets.scene.working_copy import WORKING_LONG_SIDE_PX

if TYPE_CHECKING:
    from animatize_assets.pipeline.expanding import Expansions

CLIP_DURATION_S = 5.0
CLIP_FPS = 24
"""What a clip is like unless a target model says otherwise (issue: 5 s at 24 fps)."""


def default_stages() -> dict[str, Stage]:
    """Return the six stages as this project makes them."""
    return {
        "source_image": Stage(ImageRecord, _image_determinants, _take_image, _image_version),
        "scene_analysis": Stage(SceneAnalysis, _scene_determinants, _analyze, _fingerprint),
        "movement_prediction": Stage(
            MovementPrediction, _movement_determinants, _predict, _prediction_version
        ),
        "motion_prompt": Stage(
            MotionPrompt, _prompt_determinants, _compile, _prompt_version, prompt_is_final
        ),
        "generated_picture": Stage(
            PictureRecord, picture_determinants, make_picture, picture_version, picture_is_final
        ),
        "animatic_clip": Stage(ClipRecord, frame_determinants, make_clip, _fingerprint),
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
        with original.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != record.sha256:
            raise StorageFailed(
                f"The stored bytes of {work.image_key} are not those that were uploaded: "
                "ingest the file again."
            )
        pixels = load_working_copy(original, THUMBNAIL_SIDE_PX["source_image"])
    write_thumbnail(draft, "source_image", pixels)
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
        overlay = draw_composition(pixels, measured.analysis, measured.regions)
        write_thumbnail(draft, "scene_analysis", overlay)
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
    compiled = {
        "scene": work.inputs["scene_analysis"].data_version,
        "movement": work.inputs["movement_prediction"].data_version,
        "target": work.request.target,
        "style": work.request.style,
    }
    if work.request.expand == "off":
        return compiled
    seed = derive_seed(work.image_key, work.request.seed, "openai", work.request.expand)
    return compiled | _expansions(work).determinants(work.request.expand) | {"seed": seed}


def _expansions(work: Work) -> Expansions:
    if work.workshop.expansions is None:
        raise NotConfigured(
            f"Prompts cannot be expanded: set {KEY_VARIABLES['openai']}, or expand=off."
        )
    return work.workshop.expansions


def _compile(work: Work, _: Draft) -> MotionPrompt:
    analysis = work.input("scene_analysis", SceneAnalysis)
    prediction = work.input("movement_prediction", MovementPrediction)
    prompt = compile_prompt(
        analysis,
        prediction,
        target=work.request.target,
        style=work.request.style,
        dialects=work.workshop.dialects,
    )
    if work.request.expand == "off":
        return prompt
    with work.phases.phase("expand"), work.workshop.desks.left():
        return _expansions(work).expand(
            prompt,
            analysis,
            prediction,
            expand=work.request.expand,
            seed=derive_seed(work.image_key, work.request.seed, "openai", work.request.expand),
            image_key=work.image_key,
            run_id=work.workshop.run_id,
            across_runs=work.workshop.pictures.across_runs,
        )


def prompt_is_final(record: Record) -> bool:
    """Whether a stored prompt answers its request for good: not one that waits for its model."""
    assert isinstance(record, MotionPrompt)  # noqa: S101  # Stage.record_type
    return record.expansion is None or record.expansion.fallback in (None, "unusable_answer")


def _prompt_version(record: Record, _: str) -> str:
    """Tell texts apart, not the templates that they come from."""
    provenance = {"template_version", "dialect_version", "expansion"}
    return digest_of(record.model_dump(mode="json", exclude=provenance))[:16]
