"""From which value on something counts as slow, idle, busy or failing.

Belongs here: the thresholds that a person may set, with the predecessor's documented defaults, and
what follows from how a figure is measured.
Does not belong here: what a detector does with them.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from animatize_assets.records import Record

LEAST_CPU_SECONDS = 0.1
"""A shorter job is not judged by its CPU use: it is ten ticks of the CPU clock (``USER_HZ`` is 100
on Linux), so one tick that is counted or not is a tenth of it."""


class Thresholds(Record):
    """The documented defaults; each is a setting (``ANIMATIZE_SLOW_IMAGE_S`` and so on)."""

    slow_image_s: Annotated[float, Field(gt=0)] = 120.0
    slow_video_s: Annotated[float, Field(gt=0)] = 300.0
    low_gpu_percent: Annotated[float, Field(gt=0, le=100)] = 60.0
    high_cpu_percent: Annotated[float, Field(gt=0, le=100)] = 80.0
    failure_rate: Annotated[float, Field(gt=0, lt=1)] = 0.10
    high_queue_s: Annotated[float, Field(gt=0)] = 30.0

    @property
    def others_cpu_percent(self) -> float:
        """CPU use by others up to which a job that computes by itself is not in their way.

        They leave it at least ``high_cpu_percent``: when it uses all of that, the CPU is in use,
        which is what it is for.
        """
        return 100.0 - self.high_cpu_percent
