"""Estimators that were trained, in MLflow, and the one that is in use.

MLflow keeps the history: a run for each training, with its parameters, scores and plots, and a
registered version with signature, input example and the aliases ``challenger`` and ``champion``.
Which version is in use, and the SHA-256 of its files, stand in the project's own database. A copy
of the files is kept beside it, so that an estimate needs neither MLflow's server nor its import,
which takes seconds.

Files are stored by ``skops``, never by pickle, and are loaded with the fixed list of types
:data:`TRUSTED_TYPES` and only when their hash is the one that was registered: whoever can change a
file cannot have it run, nor have its trees read beyond their ends.

Belongs here: storing and loading. Does not belong here: which version is in use
(``estimator_rows``), training and choosing (``training``).
"""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from sqlalchemy import Engine

from animatize_assets.errors import StorageFailed
from animatize_assets.performance.estimator_rows import EstimatorRows, RegisteredEstimator
from animatize_assets.performance.models import PIPELINE_TYPES, PipelineType

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

_log = logging.getLogger(__name__)

TRUSTED_TYPES = (
    "sklearn.tree._tree.Tree",
    "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
)
"""Types that skops does not trust by itself. A tree's node numbers are not checked when it is
loaded, which is why a file must also have the registered hash."""

MODEL_FILE, CARD_FILE = "model.skops", "card.json"
CHAMPION, CHALLENGER = "champion", "challenger"


@dataclass(frozen=True)
class Training:
    """What one training came to, to be registered.

    ``card``: JSON, all that an estimate needs beside the model. ``example``: two rows or more of
    vectors. ``parameters``, ``scores``: as MLflow shows them. ``plots``: file name -> figure.
    """

    pipeline_type: PipelineType
    model_type: str
    model: Any
    card: str
    example: NDArray[np.float64]
    accuracy_score: float
    mean_absolute_error: float
    interval_coverage: float | None
    baseline_accuracy: float | None
    training_data_count: int
    data_hash: str
    trained_at: datetime
    parameters: Mapping[str, str | int | float]
    scores: Mapping[str, float]
    plots: Mapping[str, Figure]


