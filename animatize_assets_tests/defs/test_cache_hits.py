"""A run says on itself how much of what it needed was there."""

from __future__ import annotations

from pathlib import Path

import dagster as dg

from animatize_assets.defs.cache_hits import CACHE_HITS_TAG, CacheHits
from animatize_assets.pipeline.stages import STAGES
from animatize_assets.telemetry.cache_requests import note
from animatize_assets_tests.defs.runs import register, run


def told_of(instance: dg.DagsterInstance, run_id: str) -> list[str]:
    found = instance.get_run_by_id(run_id)
    assert found is not None
    return found.tags[CACHE_HITS_TAG].split(", ")


def test_a_run_is_tagged_with_its_own_look_ups(
    instance: dg.DagsterInstance, data_dir: Path
) -> None:
    keys = register(instance, data_dir, 2)
    everything = len(keys) * len(STAGES)
    assert f"artifact 0 of {everything}" in told_of(instance, run(instance, keys).run_id)
    again = told_of(instance, run(instance, keys).run_id)
    assert f"artifact {everything} of {everything}" in again


def test_only_what_was_looked_up_since_is_told() -> None:
    note("semantic", hit=True)
    hits = CacheHits()
    assert hits.tags() == {}
    for hit in (True, False, False):
        note("result", hit=hit)
    note("vector", hit=False)
    assert hits.tags() == {CACHE_HITS_TAG: "result 1 of 3, vector 0 of 1"}
