"""Joins the parts of the Dagster layer into one ``Definitions``.

Belongs here: joining lists. Does not belong here: any definition.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import dagster as dg

from animatize_assets.defs.assets import IMAGE_RECORDS, build_image_pipeline
from animatize_assets.defs.disk_sensor import build_disk_sensor
from animatize_assets.defs.expansion import build_expansion_sensor
from animatize_assets.defs.housekeeping_assets import housekeeping_assets
from animatize_assets.defs.housekeeping_jobs import housekeeping_jobs
from animatize_assets.defs.housekeeping_schedules import build_housekeeping_schedules
from animatize_assets.defs.io import ImageRecordIOManager
from animatize_assets.defs.jobs import default_jobs
from animatize_assets.defs.performance_assets import performance_assets, performance_checks
from animatize_assets.defs.performance_jobs import performance_jobs
from animatize_assets.defs.performance_schedules import build_performance_schedules
from animatize_assets.defs.performance_sensors import build_performance_sensors
from animatize_assets.defs.pregeneration import (
    build_pregeneration_schedules,
    build_pregeneration_sensor,
    pregeneration_assets,
    pregeneration_jobs,
)
from animatize_assets.defs.recovery_sensor import build_recovery_sensor
from animatize_assets.defs.resources import default_resources
from animatize_assets.defs.run_sensors import build_run_sensors
from animatize_assets.defs.sensors import build_sensors
from animatize_assets.defs.stale_results import automation_conditions, build_stale_sensor
from animatize_assets.settings import Settings


def build_definitions(
    resource_overrides: Mapping[str, Any] | None = None,
    *,
    code_versions: Mapping[str, str] | None = None,
    sensor_interval_s: int | None = None,
) -> dg.Definitions:
    """Build the code location; a test gives other resources or code versions.

    ``resource_overrides``: by key (``stores``, ``scene_models``, ``picture_providers``,
    ``workshop``, ``image_records``); what is built from an overridden one is built from it too.
    ``sensor_interval_s``: seconds between two looks of the sensors that watch uploads, images,
    runs, providers that are back and stale results; None: each its own.
    """
    resources = default_resources(resource_overrides)
    time_zone = Settings.read().time_zone
    resources.setdefault(IMAGE_RECORDS, ImageRecordIOManager(stores=resources["stores"]))
    return dg.Definitions(
        assets=[
            build_image_pipeline(
                code_versions,
                resources["scene_models"],
                automation_conditions(resources["stores"], resources["picture_providers"]),
            ),
            *performance_assets,
            *housekeeping_assets,
            *pregeneration_assets,
        ],
        asset_checks=performance_checks,
        jobs=[*default_jobs, *performance_jobs, *housekeeping_jobs, *pregeneration_jobs],
        schedules=[
            *build_performance_schedules(time_zone),
            *build_housekeeping_schedules(time_zone),
            *build_pregeneration_schedules(time_zone),
        ],
        sensors=[
            *build_sensors(sensor_interval_s),
            build_expansion_sensor(),
            build_pregeneration_sensor(),
            build_disk_sensor(),
            *build_performance_sensors(),
            *build_run_sensors(sensor_interval_s),
            build_recovery_sensor(sensor_interval_s),
            build_stale_sensor(sensor_interval_s),
        ],
        resources=resources,
        executor=dg.in_process_executor,
    )
