from __future__ import annotations

import pytest
from pydantic import ValidationError

from animatize_assets.pipeline.request import PipelineRequest
from animatize_assets.pipeline.versions import code_versions


@pytest.mark.parametrize("size", [(63, 64), (14, 64), (64, 4098)])
def test_a_size_that_no_clip_can_have_is_refused(size: tuple[int, int]) -> None:
    with pytest.raises(ValidationError, match="even and from 16 to 4096"):
        PipelineRequest(size=size)


def test_the_aspect_ratio_is_the_sizes() -> None:
    assert PipelineRequest(size=(1280, 720)).aspect_ratio == 16 / 9
    assert PipelineRequest().aspect_ratio is None


def test_rules_and_dialects_are_part_of_their_stages_versions_alone() -> None:
    now, other = code_versions(), code_versions(rules_version="x", dialects_version="y")
    assert {stage for stage in now if now[stage] != other[stage]} == {
        "movement_prediction",
        "motion_prompt",
    }
