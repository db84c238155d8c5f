"""The box holds what stands out, and there is none when nothing does."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from animatize_assets.scene.models import Person
from animatize_assets.scene.people import find_people, overlap
from animatize_assets.scene.subject import concentration, measure_subject
from animatize_assets.scene.working_copy import WorkingCopy
from animatize_assets_tests.scene import painted


@pytest.mark.parametrize("centre_x", [1 / 3, 0.5, 2 / 3])
def test_lone_disc_is_the_subject(centre_x: float) -> None:
    subject = measure_subject(WorkingCopy(painted.lone_disc(centre_x)), None)
    assert subject.bbox is not None
    assert subject.center_x == pytest.approx(centre_x, abs=0.04)
    half = 0.15 * painted.ROWS / painted.COLUMNS
    truth = (centre_x - half, 0.35, centre_x + half, 0.65)
    assert overlap(subject.bbox, truth) > 0.5
    assert subject.strength > 0.7


def test_a_lone_subject_on_the_left_third_is_found_there(sizes: dict[str, Any]) -> None:
    cases = range(sizes["scene_geometry"]["cases"])

    def right(seed: int) -> bool:
        picture = painted.on_the_left_third(painted.rng(seed))
        subject = measure_subject(WorkingCopy(picture), None)
        return subject.center_x is not None and abs(subject.center_x - 1 / 3) < 0.05

    assert sum(map(right, cases)) >= 0.9 * len(cases)


@pytest.mark.parametrize("seed", range(3))
def test_noise_has_no_subject(seed: int) -> None:
    noise = painted.rng(seed).integers(0, 256, (painted.ROWS, painted.COLUMNS, 3)).astype(np.uint8)
    subject = measure_subject(WorkingCopy(noise), None)
    assert subject.bbox is None
    assert subject.area == 0
    assert subject.center_x is None


def test_flat_colour_has_no_subject() -> None:
    subject = measure_subject(WorkingCopy(painted.plain((90, 90, 90))), None)
    assert subject.bbox is None
    assert subject.strength == 0
    assert subject.people == ()


def test_mirroring_mirrors_the_box() -> None:
    there = measure_subject(WorkingCopy(painted.lone_disc(0.3)), None)
    back = measure_subject(WorkingCopy(painted.mirrored(painted.lone_disc(0.3))), None)
    assert there.bbox is not None
    assert back.bbox is not None
    x0, y0, x1, y1 = back.bbox
    assert there.bbox == pytest.approx((1 - x1, y0, 1 - x0, y1), abs=0.005)


def test_smallest_picture_is_measured() -> None:
    picture = painted.textured(painted.plain((90, 120, 60), 16, 16), 40, 2)
    assert measure_subject(WorkingCopy(picture), None).people == ()


def test_concentration_runs_from_even_to_single() -> None:
    assert concentration(np.ones((8, 8))) == pytest.approx(0, abs=1e-9)
    single = np.zeros((10, 10))
    single[3, 4] = 1
    assert concentration(single) == pytest.approx(0.99)
    assert concentration(np.zeros((4, 4))) == 0


def test_overlap_of_known_boxes() -> None:
    assert overlap((0, 0, 1, 1), (0, 0, 0.5, 1)) == pytest.approx(0.5)
    assert overlap((0, 0, 0.4, 1), (0.6, 0, 1, 1)) == 0
    assert overlap((0.2, 0.2, 0.2, 0.2), (0.2, 0.2, 0.2, 0.2)) == 0


def test_people_are_searched_in_the_picture_and_its_mirror_image() -> None:
    """What is found in one is found mirrored in the other."""
    picture = painted.textured(painted.plain((140, 140, 140), 190, 128), 6)
    picture[30:52, 54:74] = (60, 60, 60)
    picture[52:110, 46:82] = (40, 40, 40)
    picture[110:170, 48:62] = picture[110:170, 66:80] = (40, 40, 40)
    there, back = find_people(picture), find_people(painted.mirrored(picture))
    assert len(there) == len(back)
    for one, other in zip(there, back, strict=True):
        assert one.score == pytest.approx(other.score)
        assert one.bbox[0] == pytest.approx(1 - other.bbox[2], abs=0.01)


def test_given_face_model_adds_faces() -> None:
    class OneFace:
        def find(self, rgb: painted.Picture) -> tuple[Person, ...]:
            assert rgb.shape == (painted.ROWS, painted.COLUMNS, 3)
            return (Person(bbox=(0.4, 0.1, 0.6, 0.4), score=0.9, kind="face"),)

    subject = measure_subject(WorkingCopy(painted.lone_disc(0.5)), OneFace())  # type: ignore[arg-type]  # stands in for a model file
    assert [(p.kind, p.score) for p in subject.people] == [("face", 0.9)]
