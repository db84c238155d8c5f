"""Real work: clips rendered here, predicted before and measured after.

First 30 configurations of varied size, length and frame rate, each 3 times in random order: their
repeats tell the noise floor of this machine, and all of them are what the estimator learns from.
Then new configurations, each told by the estimator before its clip is made; every finished one is
recorded, so what is told next may be shifted by it. The clips are those of the animatic: two
photographs that ship with scikit-learn, a camera that travels sideways with parallax, MP4, preview,
and opening the result again. Other work on the machine is noise. It is part of the floor only as
far as it goes on evenly, so judge by a run on a quiet machine; the load is told.

    python benchmarks/prediction_clips.py [--quick] [--json] [--postgres URL]

Belongs here: part (c) of the proof. Does not belong here: the simulated fleet
(``prediction_fleet``), public timings (``prediction``).
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from performance_database import add_postgres_option, clear, opened_store
from report import Measurement, compare, finish, measure

from animatize_assets.animatic.clip import write_clip
from animatize_assets.movement.models import CameraPath, Keyframe
from animatize_assets.performance.baselines import LastTwoLikeJobs, noise_floor, share_within
from animatize_assets.performance.models import Estimate, JobParameters, JobRecord, Submission
from animatize_assets.performance.store import PerformanceStore
from animatize_assets.performance.time_estimator import TimeEstimator
from animatize_assets.performance.training import train
from animatize_assets.rendering.frame import FrameRenderer

SHARE_OF_FLOOR = 0.95
SEED = 4

ASPECTS = (16 / 9, 3 / 2, 4 / 3, 1.0, 9 / 16)
HEIGHTS = (270, 720)
"""Pixels; the shorter side is drawn between them, evenly in ln."""
SECONDS = (1.0, 5.0)
RATES = (12, 15, 24, 25, 30)


@dataclass(frozen=True)
class Amount:
    """How many clips are made, and how large they may be."""

    configurations: int
    repeats: int
    new: int
    most_megapixel_frames: float
    """70: a clip takes two or three seconds at most, and all of them some minutes."""


FULL = Amount(configurations=30, repeats=3, new=100, most_megapixel_frames=70.0)
QUICK = Amount(configurations=10, repeats=3, new=12, most_megapixel_frames=12.0)
"""Too few to judge: rows without a goal."""


@dataclass(frozen=True)
class Clip:
    """One configuration."""

    photograph: int
    width: int
    height: int
    seconds: float
    fps: int

    def path(self) -> CameraPath:
        """Return the camera path: sideways, near things faster than far ones."""
        return CameraPath(
            move="truck",
            direction="right",
            duration_s=self.seconds,
            fps=self.fps,
            aspect_ratio=self.width / self.height,
            easing="ease_in_out",
            parallax=0.6,
            keyframes=(Keyframe(t=0, zoom=1.3, pan=-0.04), Keyframe(t=1, zoom=1.3, pan=0.04)),
        )

    def parameters(self) -> JobParameters:
        """Return what is known of the clip before it is made."""
        return JobParameters(
            job_type="scene",
            width=self.width,
            height=self.height,
            frame_count=self.path().frame_count,
            provider="local",
            worker="this machine",
            extra={"fps": self.fps, "image": f"photograph {self.photograph}"},
        )


def main() -> int:
    """Measure, print, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few clips; under a minute")
    parser.add_argument("--json", action="store_true", help="one JSON document")
    add_postgres_option(parser)
    arguments = parser.parse_args()
    with opened_store(arguments.postgres) as store:
        results = measure_clips(store, quick=arguments.quick)
    return finish("prediction_clips", results, as_json=arguments.json)


def measure_clips(store: PerformanceStore, *, quick: bool) -> list[Measurement]:
    """Return the rows of part (c); empties ``store``."""
    amount = QUICK if quick else FULL
    chance = np.random.default_rng(SEED)
    clips = _drawn(amount.configurations + amount.new, amount.most_megapixel_frames, chance)
    clear(store)
    with tempfile.TemporaryDirectory() as folder:
        studio = _Studio(Path(folder))
        studio.make(clips[0], "warm-up")  # libraries are loaded once a process, not once a clip
        known = [clip for clip in clips[: amount.configurations] for _ in range(amount.repeats)]
        for number in chance.permutation(len(known)):
            store.record(studio.make(known[number], f"known-{number}"))
        learned = store.jobs(pipeline_type="video")
        trained = train(learned, "video", now=datetime.now(UTC))
        estimator = TimeEstimator(store, lambda _: trained)
        told = []
        for number, clip in enumerate(clips[amount.configurations :]):
            told.append(estimator.estimate(studio.submission(clip)))
            store.record(studio.make(clip, f"new-{number}"))
    # They finished one after the other, so the database gives them in the order of what was told.
    return _rows(learned, store.jobs(newest=len(told)), told)


