"""Every rule fires on some picture and stays silent on another, from pixels to rule."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from animatize_assets.movement.judging import fired_rules
from animatize_assets.movement.measurements import Readings
from animatize_assets.movement.rules import load_rules
from animatize_assets.scene.analysis import analyze_scene
from animatize_assets.scene.models import Person
from animatize_assets_tests.movement.pictures import painted

RULES = load_rules()
# fmt: off
SEEDS = (
    *range(11), 20, 22, 36, 46, 64, 98, 111, 116, 137, 147, 153, 160, 185, 187, 217, 237, 260,
)
# fmt: on
"""Of the first 300, those that make every rule fire, most of them three times, and some more."""
PEOPLE = {
    10_003: (Person(bbox=(0.6, 0.4, 0.7, 0.8), score=0.9, kind="person"),),
    10_011: (Person(bbox=(0.2, 0.1, 0.8, 1.0), score=0.9, kind="person"),),
    10_019: tuple(
        Person(bbox=(x, 0.5, x + 0.1, 0.8), score=0.8, kind="person") for x in (0.1, 0.4, 0.7)
    ),
}
"""Painted people are not what a detector was trained on, so these pictures bring their own."""


def rules_that_fire(picture: NDArray[np.uint8], people: tuple[Person, ...] = ()) -> frozenset[str]:
    height, width = picture.shape[:2]
    analysis = analyze_scene(picture, image_size=(width, height)).analysis
    if people:
        subject = analysis.subject.model_copy(update={"people": people})
        analysis = analysis.model_copy(update={"subject": subject})
    return frozenset(fired.rule.id for fired in fired_rules(Readings(analysis), RULES))


@pytest.fixture(scope="module")
def fired() -> list[frozenset[str]]:
    """The rules that fire on each painted picture."""
    plain = [rules_that_fire(painted(seed)) for seed in SEEDS]
    return plain + [rules_that_fire(painted(seed), people) for seed, people in PEOPLE.items()]


@pytest.mark.parametrize("rule", [rule.id for rule in RULES.rules])
def test_the_rule_fires_on_a_picture_and_is_silent_on_another(
    rule: str, fired: list[frozenset[str]]
) -> None:
    count = sum(rule in names for names in fired)
    assert 0 < count < len(fired)
