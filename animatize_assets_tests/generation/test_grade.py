from __future__ import annotations

import cv2
import numpy as np
import pytest

from animatize_assets.generation.grade import GRADE_KEYS, apply_grade
from animatize_assets_tests.rendering.scenes import textured

GREY = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2)


@pytest.mark.parametrize("grade", [{}, dict.fromkeys(GRADE_KEYS, 0.0)])
def test_nothing_asked_changes_nothing(grade: dict[str, str | float]) -> None:
    image = textured(64, 64)
    assert np.array_equal(apply_grade(image, grade), image)


def _saturation(image: np.ndarray) -> float:
    spread = image.astype(int).max(axis=2) - image.astype(int).min(axis=2)
    return float(spread.mean())


MEASURES = {
    "brightness": lambda image: float(image.mean()),
    "contrast": lambda image: float(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).std()),
    "saturation": _saturation,
    "temperature": lambda image: float(image[..., 0].mean() - image[..., 2].mean()),
}


@pytest.mark.parametrize("key", sorted(GRADE_KEYS))
def test_more_of_a_grade_is_more_of_what_it_names(key: str) -> None:
    image = textured(96, 96)
    steps = [MEASURES[key](apply_grade(image, {key: v})) for v in (-1, -0.5, 0, 0.5, 1)]
    assert steps == sorted(steps)
    assert steps[0] < steps[2] < steps[4]


def test_no_saturation_is_grey() -> None:
    grey = apply_grade(textured(32, 32), {"saturation": -1.0})
    assert np.ptp(grey.astype(int), axis=2).max() <= 1


def test_brightness_keeps_black_and_white() -> None:
    for value in (-1.0, 0.7):
        graded = apply_grade(GREY, {"brightness": value})
        assert graded[0, 0].tolist() == [0, 0, 0]
        assert graded[0, 255].tolist() == [255, 255, 255]


def test_temperature_keeps_luma() -> None:
    graded = apply_grade(GREY, {"temperature": 0.6})[0, 40:200].astype(float)
    luma = graded @ [0.2126, 0.7152, 0.0722]
    assert np.abs(luma - np.arange(40, 200)).max() < 1
