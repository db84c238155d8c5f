"""The face-like pattern: skin, two dark eyes, lighter cheeks and a light bridge between."""

from __future__ import annotations

import cv2
import pytest

from animatize_assets.scene.face_pattern import face_pattern
from animatize_assets.scene.surface import Surface
from animatize_assets.scene.working_copy import WorkingCopy
from animatize_assets_tests.scene import painted

SKIN = (205, 160, 130)
DARK = (60, 45, 40)


def score(picture: painted.Picture) -> float:
    return face_pattern(Surface.of(WorkingCopy(picture)))


def face(skin: tuple[int, int, int] = SKIN, *, eyes: bool = True) -> painted.Picture:
    """A head before a pale blue wall: the wall is no darker than the cheeks."""
    picture = painted.textured(painted.plain((195, 205, 225), 400, 400), 4)
    cv2.ellipse(picture, (200, 200), (95, 125), 0, 0, 360, skin, -1)
    if eyes:
        for x in (160, 240):
            cv2.ellipse(picture, (x, 178), (24, 13), 0, 0, 360, DARK, -1)
    return picture


def test_face_scores_and_without_its_eyes_does_not() -> None:
    assert score(face()) > 0.4
    assert score(face(eyes=False)) < 0.1


def test_eyes_on_green_are_no_face() -> None:
    assert score(face((110, 170, 90))) == 0


@pytest.mark.parametrize("colour", [(0, 0, 0), (255, 255, 255), SKIN])
def test_flat_colour_scores_nothing(colour: tuple[int, int, int]) -> None:
    assert score(painted.plain(colour, 64, 64)) == 0


def test_mirrored_scores_the_same() -> None:
    picture = face()
    picture[:, :60] = DARK
    assert score(painted.mirrored(picture)) == pytest.approx(score(picture), abs=0.02)


def test_smallest_picture_has_no_window() -> None:
    assert score(painted.plain(SKIN, 16, 16)) == 0
