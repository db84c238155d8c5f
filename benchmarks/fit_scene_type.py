"""Fit the scene type's weights on labelled pictures and write them as data.

    python benchmarks/fit_scene_type.py --data DIR [--write]

``DIR`` holds pictures and a ``labels.csv`` with columns ``file``, ``label`` and ``also_ok``.
Deterministic: the same pictures give the same file. Without ``--write`` it only prints what
cross-validation says. scikit-learn is needed here and nowhere in the package.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from animatize_assets.images.decoding import load_working_copy
from animatize_assets.scene.appearance import Appearance, measure_appearance
from animatize_assets.scene.horizon import find_horizon
from animatize_assets.scene.regions import measure_regions
from animatize_assets.scene.scene_type import (
    MODEL_FILE,
    OUTLIER,
    classify_scene,
    parse_model,
)
from animatize_assets.scene.subject import measure_subject
from animatize_assets.scene.surface import Surface
from animatize_assets.scene.working_copy import WORKING_LONG_SIDE_PX, WorkingCopy

CLASSES = ("landscape", "water", "urban", "indoor", "portrait", "close_up", "graphic")
"""What is told apart; landscape and nature are one here and split by vegetation and sky later."""

ANSWER_OF_LABEL = {"animal": "close_up", "object": "close_up", "abstract": "graphic"}
"""The labels that are not themselves answers."""

REGULARISATION = 1.0
"""scikit-learn's C (inverse strength), chosen by the likelihood of pictures left out, both at
random and a whole source (the part of the file name before ``_``) at a time."""

ALSO_OK_WEIGHT = 0.4
"""Share of a picture's weight that goes to the other labels that a fair judge accepts."""

ANSWERED_SHARE = 0.87
"""The tie width is set so that this share of pictures is answered out of fold."""

BRIGHTNESS = (0.85, 1.15)
CROP = 0.03
FOLDS, REPEATS = 10, 3


@dataclass(frozen=True)
class Labelled:
    """A picture's appearance, its variants' appearances, and the classes that count as right."""

    file: str
    label: str
    right: tuple[int, ...]
    versions: tuple[Appearance, ...]


def appearance_of(pixels: NDArray[np.uint8]) -> Appearance:
    """Measure a working copy as the package does."""
    copy = WorkingCopy(pixels)
    small = Surface.of(copy)
    regions, _ = measure_regions(copy, find_horizon(copy), small)
    return measure_appearance(small, regions, measure_subject(copy, None, small))


