"""How long a whole run will take, told before it starts.

Work on this machine comes one after the other, whichever image it is for; what others do (a
provider, a language model) is waited for, and meanwhile another image goes on. So a run takes at
least as long as all work on this machine in a row, and as its images, each stage after stage, so
many at once. The longer of the two has its interval by simulated draws; how much longer the run is
because both hold at once, one simulation with the plain estimates tells.

Belongs here: joining the stages of the pipeline to estimates of their jobs. Does not belong here:
Dagster (the command line uses this too), how a job is estimated or a list scheduled
(``performance``).
"""

from __future__ import annotations

import heapq
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pydantic import Field

from animatize_assets.performance.finishing_time import (
    SHARED,
    PlannedJob,
    finishing_time,
)
from animatize_assets.performance.given_parameters import read_given
from animatize_assets.performance.models import (
    Count,
    Estimate,
    PipelineType,
    PredictionMethod,
    Seconds,
    Submission,
)
from animatize_assets.pipeline.job_parameters import (
    pipeline_type_of,
    stage_parameters,
    waits_for_others,
)
from animatize_assets.pipeline.request import PipelineRequest
from animatize_assets.records import Record
from animatize_assets.workplace.long_lists import ImageSize, in_proportion, representative

if TYPE_CHECKING:
    from animatize_assets.performance.run_promises import Estimator


class StageEstimate(Record):
    """One stage of all images of the run."""

    seconds: Seconds = Field(description="sum of the estimates of all images")
    prediction_method: PredictionMethod
    learned_from: Count = Field(description="finished jobs behind the estimates")


class RunEstimate(Record):
    """When a run is done, if everything has to be made."""

    images: Count
    concurrency: int = Field(ge=1, description="images under way at once")
    seconds: Seconds = Field(
        description="from the start of the first image to the end of the last; a median, which is "
        "above the sum of the stages where intervals are wide: nothing takes less than no time"
    )
    interval_80: tuple[Seconds, Seconds] | None = Field(
        description="None while a stage has no interval: too few of its jobs have ended"
    )
    stages: Mapping[str, StageEstimate]
    learned_from: Count = Field(description="fewest finished jobs behind any of the estimates")
    prediction_method: PredictionMethod = Field(
        description="'heuristic' as soon as one stage is estimated by it"
    )
    notes: tuple[str, ...] = ()


