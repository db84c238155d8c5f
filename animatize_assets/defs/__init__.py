"""The Dagster layer: assets, partitions, resources, io, sensors, checks, jobs."""
