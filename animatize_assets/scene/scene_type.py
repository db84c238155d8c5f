"""Which kind of scene it is: a regularised multinomial logistic regression, stored as data.

Each measurement counts by a broken line: one weight per scene type for what exceeds its mean and
one for what falls short of it, because "more than usual" and "less than usual" are different
statements (a vivid picture may be a graphic; a pale one need not be the opposite of one).

``scene_type.yaml`` holds the weights with their provenance; ``benchmarks/fit_scene_type.py``
makes it again from labelled pictures and ``benchmarks/scene_quality.py`` reports what it reaches
out of fold. A logistic regression is used because its answer can be taken apart: each measurement
adds its own log-odds, and those are the evidence.

Belongs here: scores, the winner, the evidence, and when nothing wins. Does not belong here: the
measurements (``appearance``) or how the weights are found.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import get_args

import numpy as np
import yaml
from numpy.typing import NDArray

from animatize_assets.scene.appearance import Appearance
from animatize_assets.scene.models import SceneType, SceneTypeEvidence, SceneTypeName

MODEL_FILE = Path(__file__).with_name("scene_type.yaml")

OUTLIER = 3.0
"""Standardised measurements are cut at this many deviations: no single freak value decides."""

EVIDENCE_COUNT = 5
"""So many measurements are named, fewer when fewer speak for the winner."""

NATURE_BALANCE, NATURE_SOFTNESS = 0.15, 0.04
"""Open scenery is *nature* rather than *landscape* when vegetation exceeds sky by this share of
the picture; the softness makes the two scores equal there rather than jump."""


@dataclass(frozen=True)
class SceneTypeModel:
    """The fitted weights.

    ``classes``: the seven kinds that were told apart (landscape stands for nature too).
    ``above``, ``below``: classes x measurements, on the positive and the negative part of the
    standardised measurements. ``tie_width``: a winner whose score exceeds the runner-up's by less
    is not a winner.
    """

    classes: tuple[SceneTypeName, ...]
    measurements: tuple[str, ...]
    means: NDArray[np.float64]
    scales: NDArray[np.float64]
    above: NDArray[np.float64]
    below: NDArray[np.float64]
    intercepts: NDArray[np.float64]
    tie_width: float


def parse_model(document: str) -> SceneTypeModel:
    """Read a model from the text of a ``scene_type.yaml``."""
    data = yaml.safe_load(document)
    names = tuple(data["measurements"])
    classes = tuple(data["classes"])
    known = set(get_args(SceneTypeName))
    if not set(classes) <= known:
        raise ValueError(f"Unknown scene types {sorted(set(classes) - known)} in the model.")
    table = data["measurements"]
    return SceneTypeModel(
        classes=classes,
        measurements=names,
        means=np.array([table[name]["mean"] for name in names]),
        scales=np.array([table[name]["scale"] for name in names]),
        above=np.array([table[name]["above"] for name in names]).T,
        below=np.array([table[name]["below"] for name in names]).T,
        intercepts=np.array(data["intercepts"]),
        tie_width=float(data["tie_width"]),
    )


@lru_cache(maxsize=1)
def shipped_model() -> SceneTypeModel:
    """Load the weights that come with the package, once."""
    return parse_model(MODEL_FILE.read_text(encoding="utf-8"))


def standardised(appearance: Appearance, model: SceneTypeModel) -> NDArray[np.float64]:
    """Deviations of each measurement from its mean, in scales, cut at ``OUTLIER``."""
    values = np.array([appearance.values[name] for name in model.measurements])
    return np.clip((values - model.means) / model.scales, -OUTLIER, OUTLIER)


def pulls(deviations: NDArray[np.float64], model: SceneTypeModel) -> NDArray[np.float64]:
    """Log-odds that each measurement adds to each class: classes x measurements."""
    above, below = np.maximum(deviations, 0), np.minimum(deviations, 0)
    return np.asarray(model.above * above + model.below * below, np.float64)


def classify_scene(appearance: Appearance, model: SceneTypeModel | None = None) -> SceneType:
    """Score every scene type and name the winner, or ``unknown``.

    ``scores`` are the model's probabilities (they sum to one over the eight types), levelled out
    in a picture without structure. ``unknown`` when the margin is below the model's tie width.
    ``evidence``: for the best-scored type, the measurements that speak most for it, as log-odds
    against the average of the other types; () when all score alike.
    """
    fitted = shipped_model() if model is None else model
    deviations = standardised(appearance, fitted)
    # Summed by numpy, not by a BLAS product: the same digits on any number of threads.
    pulled = pulls(deviations, fitted)
    logits = pulled.sum(axis=1) + fitted.intercepts
    odds = np.exp(logits - logits.max())
    # A flat colour or noise is of nothing: the less structure, the more alike the scores.
    certain = odds / odds.sum()
    mixed = appearance.structure * certain + (1 - appearance.structure) / len(fitted.classes)
    shares = dict(zip(fitted.classes, mixed.tolist(), strict=True))
    scores = _with_nature(shares, appearance)
    ranked = sorted(scores, key=lambda name: (-scores[name], name))
    margin = scores[ranked[0]] - scores[ranked[1]]
    answer: SceneTypeName = ranked[0] if margin >= fitted.tie_width else "unknown"
    return SceneType(
        type=answer,
        score=scores[ranked[0]],
        scores=dict(scores),
        margin=margin,
        evidence=_evidence(ranked[0], appearance, pulled, fitted) if margin > 0 else (),
    )


def _with_nature(
    shares: dict[SceneTypeName, float], appearance: Appearance
) -> dict[SceneTypeName, float]:
    lead = appearance.vegetation - appearance.sky - NATURE_BALANCE
    nature = 1 / (1 + float(np.exp(-lead / NATURE_SOFTNESS)))
    scores: dict[SceneTypeName, float] = {}
    for name, share in shares.items():
        if name == "landscape":
            scores["landscape"] = share * (1 - nature)
            scores["nature"] = share * nature
        else:
            scores[name] = share
    return scores


def _evidence(
    winner: SceneTypeName,
    appearance: Appearance,
    pulled: NDArray[np.float64],
    model: SceneTypeModel,
) -> tuple[SceneTypeEvidence, ...]:
    row = model.classes.index("landscape" if winner == "nature" else winner)
    lead = pulled[row] - np.delete(pulled, row, axis=0).mean(axis=0)
    order = sorted(range(lead.size), key=lambda i: (-lead[i], model.measurements[i]))
    return tuple(
        SceneTypeEvidence(
            measurement=model.measurements[i],
            value=appearance.values[model.measurements[i]],
            contribution=float(lead[i]),
        )
        for i in order[:EVIDENCE_COUNT]
        if lead[i] > 0
    )
