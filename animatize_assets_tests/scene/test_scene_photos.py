"""On labelled photographs: mirroring mirrors, and size, brightness and crops do not flip an answer.

Needs ``--photos DIR``; quick runs take every eighth picture.
"""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from animatize_assets.images.decoding import load_working_copy
from animatize_assets.scene.analysis import analyze_scene
from animatize_assets.scene.models import SceneAnalysis
from animatize_assets.scene.working_copy import WORKING_LONG_SIDE_PX
from animatize_assets_tests.scene import painted


@pytest.fixture(scope="module")
def files(photos: Path, sizes: dict[str, Any]) -> list[Path]:
    with (photos / "labels.csv").open(newline="", encoding="utf-8") as lines:
        names = [row["file"] for row in csv.DictReader(lines)]
    return [photos / name for name in names[:: sizes["scene_photos"]["every"]]]


def analysed(picture: painted.Picture) -> SceneAnalysis:
    size = (picture.shape[1], picture.shape[0])
    return analyze_scene(np.ascontiguousarray(picture), image_size=size).analysis


def working_copy(path: Path) -> painted.Picture:
    return load_working_copy(path, WORKING_LONG_SIDE_PX)


def outcome(before: SceneAnalysis, after: SceneAnalysis) -> str:
    one, other = before.scene_type.type, after.scene_type.type
    if one == other:
        return "same"
    return "unknown" if "unknown" in (one, other) else "flipped"


def assert_stable(outcomes: Counter[str]) -> None:
    total = sum(outcomes.values())
    assert outcomes["same"] >= 0.95 * total - 1, outcomes
    assert outcomes["flipped"] <= 0.02 * total + 1, outcomes


def test_mirroring_mirrors_the_subject_and_keeps_the_scene_type(files: list[Path]) -> None:
    right = 0
    for path in files:
        pixels = working_copy(path)
        there, back = analysed(pixels), analysed(painted.mirrored(pixels))
        one, other = there.subject.center_x, back.subject.center_x
        mirrored = (one is None) == (other is None)
        if one is not None and other is not None:
            mirrored = abs(one - (1 - other)) < 0.02
        right += mirrored and there.scene_type.type == back.scene_type.type
    assert right >= 0.98 * len(files) - 0.5


def test_size_and_format_keep_the_scene_type(files: list[Path], tmp_path: Path) -> None:
    outcomes: Counter[str] = Counter()
    for path in files:
        whole = cv2.imread(str(path))
        before = analysed(working_copy(path))
        for long_side, name in ((1280, "a.png"), (1920, "b.jpg"), (3840, "c.jpg")):
            scale = long_side / max(whole.shape[:2])
            way = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
            cv2.imwrite(
                str(tmp_path / name), cv2.resize(whole, None, fx=scale, fy=scale, interpolation=way)
            )
            outcomes[outcome(before, analysed(working_copy(tmp_path / name)))] += 1
    assert_stable(outcomes)


def test_brightness_and_crops_do_not_flip_the_scene_type(files: list[Path]) -> None:
    outcomes: Counter[str] = Counter()
    for path in files:
        pixels = working_copy(path)
        before = analysed(pixels)
        rows, columns = pixels.shape[:2]
        dy, dx = round(rows * 0.03), round(columns * 0.03)
        changed = [
            np.clip(pixels * 0.85, 0, 255).astype(np.uint8),
            np.clip(pixels * 1.15, 0, 255).astype(np.uint8),
            pixels[dy : rows - dy, dx : columns - dx],
        ]
        outcomes.update(outcome(before, analysed(picture)) for picture in changed)
    total = sum(outcomes.values())
    assert outcomes["same"] >= 0.88 * total, outcomes
    assert outcomes["flipped"] <= 0.02 * total + 1, outcomes
