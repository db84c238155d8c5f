"""The code location whose automation is watched at work: looks every second, real decisions.

What measures and draws is cheap; the movement, the prompt and the picture are made as the project
makes them, by the rule file of the data folder where there is one. A provider that was down is
asked whether it is back at once, not only after ten minutes; so are batches, and estimates.

Belongs here: that location, for other processes to load. Does not belong here: the cheap one
(``cheap_location``). A test must not import it: it changes constants of the process.
"""

from __future__ import annotations

from datetime import timedelta

from animatize_assets.defs import performance_sensors, pregeneration, recovery_sensor
from animatize_assets.defs.build import build_definitions
from animatize_assets.movement.rules import load_rules
from animatize_assets.pipeline.versions import code_versions
from animatize_assets.settings import Settings
from animatize_assets_tests.pipeline.cheap import DECIDING, RULES_FILE, cheap_overrides

recovery_sensor.ASKED_AFTER = timedelta(0)
performance_sensors.DRIFT_INTERVAL_S = pregeneration.COLLECT_INTERVAL_S = 1

_rules = Settings.read().data_dir / RULES_FILE
_given = _rules if _rules.exists() else None
defs = build_definitions(
    cheap_overrides(real_stages=DECIDING, rules_file=str(_given or "")),
    code_versions=code_versions(rules_version=load_rules(_given).version),
    sensor_interval_s=1,
)
