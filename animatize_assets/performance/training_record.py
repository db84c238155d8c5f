"""A training as it is registered: its scores, parameters and pictures.

Belongs here: what a person wants to see of a training in MLflow. Does not belong here: training,
MLflow (``registry``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from animatize_assets.performance.estimator import Evidence, TrainedEstimator
from animatize_assets.performance.models import JobRecord, Submission
from animatize_assets.performance.registry import Training
from animatize_assets.performance.scoring import Score

if TYPE_CHECKING:
    from matplotlib.figure import Figure

EXAMPLES = 2
"""Rows of the input example."""

SHOWN_FEATURES = 15
SHOWN_LEVELS = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
IMPORTANCE_ROWS = 500
"""Rows on which importance is measured: its order settles with a few hundred."""


def training_record(trained: TrainedEstimator, jobs: Sequence[JobRecord]) -> Training:
    """Describe a training that just ended, which still has its evidence."""
    card = trained.card
    examples = [Submission.of(job) for job in jobs[:EXAMPLES]]
    return Training(
        pipeline_type=card.pipeline_type,
        model_type=card.model_type,
        model=trained.model,
        card=trained.state.model_dump_json(),
        example=trained.encoder.encode_many(examples, [None] * len(examples)),
        accuracy_score=card.newest.within_20,
        mean_absolute_error=card.newest.mean_absolute_error,
        interval_coverage=card.newest_coverage_80,
        baseline_accuracy=card.baseline.within_20 if card.baseline else None,
        training_data_count=card.learned_from,
        data_hash=card.data_sha256,
        trained_at=card.trained_at,
        parameters=_parameters(trained),
        scores=_scores(trained),
        plots=training_plots(trained),
    )


def _parameters(trained: TrainedEstimator) -> Mapping[str, str | int | float]:
    card = trained.card
    return {
        "pipeline_type": card.pipeline_type,
        "jobs": card.learned_from,
        "features": card.features,
        "first_finished_at": card.first_finished_at.isoformat(),
        "last_finished_at": card.last_finished_at.isoformat(),
        "promoted": str(card.promotion.promote),
        "promotion_reason": card.promotion.reason,
        **{f"version_{name}": number for name, number in card.versions.items()},
    }


def _scores(trained: TrainedEstimator) -> Mapping[str, float]:
    card = trained.card
    told: dict[str, Score | None] = {
        "newest": card.newest,
        "baseline": card.baseline,
        "champion": card.champion,
        **dict(card.scores),
    }
    named = {
        f"{name}_{field}": float(getattr(each, field))
        for name, each in told.items()
        if each is not None
        for field in ("within_20", "mean_absolute_error", "bias")
    }
    if card.newest_coverage_80 is not None:
        named["newest_coverage_80"] = card.newest_coverage_80
    return named


def training_plots(trained: TrainedEstimator) -> Mapping[str, Figure]:
    """Draw predicted against actual, coverage, residuals over time and feature importance.

    Without evidence (an estimator that was loaded) there is nothing to draw.
    """
    if trained.evidence is None:
        return {}
    return {
        "predicted_against_actual.png": _predicted(trained.evidence),
        "coverage.png": _coverage(trained, trained.evidence),
        "residuals_over_time.png": _residuals(trained.evidence),
        "feature_importance.png": _importance(trained, trained.evidence),
    }


def _axes(title: str, across: str, up: str) -> tuple[Figure, Any]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 4.8), layout="constrained")
    axes = figure.subplots()
    axes.set(title=title, xlabel=across, ylabel=up)
    return figure, axes


def _predicted(evidence: Evidence) -> Figure:
    figure, axes = _axes("Jobs not seen in training", "actual, s", "predicted, s")
    actual = np.array([job.total_time_seconds for job in evidence.jobs])
    axes.loglog(actual, evidence.predicted_seconds, ".", alpha=0.4)
    ends = np.array([actual.min(), actual.max()])
    axes.loglog(ends, ends, "-", color="black", linewidth=1)
    axes.fill_between(ends, 0.8 * ends, 1.2 * ends, alpha=0.15, label="within 20 %")
    axes.legend()
    return figure


def _coverage(trained: TrainedEstimator, evidence: Evidence) -> Figure:
    figure, axes = _axes("Coverage of intervals", "nominal", "jobs inside")
    residuals = evidence.residuals
    # The first half calibrates, the second is covered: none is judged by itself.
    first, second = np.array_split(residuals, 2)
    shares = []
    for level in SHOWN_LEVELS:
        low, high = np.quantile(first, [(1 - level) / 2, (1 + level) / 2])
        shares.append(float(np.mean((low <= second) & (second <= high))))
    axes.plot(SHOWN_LEVELS, shares, "o-", label="newer half by the older half")
    axes.plot(SHOWN_LEVELS, SHOWN_LEVELS, "-", color="black", linewidth=1)
    if trained.card.newest_coverage_80 is not None:
        axes.plot([0.8], [trained.card.newest_coverage_80], "s", label="newest window")
    axes.legend()
    return figure


def _residuals(evidence: Evidence) -> Figure:
    figure, axes = _axes("Error over time", "finished", "ln(actual / predicted)")
    finished = [job.finished_at for job in evidence.jobs]
    axes.plot(finished, evidence.residuals, ".", alpha=0.4)
    axes.axhline(0, color="black", linewidth=1)
    figure.autofmt_xdate()
    return figure


def _importance(trained: TrainedEstimator, evidence: Evidence) -> Figure:
    """Draw permutation importance (Breiman, 2001), which every type of model has."""
    from sklearn.inspection import permutation_importance

    jobs = evidence.jobs[-IMPORTANCE_ROWS:]
    submissions = [Submission.of(job) for job in jobs]
    rows = trained.encoder.encode_many(submissions, [None] * len(jobs))
    target = np.log([job.total_time_seconds for job in jobs])
    found = permutation_importance(
        trained.model, rows, target, n_repeats=3, random_state=0, scoring="r2"
    ).importances_mean
    order = np.argsort(found)[-SHOWN_FEATURES:]
    figure, axes = _axes("Feature importance", "loss of R2 when shuffled", "")
    axes.barh([trained.encoder.feature_names[index] for index in order], found[order])
    return figure
