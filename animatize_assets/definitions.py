"""The code location that Dagster loads."""

from animatize_assets.defs.build import build_definitions

defs = build_definitions()
