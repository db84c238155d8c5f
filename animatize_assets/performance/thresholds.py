"""From which value on something counts as slow, idle, busy or failing.

Belongs here: the thresholds that a person may set, with the predecessor's documented defaults.
Does not belong here: what a detector does with them.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from animatize_assets.records import Record


class Thresholds(Record):
    """The documented defaults; each is a setting (``ANIMATIZE_SLOW_IMAGE_S`` and so on)."""

    slow_image_s: Annotated[float, Field(gt=0)] = 120.0
    slow_video_s: Annotated[float, Field(gt=0)] = 300.0
    low_gpu_percent: Annotated[float, Field(gt=0, le=100)] = 60.0
    high_cpu_percent: Annotated[float, Field(gt=0, le=100)] = 80.0
    failure_rate: Annotated[float, Field(gt=0, lt=1)] = 0.10
    high_queue_s: Annotated[float, Field(gt=0)] = 30.0
