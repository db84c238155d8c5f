"""The work of ``soak.py``: real days in a Dagster instance, and a year on a set clock.

Belongs here: what happens on a day, and the sizes after it. Does not belong here: goals.
"""

from __future__ import annotations

import gc
import os
import resource
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
from image_rows import image_row, key_of
from PIL import Image
from sqlalchemy import Engine, func, insert, select
from upath import UPath

from animatize_assets.database.engine import open_engine
from animatize_assets.database.migration import upgrade
from animatize_assets.database.performance_tables import generation_performance
from animatize_assets.database.tables import (
    generation_calls,
    generation_requests,
    image_states,
    images,
    stored_results,
)
from animatize_assets.definitions import defs
from animatize_assets.defs.partitions import range_tags
from animatize_assets.generation.result_index import About
from animatize_assets.generation.result_store import ResultStore
from animatize_assets.images.archive import ImageArchive
from animatize_assets.images.artifacts import ArtifactStore
from animatize_assets.images.limits import ImageLimits
from animatize_assets.images.store import ImageStore
from animatize_assets.orchestration import (
    archive_images,
    delete_old_runs,
    open_instance,
    register_images,
)
from animatize_assets.performance.models import JobParameters, JobRecord
from animatize_assets.performance.opening import PerformanceRoom
from animatize_assets.performance.upkeep import keep_in_order
from animatize_assets.pipeline.stages import STAGES
from animatize_assets.pipeline.workshop import open_stores
from animatize_assets.records import Record
from animatize_assets.workplace.housekeeping import KeepFor, tidy_stores

SIDE_PX = (96, 64)
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
REMADE_SHARE = 0.1
"""Images of a day that are made once more in another style."""

FIRST_DAY = datetime(2027, 1, 1, 12, tzinfo=UTC)
KEEP_JOBS_DAYS = 90
KEEP_FOR = KeepFor(
    archive_after=timedelta(days=90),
    superseded=timedelta(days=90),
    runs=timedelta(days=30),
    trainings=timedelta(days=90),
    ledger=timedelta(days=120),  # by default 400: longer than the year that is looked at
)
RESULTS_MAX_BYTES = 2_000_000
RESULT_BYTES = 20_000


@dataclass(frozen=True)
class RealDay:
    """What one real day came to."""

    complete: int
    grown_bytes: int
    open_files: int
    peak_mb: float


def real_days(data_dir: Path, days: int, per_day: int) -> list[RealDay]:
    """Take in small pictures, make everything of them, and keep house, day after day."""
    store, _ = open_stores(UPath(data_dir), ImageLimits())
    job = defs.resolve_job_def("animate_images")
    told = []
    with open_instance(data_dir) as instance:
        for day in range(days):
            before = size_of(data_dir)
            keys = [
                store.ingest_content(_png(day * per_day + number), f"{number}.png").image_key or ""
                for number in range(per_day)
            ]
            register_images(instance, keys)
            remade = keys[: max(1, round(REMADE_SHARE * per_day))]
            for some, style in ((keys, "cinematic"), (remade, "noir")):
                config = {"size": list(SIDE_PX), "style": style}
                done = job.execute_in_process(
                    instance=instance,
                    tags=range_tags(some),
                    run_config={"ops": {"image_pipeline": {"config": config}}, **QUIET},
                )
                if not done.success:
                    raise RuntimeError("a run failed")
            for name in ("clean_caches", "keep_small", "tidy_performance_records"):
                defs.resolve_job_def(name).execute_in_process(instance=instance, run_config=QUIET)
            gc.collect()  # each run would have been a process of its own
            told.append(
                RealDay(
                    complete=_complete(instance, keys),
                    grown_bytes=size_of(data_dir) - before,
                    open_files=len(os.listdir("/proc/self/fd")),  # noqa: PTH208  # links that go
                    peak_mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1_024,
                )
            )
    return told


