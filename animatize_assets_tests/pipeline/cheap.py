"""A workshop whose stages are made of nothing, but stored and found again like real ones.

What they should do is read from ``cheap.json`` in the data folder, so that a test can change it
between runs and reach other processes: ``{"fail": {key: stage}, "kill_at": [key, stage]}``;
``"wait_at": [key, stage]`` leaves a file ``waiting`` and waits until that is wished no more,
``"away": [key, stage, times]`` has a database be away so many times.
Every stage that is really made leaves a line in ``made.log``.
"""

from __future__ import annotations

import io
import json
import os
import signal
from collections.abc import Collection
from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event
from typing import Any

import dagster as dg
import numpy as np
from PIL import Image
from pydantic import Field
from sqlalchemy.exc import OperationalError

from animatize_assets.animatic.clip import write_clip
from animatize_assets.animatic.models import ClipRecord
from animatize_assets.defs.resources import WorkshopResource, default_resources
from animatize_assets.errors import ProviderError
from animatize_assets.generation.models import Attempt, PictureRecord
from animatize_assets.images.artifacts import Draft
from animatize_assets.images.models import ImageRecord
from animatize_assets.movement.models import CameraPath, Keyframe, MovementPrediction
from animatize_assets.movement.rules import load_rules
from animatize_assets.pipeline.making import default_stages
from animatize_assets.pipeline.stages import Stage, Work
from animatize_assets.pipeline.thumbnails import THUMBNAIL
from animatize_assets.pipeline.workshop import Workshop
from animatize_assets.prompts.models import MotionPrompt
from animatize_assets.records import Record
from animatize_assets.rendering.frame import FrameRenderer
from animatize_assets.scene.models import SceneArrays
from animatize_assets_tests.prompts.scenes import analysis, movement

WISHES = "cheap.json"
MADE = "made.log"
WAITING = "waiting"
RULES_FILE = "rules.yaml"
"""Name of a test's own rule file in the data folder."""
DECIDING = ["movement_prediction", "motion_prompt", "generated_picture"]
"""The stages that can be real upon cheap ones: they decide, and measure no pixels."""
SIDE = 32


def wish(data_dir: Path, **wishes: Any) -> None:
    data_dir.mkdir(parents=True, exist_ok=True)
    # A run that is under way in another process must find the old wishes or the new ones, whole.
    part = data_dir / f".{WISHES}.part"
    part.write_text(json.dumps(wishes))
    part.replace(data_dir / WISHES)


def made(data_dir: Path) -> list[tuple[str, str]]:
    """(image key, stage) of every stage that was made, in order."""
    log = data_dir / MADE
    if not log.exists():
        return []
    return [tuple(line.split(" ", 1)) for line in log.read_text().splitlines()]


def write_images(folder: Path, count: int, *, start: int = 0) -> list[Path]:
    """Small PNGs, all different."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for number in range(start, start + count):
        pixels = np.full((SIDE, SIDE, 3), (number % 256, number // 256, 90), np.uint8)
        pixels[::4] = 255
        path = folder / f"picture {number:04d}.png"
        Image.fromarray(pixels).save(path)
        paths.append(path)
    return paths


def cheap_stages(data_dir: Path, real: Collection[str] = ()) -> dict[str, Stage]:
    """The project's stages, each making a fixed record in no time, except those in ``real``."""

    def cheap(name: str, stage: Stage) -> Stage:
        def make(work: Work, draft: Draft) -> Record:
            wishes = _wishes(data_dir)
            if wishes.get("fail", {}).get(work.image_key) == name:
                raise ProviderError(f"{name} refused.", kind="refused_content")
            if wishes.get("crash", {}).get(work.image_key) == name:
                raise ZeroDivisionError("nobody expected this")
            if wishes.get("kill_at") == [work.image_key, name]:
                os.kill(os.getpid(), signal.SIGKILL)
            if wishes.get("away", ())[:2] == [work.image_key, name]:
                _be_away(data_dir, wishes["away"][2])
            if wishes.get("wait_at") == [work.image_key, name]:
                (data_dir / WAITING).touch()
                while _wishes(data_dir).get("wait_at") == [work.image_key, name]:
                    Event().wait(0.1)
            with (data_dir / MADE).open("a") as log:
                log.write(f"{work.image_key} {name}\n")
            return stage.make(work, draft) if name in real else _MAKERS[name](work, draft)

        return replace(stage, make=make)

    return {name: cheap(name, stage) for name, stage in default_stages().items()}


class CheapWorkshop(WorkshopResource):
    """The workshop with cheap stages and, if given, other rules, dialects or real stages."""

    rules_version: str = ""
    rules_file: str = ""
    dialects_version: str = ""
    real_stages: list[str] = Field(default_factory=list)

    def open(self) -> Workshop:
        workshop = super().open()
        folder = Path(self.stores.location().path)
        changes: dict[str, Any] = {"stages": cheap_stages(folder, self.real_stages)}
        if self.rules_file:
            changes["rules"] = load_rules(Path(self.rules_file))
        if self.rules_version:
            changes["rules"] = replace(workshop.rules, version=self.rules_version)
        if self.dialects_version:
            changes["dialects"] = workshop.dialects.model_copy(
                update={"version": self.dialects_version}
            )
        return replace(workshop, **changes)


