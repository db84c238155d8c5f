"""The project's code location with cheap stages, for other processes to load."""

from animatize_assets.defs.build import build_definitions
from animatize_assets_tests.pipeline.cheap import cheap_overrides

defs = build_definitions(cheap_overrides(), sensor_interval_s=1)
