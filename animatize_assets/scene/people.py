"""People: OpenCV's built-in HOG detector, and a face model when one is given.

Belongs here: boxes with scores. Does not belong here: which of them is the subject.
"""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from animatize_assets.scene.models import Box, Person
from animatize_assets.scene.optional_models import FaceModel

PADDING_PX = 16
"""Replicated around the picture: the detector's window has that margin around a person, and
people touch the frame more often than not."""

STRIDE_PX = 8
SCALE_STEP = 1.3
MIN_WEIGHT = 1.0
"""Distance from the detector's separating plane that both readings must pass. At 0.0 every second
detection on the labelled pictures is false, at 1.0 one in three."""

AGREEMENT_IOU = 0.5
"""Two boxes that overlap by more are one person."""


def find_faces(rgb: NDArray[np.uint8], model: FaceModel) -> tuple[Person, ...]:
    """Faces that the given model finds in the working copy, best first."""
    return tuple(Person(bbox=face.bbox, score=face.score, kind="face") for face in model.find(rgb))


def find_people(rgb: NDArray[np.uint8]) -> tuple[Person, ...]:
    """Upright people at least two thirds of the picture's height, most certain first.

    ``rgb``: the small copy (about 192 px; the detector's window is 64 x 128). The picture and its
    mirror image are both searched and only agreeing detections count, with their mean box: the
    answer mirrors with the picture, and half of the false alarms go. Deterministic: the
    detector's own grouping depends on thread timing and is not used.
    """
    gray = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    seen = _detect(np.asarray(gray, np.uint8))
    if not seen:
        return ()
    mirrored = _detect(np.ascontiguousarray(gray[:, ::-1]))
    back = [((1 - box[2], box[1], 1 - box[0], box[3]), weight) for box, weight in mirrored]
    people = []
    for box, weight in seen:
        twin = max(back, key=lambda other: overlap(box, other[0]), default=None)
        if twin is None or overlap(box, twin[0]) < AGREEMENT_IOU:
            continue
        x0, y0, x1, y1 = (float((a + b) / 2) for a, b in zip(box, twin[0], strict=True))
        score = 1 - float(np.exp(-(weight + twin[1]) / 2))
        people.append(Person(bbox=(x0, y0, x1, y1), score=score, kind="person"))
    return tuple(sorted(people, key=lambda p: (-p.score, p.bbox)))


def overlap(a: Box, b: Box) -> float:
    """Intersection over union of two boxes."""
    width = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
    height = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    both = width * height
    either = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both
    return both / either if either > 0 else 0.0


@lru_cache(maxsize=1)
def _detector() -> cv2.HOGDescriptor:
    hog = cv2.HOGDescriptor()
    hog.setSVMDetector(np.asarray(cv2.HOGDescriptor.getDefaultPeopleDetector(), np.float32))
    return hog


def _detect(gray: NDArray[np.uint8]) -> list[tuple[Box, float]]:
    """Detect above ``MIN_WEIGHT``; boxes in fractions, the strongest of each overlapping group."""
    rows, columns = gray.shape
    padded = cv2.copyMakeBorder(
        gray, PADDING_PX, PADDING_PX, PADDING_PX, PADDING_PX, cv2.BORDER_REPLICATE
    )
    if padded.shape[0] < 128 or padded.shape[1] < 64:
        return []
    boxes, weights = _detector().detectMultiScale(
        padded,
        hitThreshold=MIN_WEIGHT,
        winStride=(STRIDE_PX, STRIDE_PX),
        padding=(0, 0),
        scale=SCALE_STEP,
        groupThreshold=0,
    )
    found = []
    for (x, y, w, h), weight in zip(boxes, np.ravel(weights), strict=True):
        # The window's margin is an eighth of its height above and below, a quarter at the sides.
        left, right = x + 0.2 * w - PADDING_PX, x + 0.8 * w - PADDING_PX
        top, bottom = y + 0.08 * h - PADDING_PX, y + 0.95 * h - PADDING_PX
        box: Box = (
            _fraction(left, columns),
            _fraction(top, rows),
            _fraction(right, columns),
            _fraction(bottom, rows),
        )
        found.append((box, float(weight)))
    found.sort(key=lambda item: (-item[1], item[0]))
    kept: list[tuple[Box, float]] = []
    for box, weight in found:
        if all(overlap(box, other) < AGREEMENT_IOU for other, _ in kept):
            kept.append((box, weight))
    return kept


def _fraction(position: float, length: int) -> float:
    return min(1.0, max(0.0, float(position) / length))
