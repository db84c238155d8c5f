"""Whether a studio that is left alone stays bounded: three real days, and a year on a set clock.

Three days at 100 small pictures a day go through the whole pipeline in a Dagster instance, a tenth
of them once more in another style, each day ended by its housekeeping. Beside that, 365 days pass
on a set clock: each day brings 100 images with requests, paid calls, job records, results and
replaced results as rows and small files, 3 of them with Dagster's events, and ends with archiving
and deleting. The size of the last quarter is compared with that of the one before: what is bounded
has stopped growing, and an image leaves the same few bytes on the last day as on the first.

    python benchmarks/soak.py [--quick] [--json]
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from report import Measurement, compare, finish, measure

DAYS, PER_DAY, YEAR, IN_DAGSTER = 3, 100, 365, 3
QUICK_DAYS, QUICK_PER_DAY, QUICK_YEAR, QUICK_IN_DAGSTER, QUICK_SHORTER = 3, 3, 40, 1, 9
"""A ninth of the year, and everything kept for a ninth of its time."""

GROWTH_GOAL = 1.05
"""Of what is bounded, the last quarter against the one before."""

DAY_GOAL = 1.2
"""Bytes of the last real day against the second; the first also makes the databases."""

MINUTES_GOAL = 10.0
BOUNDED = {
    "live": "images that are partitions or listed",
    "jobs": "rows of job records",
    "requests": "rows of requests, kept 120 days here",
    "calls": "rows of closed paid calls, the same",
    "result_bytes": "bytes of the result store",
    "performance_bytes": "bytes of the job records' database",
    "dagster_bytes": "bytes of Dagster's home",
}


def main() -> int:
    """Live through both, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer images and days")
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout")
    options = parser.parse_args()
    started = time.monotonic()
    three = (QUICK_DAYS, QUICK_PER_DAY) if options.quick else (DAYS, PER_DAY)
    year = (YEAR, PER_DAY, IN_DAGSTER, 1)
    if options.quick:
        year = (QUICK_YEAR, QUICK_PER_DAY, QUICK_IN_DAGSTER, QUICK_SHORTER)
    with (
        tempfile.TemporaryDirectory() as folder,
        # Side by side, each in a process of its own: Dagster's home is one for a process.
        ProcessPoolExecutor(2, mp_context=get_context("spawn")) as both,
    ):
        parts = (
            both.submit(real_days, Path(folder) / "days", *three),
            both.submit(a_year, Path(folder) / "year", *year),
        )
        rows = [row for part in parts for row in part.result()]
    minutes = (time.monotonic() - started) / 60
    rows.append(measure("the whole soak", minutes, "min", goal=MINUTES_GOAL))
    return finish("soak", rows, as_json=options.json)


def real_days(data_dir: Path, days: int, per_day: int) -> list[Measurement]:
    """Live through real days."""
    settle_in(data_dir)
    from soak_days import real_days as live  # noqa: PLC0415  # Dagster reads its home when imported

    told = live(data_dir, days, per_day)
    return [
        measure(
            f"images complete, of {days * per_day} in {days} real days",
            sum(day.complete for day in told),
            "",
            goal=days * per_day,
            direction="at least",
        ),
        compare(
            "bytes that an image leaves, last day / second day",
            told[-1].grown_bytes / per_day / 1e3,
            "KB",
            baseline=told[1].grown_bytes / per_day / 1e3,
            goal=DAY_GOAL,
            direction="at most",
        ),
        compare(
            "open files at the end, last day / second day",
            told[-1].open_files,
            "",
            baseline=told[1].open_files,
            goal=GROWTH_GOAL,
            direction="at most",
        ),
        compare(
            "peak memory, last day / second day",
            told[-1].peak_mb,
            "MB",
            baseline=told[1].peak_mb,
            goal=DAY_GOAL,
            direction="at most",
        ),
    ]


def a_year(
    data_dir: Path, days: int, per_day: int, in_dagster: int, shorter: int
) -> list[Measurement]:
    """Live through a year on a set clock."""
    settle_in(data_dir)
    from soak_days import Year  # noqa: PLC0415

    from animatize_assets.orchestration import open_instance  # noqa: PLC0415  # as above

    quarter = days // 4
    seen: dict[int, Mapping[str, float]] = {}
    year = Year(data_dir, per_day=per_day, in_dagster=in_dagster, shorter=shorter)
    with open_instance(data_dir) as instance:
        for day in range(1, days + 1):
            year.day(instance)
            if day in (quarter, 2 * quarter, days - quarter, days):
                seen[day] = year.sizes()
    year.close()
    middle, last = seen[days - quarter], seen[days]
    rows = [
        compare(
            f"{what}, day {days} / day {days - quarter}",
            last[name],
            "",
            baseline=middle[name],
            goal=GROWTH_GOAL,
            direction="at most",
        )
        for name, what in BOUNDED.items()
    ]
    first = seen[quarter]
    rows.append(
        compare(
            f"KB for each image ever uploaded, day {days} / day {quarter}",
            last["bytes"] / last["uploaded"] / 1e3,
            "KB",
            baseline=first["bytes"] / first["uploaded"] / 1e3,
            goal=1.0,
            direction="at most",
        )
    )
    return rows


def settle_in(data_dir: Path) -> None:
    """Let this process work in ``data_dir``, as it ships and with nobody's settings."""
    for name in list(os.environ):
        if name.startswith(("ANIMATIZE_", "DAGSTER_")):
            del os.environ[name]
    data_dir.mkdir()
    os.environ["ANIMATIZE_DATA_DIR"] = str(data_dir)
    os.environ["DAGSTER_HOME"] = str(data_dir / "dagster")
    os.environ["DAGSTER_DISABLE_TELEMETRY"] = "1"


if __name__ == "__main__":
    sys.exit(main())
