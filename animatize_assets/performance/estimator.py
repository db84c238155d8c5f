"""An estimator that learned: from a submission to seconds, an interval and a confidence.

Belongs here: the parts of a trained estimator, what it says, what recent jobs add. Does not
belong here: its training (``training``), its files (``registry``), the choice between it and the
heuristic (``time_estimator``).
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import AwareDatetime

from animatize_assets.performance.calibration import (
    NO_SHIFT,
    CalibratedTimes,
    Calibration,
    Shift,
)
from animatize_assets.performance.encoding import EncoderState, FeatureEncoder
from animatize_assets.performance.features import combination
from animatize_assets.performance.model_types import ModelType, predict_log_seconds
from animatize_assets.performance.models import (
    Count,
    Estimate,
    JobRecord,
    PipelineType,
    Submission,
)
from animatize_assets.performance.promotion import Promotion
from animatize_assets.performance.recent_jobs import RecentLikeJobs
from animatize_assets.performance.recentring import GROUPS, Missed, RecentResiduals
from animatize_assets.performance.scoring import Score
from animatize_assets.records import Record, Share

Floats = NDArray[np.float64]

NOTABLE_SHIFT = math.log(1.05)
"""Correction by recent jobs from which on it is told to people: 5 %."""


class EstimatorCard(Record):
    """What is known of a trained estimator; plain JSON."""

    pipeline_type: PipelineType
    model_type: ModelType
    trained_at: AwareDatetime
    learned_from: Count
    first_finished_at: AwareDatetime
    last_finished_at: AwareDatetime
    data_sha256: str
    features: Count
    scores: Mapping[str, Score]
    """Per model type, over all windows of the rolling origin; jobs of the same exact parameters
    count as one."""
    newest: Score
    """On the newest window."""
    newest_coverage_80: Share | None
    """Of the 80 % interval on the newest window, by the residuals of the earlier ones."""
    baseline: Score | None
    """The mean of the last two like jobs, on the newest window."""
    champion: Score | None
    """The estimator that was in use, on the newest window."""
    promotion: Promotion
    versions: Mapping[str, str]


class EstimatorState(Record):
    """All of an estimator but its scikit-learn model; plain JSON."""

    encoder: EncoderState
    familiar: Calibration
    unfamiliar: Calibration
    combinations: tuple[str, ...]
    card: EstimatorCard


@dataclass(frozen=True)
class Evidence:
    """The rolling-origin predictions behind a card, for plots; arrays as long as ``jobs``."""

    jobs: tuple[JobRecord, ...]
    predicted_seconds: Floats
    is_repeat: NDArray[np.bool_]

    @property
    def residuals(self) -> Floats:
        """Return ln(actual / predicted)."""
        actual = np.array([job.total_time_seconds for job in self.jobs])
        return np.asarray(np.log(actual / self.predicted_seconds))


@dataclass(frozen=True)
class RecentJobs:
    """What jobs tell that ended lately, for one estimator; made by its ``recent``."""

    like: RecentLikeJobs
    residuals: RecentResiduals
    missed: Mapping[_Asked, Missed]
    """Of jobs that ended after those learned from."""


_Asked = tuple[str, float | None]
"""A job by its id, with the recent median of like jobs: its prediction follows from both."""


@dataclass(frozen=True)
class TrainedEstimator:
    """A fitted encoder, model and calibration. Nothing in it changes, so threads may share it."""

    encoder: FeatureEncoder
    model: Any
    """One of :mod:`~animatize_assets.performance.model_types`, on ln(seconds)."""
    familiar: Calibration
    """For jobs that repeat the exact parameters of one learned from."""
    unfamiliar: Calibration
    """For all others."""
    combinations: frozenset[str]
    """Keys of the exact parameters learned from."""
    card: EstimatorCard
    evidence: Evidence | None = field(default=None, compare=False)
    """Only after a training; it is not stored."""
    version: str | None = field(default=None, compare=False)
    """Under which it is registered."""

    @classmethod
    def from_state(
        cls, state: EstimatorState, model: Any, *, version: str | None = None
    ) -> TrainedEstimator:
        """Put a stored estimator together again."""
        return cls(
            encoder=FeatureEncoder(state.encoder),
            model=model,
            familiar=state.familiar,
            unfamiliar=state.unfamiliar,
            combinations=frozenset(state.combinations),
            card=state.card,
            version=version,
        )

    @property
    def state(self) -> EstimatorState:
        """Return everything but the model."""
        return EstimatorState(
            encoder=self.encoder.state,
            familiar=self.familiar,
            unfamiliar=self.unfamiliar,
            combinations=tuple(sorted(self.combinations)),
            card=self.card,
        )

    def predict_seconds(
        self, submissions: Sequence[Submission], recent_medians: Sequence[float | None]
    ) -> Floats:
        """Return what the model alone says, without any correction by recent errors."""
        vectors = self.encoder.encode_many(submissions, recent_medians)
        return np.asarray(np.exp(predict_log_seconds(self.model, vectors)))

    def recent(self, finished: Sequence[JobRecord], before: RecentJobs | None = None) -> RecentJobs:
        """Prepare what finished jobs tell, in any order; call it again when more have finished.

        Their errors count from the end of the training data on; like jobs from before count for
        the recent median. ``before`` is an answer of this method: of jobs that are in it already
        nothing is predicted again, which changes no figure.
        """
        ordered = sorted(finished, key=lambda job: job.finished_at)
        like = RecentLikeJobs(ordered)
        later = [
            job
            for job in ordered
            if job.success
            and job.total_time_seconds > 0
            and job.pipeline_type == self.card.pipeline_type
            and job.finished_at > self.card.last_finished_at
        ]
        missed = self._missed(later, like, {} if before is None else before.missed)
        wider = max(self.familiar, self.unfamiliar, key=lambda calibration: calibration.spread)
        return RecentJobs(like, RecentResiduals(wider, missed.values()), missed)

    def estimate(self, submission: Submission, recent: RecentJobs | None = None) -> Estimate:
        """Return the estimate of one job."""
        return self.estimate_many([submission], recent)[0]

    def estimate_many(
        self, submissions: Sequence[Submission], recent: RecentJobs | None = None
    ) -> list[Estimate]:
        """Return the estimate of each job, in their order."""
        if not submissions:
            return []
        medians = recent.like.medians(submissions) if recent else [None] * len(submissions)
        predicted = self.predict_seconds(submissions, medians)
        alike: defaultdict[_Likeness, list[int]] = defaultdict(list)
        for position, submission in enumerate(submissions):
            alike[self._likeness(submission, recent)].append(position)
        told: list[Estimate | None] = [None] * len(submissions)
        for likeness, positions in alike.items():
            calibration = self.familiar if likeness.is_repeat else self.unfamiliar
            times = calibration.calibrated(
                predicted[positions], shift=likeness.shift, novel=likeness.unexplained
            )
            notes = _notes(likeness)
            for place, position in enumerate(positions):
                told[position] = self._estimate(times, place, notes)
        return [estimate for estimate in told if estimate is not None]

    def _missed(
        self, jobs: Sequence[JobRecord], like: RecentLikeJobs, known: Mapping[_Asked, Missed]
    ) -> Mapping[_Asked, Missed]:
        submissions = [Submission.of(job) for job in jobs]
        medians = like.medians(submissions)
        asked = [(job.job_id, median) for job, median in zip(jobs, medians, strict=True)]
        new = [place for place, each in enumerate(asked) if each not in known]
        if not new:
            return {each: known[each] for each in asked}
        predicted = self.predict_seconds(
            [submissions[place] for place in new], [medians[place] for place in new]
        )
        told = {
            asked[place]: Missed(
                residual=math.log(jobs[place].total_time_seconds / seconds),
                groups=_groups(submissions[place]),
                novel=self.encoder.unseen(submissions[place]),
            )
            for place, seconds in zip(new, predicted, strict=True)
        }
        return {each: known[each] if each in known else told[each] for each in asked}

    def _likeness(self, submission: Submission, recent: RecentJobs | None) -> _Likeness:
        novel = self.encoder.unseen(submission)
        is_repeat = not novel and combination(submission) in self.combinations
        if recent is None:
            return _Likeness(is_repeat, NO_SHIFT, novel, novel)
        shift, unexplained = recent.residuals.shift(_groups(submission), novel)
        return _Likeness(is_repeat, shift, novel, unexplained)

    def _estimate(self, times: CalibratedTimes, place: int, notes: tuple[str, ...]) -> Estimate:
        told = None if math.isnan(times.low_80[place]) else place
        return Estimate(
            pipeline_type=self.card.pipeline_type,
            predicted_time_seconds=float(times.seconds[place]),
            uncertainty_range=None
            if told is None
            else (float(times.low_80[told]), float(times.high_80[told])),
            interval_90=None
            if told is None
            else (float(times.low_90[told]), float(times.high_90[told])),
            confidence=None if told is None else float(times.confidence[told]),
            prediction_method="ml_model",
            model_used=self.card.model_type,
            model_version=self.version,
            learned_from=self.card.learned_from,
            notes=notes,
        )


@dataclass(frozen=True)
class _Likeness:
    """What submissions share that have the same correction and the same interval."""

    is_repeat: bool
    shift: Shift
    novel: frozenset[str]
    unexplained: frozenset[str]


def _groups(submission: Submission) -> Mapping[str, str]:
    parameters = submission.parameters
    return {name: value for name in GROUPS if (value := getattr(parameters, name))}


def _notes(likeness: _Likeness) -> tuple[str, ...]:
    notes = []
    if likeness.unexplained:
        fields = ", ".join(sorted(likeness.unexplained))
        notes.append(f"Never seen before: its {fields}; the interval is wider for it.")
    explained = likeness.novel - likeness.unexplained
    if explained:
        fields = ", ".join(sorted(explained))
        notes.append(f"New: its {fields}; corrected by {likeness.shift.jobs} finished job(s).")
    elif abs(likeness.shift.log_offset) >= NOTABLE_SHIFT:
        percent = 100 * math.expm1(likeness.shift.log_offset)
        notes.append(f"Recent jobs took {percent:+.0f} % against what was learned; corrected.")
    return tuple(notes)
