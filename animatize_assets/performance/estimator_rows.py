"""Which estimators are registered, and which one of each pipeline type is in use.

Belongs here: rows of ``performance_prediction_models``. Does not belong here: their files
(``registry``), which of them should be in use (``training``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Engine, and_, delete, insert, select, update

from animatize_assets.database.performance_tables import performance_prediction_models
from animatize_assets.errors import StorageFailed
from animatize_assets.performance.models import PipelineType
from animatize_assets.performance.store import in_utc

_models = performance_prediction_models.c


@dataclass(frozen=True)
class RegisteredEstimator:
    """A row of ``performance_prediction_models``."""

    model_name: str
    version: str
    model_type: str
    pipeline_type: PipelineType
    accuracy_score: float
    mean_absolute_error: float
    interval_coverage: float | None
    baseline_accuracy: float | None
    training_data_count: int
    data_hash: str
    content_sha256: str
    mlflow_run_id: str | None
    last_trained_at: datetime
    is_active: bool
    promotion_note: str


class EstimatorRows:
    """The rows of one database, which must be at the newest revision."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def add(self, row: Mapping[str, Any]) -> RegisteredEstimator:
        """Write a row (the table's columns without the id) and return it."""
        with self._engine.begin() as connection:
            connection.execute(insert(performance_prediction_models).values(dict(row)))
        return self.version(row["pipeline_type"], row["version"])

    def put_into_use(self, estimator: RegisteredEstimator, note: str) -> None:
        """Mark a version as the one in use; the one before is not any more."""
        with self._engine.begin() as connection:
            connection.execute(
                update(performance_prediction_models)
                .where(_models.model_name == estimator.model_name)
                .values(is_active=False)
            )
            connection.execute(
                update(performance_prediction_models)
                .where(_this(estimator))
                .values(is_active=True, promotion_note=note)
            )

    def leave_out_of_use(self, estimator: RegisteredEstimator, note: str) -> None:
        """Note why a version is not put into use."""
        with self._engine.begin() as connection:
            connection.execute(
                update(performance_prediction_models)
                .where(_this(estimator))
                .values(promotion_note=note)
            )

    def remove(self, estimator: RegisteredEstimator) -> None:
        """Forget a version."""
        with self._engine.begin() as connection:
            connection.execute(delete(performance_prediction_models).where(_this(estimator)))

    def versions(self, pipeline_type: PipelineType | None = None) -> list[RegisteredEstimator]:
        """Return every version that is kept, the newest first."""
        wanted = select(performance_prediction_models).order_by(_models.id.desc())
        if pipeline_type is not None:
            wanted = wanted.where(_models.pipeline_type == pipeline_type)
        with self._engine.connect() as connection:
            return [_registered(row) for row in connection.execute(wanted)]

    def version(self, pipeline_type: PipelineType, version: str) -> RegisteredEstimator:
        """Return one version.

        Raises:
            StorageFailed: there is none of that number.
        """
        for each in self.versions(pipeline_type):
            if each.version == version:
                return each
        raise StorageFailed(f"There is no {pipeline_type} estimator of version {version}.")

    def active(self, pipeline_type: PipelineType) -> RegisteredEstimator | None:
        """Return the version in use."""
        found = (each for each in self.versions(pipeline_type) if each.is_active)
        return next(found, None)


def _this(estimator: RegisteredEstimator) -> ColumnElement[bool]:
    return and_(_models.model_name == estimator.model_name, _models.version == estimator.version)


def _registered(row: Any) -> RegisteredEstimator:
    found = row._mapping  # noqa: SLF001  # SQLAlchemy's documented view of a row
    fields = {name: found[name] for name in RegisteredEstimator.__dataclass_fields__}
    return RegisteredEstimator(**fields | {"last_trained_at": in_utc(found["last_trained_at"])})
