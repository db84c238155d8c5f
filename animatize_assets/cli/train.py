"""``animatize train``: learn now how long jobs take."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from animatize_assets.cli.tables import facts
from animatize_assets.cli.terminal import Terminal
from animatize_assets.cli.times import exactly
from animatize_assets.errors import NotEnoughJobs
from animatize_assets.performance.heuristic import LEAST_JOBS
from animatize_assets.performance.learning import Retraining, jobs_to_learn_from
from animatize_assets.performance.models import PIPELINE_TYPES, PipelineType
from animatize_assets.performance.opening import PerformanceRoom
from animatize_assets.performance.report_page import percent
from animatize_assets.performance.scoring import Score
from animatize_assets.workplace.opening import open_workplace


def train(terminal: Terminal, *, pipeline: PipelineType | None) -> int:
    """Train an estimator of each pipeline, or of one; 1 when none could be trained.

    Raises:
        StorageFailed: MLflow or the disk did not take it; what is in use stays in use.

    """
    room = open_workplace().performance
    trained: list[Retraining] = []
    refused: list[dict[str, Any]] = []
    for kind in PIPELINE_TYPES if pipeline is None else (pipeline,):
        terminal.note(f"Learning from the {kind} jobs ...")
        try:
            trained.append(room.retrain(kind, now=datetime.now(UTC)))
        except NotEnoughJobs as error:
            refused.append(_refusal(room, kind, error))
    terminal.document({"trained": [_body(each) for each in trained], "not_trained": refused})
    for each in trained:
        terminal.say(facts(f"estimator of {each.registered.pipeline_type} jobs", _rows(each)))
    for refusal in refused:
        terminal.say(str(refusal["reason"]))
    return 0 if trained else 1


def _refusal(room: PerformanceRoom, kind: PipelineType, error: NotEnoughJobs) -> dict[str, Any]:
    jobs = jobs_to_learn_from(room.store, kind)
    missing = LEAST_JOBS - jobs
    return {
        "pipeline_type": kind,
        "code": error.code,
        "reason": f"{error.message} {missing} more, and it can be trained; until then a stated "
        "formula estimates them.",
        "jobs": jobs,
        "missing": missing,
    }


def _body(done: Retraining) -> dict[str, Any]:
    card = done.trained.card
    return {
        "pipeline_type": card.pipeline_type,
        "model_type": card.model_type,
        "version": done.registered.version,
        "is_promoted": done.is_promoted,
        "reason": done.reason,
        "learned_from": card.learned_from,
        "scores": {name: each.model_dump(mode="json") for name, each in card.scores.items()},
        "newest": card.newest.model_dump(mode="json"),
        "newest_coverage_80": card.newest_coverage_80,
        "baseline": card.baseline and card.baseline.model_dump(mode="json"),
        "champion": card.champion and card.champion.model_dump(mode="json"),
        "removed_versions": done.removed,
    }


def _rows(done: Retraining) -> list[tuple[str, str]]:
    card = done.trained.card
    use = "in use from now on" if done.is_promoted else "not put into use"
    return [
        ("version", f"{done.registered.version}, {use}"),
        ("why", done.reason),
        ("learned from", f"{card.learned_from} finished jobs"),
        *(
            (name, _score(score) + (", the best" if name == card.model_type else ""))
            for name, score in card.scores.items()
        ),
        ("8 in 10 interval", f"holds {percent(card.newest_coverage_80)} of the newest jobs"),
    ]


def _score(score: Score) -> str:
    return (
        f"{percent(score.within_20)} of unseen jobs within 20 %, off by "
        f"{exactly(score.mean_absolute_error)} on average"
    )
