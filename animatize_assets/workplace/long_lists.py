"""A long list of images, told from a part of it.

Belongs here: choosing the part, and from its time to that of the whole. Does not belong here: the
time of a part (``run_estimates``).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from animatize_assets.performance.models import Estimate

MOST_SIMULATED = 1_000
"""Images whose run is simulated, draw by draw: 6,000 jobs, about 100 MB for a moment. A list of all
images of a large studio would take gigabytes."""

ImageSize = tuple[str, int, int]
"""Image key, width and height in pixels."""

Times = tuple[float, tuple[float, float] | None]
"""Seconds, and their middle 80 %."""


def representative(images: Sequence[ImageSize]) -> Sequence[ImageSize]:
    """Return the images to simulate: all, or of a long list as many of each size in proportion."""
    if len(images) <= MOST_SIMULATED:
        return images
    by_size = sorted(images, key=lambda image: image[1:])
    step = len(images) / MOST_SIMULATED
    return [by_size[int((number + 0.5) * step)] for number in range(MOST_SIMULATED)]


def in_proportion(
    part: Times,
    simulated: Sequence[ImageSize],
    images: Sequence[ImageSize],
    stages: Sequence[str],
    estimates: Mapping[tuple[tuple[int, int], str], Estimate],
) -> Times:
    """Return the time of ``images`` from that of the ``simulated`` ones, by the work in each.

    Jobs' own errors cancel out in so long a list, and what they have in common grows with it; so
    the interval is, if anything, a little too wide.
    """
    work = _work(simulated, stages, estimates)
    factor = _work(images, stages, estimates) / work if work > 0 else 1.0
    seconds, interval = part
    if interval is None:
        return factor * seconds, None
    return factor * seconds, (factor * interval[0], factor * interval[1])


def _work(
    images: Sequence[ImageSize],
    stages: Sequence[str],
    estimates: Mapping[tuple[tuple[int, int], str], Estimate],
) -> float:
    """Return the seconds of all stages of all images, one after the other."""
    return sum(
        count * estimates[size, stage].predicted_time_seconds
        for size, count in Counter((width, height) for _, width, height in images).items()
        for stage in stages
    )
