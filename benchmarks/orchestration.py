"""What Dagster's bookkeeping costs per image: CPU, storage and memory.

Images go through all six assets in one ranged run (the run that an asset backfill of neighbouring
partitions starts), against one run per image. The stages are replaced by ones that hand back the
stored results of one real image, and the time inside them and inside the checks' verdicts is
subtracted: what is left is Dagster's own cost, metadata included.

Every figure comes from a fresh process with an instance of its own, as it ships (SQLite). A cost
per image is the mean over all images of its run; the baseline is the median of single runs.
``--postgres`` adds the production instance (deploy/postgres/dagster.yaml), everything on a
PostgreSQL server: two databases are made for each figure and removed. CPU is the client's.

    python benchmarks/orchestration.py [--quick] [--json] [--postgres URL|auto]
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from performance_database import postgres_url  # puts the tests' PostgreSQL on the path
from report import Measurement, compare, finish, measure

from animatize_assets_tests.postgres import empty_database

FULL = {"memory": (50, 500), "growth": (100, 1_000), "batch": 500, "storage": 200, "single": 15}
QUICK = {"memory": (20, 80), "growth": (20, 80), "batch": 80, "storage": 40, "single": 7}

CPU_GOAL_MS = 90
POSTGRES_CPU_GOAL_MS = 40
STORAGE_GOAL_KB = 60
GROWTH_GOAL = 1.25
MEMORY_GOAL = 1.2

EVENTS_AT_ONCE = "1000"
"""As deploy/postgres/compose.yaml sets it."""

PRODUCTION = Path(__file__).parents[1] / "deploy" / "postgres" / "dagster.yaml"
CHILD = Path(__file__).with_name("orchestration_runs.py")
"""What a measuring process executes."""


def main() -> int:
    """Run every measurement and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer images; under a minute")
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout")
    parser.add_argument(
        "--postgres", metavar="URL", help="a server, too; 'auto' starts one for this run"
    )
    options = parser.parse_args()
    sizes = QUICK if options.quick else FULL
    with tempfile.TemporaryDirectory() as folder:
        template = Path(folder) / "template"
        child(folder, task="template", template=str(template))
        rows = measurements(folder, template, sizes)
        with postgres_url(options.postgres) as server:
            if server is not None:
                rows += production_measurements(folder, template, sizes, server)
    return finish("orchestration", rows, as_json=options.json)


def measurements(folder: str, template: Path, sizes: Mapping[str, Any]) -> list[Measurement]:
    """Start one process per figure; a size that several figures need runs once."""
    known: dict[int, dict[str, float]] = {}

    def batch(count: int) -> dict[str, float]:
        if count not in known:
            known[count] = child(folder, task="batch", template=str(template), images=count)
        return known[count]

    one_by_one = child(folder, task="single", template=str(template), images=sizes["single"])
    whole = batch(sizes["batch"])
    bare = child(
        folder, task="batch", template=str(template), images=sizes["storage"], previews=False
    )
    (few, many), (short, long) = sizes["memory"], sizes["growth"]
    return [
        measure(
            f"Dagster's CPU per image, one run of {sizes['batch']}",
            whole["overhead_ms"],
            "ms",
            goal=CPU_GOAL_MS,
            baseline=one_by_one["overhead_ms"],
        ),
        measure(
            f"storage per image without previews, {sizes['storage']} images",
            bare["storage_kb"],
            "KB",
            goal=STORAGE_GOAL_KB,
            baseline=one_by_one["storage_kb"],
        ),
        measure("storage per image with previews", whole["storage_kb"], "KB"),
        compare(
            f"CPU per image at {long} images against {short}",
            batch(long)["overhead_ms"],
            "ms",
            baseline=batch(short)["overhead_ms"],
            goal=GROWTH_GOAL,
            direction="at most",
        ),
        compare(
            f"peak memory at {many} images against {few}",
            batch(many)["peak_mb"],
            "MB",
            baseline=batch(few)["peak_mb"],
            goal=MEMORY_GOAL,
            direction="at most",
        ),
    ]


def production_measurements(
    folder: str, template: Path, sizes: Mapping[str, Any], server: str
) -> list[Measurement]:
    """Measure the same runs on the production instance."""
    whole, bare, one_by_one = (
        child(folder, server, template=str(template), **task)
        for task in (
            {"task": "batch", "images": sizes["batch"]},
            {"task": "batch", "images": sizes["storage"], "previews": False},
            {"task": "single", "images": sizes["single"]},
        )
    )
    return [
        measure(
            f"the same on PostgreSQL, one run of {sizes['batch']}",
            whole["overhead_ms"],
            "ms",
            goal=POSTGRES_CPU_GOAL_MS,
            baseline=one_by_one["overhead_ms"],
        ),
        measure("elapsed per image on PostgreSQL", whole["elapsed_ms"], "ms"),
        measure("storage per image without previews on PostgreSQL", bare["storage_kb"], "KB"),
        measure("storage per image with previews on PostgreSQL", whole["storage_kb"], "KB"),
    ]


def child(folder: str, server: str | None = None, **task: Any) -> dict[str, float]:
    """Measure in a process of its own, with a data folder of its own that is removed after.

    ``server``: of PostgreSQL, for databases of its own; None: SQLite.
    """
    data_dir = Path(tempfile.mkdtemp(dir=folder))
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("ANIMATIZE_", "DAGSTER_"))
    }
    environment |= {
        "ANIMATIZE_DATA_DIR": str(data_dir),
        "DAGSTER_HOME": str(data_dir / "dagster"),
        "DAGSTER_DISABLE_TELEMETRY": "1",
    }
    with ExitStack() as databases:
        if server is not None:
            environment["DAGSTER_EVENT_BATCH_SIZE"] = EVENTS_AT_ONCE
            (data_dir / "dagster").mkdir()
            shutil.copy(PRODUCTION, data_dir / "dagster" / "dagster.yaml")
            for name in ("ANIMATIZE_DATABASE_URL", "ANIMATIZE_DAGSTER_DATABASE_URL"):
                environment[name] = databases.enter_context(empty_database(server))
        done = subprocess.run(
            [sys.executable, CHILD, json.dumps(task)],
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
    shutil.rmtree(data_dir)
    return dict(json.loads(done.stdout.splitlines()[-1]))


if __name__ == "__main__":
    sys.exit(main())
