"""Is it so for long enough, and where: all jobs, a worker, a model, or a stretch of time.

A fault is sustained. So a detector says of each job whether it is beyond the limit, and this
module looks for the part of the period in which so many are that chance does not explain it.

Belongs here: the parts that are looked at, and the test. Does not belong here: any limit of a
resource.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from animatize_assets.performance.bottlenecks.findings import LEAST_JOBS

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

SEGMENTS = ("pipeline_type", "provider", "model", "worker", "gpu_model", "job_type")
"""Columns whose values may have a fault of their own."""

MOST_VALUES = 20
"""A column with more values than that names jobs rather than groups of them."""

SUSTAINED_SHARE = 1 / 3
"""So many jobs of a part must be beyond the limit: below, the median job is still far from it."""

TOLERATED_SHARE = 1 / 6
"""A healthy machine may be beyond a limit in so many jobs; the test asks if it is more."""

CONCENTRATED = 0.8
"""When so much of it is in a segment of at most half of the jobs, the segment is the place."""

SIGNIFICANCE = 0.01
"""Of the test on all jobs, and, divided by their number (Bonferroni), of those on the parts."""

SHORTEST_STRETCH = 20
"""Jobs. A shorter stretch of time is an episode, not a state."""


@dataclass(frozen=True)
class Scope:
    """A part of the period."""

    label: str
    """For a sentence: 'all jobs', 'worker gpu-1', 'from 2026-06-01 10:00 to ...'."""
    rows: NDArray[np.bool_]
    """Which rows of the table it holds."""


@dataclass(frozen=True)
class Sustained:
    """A part in which too many jobs are beyond a limit."""

    scope: Scope
    jobs: int
    beyond: int
    p_value: float

    @property
    def share(self) -> float:
        """Share of the part's jobs beyond the limit."""
        return self.beyond / self.jobs


def sustained(
    jobs: pd.DataFrame,
    beyond: pd.Series[bool],
    *,
    least_share: float = SUSTAINED_SHARE,
    tolerated: float = TOLERATED_SHARE,
    stretches: bool = True,
) -> Sustained | None:
    """Find where at least ``least_share`` of jobs is beyond a limit, by more than chance.

    One-sided exact binomial test against ``tolerated`` (Clopper and Pearson, Biometrika 1934), for
    all jobs first, then for each part. Returns the whole period where it holds for the whole (or
    the segment in which nearly all of those jobs are), else the part with the smallest p-value,
    else None.
    """
    from scipy import stats

    def test(scope: Scope, level: float) -> Sustained | None:
        flags = beyond.to_numpy()[scope.rows]
        count, hits = len(flags), int(flags.sum())
        if count < LEAST_JOBS or hits < least_share * count:
            return None
        p_value = float(stats.binomtest(hits, count, tolerated, alternative="greater").pvalue)
        return Sustained(scope, count, hits, p_value) if p_value < level else None

    whole = test(everything(jobs), SIGNIFICANCE)
    own = list(segments(jobs))
    if whole is not None:
        inside = (test(each, SIGNIFICANCE / len(own)) for each in own)
        held = [
            each
            for each in inside
            if each is not None
            and each.beyond >= CONCENTRATED * whole.beyond
            and each.jobs <= whole.jobs / 2
        ]
        return min(held, key=lambda each: each.p_value, default=whole)
    parts = [*own, *(time_stretches(jobs) if stretches else ())]
    tested = (test(part, SIGNIFICANCE / len(parts)) for part in parts)
    found = [each for each in tested if each is not None]
    return min(found, key=lambda each: each.p_value, default=None)


def everything(jobs: pd.DataFrame) -> Scope:
    """Return the whole period as a scope."""
    import numpy as np

    return Scope("all jobs", np.ones(len(jobs), dtype=bool))


def segments(jobs: pd.DataFrame) -> Iterator[Scope]:
    """Give the jobs of each worker, model and so on, where there are at least two of them."""
    import pandas as pd

    for column in SEGMENTS:
        codes, values = pd.factorize(jobs[column])
        if not 2 <= len(values) <= MOST_VALUES:
            continue
        name = column.removesuffix("_type").replace("_", " ")
        counts = pd.Series(codes[codes >= 0]).value_counts()
        for code in counts.index[counts >= LEAST_JOBS]:
            yield Scope(f"{name} {values[code]}", codes == code)


def time_stretches(jobs: pd.DataFrame) -> Iterator[Scope]:
    """Give halves, quarters and eighths of the jobs in time order, and those shifted by a half."""
    import numpy as np

    count = len(jobs)
    position = np.arange(count)
    times = jobs["finished_at"]
    for parts in (2, 4, 8):
        length = count / parts
        if length < SHORTEST_STRETCH:
            return
        for step in range(2 * parts - 1):
            first, last = round(step * length / 2), round((step / 2 + 1) * length) - 1
            label = f"from {times.iloc[first]:%Y-%m-%d %H:%M} to {times.iloc[last]:%Y-%m-%d %H:%M}"
            yield Scope(label, (position >= first) & (position <= last))
