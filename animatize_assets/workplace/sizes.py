"""How large everything is that grows, and what bounds it.

Belongs here: looking, and the bound of each in words. Does not belong here: keeping to the bounds
(``housekeeping``, the rooms).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field

from animatize_assets.images.superseded import MOST_SUPERSEDED
from animatize_assets.pipeline.stages import STAGES
from animatize_assets.records import Record

if TYPE_CHECKING:
    from sqlalchemy import Engine, Table

    from animatize_assets.settings import Settings
    from animatize_assets.workplace.opening import Workplace

MOST_MODEL_VERSIONS = 3
"""Of each kind of estimator (``performance.retention``)."""


class Growing(Record):
    """One thing that grows."""

    name: str
    bound: str = Field(description="what keeps it from growing for ever")
    entries: int | None = Field(ge=0, description="files, or rows of a table; null: not known")
    bytes: int | None = Field(ge=0, description="null: a table's are those of its database")


class Sizes(Record):
    """Everything that grows in one workplace."""

    live_images: int = Field(ge=0)
    archived_images: int = Field(ge=0)
    bytes: int = Field(ge=0, description="of all files below the data folder and Dagster's home")
    bytes_per_image: float | None = Field(
        description="of all files, for each image, archived or not; null: there is none"
    )
    growing: tuple[Growing, ...]


def read_sizes(workplace: Workplace, dagster_home: Path) -> Sizes:
    """Look at the files and tables of a workplace; creates nothing."""
    settings = workplace.settings
    data_dir = workplace.data_dir
    is_inside = dagster_home.is_relative_to(data_dir)
    seen = [*_files(data_dir), *([] if is_inside else _files(dagster_home))]
    known = len(workplace.known_keys(archived=True))
    live = len(workplace.known_keys())
    total = sum(size for _, size in seen)
    return Sizes(
        live_images=live,
        archived_images=known - live,
        bytes=total,
        bytes_per_image=total / known if known else None,
        growing=(
            *_folders(seen, data_dir, dagster_home, settings),
            *(_tables(workplace) if workplace.exists else ()),
        ),
    )


def _folders(
    seen: list[tuple[Path, int]], data_dir: Path, home: Path, settings: Settings
) -> Iterator[Growing]:
    results = f"{settings.results_max_gb:g} GB; {settings.results_ttl_days:g} days after its use"
    runs = f"runs of {settings.run_retention_days} days, and those that partitions depend on"
    superseded = f"{settings.superseded_retention_days} days"
    bounds = {
        data_dir / "images": "an upload and its normalised copy for each image, archived or not",
        data_dir / "artifacts": f"for each image and each of {len(STAGES)} stages the current "
        f"result, and at most {MOST_SUPERSEDED} replaced ones of {superseded}",
        data_dir / "contact_sheets": "one for each image",
        data_dir / "results": results,
        data_dir / "reports": "two files a week",
        data_dir / "performance" / "spool": "what waits for the database; set aside: "
        f"{settings.job_retention_days} days",
        data_dir / "performance" / "estimators": f"{MOST_MODEL_VERSIONS} versions of each kind, "
        f"and trainings of {settings.training_retention_days} days",
        data_dir / "uploads": "what waits to be taken in; it is yours",
        data_dir / "quarantine": "every refused upload; nothing deletes it but you",
        home / "history": runs,
        home / "storage": runs,
        home / "schedules": "ticks: 2 to 90 days by outcome (dagster.yaml)",
        data_dir / "animatize.db": "its tables below",
        data_dir / "performance.db": "its tables below",
        data_dir / "mlflow.db": "a few KB for each training",
    }
    for place, bound in bounds.items():
        sizes = [
            size
            for path, size in seen
            if path.is_relative_to(place) or str(path).startswith(f"{place}-")  # -wal and -shm
        ]
        name = str(place.relative_to(data_dir)) if place.is_relative_to(data_dir) else str(place)
        yield Growing(name=name, bound=bound, entries=len(sizes), bytes=sum(sizes))


def _tables(workplace: Workplace) -> Iterator[Growing]:
    from animatize_assets.database import performance_tables as of_jobs  # noqa: PLC0415
    from animatize_assets.database import tables  # noqa: PLC0415  # SQLAlchemy

    settings = workplace.settings
    ledger, jobs = f"{settings.ledger_retention_days} days", f"{settings.job_retention_days} days"
    own = workplace.images.engine
    yield _table(own, tables.images, "one for each image, archived or not")
    yield _table(own, tables.image_aliases, "one for each other name of an image")
    yield _table(own, tables.image_archives, "one for each archived image")
    yield _table(own, tables.generation_requests, ledger)
    yield _table(own, tables.generation_calls, f"{ledger}; open ones stay")
    yield _table(own, tables.expansion_lines, f"{ledger}; unfinished ones stay")
    yield _table(own, tables.pregenerated_pictures, ledger)
    yield _table(own, tables.stored_results, "as the result store")
    room = workplace.performance.engine
    yield _table(room, of_jobs.generation_performance, jobs)
    yield _table(room, of_jobs.performance_trends, "two a day")
    yield _table(room, of_jobs.performance_alerts, f"{jobs} after they are resolved")
    yield _table(room, of_jobs.performance_spool_imports, "90 days")


def _table(engine: Engine, table: Table, bound: str) -> Growing:
    from sqlalchemy import func, select  # noqa: PLC0415  # as its caller does

    with engine.connect() as connection:
        rows = connection.scalar(select(func.count()).select_from(table))
    return Growing(name=table.name, bound=bound, entries=int(rows or 0), bytes=None)


def _files(folder: Path) -> Iterator[tuple[Path, int]]:
    for where, _, names in os.walk(folder):
        for name in names:
            path = Path(where) / name
            try:
                yield path, path.lstat().st_size
            except FileNotFoundError:
                continue  # a run that is going on has just replaced it
