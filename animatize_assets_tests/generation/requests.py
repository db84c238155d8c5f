"""A picture request with everything filled in."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np

from animatize_assets.generation.models import Call, MadePicture, PictureRequest
from animatize_assets.generation.provider import PictureProvider
from animatize_assets.prompts.models import MotionPrompt
from animatize_assets_tests.rendering.scenes import EVERY_MOVE, disc, textured


def picture_request(grade: dict[str, str | float] | None = None, **changes: Any) -> PictureRequest:
    path = EVERY_MOVE[7]
    prompt = MotionPrompt(
        target="generic",
        style="cinematic",
        positive="the camera trucks left",
        negative=None,
        camera_move=path.move,
        camera_direction=path.direction,
        camera_phrase="trucks left",
        parameters={},
        grade=grade or {},
        compiler="template",
        template_version="1",
        dialect_version="1",
        length=22,
        length_limit=100,
        length_unit="characters",
    )
    values: dict[str, Any] = {
        "image_key": "test-0123456789abcdef",
        "prompt": prompt,
        "width": 320,
        "height": 180,
        "seed": 3,
        "source": textured(640, 360),
        "depth": disc(640, 360).astype(np.float32),
        "camera_path": path,
        "grade": grade is not None,
        **changes,
    }
    return PictureRequest(**values)


def made_by(
    provider: PictureProvider, request: PictureRequest, *, timeout_s: float = 30.0
) -> MadePicture:
    """One attempt, in an event loop of its own."""
    return asyncio.run(provider.make(request, Call(timeout_s=timeout_s)))
