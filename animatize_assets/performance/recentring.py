"""What recent jobs say about the next one: everything is slower today, or this worker is.

A model is trained now and then; machines change in between. After a sudden slowdown by 1.6 an
interval that stays where it was covers 4 % instead of 80 %. So residuals of jobs that ended after
the training shift what is told, in three steps, each of which acts only on evidence:

1. The window. The newest 60 jobs, but none from before the latest change: where the jobs after
   some moment differ from those before it by more than chance makes of the best of all moments
   (generalised likelihood ratio of one change of a mean; Lorden, 1971; Basseville and Nikiforov,
   1993, chapter 2), the window starts there. So it is long in calm times and short after a change.
2. The weight. A mean within its own chance error is no news: the correction is drawn to 0 by the
   positive-part James-Stein factor ``1 - (2 / z)^2``, and is 0 below two standard errors.
3. The group. A worker that the model knows may have a shift of its own, by the same two steps. Of a
   worker (or GPU, or model) that the model never saw, the offset is estimated from
   its own first jobs as a random effect: n jobs with the mean m tell ``m n / (n + s^2 / t^2)``,
   where s is the spread of residuals and t the deviation between groups (Laird and Ware, 1982).

Belongs here: shifts by recent residuals. Does not belong here: the interval around them
(``calibration``), reading recent jobs (``estimator``).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from animatize_assets.performance.calibration import (
    NO_SHIFT,
    NOTHING_NOVEL,
    Calibration,
    Shift,
)

NEWEST = 60
"""Residuals that can matter, of all jobs and of each group: at most as old as a change that is
still felt, and enough for an error of an eighth of the spread."""

LEAST_WINDOW = 10
"""Jobs that can show a shift. A burst of other work on a machine slows down three or four jobs in a
row (seen on clips rendered on a busy one); to follow it is to be wrong when it is over. A true
change is followed after about six jobs."""

CHANGED = 4.0
"""Standard errors, at the best of up to 41 moments, that make a change. In calm times less than 1
of 100 windows of normal residuals shows one, and then the window is shorter than it could be: a
little noise, and no loss of coverage. With 3.5, and 4 jobs that can show a shift, bursts on that
busy machine cost 6 of 100 estimates their accuracy."""

BELIEVED = 2.0
"""Standard errors below which a shift is taken for chance."""

SPREAD_JOBS = 5
"""Weight of the calibrated spread against that of a new worker's own jobs, in jobs."""

_WILD = 3.0
_HUBER = 1.5
"""Spreads from the median beyond which a value is drawn in: 96 % efficient on normal residuals."""

GROUPS = ("worker", "gpu_model", "model")
"""Fields whose values may have an offset of their own, the most specific first."""


Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Missed:
    """A finished job: by how much its time missed what the model had said."""

    residual: float
    """ln(actual / predicted), the prediction without any shift."""
    groups: Mapping[str, str]
    """Its value of each of :data:`GROUPS`, where known."""
    novel: frozenset[str] = frozenset()
    """Fields of it that the model had never seen."""


def recent_shift(residuals: ArrayLike, *, centre: float, spread: float) -> Shift:
    """Return the shift that residuals (oldest first) show against the calibrated ones.

    ``centre`` and ``spread`` are those of the calibration; ``jobs`` of the answer is the window,
    also where the shift is 0. Fewer than ten residuals show none.
    """
    off = np.asarray(residuals, dtype=np.float64)[-NEWEST:] - centre
    window = _window(off, spread)
    if not window:
        return NO_SHIFT
    mean = _location(off[-window:], spread)
    error = spread / math.sqrt(window)
    if abs(mean) <= BELIEVED * error:
        return Shift(jobs=window)
    weight = 1 - (BELIEVED * error / mean) ** 2
    return Shift(weight * mean, (weight * error) ** 2, window)


def worker_correction(
    residuals: ArrayLike, *, centre: float, spread: float, between: float, surplus: float = 0.0
) -> Shift:
    """Return the offset of a worker (or GPU, or model) that the model never saw.

    ``residuals``: of its jobs so far, oldest first. ``between``: the deviation of such offsets
    (:meth:`Calibration.offset_deviation`); ``surplus``: what jobs of its kind spread beyond it and
    beyond ``spread`` (:meth:`Calibration.surplus_deviation`). Without any job the offset is 0 and
    its variance all that is known. Where its own jobs spread more still, the variance holds that.
    """
    off = np.asarray(residuals, dtype=np.float64)[-NEWEST:] - centre
    if not off.size:
        return Shift(0.0, between**2 + surplus**2, 0)
    expected = spread**2 + surplus**2
    mean = _location(off, spread)
    squares = SPREAD_JOBS * expected + float(np.sum((off - mean) ** 2))
    own_variance = max(expected, squares / (SPREAD_JOBS + off.size - 1))
    error = own_variance / off.size
    weight = between**2 / (between**2 + error)
    return Shift(weight * mean, weight * error + own_variance - spread**2, off.size)


