"""An estimator goes into MLflow and comes out again, the very same, or not at all."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import Engine

from animatize_assets.database.engine import open_engine
from animatize_assets.database.migration import upgrade
from animatize_assets.errors import StorageFailed
from animatize_assets.performance.model_types import MODEL_TYPES, fit_model, predict_log_seconds
from animatize_assets.performance.registry import (
    CHALLENGER,
    CHAMPION,
    EstimatorRegistry,
    Training,
)

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")

ROWS = np.random.default_rng(4).random((60, 3))
TARGET = ROWS @ np.array([1.0, 0.5, -0.2])


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("registry")


@contextmanager
def _opened(folder: Path) -> Iterator[Engine]:
    opened = open_engine(f"sqlite:///{folder / 'performance.db'}")
    upgrade(opened)
    yield opened
    opened.dispose()


@pytest.fixture(scope="module")
def engine(place: Path) -> Iterator[Engine]:
    with _opened(place) as opened:
        yield opened


@pytest.fixture
def own_engine(tmp_path: Path) -> Iterator[Engine]:
    """A database without the versions of other tests, which count from 1, too."""
    with _opened(tmp_path) as opened:
        yield opened


@pytest.fixture(scope="module")
def registry(place: Path, engine: Engine) -> EstimatorRegistry:
    return EstimatorRegistry(engine, place / "estimators", f"sqlite:///{place / 'mlflow.db'}")


def _training(model_type: str = "linear_regression", **changes: object) -> Training:
    from matplotlib.figure import Figure  # noqa: PLC0415 - a second, for the tests that draw

    figure = Figure()
    figure.subplots().plot([1, 2], [1, 2])
    training = Training(
        pipeline_type="image",
        model_type=model_type,
        model=fit_model(model_type, ROWS, TARGET),  # type: ignore[arg-type]
        card='{"features": ["a", "b", "c"]}',
        example=ROWS[:2],
        accuracy_score=0.9,
        mean_absolute_error=1.5,
        interval_coverage=0.81,
        baseline_accuracy=0.7,
        training_data_count=60,
        data_hash="d" * 64,
        trained_at=datetime(2026, 6, 1, tzinfo=UTC),
        parameters={"rows": 60},
        scores={"within_20_percent": 0.9},
        plots={"predicted.png": figure},
    )
    return replace(training, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize("model_type", MODEL_TYPES)
def test_every_type_of_model_comes_back_as_it_was(
    registry: EstimatorRegistry, model_type: str
) -> None:
    training = _training(model_type)
    stored = registry.register(training)
    assert not stored.is_active
    model, card = registry.load(stored)
    assert card == training.card
    expected = predict_log_seconds(training.model, ROWS)
    assert np.array_equal(predict_log_seconds(model, ROWS), expected)


def test_promotion_moves_the_alias_and_the_mark(registry: EstimatorRegistry, place: Path) -> None:
    import mlflow  # noqa: PLC0415 - seconds, for the tests that need it

    first, second = registry.register(_training()), registry.register(_training())
    registry.promote(first, "the first")
    registry.promote(second, "better")
    registry.rows.leave_out_of_use(first, "worse")
    active = registry.rows.active("image")
    assert active is not None
    assert (active.version, active.promotion_note) == (second.version, "better")
    assert registry.rows.version("image", first.version).promotion_note == "worse"
    uri = f"sqlite:///{place / 'mlflow.db'}"
    client = mlflow.MlflowClient(uri, registry_uri=uri)
    champion = client.get_model_version_by_alias(second.model_name, CHAMPION)
    assert str(champion.version) == second.version
    aliases = client.get_registered_model(second.model_name).aliases
    assert CHALLENGER not in aliases
    run = client.get_run(second.mlflow_run_id or "")
    assert run.data.metrics["within_20_percent"] == 0.9
    assert run.data.tags["data_hash"] == "d" * 64
    assert [each.path for each in client.list_artifacts(run.info.run_id, "plots")] == [
        "plots/predicted.png"
    ]


def test_a_changed_file_is_refused(registry: EstimatorRegistry, place: Path) -> None:
    stored = registry.register(_training())
    file = place / "estimators" / "copies" / stored.model_name / stored.version / "model.skops"
    file.write_bytes(file.read_bytes() + b"x")
    with pytest.raises(StorageFailed, match="not those that were registered"):
        registry.load(stored)


def test_files_that_are_lost_here_are_fetched(registry: EstimatorRegistry, place: Path) -> None:
    stored = registry.register(_training())
    folder = place / "estimators" / "copies" / stored.model_name / stored.version
    for file in folder.iterdir():
        file.unlink()
    model, _ = registry.load(stored)
    assert model.predict(ROWS).shape == (60,)


def test_what_is_in_use_is_not_removed(registry: EstimatorRegistry) -> None:
    old, used = registry.register(_training()), registry.register(_training())
    registry.promote(used, "best")
    with pytest.raises(StorageFailed, match="in use"):
        registry.remove(used.model_name, used.version)
    registry.remove(old.model_name, old.version)
    assert old.version not in {each.version for each in registry.rows.versions("image")}
    with pytest.raises(StorageFailed):
        registry.load(old)


def test_a_tracking_store_that_is_not_there_is_told(engine: Engine, tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("no folder")
    registry = EstimatorRegistry(engine, tmp_path / "e", f"sqlite:///{blocked}/deep/mlflow.db")
    before = len(registry.rows.versions())
    with pytest.raises(StorageFailed, match="MLflow"):
        registry.register(_training())
    assert len(registry.rows.versions()) == before


def test_old_trainings_go_with_their_files_but_none_that_a_version_points_to(
    own_engine: Engine, tmp_path: Path
) -> None:
    tracking = f"sqlite:///{tmp_path / 'mlflow.db'}"
    registry = EstimatorRegistry(own_engine, tmp_path / "own", tracking)
    kept = registry.register(_training())
    dropped = registry.register(_training())
    registry.remove(dropped.model_name, dropped.version)
    files = tmp_path / "own" / "mlflow"
    now = datetime.now(UTC)
    assert registry.delete_old_runs(now - timedelta(days=90)) == 0
    assert registry.delete_old_runs(now + timedelta(days=1)) == 1
    assert registry.delete_old_runs(now + timedelta(days=1)) == 0
    assert dropped.mlflow_run_id is not None
    left = [path.name for path in files.iterdir() if path.name != "models"]
    assert left == [kept.mlflow_run_id]
    assert len(list((files / "models").iterdir())) == 1
    shutil.rmtree(tmp_path / "own" / "copies")
    registry.load(kept)  # from MLflow
