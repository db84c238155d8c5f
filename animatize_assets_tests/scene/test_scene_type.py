"""The scene type is a sum of log-odds, says unknown when nothing wins, and shows its evidence."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from animatize_assets.scene.appearance import Appearance, measure_appearance
from animatize_assets.scene.models import SceneType
from animatize_assets.scene.regions import measure_regions
from animatize_assets.scene.scene_type import classify_scene, parse_model, shipped_model
from animatize_assets.scene.subject import measure_subject
from animatize_assets.scene.surface import Surface
from animatize_assets.scene.working_copy import WorkingCopy
from animatize_assets_tests.scene import painted

TYPES = {"landscape", "nature", "urban", "water", "indoor", "portrait", "close_up", "graphic"}


def seen(picture: painted.Picture) -> Appearance:
    copy = WorkingCopy(picture)
    small = Surface.of(copy)
    regions, _ = measure_regions(copy, None, small)
    return measure_appearance(small, regions, measure_subject(copy, None, small))


def typed(picture: painted.Picture) -> SceneType:
    return classify_scene(seen(picture))


def test_meadow_under_a_sky_is_a_landscape_because_of_its_surfaces() -> None:
    scene = typed(painted.meadow(0.5))
    assert scene.type == "landscape"
    named = {item.measurement for item in scene.evidence}
    assert named & {"sky", "vegetation", "layers_down"}


def test_without_the_sky_the_same_green_is_not_the_same_landscape() -> None:
    """Removing the evidence changes the answer: green alone is nature, if anything."""
    with_sky = typed(painted.meadow(0.5)).scores["landscape"]
    green = painted.textured(painted.plain(painted.GRASS), 30)
    without = typed(green)
    assert without.scores["landscape"] < 0.5 * with_sky
    assert without.scores["nature"] > without.scores["landscape"]


def noises() -> list[painted.Picture]:
    draw = painted.rng()
    return [
        draw.integers(0, 256, (400, 600, 3)).astype(np.uint8),
        draw.integers(0, 256, (300, 300, 1)).astype(np.uint8).repeat(3, 2),
        np.clip(draw.normal(128, 25, (400, 600, 3)), 0, 255).astype(np.uint8),
        draw.integers(0, 256, (100, 150, 3)).astype(np.uint8).repeat(4, 0).repeat(4, 1),
    ]


@pytest.mark.parametrize("picture", noises(), ids=["white", "grey", "gaussian", "blocks"])
def test_noise_is_unknown(picture: painted.Picture) -> None:
    scene = typed(picture)
    assert scene.type == "unknown"
    assert scene.margin < shipped_model().tie_width


@given(colour=st.tuples(*[st.integers(0, 255)] * 3))
@settings(max_examples=15, deadline=None)
def test_flat_colour_is_unknown(colour: tuple[int, int, int]) -> None:
    scene = typed(painted.plain(colour, 90, 120))
    assert scene.type == "unknown"
    assert scene.evidence == ()


@pytest.mark.parametrize("picture", [painted.meadow(), painted.lone_disc(0.3)])
def test_scores_are_complete_and_sum_to_one(picture: painted.Picture) -> None:
    scene = typed(picture)
    assert set(scene.scores) == TYPES
    assert sum(scene.scores.values()) == pytest.approx(1, abs=1e-4)
    ranked = sorted(scene.scores.values(), reverse=True)
    assert scene.score == ranked[0]
    assert scene.margin == pytest.approx(ranked[0] - ranked[1], abs=1e-5)
    pulls = [item.contribution for item in scene.evidence]
    assert pulls == sorted(pulls, reverse=True)
    assert all(pull > 0 for pull in pulls)


def test_mirroring_keeps_the_scene_type() -> None:
    for picture in (painted.meadow(0.4), painted.lone_disc(0.3), painted.blue_car()):
        there, back = typed(picture), typed(painted.mirrored(picture))
        assert there.type == back.type
        assert there.score == pytest.approx(back.score, abs=0.02)


def test_evidence_is_what_the_score_is_made_of() -> None:
    """Taking the strongest evidence back to its mean lowers the winner."""
    appearance = seen(painted.meadow(0.5))
    before = classify_scene(appearance)
    strongest = before.evidence[0].measurement
    model = shipped_model()
    mean = float(model.means[model.measurements.index(strongest)])
    values = {**appearance.values, strongest: mean}
    after = classify_scene(replace(appearance, values=values))
    assert after.scores[before.type] < before.scores[before.type]


def test_margin_below_the_tie_width_is_unknown() -> None:
    appearance = seen(painted.meadow(0.5))
    model = shipped_model()
    assert classify_scene(appearance, replace(model, tie_width=0.0)).type != "unknown"
    assert classify_scene(appearance, replace(model, tie_width=1.0)).type == "unknown"


def test_open_scenery_is_nature_when_vegetation_exceeds_sky() -> None:
    appearance = seen(painted.meadow(0.5))
    green = classify_scene(replace(appearance, vegetation=0.9, sky=0.0)).scores
    open_ = classify_scene(replace(appearance, vegetation=0.3, sky=0.5)).scores
    assert green["nature"] > 0.99 * (green["nature"] + green["landscape"])
    assert open_["landscape"] > 0.99 * (open_["nature"] + open_["landscape"])


def test_shipped_weights_describe_the_measurements() -> None:
    """A measurement that is renamed or dropped must be refitted, not silently ignored."""
    model = shipped_model()
    assert set(model.measurements) == set(seen(painted.meadow()).values)
    assert model.above.shape == (len(model.classes), len(model.measurements))
    assert (model.scales > 0).all()
    assert 0 < model.tie_width < 0.5


def test_model_of_an_unknown_type_is_refused() -> None:
    with pytest.raises(ValueError, match="spaceship"):
        parse_model("{classes: [spaceship], measurements: {}, intercepts: [0], tie_width: 0.1}")


def test_same_pixels_same_answer() -> None:
    picture = painted.textured(painted.meadow(0.4), 12, 7, seed=3)
    assert typed(picture) == typed(picture.copy())