class EstimatorRegistry:
    """Registers and loads estimators.

    ``engine``: of the performance database, at the newest revision. ``folder``: of the copies, and
    of MLflow's files where ``tracking_uri`` is a database; a tracking server keeps them itself.
    """

    def __init__(self, engine: Engine, folder: Path, tracking_uri: str) -> None:
        self.rows = EstimatorRows(engine)
        self._folder = folder
        self._tracking_uri = tracking_uri

    def register(self, training: Training) -> RegisteredEstimator:
        """Log the training as an MLflow run and register its model as the challenger.

        Raises:
            StorageFailed: MLflow or the disk refused; nothing is registered here.
        """
        name = model_name(training.pipeline_type)
        with self._mlflow() as mlflow:
            try:
                version, run_id = self._log_run(mlflow, name, training)
            except (mlflow.MlflowException, OSError) as error:
                raise StorageFailed(
                    f"MLflow at {_shown(self._tracking_uri)} did not take the estimator: {error}"
                ) from error
        kept = self._folder / "copies" / name / version
        row = {
            "model_name": name,
            "version": version,
            "model_type": training.model_type,
            "pipeline_type": training.pipeline_type,
            "accuracy_score": training.accuracy_score,
            "mean_absolute_error": training.mean_absolute_error,
            "interval_coverage": training.interval_coverage,
            "baseline_accuracy": training.baseline_accuracy,
            "training_data_count": training.training_data_count,
            "data_hash": training.data_hash,
            "content_sha256": content_hash(kept),
            "mlflow_run_id": run_id,
            "tracking_uri": _shown(self._tracking_uri),
            "last_trained_at": training.trained_at.astimezone(UTC),
            "is_active": False,
            "promotion_note": "not judged yet",
        }
        return self.rows.add(row)

    def promote(self, estimator: RegisteredEstimator, note: str) -> None:
        """Put a version into use; the one before is not any more."""
        with self._mlflow() as mlflow:
            client = mlflow.MlflowClient(self._tracking_uri)
            client.set_registered_model_alias(estimator.model_name, CHAMPION, estimator.version)
            client.delete_registered_model_alias(estimator.model_name, CHALLENGER)
        self.rows.put_into_use(estimator, note)

    def load(self, estimator: RegisteredEstimator) -> tuple[Any, str]:
        """Return the model and the card of a version.

        Raises:
            StorageFailed: the files are not there, or are not those that were registered.
        """
        import skops.io

        kept = self._folder / "copies" / estimator.model_name / estimator.version
        if not (kept / MODEL_FILE).is_file() or not (kept / CARD_FILE).is_file():
            self._fetch(estimator, kept)
        if content_hash(kept) != estimator.content_sha256:
            raise StorageFailed(
                f"The files of {estimator.model_name} version {estimator.version} in {kept} are "
                "not those that were registered. Remove the folder to fetch them again, or train."
            )
        model = skops.io.load(kept / MODEL_FILE, trusted=list(TRUSTED_TYPES))
        return model, (kept / CARD_FILE).read_text(encoding="utf-8")

    def remove(self, name: str, version: str) -> None:
        """Remove a version that is not in use, here and in MLflow. Its row may be gone already.

        Raises:
            StorageFailed: it is in use.
        """
        for each in self.rows.versions():
            if (each.model_name, each.version) == (name, version):
                if each.is_active:
                    raise StorageFailed(f"{name} version {version} is in use.")
                self.rows.remove(each)
        with self._mlflow() as mlflow:
            client = mlflow.MlflowClient(self._tracking_uri)
            try:
                client.delete_model_version(name, version)
            except mlflow.MlflowException as error:
                # Gone already is what was wanted; anything else MLflow's own cleaning finds.
                _log.warning("MLflow kept %s %s: %s", name, version, error)
        shutil.rmtree(self._folder / "copies" / name / version, ignore_errors=True)

    def delete_old_runs(self, before: datetime) -> int:
        """Delete MLflow's runs of trainings before ``before`` that no registered version points to.

        Their files go with them where they lie in our folder; a tracking server, and the rows
        that MLflow only marks as deleted, are cleaned by its own ``mlflow gc``.

        Returns:
            How many.

        Raises:
            StorageFailed: MLflow refused.

        """
        deleted = 0
        with self._mlflow() as mlflow:
            client = mlflow.MlflowClient(self._tracking_uri)
            try:
                for pipeline_type in PIPELINE_TYPES:
                    for run in self._unused_runs(client, pipeline_type, before):
                        self._delete_run(client, run)
                        deleted += 1
            except mlflow.MlflowException as error:
                raise StorageFailed(
                    f"MLflow at {_shown(self._tracking_uri)} did not delete old runs: {error}"
                ) from error
        return deleted

    def _unused_runs(self, client: Any, pipeline_type: PipelineType, before: datetime) -> list[Any]:
        experiment = client.get_experiment_by_name(experiment_name(pipeline_type))
        if experiment is None:
            return []
        versions = client.search_model_versions(f"name = '{model_name(pipeline_type)}'")
        used = {version.run_id for version in versions}
        old = f"attributes.start_time < {round(before.timestamp() * 1000)}"
        found, page = [], None
        while True:
            runs = client.search_runs([experiment.experiment_id], old, page_token=page)
            found += [run for run in runs if run.info.run_id not in used]
            page = runs.token
            if not page:
                return found

    def _delete_run(self, client: Any, run: Any) -> None:
        """Delete a run after its files: one that is still listed is found again."""
        models = client.search_logged_models(
            [run.info.experiment_id], f"source_run_id = '{run.info.run_id}'"
        )
        for model in models:
            self._remove_files(model.artifact_location)
            client.delete_logged_model(model.model_id)
        self._remove_files(run.info.artifact_uri)
        client.delete_run(run.info.run_id)

    def _remove_files(self, uri: str) -> None:
        """Remove a folder of artifacts with the folder of its run or model, when it is ours."""
        parts = urlsplit(uri)
        path = Path(unquote(parts.path)).parent
        if parts.scheme in ("", "file") and path.is_relative_to(self._files.absolute()):
            shutil.rmtree(path, ignore_errors=True)

    @property
    def _files(self) -> Path:
        return self._folder / "mlflow"

    def _log_run(self, mlflow: Any, name: str, training: Training) -> tuple[str, str]:
        """Return the version and the run's id; a copy of the files is kept."""
        from mlflow.models import infer_signature

        client = mlflow.MlflowClient(self._tracking_uri)
        experiment = self._experiment(client, experiment_name(training.pipeline_type))
        with mlflow.start_run(experiment_id=experiment) as run:
            mlflow.log_params({"model_type": training.model_type, **training.parameters})
            mlflow.log_metrics(dict(training.scores))
            mlflow.set_tag("data_hash", training.data_hash)
            for file, figure in training.plots.items():
                mlflow.log_figure(figure, f"plots/{file}")
            mlflow.log_text(training.card, CARD_FILE)
            logged = mlflow.sklearn.log_model(
                training.model,
                name="estimator",
                serialization_format="skops",
                skops_trusted_types=list(TRUSTED_TYPES),
                signature=infer_signature(
                    training.example, training.model.predict(training.example)
                ),
                input_example=training.example,
                # Named, or MLflow starts a process to find out.
                pip_requirements=["scikit-learn", "skops"],
                registered_model_name=name,
            )
            version = str(logged.registered_model_version)
            client.set_registered_model_alias(name, CHALLENGER, version)
            client.set_model_version_tag(name, version, "data_hash", training.data_hash)
            _download(
                mlflow, logged.model_uri, run.info.run_id, self._folder / "copies" / name / version
            )
        return version, str(run.info.run_id)

    def _experiment(self, client: Any, name: str) -> str:
        found = client.get_experiment_by_name(name)
        if found is not None:
            return str(found.experiment_id)
        location = None
        if not self._tracking_uri.startswith(("http://", "https://")):
            location = self._files.absolute().as_uri()
        return str(client.create_experiment(name, artifact_location=location))

    def _fetch(self, estimator: RegisteredEstimator, target: Path) -> None:
        uri = f"models:/{estimator.model_name}/{estimator.version}"
        with self._mlflow() as mlflow:
            try:
                _download(mlflow, uri, estimator.mlflow_run_id or "", target)
            except (mlflow.MlflowException, OSError) as error:
                raise StorageFailed(
                    f"The files of {estimator.model_name} version {estimator.version} are not "
                    f"there, and MLflow at {_shown(self._tracking_uri)} does not give them: "
                    f"{error}. Train again: animatize train."
                ) from error

    @contextmanager
    def _mlflow(self) -> Iterator[Any]:
        """Give MLflow, pointed at our tracking store."""
        with _quiet_mlflow() as mlflow:
            before = mlflow.get_tracking_uri(), mlflow.get_registry_uri()
            self._folder.mkdir(parents=True, exist_ok=True)
            mlflow.set_tracking_uri(self._tracking_uri)
            mlflow.set_registry_uri(self._tracking_uri)
            try:
                yield mlflow
            finally:
                mlflow.set_tracking_uri(before[0])
                mlflow.set_registry_uri(before[1])


