"""A run says before it starts how long it will take, and its jobs are recorded."""

from __future__ import annotations

import json
from pathlib import Path

import dagster as dg

from animatize_assets.database.engine import open_engine
from animatize_assets.defs.partitions import range_tags
from animatize_assets.defs.run_tags import (
    ERROR_TAG,
    ESTIMATED_TAG,
    METHOD_TAG,
    RANGE_TAG,
    SECONDS_TAG,
    is_better,
    kept,
    promised,
)
from animatize_assets.performance.store import PerformanceStore
from animatize_assets.pipeline.stages import STAGES
from animatize_assets.workplace.run_estimates import RunEstimate, StageEstimate
from animatize_assets_tests.defs.runs import QUIET, cheap_definitions, register, run
from animatize_assets_tests.pipeline.cheap import WISHES


def test_a_run_is_estimated_recorded_and_compared(
    instance: dg.DagsterInstance, data_dir: Path
) -> None:
    keys = register(instance, data_dir, 2)
    first = run(instance, keys)
    tags = instance.get_run_by_id(first.run_id).tags  # type: ignore[union-attr]
    assert float(tags[ESTIMATED_TAG]) > 0
    assert tags[METHOD_TAG].startswith("heuristic")
    assert float(tags[SECONDS_TAG]) > 0
    assert tags[ERROR_TAG].endswith("%")

    engine = open_engine(f"sqlite:///{data_dir / 'performance.db'}")
    jobs = PerformanceStore(engine).jobs()
    engine.dispose()
    stages = [job for job in jobs if job.parameters.job_type in STAGES]
    assert sorted((job.parameters.job_type, job.partition_key) for job in stages) == sorted(
        (stage, key) for stage in STAGES for key in keys
    )
    assert {job.run_id for job in stages} == {first.run_id}
    assert all(job.success for job in stages)
    assert all(job.queue_time_seconds is not None for job in stages)
    assert all(job.promise is not None for job in stages)
    assert all(job.resources.memory_used_mb for job in stages)

    again = run(instance, keys)
    tags = instance.get_run_by_id(again.run_id).tags  # type: ignore[union-attr]
    assert SECONDS_TAG in tags
    assert ERROR_TAG not in tags, "nothing was made, so the estimate of making it is not wrong"


def test_a_failed_job_is_a_record_too(instance: dg.DagsterInstance, data_dir: Path) -> None:
    keys = register(instance, data_dir, 2)
    (data_dir / WISHES).write_text(json.dumps({"fail": {keys[0]: "generated_picture"}}))
    assert not run(instance, keys).success
    engine = open_engine(f"sqlite:///{data_dir / 'performance.db'}")
    failed = PerformanceStore(engine).jobs(success=False)
    engine.dispose()
    assert [(job.parameters.job_type, job.partition_key, job.error_type) for job in failed] == [
        ("generated_picture", keys[0], "ProviderError")
    ]


def _estimate(interval: tuple[float, float] | None) -> RunEstimate:
    stage = StageEstimate(seconds=10, prediction_method="ml_model", learned_from=40)
    return RunEstimate(
        images=1,
        concurrency=1,
        seconds=10,
        interval_80=interval,
        stages={"animatic_clip": stage},
        learned_from=40,
        prediction_method="ml_model",
    )


def test_what_is_not_known_is_not_said() -> None:
    assert RANGE_TAG not in promised(_estimate(None))
    assert promised(_estimate((8, 13)))[RANGE_TAG] == "8 to 13 (80 %)"
    assert kept({}, 5.0, made_everything=True) == {SECONDS_TAG: "5"}


def test_the_error_is_that_of_the_estimate() -> None:
    before = promised(_estimate(None))
    assert kept(before, 8.0, made_everything=True)[ERROR_TAG] == "+25 %"
    assert ERROR_TAG not in kept(before, 8.0, made_everything=False)


def test_what_was_said_first_stays_unless_something_was_learned() -> None:
    learned = promised(_estimate(None))
    formula = promised(_estimate(None).model_copy(update={"prediction_method": "heuristic"}))
    assert is_better(formula, {})
    assert is_better(learned, formula)
    assert not is_better(formula, formula)
    assert not is_better(learned, learned)
    assert not is_better(formula, learned)
    assert not is_better({}, {})


QUEUED = {ESTIMATED_TAG: "1e+03", METHOD_TAG: "heuristic, 0 jobs"}


def test_a_run_is_held_to_what_it_was_queued_with(
    instance: dg.DagsterInstance, data_dir: Path
) -> None:
    keys = register(instance, data_dir, 1)
    result = (
        cheap_definitions()
        .resolve_job_def("animate_images")
        .execute_in_process(
            instance=instance, tags={**range_tags(keys), **QUEUED}, run_config=QUIET
        )
    )
    tags = instance.get_run_by_id(result.run_id).tags  # type: ignore[union-attr]
    assert tags[ESTIMATED_TAG] == QUEUED[ESTIMATED_TAG]
    assert float(tags[ERROR_TAG].removesuffix(" %")) > 0, "told 1,000 s of work of seconds"