def _png(number: int) -> bytes:
    import io  # noqa: PLC0415

    width, height = SIDE_PX
    pixels = np.random.default_rng(number).integers(0, 256, (height, width, 3), np.uint8)
    pixels[height // 3 :, :] = (60, 90, number % 200)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def _complete(instance: dg.DagsterInstance, keys: list[str]) -> int:
    definition = dg.DynamicPartitionsDefinition(name="images")
    made = [
        instance.get_status_by_partition(dg.AssetKey(stage), keys, definition) or {}
        for stage in STAGES
    ]
    return sum(
        all((status := of.get(key)) is not None and status.value == "MATERIALIZED" for of in made)
        for key in keys
    )


class Year:
    """The stores of one data folder on a clock that is set; each day is one call.

    ``shorter``: everything is kept for so many times fewer days.
    """

    def __init__(self, data_dir: Path, *, per_day: int, in_dagster: int, shorter: int = 1) -> None:
        self.now = FIRST_DAY
        self._keep_for = KeepFor(**{name: of / shorter for name, of in vars(KEEP_FOR).items()})
        self._keep_jobs_days = KEEP_JOBS_DAYS // shorter
        self._data_dir = data_dir
        self._per_day = per_day
        self._in_dagster = in_dagster
        self._engine = open_engine(f"sqlite:///{data_dir / 'animatize.db'}", is_durable=False)
        upgrade(self._engine)
        self._images = ImageStore(UPath(data_dir), self._engine, ImageLimits())
        self._artifacts = ArtifactStore(UPath(data_dir))
        self._archive = ImageArchive(self._engine, clock=lambda: self.now)
        self._results = ResultStore(
            UPath(data_dir),
            self._engine,
            max_bytes=RESULTS_MAX_BYTES,
            ttl=timedelta(days=7) / shorter,
            clock=lambda: self.now,
        )
        self._room = PerformanceRoom(
            database_url=f"sqlite:///{data_dir / 'performance.db'}",
            tracking_uri=f"sqlite:///{data_dir / 'mlflow.db'}",
            folder=data_dir / "performance",
        )
        self._uploaded = 0

    def day(self, instance: dg.DagsterInstance) -> None:
        """Live through a day, its housekeeping included."""
        keys = self._upload()
        self._work(instance, keys)
        since = self.now - self._keep_for.archive_after
        untouched = self._archive.untouched(since, limit=10_000)
        archive_images(instance, self._archive, untouched, untouched_since=since)
        delete_old_runs(instance, before=self.now - self._keep_for.runs)
        self._results.clean()
        keep_in_order(self._room, now=self.now, keep_days=self._keep_jobs_days)
        tidy_stores(self._images, self._artifacts, self._room, self._keep_for, now=self.now)
        self.now += timedelta(days=1)

    def sizes(self) -> Mapping[str, float]:
        """Return what is there."""
        for engine in (self._engine, self._room.engine):
            with (
                engine.connect() as connection
            ):  # what is written is in the file itself from here on
                connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        return {
            "uploaded": self._uploaded,
            "live": len(self._images.keys()),
            "archived": self._archive.count(),
            "requests": _rows(self._engine, generation_requests),
            "calls": _rows(self._engine, generation_calls),
            "results": _rows(self._engine, stored_results),
            "jobs": _rows(self._room.engine, generation_performance),
            "result_bytes": size_of(self._data_dir / "results"),
            "performance_bytes": size_of(self._data_dir / "performance.db"),
            "dagster_bytes": size_of(self._data_dir / "dagster"),
            "artifacts": len(list((self._data_dir / "artifacts").glob("*/*/*/record.json"))),
            "bytes": size_of(self._data_dir),
        }

    def close(self) -> None:
        """Close the databases."""
        self._engine.dispose()
        self._room.close()

    def _upload(self) -> list[str]:
        first = self._uploaded + 1
        numbers = range(first, first + self._per_day)
        self._uploaded += self._per_day
        with self._engine.begin() as connection:
            connection.execute(insert(images), [image_row(number, self.now) for number in numbers])
            connection.execute(
                insert(image_states),
                [
                    {"image_id": number, "state": "complete", "updated_at": self.now}
                    for number in numbers
                ],
            )
        return [key_of(number) for number in numbers]

    def _work(self, instance: dg.DagsterInstance, keys: list[str]) -> None:
        register_images(instance, keys[: self._in_dagster])
        _run(instance, keys[: self._in_dagster], self.now)
        with self._engine.begin() as connection:
            connection.execute(insert(generation_requests), [_request(k, self.now) for k in keys])
            connection.execute(
                insert(generation_calls),
                [_call(f"{self.now:%Y%m%d}-{number}", self.now) for number in range(len(keys))],
            )
        self._room.store.record(*(_job(key, self.now) for key in keys))
        for key in keys[: max(1, len(keys) // 10)]:
            content = np.random.default_rng(hash(key) % 2**32).bytes(RESULT_BYTES)
            about = About(
                kind="picture", structured_key=key, canonical_key=key, text="t", record="{}"
            )
            self._results.put(f"{key}", content, about)
            for fingerprint in ("replaced", "holds"):
                self._made(key, f"{fingerprint}{self.now:%Y%m%d}")

    def _made(self, key: str, fingerprint: str) -> None:
        with self._artifacts.draft("motion_prompt", key, fingerprint) as draft:
            draft.path("a.txt").write_bytes(bytes(200))
            draft.commit(_Made(path=draft.relative("a.txt")))
        folder = self._data_dir / "artifacts" / "motion_prompt" / key / fingerprint
        for file in folder.iterdir():
            os.utime(file, (self.now.timestamp(), self.now.timestamp()))


class _Made(Record):
    path: str


def _request(key: str, now: datetime) -> dict[str, object]:
    return {
        "requested_at": now,
        "image_key": key,
        "target": "generic",
        "style": "cinematic",
        "provider": "flux",
        "model": "m",
        "width": 64,
        "height": 48,
        "movement": "push_in",
        "outcome": "made",
    }


def _call(call_id: str, now: datetime) -> dict[str, object]:
    return {
        "call_id": call_id,
        "purpose": "picture",
        "provider": "flux",
        "model": "m",
        "fingerprint": "f",
        "state": "settled",
        "cost_nanousd": 45_000_000,
        "opened_at": now,
        "closed_at": now,
    }


def _job(key: str, now: datetime) -> JobRecord:
    return JobRecord(
        job_id=f"{key}-{now:%Y%m%d}",
        pipeline_type="image",
        parameters=JobParameters(width=64, height=48, steps=1),
        submitted_at=now,
        started_at=now,
        finished_at=now,
        total_time_seconds=2.0,
        success=True,
    )


def _run(instance: dg.DagsterInstance, keys: list[str], now: datetime) -> None:
    """Put a run of the whole chain into the instance, as it was left on that day."""
    job = defs.resolve_job_def("animate_images")
    run = instance.create_run_for_job(job, tags=range_tags(keys))
    for key in keys:
        for stage in STAGES:
            made = dg.AssetMaterialization(
                stage, partition=key, tags={"dagster/code_version": "1"}, metadata={"seconds": 0.1}
            )
            event = dg.DagsterEvent(
                "ASSET_MATERIALIZATION",
                job.name,
                event_specific_data=_materialized(made),
            )
            instance.report_dagster_event(event, run.run_id)
    instance.report_dagster_event(dg.DagsterEvent("PIPELINE_SUCCESS", job.name), run.run_id)
    # Dagster writes the machine's own time.
    database = Path(os.environ["DAGSTER_HOME"]) / "history" / "runs.db"
    with sqlite3.connect(database, timeout=60) as connection:
        connection.execute(
            "UPDATE runs SET update_timestamp = ?, create_timestamp = ? WHERE run_id = ?",
            (f"{now:%Y-%m-%d %H:%M:%S}", f"{now:%Y-%m-%d %H:%M:%S}", run.run_id),
        )
    connection.close()


def _materialized(made: dg.AssetMaterialization) -> Any:
    from dagster._core.events import StepMaterializationData  # noqa: PLC0415  # none is public

    return StepMaterializationData(made, asset_lineage=[])


def _rows(engine: Engine, table: Any) -> int:
    with engine.connect() as connection:
        return int(connection.scalar(select(func.count()).select_from(table)) or 0)


def size_of(place: Path) -> int:
    """Bytes of a file, or of every file below a folder."""
    if place.is_file():
        return sum(
            path.stat().st_size for path in place.parent.glob(f"{place.name}*") if path.is_file()
        )
    return sum(path.stat().st_size for path in place.rglob("*") if path.is_file())
