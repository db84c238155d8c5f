"""The four types of model, all on ln(seconds) and on vectors of the encoder.

Each is one plain scikit-learn estimator with a fixed seed, so the same jobs give the same model and
``skops`` can store it without pickle. Belongs here: their settings. Does not belong here: which of
them is used (``training``), vectors (``encoding``).

The settings were chosen on the public timings, by the share within 20 % on parameter combinations
that were not seen (``benchmarks/prediction.py``); no setting is fitted to one of its files.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, Literal, cast, get_args

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

ModelType = Literal["random_forest", "gradient_boosting", "linear_regression", "neural_network"]
MODEL_TYPES: tuple[ModelType, ...] = get_args(ModelType)

SEED = 20_260_601

RIDGE = 0.3
"""Shrinkage of slopes and offsets. Features are logarithms and indicators, left unscaled, so rare
names are drawn to what all jobs say and frequent ones are free."""

ROBUST_MOST_ROWS = 5_000
"""Rows up to which boosting uses Huber's loss: it does not chase the wild tenth of few jobs, at
twice the time of squared loss. With more rows wild ones matter less."""

ROWS_A_TREE = 2_500
"""Rows that one tree learns from at most, drawn anew for each: so the time of training hardly grows
with more jobs than twice that."""

LEAST_LOG_SECONDS, MOST_LOG_SECONDS = -7.0, 16.0
"""A millisecond and a hundred days: bounds that keep an extrapolation finite."""


def fit_model(model_type: ModelType, vectors: Floats, log_seconds: Floats) -> Any:
    """Return a fitted model of that type."""
    from sklearn.exceptions import ConvergenceWarning

    model = _NEW[model_type](len(log_seconds))
    with warnings.catch_warnings():
        # The epochs of the network are a limit of time; whether it is good enough is scored.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(vectors, log_seconds)


def predict_log_seconds(model: Any, vectors: Floats) -> Floats:
    """Return ln(seconds) of each row."""
    import numpy as np
    from sklearn.ensemble import RandomForestRegressor

    if isinstance(model, RandomForestRegressor):
        # What its own predict does, without joblib, whose threads cost 4 ms for a single row, and
        # without looking at the same rows anew for each tree, which costs more than the tree.
        narrow = vectors.astype(np.float32)
        trees = (each.tree_ for each in model.estimators_)
        predicted = np.mean([tree.predict(narrow)[:, 0] for tree in trees], axis=0)
    else:
        predicted = model.predict(vectors)
    return cast("Floats", np.clip(predicted, LEAST_LOG_SECONDS, MOST_LOG_SECONDS))


def _random_forest(rows: int) -> Any:
    from sklearn.ensemble import RandomForestRegressor

    return RandomForestRegressor(
        n_estimators=80,
        max_features=0.5,
        max_samples=min(rows, ROWS_A_TREE),
        n_jobs=1,
        random_state=SEED,
    )


def _gradient_boosting(rows: int) -> Any:
    """Trees that learn what a linear model in logarithms leaves over.

    The line extrapolates to sizes that were never seen, where trees alone stand still.
    """
    from sklearn.ensemble import GradientBoostingRegressor

    robust = {"loss": "huber", "alpha": 0.95} if rows <= ROBUST_MOST_ROWS else {}
    return GradientBoostingRegressor(
        init=_linear_regression(rows),
        n_estimators=400,
        learning_rate=0.05,
        max_depth=5,
        min_samples_leaf=2,
        # A lone row leaves none over, on which scikit-learn then fails to measure a score.
        subsample=1.0 if rows == 1 else min(0.5, ROWS_A_TREE / rows),
        max_features=0.3,
        random_state=SEED,
        **robust,
    )


def _linear_regression(rows: int) -> Any:
    del rows
    from sklearn.linear_model import Ridge

    return Ridge(alpha=RIDGE)


def _neural_network(rows: int) -> Any:
    from sklearn.neural_network import MLPRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    network = MLPRegressor(
        hidden_layer_sizes=(64, 32),
        alpha=1.0,
        learning_rate_init=3e-3,
        max_iter=300 if rows < ROBUST_MOST_ROWS else 60,
        random_state=SEED,
    )
    return make_pipeline(StandardScaler(), network)


_NEW: dict[ModelType, Callable[[int], Any]] = {
    "random_forest": _random_forest,
    "gradient_boosting": _gradient_boosting,
    "linear_regression": _linear_regression,
    "neural_network": _neural_network,
}