def cheap_overrides(**versions: Any) -> dict[str, dg.ConfigurableResource[Any]]:
    given = default_resources()
    return {
        **{
            name: given[name]
            for name in ("stores", "scene_models", "picture_providers", "nvidia", "performance")
        },
        "workshop": CheapWorkshop(
            stores=given["stores"],
            scene_models=given["scene_models"],
            picture_providers=given["picture_providers"],
            performance=given["performance"],
            **versions,
        ),
    }


def _be_away(data_dir: Path, times: int) -> None:
    with (data_dir / "away.log").open("a+") as log:
        log.seek(0)
        if len(log.readlines()) < times:
            log.write("away\n")
            raise OperationalError("select 1", {}, ConnectionError("server closed"))


def _wishes(data_dir: Path) -> dict[str, Any]:
    path = data_dir / WISHES
    return json.loads(path.read_text()) if path.exists() else {}


def camera_path() -> CameraPath:
    return CameraPath(
        move="zoom_in",
        direction="in",
        duration_s=0.25,
        fps=24,
        aspect_ratio=1.0,
        easing="linear",
        parallax=0.0,
        keyframes=(Keyframe(t=0, zoom=1), Keyframe(t=1, zoom=1.2)),
    )


def _source(work: Work, draft: Draft) -> Record:
    draft.path(THUMBNAIL).write_bytes(_picture_bytes("WEBP"))
    return work.workshop.images.get(work.image_key)


def _scene(work: Work, draft: Draft) -> Record:
    image = work.input("source_image", ImageRecord)
    np.save(draft.path("depth.npy"), np.zeros((4, 4), np.float16))
    draft.path(THUMBNAIL).write_bytes(_picture_bytes("WEBP"))
    return analysis(
        width=image.width,
        height=image.height,
        arrays=SceneArrays(depth=draft.relative("depth.npy")).model_dump(),
    )


def _movement(work: Work, draft: Draft) -> Record:
    return MovementPrediction(
        version="1",
        rules_version=work.workshop.rules.version,
        movements=(movement("camera", "zoom_in", "in"),),
        camera_path=camera_path(),
    )


def _prompt(work: Work, draft: Draft) -> Record:
    positive = f"Slow zoom in, {work.request.style}."
    return MotionPrompt(
        target=work.request.target,
        style=work.request.style,
        positive=positive,
        negative=None,
        camera_move="zoom_in",
        camera_direction="in",
        camera_phrase="Slow zoom in",
        parameters={},
        grade={},
        compiler="template",
        template_version="1",
        dialect_version=work.workshop.dialects.version,
        length=len(positive),
        length_limit=500,
        length_unit="characters",
    )


def _picture(work: Work, draft: Draft) -> Record:
    content = _picture_bytes("PNG")
    draft.path("picture.png").write_bytes(content)
    draft.path(THUMBNAIL).write_bytes(_picture_bytes("WEBP"))
    return PictureRecord(
        provider="local",
        model="cheap",
        path=draft.relative("picture.png"),
        media_type="image/png",
        sha256="0" * 64,
        width=SIDE,
        height=SIDE,
        seed=work.request.seed,
        graded=False,
        cost_usd=0.0,
        attempts=(
            Attempt(
                provider="local",
                model="cheap",
                started_at="2026-01-01T00:00:00Z",  # type: ignore[arg-type]  # pydantic reads it
                seconds=0.0,
                outcome="made",
            ),
        ),
        asked_provider=work.request.provider,
        request=work.request.model_dump(mode="json"),
    )


def _clip(work: Work, draft: Draft) -> Record:
    mp4, preview = _clip_bytes()
    draft.path("clip.mp4").write_bytes(mp4)
    draft.path("preview.webp").write_bytes(preview)
    draft.path(THUMBNAIL).write_bytes(preview[:6_000])
    path = camera_path()
    return ClipRecord(
        path=draft.relative("clip.mp4"),
        preview_path=draft.relative("preview.webp"),
        width=SIDE,
        height=SIDE,
        fps=path.fps,
        frame_count=path.frame_count,
        duration_s=path.frame_count / path.fps,
        codec="h264",
        byte_count=len(mp4),
        recipe={"image_key": work.image_key},
    )


@cache
def _picture_bytes(kind: str) -> bytes:
    buffer = io.BytesIO()
    noise = np.random.default_rng(1).integers(0, 256, (SIDE, SIDE, 3), np.uint8)
    Image.fromarray(noise).save(buffer, kind)
    return buffer.getvalue()


@cache
def _clip_bytes() -> tuple[bytes, bytes]:
    with TemporaryDirectory() as folder:
        mp4, preview = Path(folder) / "clip.mp4", Path(folder) / "preview.webp"
        pixels = np.zeros((SIDE, SIDE, 3), np.uint8)
        pixels[8:24, 8:24] = 200
        path = camera_path()
        frames = FrameRenderer(pixels, np.zeros((SIDE, SIDE), np.float32), path, SIDE, SIDE)
        write_clip(frames, path, mp4=mp4, preview=preview, recipe={})
        return mp4.read_bytes(), preview.read_bytes()


_MAKERS = {
    "source_image": _source,
    "scene_analysis": _scene,
    "movement_prediction": _movement,
    "motion_prompt": _prompt,
    "generated_picture": _picture,
    "animatic_clip": _clip,
}
