"""The real stages, on one small picture, through every room."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from upath import UPath

from animatize_assets.animatic.models import ClipRecord
from animatize_assets.errors import StorageFailed
from animatize_assets.generation.models import PictureRecord
from animatize_assets.images.limits import ImageLimits
from animatize_assets.images.models import ImageRecord
from animatize_assets.movement.models import MovementPrediction
from animatize_assets.pipeline.request import PipelineRequest
from animatize_assets.pipeline.stages import STAGES, run_stages
from animatize_assets.pipeline.thumbnails import THUMBNAIL
from animatize_assets.pipeline.verdicts import (
    analysis_problem,
    clip_problem,
    picture_problem,
    prompt_problem,
)
from animatize_assets.pipeline.workshop import open_stores, open_workshop
from animatize_assets.prompts.models import MotionPrompt
from animatize_assets.scene.models import SceneAnalysis

REQUEST = PipelineRequest(size=(96, 64))


def test_from_an_upload_to_a_clip(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    pixels = np.linspace(30, 220, 120, dtype=np.float32)[:, None, None] * np.ones((120, 180, 3))
    pixels[40:90, 20:70] = (200, 60, 40)
    pixels += rng.normal(0, 6, pixels.shape)
    upload = tmp_path / "a lone box.png"
    Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(upload)

    stores = open_stores(UPath(tmp_path / "data"), ImageLimits())
    workshop = open_workshop(*stores)
    key = workshop.images.ingest(upload).image_key or ""
    found = {outcome.stage: outcome for outcome in run_stages(workshop, key, REQUEST)}
    assert {stage: outcome.error for stage, outcome in found.items()} == dict.fromkeys(STAGES)
    image, scene, prediction, prompt, picture, clip = (found[stage].record for stage in STAGES)
    assert isinstance(image, ImageRecord)
    assert isinstance(scene, SceneAnalysis)
    assert isinstance(prediction, MovementPrediction)
    assert isinstance(prompt, MotionPrompt)
    assert isinstance(picture, PictureRecord)
    assert isinstance(clip, ClipRecord)

    assert (picture.width, picture.height) == (clip.width, clip.height) == (96, 64)
    assert clip.frame_count == prediction.camera_path.frame_count
    assert prompt.camera_move == prediction.camera_path.move
    assert clip.recipe["image_key"] == key
    assert analysis_problem(scene.model_copy(update={"confidence": 0.9})) is None
    assert prompt_problem(prompt, prediction) is None
    assert picture_problem(workshop.artifacts, picture, (96, 64)) is None
    assert clip_problem(workshop.artifacts, clip, prediction) is None

    embedded = 0
    for stage, outcome in found.items():
        folder = tmp_path / "data" / "artifacts" / stage / key / (outcome.fingerprint or "")
        if (folder / THUMBNAIL).exists():
            embedded += (folder / THUMBNAIL).stat().st_size
    assert 0 < embedded * 4 / 3 < 30_000

    # What falls short is told in one sentence.
    for other in (picture, picture.model_copy(update={"notes": ("It takes no seed.",)})):
        assert "asked was 640x480" in (picture_problem(workshop.artifacts, other, (640, 480)) or "")
    nearest = picture.model_copy(update={"asked_size": (96, 64)})
    assert picture_problem(workshop.artifacts, nearest, (100, 70)) is None
    ratio_only = picture.model_copy(update={"aspect_only": True})
    assert picture_problem(workshop.artifacts, ratio_only, (960, 640)) is None
    assert "confidence of 0.10" in (
        analysis_problem(scene.model_copy(update={"confidence": 0.1})) or ""
    )
    assert "does not name the move" in (
        prompt_problem(prompt.model_copy(update={"positive": "A box."}), prediction) or ""
    )
    assert "takes 3" in (
        prompt_problem(prompt.model_copy(update={"length_limit": 3}), prediction) or ""
    )
    longer = prediction.camera_path.model_copy(update={"duration_s": 9.0})
    assert "its camera path says 9.000 s" in (
        clip_problem(
            workshop.artifacts, clip, prediction.model_copy(update={"camera_path": longer})
        )
        or ""
    )
    stored = tmp_path / "data" / clip.path
    stored.write_bytes(stored.read_bytes()[:200])
    assert "cannot be played" in (clip_problem(workshop.artifacts, clip, prediction) or "")
    (tmp_path / "data" / picture.path).unlink()
    assert "cannot be read" in (picture_problem(workshop.artifacts, picture, None) or "")
    with pytest.raises(StorageFailed), workshop.artifacts.local(picture.path):
        pass