@contextmanager
def _quiet_mlflow() -> Iterator[Any]:
    """Give MLflow, silent about itself."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    with warnings.catch_warnings():
        # Of its own type hints and of libraries under it; nothing a user could mend.
        warnings.simplefilter("ignore")
        import mlflow
        import mlflow.sklearn

        logging.getLogger("mlflow").setLevel(logging.WARNING)
        logging.getLogger("alembic").setLevel(logging.WARNING)
        yield mlflow


def make_tracking_tables(tracking_uri: str) -> None:
    """Have MLflow make its tables in the database ``tracking_uri``, where they are missing.

    Raises:
        StorageFailed: MLflow could not.
    """
    with _quiet_mlflow() as mlflow:
        try:
            mlflow.MlflowClient(tracking_uri, tracking_uri).search_experiments(max_results=1)
        except mlflow.MlflowException as error:
            raise StorageFailed(f"MLflow could not use {_shown(tracking_uri)}: {error}") from error


def experiment_name(pipeline_type: PipelineType) -> str:
    """Return the name of the experiment that trainings of a pipeline type are runs of."""
    return f"time-estimator-{pipeline_type}"


def model_name(pipeline_type: PipelineType) -> str:
    """Return the name under which estimators of a pipeline type are registered."""
    return f"animatize-time-estimator-{pipeline_type}"


def content_hash(folder: Path) -> str:
    """Return the SHA-256 of an estimator's two files."""
    digest = hashlib.sha256()
    for file in (MODEL_FILE, CARD_FILE):
        digest.update(hashlib.sha256((folder / file).read_bytes()).digest())
    return digest.hexdigest()


def _download(mlflow: Any, model_uri: str, run_id: str, target: Path) -> None:
    """Bring the model's file and the card to ``target``."""
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    found = Path(mlflow.artifacts.download_artifacts(artifact_uri=model_uri))
    shutil.copyfile(found / MODEL_FILE, target / MODEL_FILE)
    card = Path(mlflow.artifacts.download_artifacts(artifact_uri=f"runs:/{run_id}/{CARD_FILE}"))
    shutil.copyfile(card, target / CARD_FILE)


def _shown(uri: str) -> str:
    """Return an address without a password."""
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        return make_url(uri).render_as_string(hide_password=True)
    except ArgumentError:
        return uri
