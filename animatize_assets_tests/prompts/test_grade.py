from __future__ import annotations

import pytest

from animatize_assets.prompts.grade import AXES, grade_for
from animatize_assets.prompts.templates import load_templates
from animatize_assets_tests.prompts import scenes


def test_a_look_without_target_leaves_the_picture_alone() -> None:
    grade = grade_for(scenes.analysis(), load_templates().style("documentary"))
    assert grade == dict.fromkeys(AXES, 0.0)


def test_noir_takes_the_color_out() -> None:
    grade = grade_for(scenes.analysis(), load_templates().style("noir"))
    assert grade["saturation"] == -load_templates().style("noir").strength
    assert grade["contrast"] > 0


def test_a_picture_that_looks_like_the_style_is_left_alone() -> None:
    style = load_templates().style("dreamlike")
    analysis = scenes.changed(
        scenes.analysis(),
        lighting__contrast=style.target.contrast,
        lighting__mean_luma=style.target.brightness,
        lighting__temperature_shift=style.target.temperature,
        palette__saturation=style.target.saturation,
    )
    assert grade_for(analysis, style) == dict.fromkeys(AXES, 0.0)


@pytest.mark.parametrize("luma", [0.1, 0.3, 0.5, 0.9])
def test_the_darker_the_picture_the_more_a_bright_look_lifts_it(luma: float) -> None:
    style = load_templates().style("dreamlike")
    darker, lighter = (
        grade_for(scenes.changed(scenes.analysis(), lighting__mean_luma=value), style)
        for value in (luma - 0.05, luma + 0.05)
    )
    assert darker["brightness"] > lighter["brightness"]


@pytest.mark.parametrize("extreme", [0.0, 1.0])
def test_extremes_stay_in_range(extreme: float) -> None:
    for name in load_templates().style_names:
        analysis = scenes.changed(
            scenes.analysis(),
            lighting__contrast=extreme,
            lighting__mean_luma=extreme,
            lighting__temperature_shift=2 * extreme - 1,
            palette__saturation=extreme,
        )
        grade = grade_for(analysis, load_templates().style(name))
        assert all(-1 <= value <= 1 for value in grade.values())
