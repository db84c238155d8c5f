"""One side of ``telemetry.py``: does a turn for each line on standard input.

Belongs here: what is measured in a process of its own. Does not belong here: comparing, printing.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
from upath import UPath

from animatize_assets.images.limits import ImageLimits
from animatize_assets.pipeline.request import PipelineRequest
from animatize_assets.pipeline.stages import run_stages
from animatize_assets.pipeline.workshop import Workshop, open_stores, open_workshop
from animatize_assets.settings import Settings
from animatize_assets.workplace.process_telemetry import process_telemetry

WIDTH, HEIGHT = 640, 480


def main() -> None:
    """Answer each line with the seconds that its turn took."""
    settings = Settings.read()
    workshop = open_workshop(*open_stores(UPath(settings.data_dir), ImageLimits()))
    cpu = time.process_time()
    with process_telemetry(settings, "run"):
        _answer({"begin_s": time.process_time() - cpu})
    for line in sys.stdin:
        asked = json.loads(line)
        with tempfile.TemporaryDirectory() as folder:
            uploads = [
                _upload(Path(folder), asked["turn"], number) for number in range(asked["images"])
            ]
            cpu, wall = time.process_time(), time.perf_counter()
            with process_telemetry(settings, "run"):
                for path in uploads:
                    _bring_through(workshop, path)
            took = {"cpu_s": time.process_time() - cpu, "wall_s": time.perf_counter() - wall}
        _answer(took)


def _answer(seconds: Mapping[str, float]) -> None:
    sys.stdout.write(json.dumps(seconds) + "\n")
    sys.stdout.flush()


def _bring_through(workshop: Workshop, path: Path) -> None:
    image_key = workshop.images.ingest(path).image_key
    if image_key is None:
        raise SystemExit(f"{path.name} was refused.")
    for outcome in run_stages(workshop, image_key, PipelineRequest()):
        if outcome.status != "done":
            raise SystemExit(f"{outcome.stage} was {outcome.status}: {outcome.error}")


def _upload(folder: Path, turn: int, number: int) -> Path:
    """Write an image like no other: soft shapes, as real ones have."""
    random = np.random.default_rng([turn, number])
    small = random.integers(0, 256, (12, 16, 3), dtype=np.uint8)
    pixels = cv2.resize(small, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    path = folder / f"{turn}-{number}.png"
    cv2.imwrite(str(path), pixels)
    return path


if __name__ == "__main__":
    main()