def _rows(
    learned: Sequence[JobRecord], measured: Sequence[JobRecord], told: Sequence[Estimate]
) -> list[Measurement]:
    floor = noise_floor(learned)
    assert floor is not None  # noqa: S101  # every configuration was repeated
    actual = np.array([job.total_time_seconds for job in measured])
    predicted = np.array([each.predicted_time_seconds for each in told])
    low, high = np.array([each.uncertainty_range or (np.nan, np.nan) for each in told]).T
    last_two = LastTwoLikeJobs([*learned, *measured])
    by_last = [last_two.predict(Submission.of(job)) or np.nan for job in measured]
    return [
        _against_floor(share_within(actual, predicted), floor, len(measured), told[0].model_used),
        measure("the same of the last two like clips", share_within(actual, by_last), "share"),
        measure(
            "mean absolute error; baseline: mean time of a clip",
            float(np.mean(np.abs(predicted - actual))),
            "s",
            baseline=float(actual.mean()),
        ),
        measure("bias", float(np.mean((predicted - actual) / actual)), "share of the time"),
        measure(
            "coverage of the 80 % interval",
            float(np.mean((low <= actual) & (actual <= high))),
            "share",
        ),
        measure(
            "promised confidence; baseline: the share that came true",
            float(np.mean([each.confidence for each in told if each.confidence is not None])),
            "share",
            baseline=share_within(actual, predicted),
        ),
        measure("seconds of clips made", float(actual.sum()), "s"),
        measure(
            "load average at the end, 1 where nothing else runs; baseline: cores",
            os.getloadavg()[0],
            "processes",
            baseline=len(os.sched_getaffinity(0)),
        ),
    ]


def _against_floor(share: float, floor: float, clips: int, model: str) -> Measurement:
    name = f"share of {clips} new clips within 20 % ({model}) / noise floor"
    if clips < FULL.new:
        return measure(name, share, "share", baseline=floor)
    return compare(name, share, "share", baseline=floor, goal=SHARE_OF_FLOOR, direction="at least")


def _drawn(count: int, most_megapixel_frames: float, chance: np.random.Generator) -> list[Clip]:
    """Return that many different configurations."""
    drawn: dict[Clip, None] = {}
    while len(drawn) < count:
        shorter = float(np.exp(chance.uniform(*np.log(HEIGHTS))))
        aspect = float(chance.choice(ASPECTS))
        clip = Clip(
            photograph=int(chance.integers(2)),
            width=_even(shorter * max(aspect, 1.0)),
            height=_even(shorter * max(1 / aspect, 1.0)),
            seconds=round(float(np.exp(chance.uniform(*np.log(SECONDS)))), 1),
            fps=int(chance.choice(RATES)),
        )
        work = clip.width * clip.height / 1e6 * clip.path().frame_count
        if work <= most_megapixel_frames:
            drawn[clip] = None
    return list(drawn)


def _even(side: float) -> int:
    return 2 * round(side / 2)


class _Studio:
    """Makes clips and tells what each took."""

    def __init__(self, folder: Path) -> None:
        from sklearn.datasets import load_sample_images  # here: seconds of import, for two pictures

        self._folder = folder
        self._photographs = [np.asarray(each) for each in load_sample_images().images]
        self._depth = _depth()

    def submission(self, clip: Clip) -> Submission:
        """Return the clip as it is submitted now."""
        return Submission(
            pipeline_type="video", parameters=clip.parameters(), submitted_at=datetime.now(UTC)
        )

    def make(self, clip: Clip, job_id: str) -> JobRecord:
        """Make the clip and return its record."""
        path = clip.path()
        mp4, preview = self._folder / f"{job_id}.mp4", self._folder / f"{job_id}.webp"
        submitted, started = datetime.now(UTC), time.perf_counter()
        renderer = FrameRenderer(
            self._photographs[clip.photograph], self._depth, path, clip.width, clip.height
        )
        write_clip(renderer, path, mp4=mp4, preview=preview, recipe={"seed": 0})
        seconds = time.perf_counter() - started
        mp4.unlink()
        preview.unlink()
        return JobRecord(
            job_id=job_id,
            pipeline_type="video",
            parameters=clip.parameters(),
            submitted_at=submitted,
            started_at=submitted,
            finished_at=datetime.now(UTC),
            total_time_seconds=seconds,
            success=True,
        )


def _depth() -> NDArray[np.float32]:
    """Return ground that comes nearer downwards and a near object: slopes and jumps alike."""
    depth = np.tile(np.linspace(0.05, 0.6, 427, dtype=np.float32)[:, None], (1, 640))
    cv2.ellipse(depth, (250, 230), (150, 170), 0, 0, 360, 0.95, cv2.FILLED)
    return depth


if __name__ == "__main__":
    sys.exit(main())