class RecentResiduals:
    """Recent jobs of one estimator, ready to be asked for the shift of a new one."""

    def __init__(self, calibration: Calibration, missed: Iterable[Missed]) -> None:
        """``missed``: jobs that ended after those learned from, oldest first."""
        self._calibration = calibration
        self._missed = tuple(missed)
        known = [job.residual for job in self._missed if not job.novel]
        self.overall = recent_shift(known, centre=calibration.centre, spread=calibration.spread)
        """The shift of jobs of which nothing is novel."""
        self._told: dict[tuple[object, ...], tuple[Shift, frozenset[str]]] = {}

    def shift(
        self, groups: Mapping[str, str], novel: frozenset[str] = NOTHING_NOVEL
    ) -> tuple[Shift, frozenset[str]]:
        """Return the shift for a new job, and the novel fields for which it does not speak.

        ``groups``: its value of each of :data:`GROUPS`, where known. Hand both on to
        :meth:`Calibration.calibrated`.
        """
        key = (tuple(groups.get(field) for field in GROUPS), novel)
        if key not in self._told:
            self._told[key] = self._shift(groups, novel)
        return self._told[key]

    def _shift(
        self, groups: Mapping[str, str], novel: frozenset[str]
    ) -> tuple[Shift, frozenset[str]]:
        shift = self.overall
        device = next((field for field in GROUPS[:2] if field in groups), None)
        if device is not None and not novel & {"worker", "gpu_model"}:
            shift += self._of_known(device, groups[device])
        corrected = [field for field in GROUPS if field in novel and field in groups]
        # jobs that share all that is new tell most; else those that share the worker, and so on
        for fields in (corrected, *([field] for field in corrected)):
            own = [job.residual for job in self._missed if _shares(job, groups, fields)]
            if fields and own:
                spoken_for = frozenset(fields) | (
                    {"gpu_model"} if "worker" in fields else frozenset()
                )
                return self._of_new(own, shift, spoken_for & novel), novel - spoken_for
        return shift, novel

    def _of_known(self, field: str, value: str) -> Shift:
        """Return the shift of a known worker or GPU beyond that of all jobs."""
        known = [job for job in self._missed if not job.novel]
        if 0 < self.overall.jobs < NEWEST:
            # all changed lately: its older jobs are of the time before
            known = known[-self.overall.jobs :]
        own = [job.residual for job in known if job.groups.get(field) == value]
        return recent_shift(
            own,
            centre=self._calibration.centre + self.overall.log_offset,
            spread=self._calibration.spread,
        )

    def _of_new(self, own: Sequence[float], shift: Shift, spoken_for: frozenset[str]) -> Shift:
        return shift + worker_correction(
            own,
            centre=self._calibration.centre + shift.log_offset,
            spread=self._calibration.spread,
            between=self._calibration.offset_deviation(spoken_for),
            surplus=self._calibration.surplus_deviation(spoken_for),
        )


def _shares(job: Missed, groups: Mapping[str, str], fields: Sequence[str]) -> bool:
    return all(job.groups.get(field) == groups[field] for field in fields)


def _window(off: Floats, spread: float) -> int:
    """Return how many of the newest jobs came after the latest change; 0 without enough jobs."""
    jobs = off.size
    if jobs < 2 * LEAST_WINDOW:
        return jobs if jobs >= LEAST_WINDOW else 0
    # clipped, so that a few wild jobs make no change
    clipped = np.clip(off - np.median(off), -_WILD * spread, _WILD * spread)
    after = np.arange(LEAST_WINDOW, jobs - LEAST_WINDOW + 1)
    sums = np.cumsum(clipped[::-1])
    difference = sums[after - 1] / after - (sums[-1] - sums[after - 1]) / (jobs - after)
    z = np.abs(difference) / (spread * np.sqrt(1 / after + 1 / (jobs - after)))
    best = int(np.argmax(z))
    return int(after[best]) if z[best] > CHANGED else jobs


def _location(values: Floats, spread: float) -> float:
    """Return the mean with wild values drawn in: one step of Huber's M-estimate (1964)."""
    median = float(np.median(values))
    return median + float(np.mean(np.clip(values - median, -_HUBER * spread, _HUBER * spread)))
