"""What recording costs a job: CPU time of its process, and waiting.

Baseline: the same rows by the database's driver alone (``sqlite3``, ``psycopg2``), one transaction
each, every commit on the disk. On SQLite the recorder's own connections do not await the disk
(decision 0015), so beside it stands a recorder that does; on PostgreSQL the server decides, and
both are alike. The last row is what a whole tracked block costs around its work: opening it, one
phase, its record. Goal: at most 2 ms of CPU a job, a thousandth of two seconds of work.

    python benchmarks/recording.py [--quick] [--json] [--postgres URL]
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from performance_database import add_postgres_option, postgres_url
from report import REPEATS, Measurement, finish, measure

from animatize_assets.database.engine import open_engine
from animatize_assets.database.migration import upgrade
from animatize_assets.performance.models import JobParameters, JobRecord, Phase
from animatize_assets.performance.recording import JobRecorder, open_recorder
from animatize_assets.performance.store import PerformanceStore, to_row
from animatize_assets.performance.tracking import Tracking, track_generation_job

GOAL_MS = 2.0
DRIVER, AWAITING = "the driver alone", "recording, awaiting the disk"


def new_job() -> JobRecord:
    """Make a record as a video job leaves it."""
    now = datetime.now(UTC)
    return JobRecord(
        job_id=uuid4().hex,
        pipeline_type="video",
        parameters=JobParameters(width=768, height=768, frame_count=60, steps=25, extra={"x": 1}),
        submitted_at=now,
        started_at=now,
        finished_at=now,
        total_time_seconds=3.0,
        phases=(Phase(name="processing", seconds=3.0),),
        success=True,
    )


def costs_ms(act: Callable[[JobRecord], object], jobs: int) -> tuple[float, float]:
    """Return the CPU time and the elapsed time of one act, medians over ``jobs``."""
    cpu, elapsed = [], []
    for job in [new_job() for _ in range(jobs)]:
        cpu_before, before = time.process_time(), time.perf_counter()
        act(job)
        elapsed.append(time.perf_counter() - before)
        cpu.append(time.process_time() - cpu_before)
    return 1000 * statistics.median(cpu), 1000 * statistics.median(elapsed)


def up_to_date(url: str) -> str:
    """Bring a database to the newest revision; returns its URL."""
    engine = open_engine(url)
    upgrade(engine)
    engine.dispose()
    return url


def by_driver_alone(url: str, jobs: int) -> tuple[float, float]:
    """Measure the baseline."""
    engine = open_engine(url)  # its connections await the disk
    names = list(to_row(new_job()))
    mark = "%({})s" if engine.dialect.paramstyle == "pyformat" else ":{}"
    marks = ", ".join(mark.format(name) for name in names)
    insert = f"INSERT INTO generation_performance ({', '.join(names)}) VALUES ({marks})"  # noqa: S608
    with closing(engine.raw_connection()) as pooled:
        connection = pooled.dbapi_connection
        cursor = connection.cursor()

        def write(job: JobRecord) -> None:
            moments = {name: str(value) for name, value in to_row(job).items() if "_at" in name}
            cursor.execute(insert, to_row(job) | moments)
            connection.commit()

        costs = costs_ms(write, jobs)
    engine.dispose()
    return costs


def main() -> int:
    """Measure, print, and tell by the exit code whether the goals are met."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--quick", action="store_true")
    arguments.add_argument("--json", action="store_true")
    add_postgres_option(arguments)
    options = arguments.parse_args()
    jobs = 30 if options.quick else 200
    with tempfile.TemporaryDirectory() as name, postgres_url(options.postgres) as server:
        folder = Path(name)

        def url_for(side: str) -> str:
            # A file each, or the one server.
            return up_to_date(server or f"sqlite:///{folder / side}.db")

        alone = url_for("alone")
        durable = JobRecorder(PerformanceStore(open_engine(url_for("durable"))), folder / "a")
        usual = open_recorder(url_for("usual"), folder / "b")
        tracking = Tracking(usual)

        def track(_: JobRecord) -> None:
            params = {"width": 768, "height": 768, "steps": 25}
            with track_generation_job(uuid4().hex, "video", params, tracking=tracking) as job:
                job.mark_phase("processing")
                job.mark_success()

        sides: dict[str, Callable[[], tuple[float, float]]] = {
            DRIVER: lambda: by_driver_alone(alone, jobs),
            AWAITING: lambda: costs_ms(durable.record, jobs),
            "recording": lambda: costs_ms(usual.record, jobs),
            "a tracked block": lambda: costs_ms(track, jobs),
        }
        found: dict[str, list[tuple[float, float]]] = {side: [] for side in sides}
        for _ in range(REPEATS):  # in turns: all meet the same machine
            for side, measured in sides.items():
                found[side].append(measured())
        durable.close()
        usual.close()
    rows: list[Measurement] = []
    for place, what in ((0, "CPU"), (1, "elapsed")):
        of_side = {
            side: statistics.median(each[place] for each in values)
            for side, values in found.items()
        }
        baseline = of_side.pop(DRIVER)
        for side, value in of_side.items():
            goal = GOAL_MS if what == "CPU" and side != AWAITING else None
            rows.append(measure(f"{side}, {what}", value, "ms", baseline=baseline, goal=goal))
    return finish("recording", rows, as_json=options.json)


if __name__ == "__main__":
    raise SystemExit(main())
