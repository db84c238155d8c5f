"""Whatever a caller says of a job, its record holds what fits and nothing breaks."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from animatize_assets.performance.given_parameters import LONGEST_EXTRA_TEXT, JobFacts, read_given
from animatize_assets.performance.models import JobParameters
from animatize_assets.performance.store import PerformanceStore
from animatize_assets_tests.performance.jobs import job

ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters())
    | st.binary()
    | st.datetimes(),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(), inner, max_size=2),
    max_leaves=3,
)
NAMES = st.sampled_from([*JobParameters.model_fields, *JobFacts.model_fields, "resolution"])


@given(st.dictionaries(NAMES | st.text(max_size=8), ANYTHING, max_size=8))
def test_anything_becomes_parameters_that_json_takes(params: dict[str, Any]) -> None:
    found = read_given(params)
    parameters = JobParameters.model_validate_json(found.parameters.model_dump_json())
    assert parameters == found.parameters
    json.dumps(dict(parameters.extra), allow_nan=False)


@pytest.mark.parametrize("seed", [2**63 - 1, -(2**63), 2**63, 2**80])
def test_a_seed_of_any_size_reaches_the_database(seed: int, store: PerformanceStore) -> None:
    store.record(job(1, parameters=read_given({"seed": seed}).parameters))
    stored = store.jobs()[0].parameters
    assert seed in (stored.seed, int(str(stored.extra.get("seed", 0))))


def test_numbers_of_numpy_are_numbers() -> None:
    found = read_given(
        {
            "width": np.int64(512),
            "guidance_scale": np.float32(7.5),
            "hires": True,
            "eta": np.float64(2),
        }
    )
    assert (found.parameters.width, found.parameters.guidance_scale) == (512, 7.5)
    assert dict(found.parameters.extra) == {"hires": True, "eta": 2.0}
    assert found.parameters.extra["hires"] is True


def test_a_resolution_is_width_and_height_unless_those_are_given() -> None:
    assert read_given({"resolution": "768x432"}).parameters.height == 432
    both = read_given({"resolution": "768x432", "width": 64}).parameters
    assert (both.width, both.height) == (64, 432)
    other = read_given({"resolution": "full hd"}).parameters
    assert (other.width, dict(other.extra)) == (None, {"resolution": "full hd"})


def test_a_value_that_does_not_fit_is_kept_beside() -> None:
    found = read_given({"steps": "many", "width": -4, "frame_count": 3})
    assert (found.parameters.steps, found.parameters.width) == (None, None)
    assert found.parameters.frame_count == 3
    assert dict(found.parameters.extra) == {"steps": "many", "width": -4}


def test_what_is_long_secret_or_no_scalar_is_left_out() -> None:
    found = read_given(
        {
            "prompt": "a" * (LONGEST_EXTRA_TEXT + 1),
            "openai_api_key": "none of ours",
            "layers": [1, 2],
            "eta": float("inf"),
            "max_tokens": 500,
        }
    )
    assert dict(found.parameters.extra) == {"max_tokens": 500}
    assert set(found.left_out) == {"prompt", "openai_api_key", "layers", "eta"}


def test_facts_stand_beside_the_parameters() -> None:
    moment = datetime(2026, 6, 1, tzinfo=UTC)
    found = read_given({"run_id": "r", "queued_at": moment, "queue_length": -1})
    assert found.facts == JobFacts(run_id="r", queued_at=moment)
    assert found.left_out == ("queue_length",)
    assert dict(found.parameters.extra) == {}