def run_estimate(
    images: Sequence[ImageSize],
    request: PipelineRequest,
    stages: Sequence[str],
    estimator: Estimator,
    concurrency: int,
    *,
    provider_model: str | None = None,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> RunEstimate:
    """Return how long ``stages`` of ``images`` take, so many images at once.

    Nothing is taken as made before. ``provider_model``: which the provider will use. Images of
    equal size are estimated once: 500 images cost a fraction of a second. Of more than
    ``long_lists.MOST_SIMULATED`` a part is simulated.

    Raises:
        ValueError: ``concurrency`` is below 1.

    """
    sizes = list(dict.fromkeys((width, height) for _, width, height in images))
    now = clock()
    kinds = [(size, stage) for size in sizes for stage in stages]
    submissions = [_submission(stage, size, request, provider_model, now) for size, stage in kinds]
    estimates = dict(zip(kinds, estimator.estimate_many(submissions), strict=True))
    counts = Counter((width, height) for _, width, height in images)
    told = list(estimates.values())
    simulated = representative(images)
    whole = _together(simulated, stages, request, estimates, concurrency)
    if len(simulated) < len(images):
        whole = in_proportion(whole, simulated, images, stages, estimates)
    return RunEstimate(
        images=len(images),
        concurrency=concurrency,
        seconds=whole[0],
        interval_80=whole[1],
        stages={
            name: _stage([(count, estimates[size, name]) for size, count in counts.items()])
            for name in stages
            if images
        },
        learned_from=min((estimate.learned_from for estimate in told), default=0),
        prediction_method="ml_model"
        if {estimate.prediction_method for estimate in told} == {"ml_model"}
        else "heuristic",
        notes=tuple(dict.fromkeys(note for each in told for note in each.notes)),
    )


def _submission(
    stage: str,
    size: tuple[int, int],
    request: PipelineRequest,
    provider_model: str | None,
    now: datetime,
) -> Submission:
    """Describe the job as its record will: the same parameters, read the same way."""
    given = stage_parameters(stage, size, request, provider_model=provider_model)
    pipeline_type: PipelineType = "video" if pipeline_type_of(stage) == "video" else "image"
    return Submission(
        pipeline_type=pipeline_type, parameters=read_given(given).parameters, submitted_at=now
    )


def _together(
    images: Sequence[ImageSize],
    stages: Sequence[str],
    request: PipelineRequest,
    estimates: Mapping[tuple[tuple[int, int], str], Estimate],
    concurrency: int,
) -> tuple[float, tuple[float, float] | None]:
    """Return the seconds of all and their middle 80 %."""

    def jobs_of(image: ImageSize, of: Sequence[str]) -> list[PlannedJob]:
        key, width, height = image
        return [PlannedJob(f"{key}/{each}", estimates[(width, height), each]) for each in of]

    if concurrency == 1:
        row = finishing_time([job for each in images for job in jobs_of(each, stages)], 1)
        return row.seconds, row.interval_80
    waiting = frozenset(stage for stage in stages if waits_for_others(stage, request))
    here = [stage for stage in stages if stage not in waiting]
    row = finishing_time([job for each in images for job in jobs_of(each, here)], 1)
    chains = {
        (width, height): _chain([estimates[(width, height), stage] for stage in stages])
        for _, width, height in images
    }
    beside = finishing_time(
        [PlannedJob(key, chains[width, height].estimate) for key, width, height in images],
        concurrency,
        shared=max((chain.shared for chain in chains.values()), default=SHARED),
    )
    longer = _lengthened(
        [
            [
                (estimates[(width, height), stage].predicted_time_seconds, stage in waiting)
                for stage in stages
            ]
            for _, width, height in images
        ],
        concurrency,
    )
    seconds = longer * max(row.seconds, beside.seconds)
    if row.interval_80 is None or beside.interval_80 is None:
        return seconds, None
    (low, high), (low_beside, high_beside) = row.interval_80, beside.interval_80
    return seconds, (longer * max(low, low_beside), longer * max(high, high_beside))


@dataclass(frozen=True)
class _Chain:
    """All stages of one image as one job."""

    estimate: Estimate
    shared: float
    """Share of its variance that it has in common with the other images."""


def _chain(stages: Sequence[Estimate]) -> _Chain:
    """Add stages up, their errors by the delta method.

    With the share w of the seconds and the deviation s of ln(seconds) of each stage, and rho in
    common among all jobs of a list, the sum has the variance
    ``rho (sum of w s)^2 + (1 - rho) (sum of (w s)^2)``, the first part of which images share.
    """
    seconds = sum(each.predicted_time_seconds for each in stages)
    whole = Estimate(
        pipeline_type="image",
        predicted_time_seconds=seconds,
        prediction_method="heuristic",
        model_used="sum of stages",
        learned_from=min((each.learned_from for each in stages), default=0),
    )
    ranges = [
        (each.predicted_time_seconds, *each.uncertainty_range)
        for each in stages
        if each.uncertainty_range is not None and each.uncertainty_range[0] > 0
    ]
    if seconds <= 0 or len(ranges) < len(stages):
        return _Chain(whole, SHARED)
    below, above = (
        [told / seconds * abs(math.log(bounds[side] / told)) for told, *bounds in ranges]
        for side in (0, 1)
    )
    down, up = (math.sqrt(_common(parts) + _own(parts)) for parts in (below, above))
    interval = seconds * math.exp(-down), seconds * math.exp(up)
    common, own = _common(above), _own(above)
    return _Chain(
        whole.model_copy(update={"uncertainty_range": interval}),
        common / (common + own) if common + own > 0 else SHARED,
    )


def _common(parts: Sequence[float]) -> float:
    return SHARED * sum(parts) ** 2


def _own(parts: Sequence[float]) -> float:
    return (1 - SHARED) * sum(part**2 for part in parts)


Stretch = tuple[float, bool]
"""Seconds of a stage, and whether somebody else works meanwhile."""


def _lengthened(images: Sequence[Sequence[Stretch]], concurrency: int) -> float:
    """Return the run's length against the longer of its two bounds, at least 1."""
    in_a_row = sum(seconds for image in images for seconds, waits in image if not waits)
    beside = _length([[(seconds, True) for seconds, _ in image] for image in images], concurrency)
    bound = max(in_a_row, beside)
    return max(1.0, _length(images, concurrency) / bound) if bound > 0 else 1.0


def _length(images: Sequence[Sequence[Stretch]], concurrency: int) -> float:
    """Go through a run event by event: who is ready first works first, one at a time here."""
    under_way = [(0.0, number, 0) for number in range(min(concurrency, len(images)))]
    following = len(under_way)
    free_at = end = 0.0
    while under_way:
        moment, number, place = heapq.heappop(under_way)
        if place == len(images[number]):
            end = max(end, moment)
            if following < len(images):
                heapq.heappush(under_way, (moment, following, 0))
                following += 1
            continue
        seconds, waits = images[number][place]
        if waits:
            done = moment + seconds
        else:
            done = free_at = max(moment, free_at) + seconds
        heapq.heappush(under_way, (done, number, place + 1))
    return end


def _stage(estimates: Sequence[tuple[int, Estimate]]) -> StageEstimate:
    """Add up a stage of all images: how many take which estimate."""
    methods = {estimate.prediction_method for _, estimate in estimates}
    return StageEstimate(
        seconds=sum(count * estimate.predicted_time_seconds for count, estimate in estimates),
        prediction_method="ml_model" if methods == {"ml_model"} else "heuristic",
        learned_from=min(estimate.learned_from for _, estimate in estimates),
    )
