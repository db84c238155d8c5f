"""A step outlives a database that is away for a moment, and says so when it stays away."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import dagster as dg
import pytest

from animatize_assets.defs import step_worker
from animatize_assets.defs.step_worker import STEP_RETRIES
from animatize_assets.pipeline.stages import STAGES
from animatize_assets_tests.defs.runs import failed_images, register, run, states
from animatize_assets_tests.pipeline.cheap import made, wish


@pytest.fixture(autouse=True)
def _without_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(step_worker, "STEP_WAIT_S", 0)


def restarts(result: dg.ExecuteInProcessResult) -> int:
    kinds = [event.event_type for event in result.all_events]
    return kinds.count(dg.DagsterEventType.STEP_RESTARTED)


def test_what_was_cut_off_is_made_by_the_step_itself_and_the_rest_is_found(
    instance: dg.DagsterInstance, data_dir: Path
) -> None:
    keys = register(instance, data_dir, 2)
    wish(data_dir, away=[keys[0], "motion_prompt", 2])
    result = run(instance, keys)
    assert result.success
    assert restarts(result) == 2
    assert Counter(made(data_dir)) == Counter((key, stage) for key in keys for stage in STAGES)
    for by_key in states(instance, keys).values():
        assert set(by_key.values()) == {"materialized"}


def test_after_the_last_time_the_images_that_failed_are_listed(
    instance: dg.DagsterInstance, data_dir: Path
) -> None:
    keys = register(instance, data_dir, 2)
    wish(data_dir, away=[keys[0], "motion_prompt", 100])
    result = run(instance, keys)
    assert not result.success
    assert restarts(result) == STEP_RETRIES
    events = [event for event in result.all_events if event.is_step_failure]
    assert len(events) == 1
    assert list(failed_images(result)) == [keys[0]]


def test_what_an_image_is_to_blame_for_is_final(
    instance: dg.DagsterInstance, data_dir: Path
) -> None:
    keys = register(instance, data_dir, 2)
    wish(data_dir, fail={keys[0]: "motion_prompt"})
    result = run(instance, keys)
    assert not result.success
    assert restarts(result) == 0
