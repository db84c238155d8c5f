"""The code location: complete, current, and light enough to load with an empty environment."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest
from dagster_shared.utils.warnings import BetaWarning

from animatize_assets.definitions import defs
from animatize_assets.defs.assets import GROUP, PipelineConfig
from animatize_assets.defs.beta_api import BETA_API
from animatize_assets.defs.stale_results import build_stale_sensor
from animatize_assets.pipeline.request import PipelineRequest
from animatize_assets.pipeline.stages import NEEDS, STAGES

PERFORMANCE = (
    "daily_performance_trends",
    "weekly_performance_report",
    "time_estimator",
    "estimator_in_use",
)
HOUSEKEEPING = ("cache_usage",)
PREGENERATION = ("prompt_patterns", "pregenerated_pictures")

ON = {
    "new_uploads",
    "new_images",
    "expansion_batches",
    "pregeneration_batches",
    "performance_alerts",
    "estimator_drift",
    "disk_room",
}
"""Sensors that run from the start."""

OFF = {"failed_runs", "stuck_runs", "provider_recovery", "stale_results"}
"""Sensors that a person turns on."""

STRICT_RUN = """
import json, sys, warnings
from dagster_shared.utils import warnings as kinds

ours = []
real = warnings.showwarning

def show(message, category, *rest):
    if issubclass(category, (kinds.BetaWarning, kinds.PreviewWarning, kinds.SupersessionWarning)):
        ours.append([category.__name__, str(message)])
    elif issubclass(category, DeprecationWarning) and "agster" in str(message):
        ours.append([category.__name__, str(message)])

warnings.simplefilter("always")
warnings.showwarning = show

from animatize_assets_tests.defs.runs import cheap_definitions, register, run
from animatize_assets.defs.resources import Stores
from animatize_assets.defs.performance_sensors import estimator_drift, performance_alerts
from animatize_assets.defs.resources import default_resources
from animatize_assets.defs.disk_sensor import disk_room
from animatize_assets.defs.recovery_sensor import provider_recovery
from animatize_assets.defs.run_sensors import failed_runs, silent_runs
from animatize_assets.defs.sensors import new_images, new_uploads
from animatize_assets.orchestration import open_instance
from pathlib import Path
import dagster as dg

definitions = cheap_definitions()
dg.Definitions.validate_loadable(definitions)
with open_instance(Path(sys.argv[1])) as instance:
    keys = register(instance, Path(sys.argv[1]), 2)
    assert run(instance, keys, definitions=definitions).success
    new_uploads(dg.build_sensor_context(instance=instance), Stores())
    given = default_resources()
    context = dg.build_sensor_context(instance=instance)
    new_images(context, given["stores"], given["performance"])
    performance_alerts(context, given["performance"], given["stores"])
    estimator_drift(context, given["performance"])
    disk_room(context)
    failed_runs(context, given["performance"])
    silent_runs(context, given["performance"])
    provider_recovery(context, given["stores"], given["picture_providers"])
    for job in ("clean_caches", "keep_small"):
        assert definitions.resolve_job_def(job).execute_in_process(instance=instance).success
    for job in ("close_performance_day", "write_weekly_report"):
        done = definitions.resolve_job_def(job).execute_in_process(
            instance=instance, partition_key="2026-06-01"
        )
        assert done.success
json.dump(ours, sys.stdout)
"""


def test_no_deprecated_superseded_or_preview_api_and_only_listed_beta(data_dir: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", STRICT_RUN, str(data_dir)],
        capture_output=True,
        text=True,
        check=False,
        env=dict(os.environ, PYTHONPATH=os.pathsep.join(sys.path)),
    )
    assert done.returncode == 0, done.stderr
    warned = json.loads(done.stdout)
    # Dagster 1.13 reads this property of its own whenever a resource is set up.
    not_ours = [w for w in warned if "InitResourceContext.dagster_run" in w[1]]
    assert [w for w in warned if w not in not_ours] == []


def test_what_is_listed_as_beta_is_used_and_still_beta(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("animatize_assets.defs.beta_api.BETA_API", ())
    with pytest.warns(BetaWarning) as warned:
        build_stale_sensor()
    assert len(warned) == len(BETA_API)
    for each, listed in zip(warned, BETA_API, strict=True):
        assert re.match(listed, str(each.message))


HEAVY = ("pandas", "sqlalchemy", "mlflow", "numpy", "cv2", "PIL")


def test_it_loads_with_an_empty_environment_and_little_else(tmp_path: Path) -> None:
    load = (
        "from animatize_assets.definitions import defs; import sys; "
        f"print([name for name in {HEAVY} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", load],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"  # every sensor's look would pay for them
    assert list(tmp_path.iterdir()) == []  # and it leaves nothing behind


def test_every_asset_says_what_a_person_wants_to_know() -> None:
    graph = defs.resolve_asset_graph()
    keys = {key.to_user_string() for key in graph.materializable_asset_keys}
    assert keys == set(STAGES) | set(PERFORMANCE) | set(HOUSEKEEPING) | set(PREGENERATION)
    for key in keys:
        node = graph.get(dg.AssetKey(key))
        assert node.group_name == _group_of(key)
        assert node.owners
        assert node.kinds
        assert node.description
        assert node.code_version
        assert (node.partitions_def is None) == (key in HOUSEKEEPING + PREGENERATION)
    for stage in STAGES:
        node = graph.get(dg.AssetKey(stage))
        assert isinstance(node.partitions_def, dg.DynamicPartitionsDefinition)
        assert node.partitions_def.name == "images"
        assert {key.to_user_string() for key in node.parent_keys} == set(NEEDS[stage])
        assert node.backfill_policy == dg.BackfillPolicy.single_run()


def _group_of(asset: str) -> str:
    if asset in STAGES:
        return GROUP
    if asset in PREGENERATION:
        return "pregeneration"
    return "housekeeping" if asset in HOUSEKEEPING else "performance"


def test_a_clip_waits_for_no_prompt_and_no_picture() -> None:
    graph = defs.resolve_asset_graph()
    parents = {key.to_user_string() for key in graph.get(dg.AssetKey("animatic_clip")).parent_keys}
    assert parents == {"source_image", "scene_analysis", "movement_prediction"}


def test_jobs_and_sensors_have_their_names() -> None:
    repository = defs.get_repository_def()
    assert {"animate_images", "rerender_images", "ingest_uploads"} <= set(repository.job_names)
    sensors = {sensor.name: sensor.default_status for sensor in repository.sensor_defs}
    assert set(sensors) == ON | OFF
    running = dg.DefaultSensorStatus.RUNNING
    assert {name for name, status in sensors.items() if status is running} == ON
    animated = defs.resolve_job_def("animate_images").asset_layer.selected_asset_keys
    assert {key.to_user_string() for key in animated} == set(STAGES)
    rerender = defs.resolve_job_def("rerender_images").asset_layer.selected_asset_keys
    assert {key.to_user_string() for key in rerender} == {"generated_picture", "animatic_clip"}


def test_the_configuration_is_the_request() -> None:
    assert set(PipelineConfig.model_fields) == set(PipelineRequest.model_fields)
    assert PipelineConfig().request() == PipelineRequest()
    assert PipelineConfig(size=[64, 48]).request() == PipelineRequest(size=(64, 48))
