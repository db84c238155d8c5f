"""One measured task of ``orchestration.py``, in a process of its own.

Belongs here: what is executed and measured. Does not belong here: which tasks there are, goals.

    python benchmarks/orchestration_runs.py '{"task": "batch", "template": DIR, "images": 80}'
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import statistics
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import numpy as np
from PIL import Image
from sqlalchemy import create_engine, text
from upath import UPath

from animatize_assets.defs import assets
from animatize_assets.defs.build import build_definitions
from animatize_assets.defs.partitions import range_tags
from animatize_assets.defs.resources import WorkshopResource, default_resources
from animatize_assets.images.limits import ImageLimits
from animatize_assets.orchestration import open_instance, register_images
from animatize_assets.pipeline.making import default_stages
from animatize_assets.pipeline.request import PipelineRequest
from animatize_assets.pipeline.stages import Stage, run_stages
from animatize_assets.pipeline.thumbnails import THUMBNAIL
from animatize_assets.pipeline.workshop import Workshop, open_stores, open_workshop

SIDE_PX = (96, 64)
"""Size of the real image behind the results, and of its picture and clip: only their bookkeeping
is measured."""

PHASES = {
    "scene_analysis": ("decode", "analyze", "preview"),
    "generated_picture": ("open", "generate", "verify", "preview"),
    "animatic_clip": ("open", "render", "preview"),
}
"""What the real stages report of themselves, so that the metadata are as long."""


def measured_run(
    task: str, template: str, images: int = 0, *, previews: bool = True
) -> dict[str, float]:
    """Do one task; the figures."""
    data_dir = Path(os.environ["ANIMATIZE_DATA_DIR"])
    if task == "template":
        make_template(data_dir, Path(template))
        return {}
    return run_batch(data_dir, Path(template), images, single=task == "single", previews=previews)


def make_template(data_dir: Path, template: Path) -> None:
    """Send one small image through the real pipeline and keep its records and files."""
    stores = open_stores(UPath(data_dir), ImageLimits())
    workshop = open_workshop(*stores)
    (path,) = write_images(data_dir / "given", 1)
    key = workshop.images.ingest(path).image_key or ""
    template.mkdir()
    for outcome in run_stages(workshop, key, PipelineRequest(size=SIDE_PX)):
        if outcome.record is None or outcome.fingerprint is None:
            raise RuntimeError(f"{outcome.stage}: {outcome.error}")
        made = data_dir / "artifacts" / outcome.stage / key / outcome.fingerprint
        shutil.copytree(made, template / outcome.stage)


def write_images(folder: Path, count: int) -> list[Path]:
    """Write small pictures that all differ."""
    folder.mkdir()
    width, height = SIDE_PX
    ramp = np.linspace(40, 220, height, dtype=np.uint8)[:, None, None]
    paths = []
    for number in range(count):
        pixels = np.broadcast_to(ramp, (height, width, 3)).copy()
        pixels[:4, :4] = (number % 256, number // 256, 0)
        pixels[20:50, 20:40] = (200, 90, 60)
        paths.append(folder / f"{number:05d}.png")
        Image.fromarray(pixels).save(paths[-1])
    return paths


def run_batch(
    data_dir: Path, template: Path, count: int, *, single: bool, previews: bool
) -> dict[str, float]:
    """Materialize ``count`` images, in one run or in one each."""
    images, _ = open_stores(
        UPath(data_dir), ImageLimits(), database_url=os.environ.get("ANIMATIZE_DATABASE_URL")
    )
    keys = [images.ingest(path).image_key or "" for path in write_images(data_dir / "given", count)]
    inside = Stopwatch()
    assets.run_images = inside.iterating(assets.run_images)  # type: ignore[attr-defined]
    assets.Verdicts.note = inside.calling(assets.Verdicts.note)  # type: ignore[attr-defined,method-assign]
    definitions = build_definitions({"workshop": template_workshop(template, previews=previews)})
    job = definitions.resolve_job_def("animate_images")
    with open_instance(data_dir) as instance:
        register_images(instance, keys)
        home = Path(os.environ["DAGSTER_HOME"])
        stored = size_of(home) + size_of_databases()
        started = perf_counter()
        costs = []
        for run_keys in [[key] for key in keys] if single else [keys]:
            before, inside.seconds = process_time(), 0.0
            result = job.execute_in_process(
                instance=instance,
                tags=range_tags(run_keys),
                run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
            )
            costs.append((process_time() - before - inside.seconds) / len(run_keys))
            if not result.success:
                raise RuntimeError("a run failed")
        elapsed = perf_counter() - started
    # Here, because SQLite merges its write-ahead log when the last connection is closed.
    grown = size_of(home) + size_of_databases() - stored
    return {
        "elapsed_ms": elapsed / count * 1_000,
        "overhead_ms": statistics.median(costs) * 1_000,
        "storage_kb": grown / count / 1_000,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1_024,
    }


class Stopwatch:
    """CPU seconds spent inside wrapped calls."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def iterating(self, make: Any) -> Any:
        """Wrap what makes an iterator: each step of it counts."""

        def wrapped(*args: Any, **kwargs: Any) -> Iterator[Any]:
            iterator = make(*args, **kwargs)  # closed by whoever closes this one
            while True:
                started = process_time()
                try:
                    item = next(iterator)
                except StopIteration:
                    return
                finally:
                    self.seconds += process_time() - started
                yield item

        return wrapped

    def calling(self, function: Any) -> Any:
        """Wrap a function."""

        def wrapped(*args: Any, **kwargs: Any) -> Any:
            started = process_time()
            try:
                return function(*args, **kwargs)
            finally:
                self.seconds += process_time() - started

        return wrapped


def template_workshop(template: Path, *, previews: bool) -> Any:
    """Make a workshop resource whose stages hand back the template's records and files."""

    def handing_back(name: str, stage: Stage) -> Stage:
        phases = PHASES.get(name, ())
        text = (template / name / "record.json").read_text()
        files = [file for file in (template / name).iterdir() if file.name != "record.json"]

        def make(work: Any, draft: Any) -> Any:
            for phase in phases:
                with work.phases.phase(phase):
                    pass
            said = text
            for file in files:
                if previews or file.name != THUMBNAIL:
                    shutil.copy(file, draft.path(file.name))
                place = next((w for w in said.split('"') if w.endswith("/" + file.name)), None)
                if place is not None:
                    said = said.replace(place, draft.relative(file.name))
            return stage.record_type.model_validate_json(said)

        return replace(stage, make=make)

    stages = {name: handing_back(name, stage) for name, stage in default_stages().items()}

    class TemplateWorkshop(WorkshopResource):
        def open(self) -> Workshop:
            return replace(super().open(), stages=stages)

    given = default_resources()
    names = ("stores", "scene_models", "picture_providers", "performance")
    return TemplateWorkshop(**{name: given[name] for name in names})


def size_of(folder: Path) -> int:
    """Bytes of every file below ``folder``."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def size_of_databases() -> int:
    """Bytes of the PostgreSQL databases that this process uses; 0 without any."""
    sizes = 0
    for name in ("ANIMATIZE_DATABASE_URL", "ANIMATIZE_DAGSTER_DATABASE_URL"):
        if url := os.environ.get(name):
            engine = create_engine(url)
            with engine.connect() as connection:
                sizes += connection.scalar(text("SELECT pg_database_size(current_database())")) or 0
            engine.dispose()
    return sizes


if __name__ == "__main__":
    print(json.dumps(measured_run(**json.loads(sys.argv[1]))))
