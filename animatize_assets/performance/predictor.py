"""The predecessor's way to ask: ``PerformancePredictor`` with its four methods.

Belongs here: its names and the shape of its answers. Does not belong here: any learning or
estimating of its own (``training``, ``time_estimator``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Protocol

from animatize_assets.errors import InvalidSetting, NotConfigured
from animatize_assets.performance.estimator import TrainedEstimator
from animatize_assets.performance.given_parameters import read_given
from animatize_assets.performance.model_types import MODEL_TYPES, ModelType
from animatize_assets.performance.models import PIPELINE_TYPES, PipelineType, Submission
from animatize_assets.performance.recommendations import estimate_and_recommend, estimate_body
from animatize_assets.performance.store import PerformanceStore
from animatize_assets.performance.time_estimator import TimeEstimator
from animatize_assets.performance.training import train

DEFAULT_SIDE_PX = 512
"""Of an image job that does not tell its size: the predecessor's default."""


class EstimatorShelf(Protocol):
    """Where trained estimators are kept, such as the registry."""

    def save(self, trained: TrainedEstimator) -> str:
        """Keep it and return its version."""

    def load(self, pipeline_type: PipelineType, version: str | None) -> TrainedEstimator | None:
        """Return a version, or the one in use for None; None where there is none."""


class PerformancePredictor:
    """Trains, predicts, saves and loads, one estimator per pipeline type.

    An estimator is used as soon as it is trained or loaded here: who wants it promoted only when
    it is better uses ``learning``. Without one, the heuristic answers.
    """

    def __init__(
        self,
        store: PerformanceStore,
        shelf: EstimatorShelf | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._store = store
        self._shelf = shelf
        self._clock = clock
        self._trained: dict[PipelineType, TrainedEstimator] = {}
        self._estimator = TimeEstimator(store, self._trained.get)

    def train_model(self, pipeline_type: str, model_type: str | None = None) -> dict[str, Any]:
        """Train on all records and use the result; without a type, the best of the four.

        Returns:
            The row of the predecessor's ``/model-status``, and ``promotion``.

        Raises:
            InvalidSetting: there is no such pipeline or model type.
            NotEnoughJobs: fewer than 30 jobs finished well.

        """
        kind = _pipeline_type(pipeline_type)
        trained = train(
            self._store.jobs(pipeline_type=kind),
            kind,
            model_types=MODEL_TYPES if model_type is None else [_model_type(model_type)],
            now=self._clock(),
        )
        self._trained[kind] = trained
        card = trained.card
        return {
            "model_name": f"{kind}_{card.model_type}",
            "model_type": card.model_type,
            "pipeline_type": kind,
            "accuracy_score": card.newest.within_20,
            "mean_absolute_error": card.newest.mean_absolute_error,
            "training_data_count": card.learned_from,
            "last_trained_at": card.trained_at.isoformat(),
            "is_active": True,
            "promotion": card.promotion.model_dump(),
        }

    def predict_generation_time(self, params: Mapping[str, object]) -> dict[str, Any]:
        """Return the answer of the predecessor's ``/estimate-time``.

        ``params``: ``pipeline_type``, ``resolution`` as ``"768x768"`` or ``width`` and ``height``,
        ``frame_count``, ``steps``, ``job_type`` and whatever else is known of the job.

        Raises:
            InvalidSetting: there is no such pipeline type, or a value fits nothing.

        """
        kind = _pipeline_type(str(params.get("pipeline_type", "image")))
        given = read_given({name: params[name] for name in params if name != "pipeline_type"})
        misfits = {*given.left_out, *(given.parameters.extra.keys() & _MUST_FIT)}
        if misfits:
            raise InvalidSetting(
                f"These values fit no parameter of a job: {', '.join(sorted(misfits))}."
            )
        parameters = given.parameters
        if kind == "image" and parameters.width is None and parameters.height is None:
            side = {"width": DEFAULT_SIDE_PX, "height": DEFAULT_SIDE_PX}
            parameters = parameters.model_copy(update=side)
        submission = Submission(
            pipeline_type=kind,
            parameters=parameters,
            submitted_at=self._clock(),
            queue_length=given.facts.queue_length,
        )
        return estimate_body(*estimate_and_recommend(submission, self._estimator.estimate_many))

    def save_model(self, pipeline_type: str) -> str:
        """Put the estimator in use on the shelf; returns its version.

        Raises:
            NotConfigured: there is no shelf, or nothing was trained or loaded.

        """
        kind = _pipeline_type(pipeline_type)
        trained = self._trained.get(kind)
        if trained is None:
            raise NotConfigured(f"No {kind} estimator is there to save; train one first.")
        return self._on_shelf().save(trained)

    def load_model(self, pipeline_type: str, version: str | None = None) -> bool:
        """Use an estimator of the shelf; returns whether it has that version.

        Raises:
            NotConfigured: there is no shelf.

        """
        kind = _pipeline_type(pipeline_type)
        trained = self._on_shelf().load(kind, version)
        if trained is None:
            return False
        self._trained[kind] = trained
        return True

    def _on_shelf(self) -> EstimatorShelf:
        if self._shelf is None:
            raise NotConfigured("This predictor has no shelf; give it one to save and load.")
        return self._shelf


_MUST_FIT = frozenset(
    {"resolution", "width", "height", "frame_count", "steps", "batch_size", "guidance_scale"}
)
"""A size or count that cannot be read is refused, not kept as a further parameter."""


def _pipeline_type(name: str) -> PipelineType:
    if name not in PIPELINE_TYPES:
        raise InvalidSetting(f"'{name}' is no pipeline type; use {' or '.join(PIPELINE_TYPES)}.")
    return name


def _model_type(name: str) -> ModelType:
    if name not in MODEL_TYPES:
        raise InvalidSetting(f"'{name}' is no type of model; use one of {', '.join(MODEL_TYPES)}.")
    return name