def variants(pixels: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
    """List the picture, mirrored, darker, lighter, cropped: all the same scene."""
    rows, columns = pixels.shape[:2]
    dy, dx = round(rows * CROP), round(columns * CROP)
    made = [pixels, np.ascontiguousarray(pixels[:, ::-1])]
    made += [np.clip(pixels * gain, 0, 255).astype(np.uint8) for gain in BRIGHTNESS]
    made.append(np.ascontiguousarray(pixels[dy : rows - dy, dx : columns - dx]))
    return made


def read_labelled(folder: Path) -> list[Labelled]:
    """Measure every picture of ``labels.csv`` and its variants."""
    pictures = []
    with (folder / "labels.csv").open(newline="", encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            pixels = load_working_copy(folder / row["file"], WORKING_LONG_SIDE_PX)
            names = [row["label"], *row["also_ok"].split()]
            answers = [ANSWER_OF_LABEL.get(name, name) for name in names]
            right = tuple(dict.fromkeys(CLASSES.index(answer) for answer in answers))
            versions = tuple(appearance_of(version) for version in variants(pixels))
            pictures.append(Labelled(row["file"], row["label"], right, versions))
    return pictures


def fit(pictures: list[Labelled], tie_width: float = 0.0) -> dict[str, Any]:
    """Fit the regression; each version of a picture has an equal part of the picture's weight."""
    from sklearn.linear_model import LogisticRegression

    names = list(pictures[0].versions[0].values)
    plain = np.array([[p.versions[0].values[n] for n in names] for p in pictures])
    means, scales = plain.mean(0), np.maximum(plain.std(0), 1e-6)
    rows, targets, weights = [], [], []
    for picture in pictures:
        for version in picture.versions:
            values = np.array([version.values[name] for name in names])
            deviations = np.clip((values - means) / scales, -OUTLIER, OUTLIER)
            parts = np.concatenate([np.maximum(deviations, 0), np.minimum(deviations, 0)])
            for place, kind in enumerate(picture.right):
                alternatives = len(picture.right) - 1
                share = (
                    (1 - ALSO_OK_WEIGHT if alternatives else 1.0)
                    if place == 0
                    else (ALSO_OK_WEIGHT / alternatives)
                )
                rows.append(parts)
                targets.append(kind)
                weights.append(share / len(picture.versions))
    model = LogisticRegression(C=REGULARISATION, max_iter=2000, tol=1e-5)
    model.fit(np.array(rows), np.array(targets), sample_weight=np.array(weights))
    coefficients = np.zeros((len(CLASSES), 2 * len(names)))
    intercepts = np.full(len(CLASSES), -20.0)
    coefficients[model.classes_] = model.coef_
    intercepts[model.classes_] = model.intercept_
    return {
        "classes": list(CLASSES),
        "tie_width": tie_width,
        "intercepts": [round(float(value), 4) for value in intercepts],
        "measurements": {
            name: {
                "mean": round(float(means[m]), 6),
                "scale": round(float(scales[m]), 6),
                "above": [round(float(value), 4) for value in coefficients[:, m]],
                "below": [round(float(value), 4) for value in coefficients[:, len(names) + m]],
            }
            for m, name in enumerate(names)
        },
    }


@dataclass(frozen=True)
class OutOfFold:
    """What models that never saw a picture say of it; each array is repeats x pictures."""

    margin: NDArray[np.float64]
    right: NDArray[np.bool_]


def dealt(labels: list[str], folds: int, seed: int) -> NDArray[np.intp]:
    """Deal pictures to folds like cards, label by label, so that each fold has some of each."""
    draw = np.random.default_rng(seed)
    order = sorted(range(len(labels)), key=lambda i: labels[i])
    shuffled = np.concatenate(
        [draw.permutation([i for i in order if labels[i] == name]) for name in sorted(set(labels))]
    )
    fold = np.zeros(len(labels), np.intp)
    fold[shuffled] = np.arange(len(labels)) % folds
    return fold


def judged(pictures: list[Labelled], fold: NDArray[np.intp]) -> OutOfFold:
    """Answer for every picture with a model fitted without its fold; one repeat."""
    margin = np.zeros((1, len(pictures)))
    right = np.zeros((1, len(pictures)), np.bool_)
    for part in np.unique(fold):
        train = [p for p, mine in zip(pictures, fold, strict=True) if mine != part]
        model = parse_model(json.dumps(fit(train)))
        for i in np.flatnonzero(fold == part):
            scene = classify_scene(pictures[i].versions[0], model)
            answer = "landscape" if scene.type == "nature" else scene.type
            margin[0, i] = scene.margin
            right[0, i] = CLASSES.index(answer) in pictures[i].right
    return OutOfFold(margin, right)


def out_of_fold(pictures: list[Labelled], repeats: int = REPEATS, folds: int = FOLDS) -> OutOfFold:
    """Answer for every picture with models fitted without it and a random tenth."""
    labels = [picture.label for picture in pictures]
    parts = [judged(pictures, dealt(labels, folds, repeat)) for repeat in range(repeats)]
    return OutOfFold(
        np.concatenate([part.margin for part in parts]),
        np.concatenate([part.right for part in parts]),
    )


def out_of_source(pictures: list[Labelled]) -> OutOfFold:
    """Answer for every picture with a model that saw no picture of its source.

    A source is the part of the file name before the first ``_``. Harder than a new picture of a
    known source, and blind to how measurements were chosen on random folds.
    """
    sources = sorted({picture.file.partition("_")[0] for picture in pictures})
    fold = [sources.index(picture.file.partition("_")[0]) for picture in pictures]
    return judged(pictures, np.array(fold, np.intp))


def as_yaml(document: dict[str, Any]) -> str:
    """One line per measurement, so that a reviewer sees a refit as changed lines."""
    lines = ["# Weights of the scene type: made by benchmarks/fit_scene_type.py, not by hand."]
    lines.append(
        "# above, below: one weight per class, in the order of classes, on the positive and the"
    )
    lines.append("# negative part of (value - mean) / scale.")
    for name, value in document.items():
        if name != "measurements":
            lines.append(f"{name}: {json.dumps(value)}")
    lines.append("measurements:")
    lines += [f"  {name}: {json.dumps(row)}" for name, row in document["measurements"].items()]
    return "\n".join(lines) + "\n"


def main() -> int:
    """Fit, report, and write when asked."""
    cv2.setNumThreads(1)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with labels.csv")
    parser.add_argument("--write", action="store_true", help=f"replace {MODEL_FILE.name}")
    options = parser.parse_args()
    pictures = read_labelled(options.data)
    found = out_of_fold(pictures)
    tie_width = round(float(np.quantile(found.margin, 1 - ANSWERED_SHARE)), 3)
    right, answered = found.right, found.margin >= tie_width
    print(f"pictures {len(pictures)}, all answered: {right.mean():.3f} right")
    print(
        f"tie width {tie_width}: {answered.mean():.3f} answered, {right[answered].mean():.3f} right"
    )
    document = {
        "provenance": {
            "made_by": "benchmarks/fit_scene_type.py",
            "pictures": len(pictures),
            "regularisation_C": REGULARISATION,
            "also_ok_weight": ALSO_OK_WEIGHT,
            "out_of_fold": {
                "folds": FOLDS,
                "repeats": REPEATS,
                "answered": round(float(answered.mean()), 3),
                "right_of_answered": round(float(right[answered].mean()), 3),
            },
        },
        **fit(pictures, tie_width),
    }
    if options.write:
        MODEL_FILE.write_text(as_yaml(document), encoding="utf-8")
        print(f"wrote {MODEL_FILE}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
