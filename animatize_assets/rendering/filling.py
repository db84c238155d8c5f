"""What may lie behind: values for the unknown part of a plane, from the known part around it.

Belongs here: filling of holes. Does not belong here: which part is unknown (``layers``).
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray


def fill_unknown(values: NDArray[np.float32], known: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return ``values`` where ``known`` is 1 and a smooth continuation of them where it is 0.

    ``values``: rows x columns, or rows x columns x channels; ``known``: rows x columns in 0..1.
    Push-pull (Gortler et al., The Lumigraph, 1996): weighted averages are pulled up a pyramid and
    pushed down into the holes. Cost is linear in the number of pixels; nothing is iterated.
    Where nothing at all is known, the mean of all values stands.
    """
    weights = known if values.ndim == 2 else known[:, :, None]
    if min(values.shape[:2]) < 2 or known.min() >= 1:
        total = float(known.sum())
        mean = (values * weights).sum(axis=(0, 1)) / total if total else values.mean(axis=(0, 1))
        return np.asarray(weights * values + (1 - weights) * mean, np.float32)
    rows, columns = values.shape[:2]
    half = ((columns + 1) // 2, (rows + 1) // 2)
    weight = cv2.resize(known, half, interpolation=cv2.INTER_AREA)
    summed = cv2.resize(values * weights, half, interpolation=cv2.INTER_AREA)
    divisor = np.maximum(weight, 1e-6)
    coarse = summed / (divisor if values.ndim == 2 else divisor[:, :, None])
    filled = fill_unknown(
        np.asarray(coarse, np.float32), np.minimum(1, 2 * weight).astype(np.float32)
    )
    behind = cv2.resize(filled, (columns, rows), interpolation=cv2.INTER_LINEAR)
    return np.asarray(weights * values + (1 - weights) * behind, np.float32)


def continue_picture(
    pixels: NDArray[np.uint8],
    hidden: NDArray[np.uint8],
    amount: NDArray[np.float32],
    *,
    depth_px: float,
) -> NDArray[np.uint8]:
    """Return ``pixels`` with what ``hidden`` covers replaced by what may go on behind it.

    ``pixels``: uint8 RGB. ``hidden``: uint8 of the same size, 255 = covered. ``amount``: 0..1,
    coarse, how much is replaced. ``depth_px``: how deep behind an edge the picture can be seen.

    Near an edge the picture is mirrored at it, which keeps texture; deeper it passes into the
    smooth continuation of its colours. Where anything of the image is uncovered, it stays itself.
    """
    size = (pixels.shape[1], pixels.shape[0])
    coarse = (amount.shape[1], amount.shape[0])
    small = cv2.resize(pixels, coarse, interpolation=cv2.INTER_AREA).astype(np.float32)
    # A pixel of the coarse plane is known when no part of it, nor of those around it, is hidden.
    covering = cv2.resize(hidden, coarse, interpolation=cv2.INTER_AREA)
    known = cv2.erode((covering == 0).astype(np.uint8), np.ones((3, 3), np.uint8))
    smooth = fill_unknown(np.asarray(small, np.float32), np.asarray(known, np.float32))
    if not known.any():
        return pixels
    x, y, away = _mirrored(np.asarray(known, np.uint8))
    scale = size[0] / coarse[0]
    mirrored = cv2.remap(
        pixels,
        _enlarged(x, size) * np.float32(scale) - np.float32(0.5),
        _enlarged(y, size) * np.float32(scale) - np.float32(0.5),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REFLECT_101,
    )
    share = np.clip(1.5 - away * scale / max(depth_px, 1.0), 0, 1).astype(np.float32)
    behind = _blended(mirrored.astype(np.float32), _enlarged(smooth, size), _enlarged(share, size))
    covered = np.clip((hidden.astype(np.float32) - 191) / 64, 0, 1)
    whole = _blended(behind, pixels.astype(np.float32), _enlarged(amount, size) * covered)
    return np.asarray(np.clip(whole + 0.5, 0, 255), np.uint8)


def _enlarged(plane: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
    return np.asarray(cv2.resize(plane, size, interpolation=cv2.INTER_LINEAR), np.float32)


def _blended(
    a: NDArray[np.float32], b: NDArray[np.float32], share_of_a: NDArray[np.float32]
) -> NDArray[np.float32]:
    return np.asarray(cv2.blendLinear(a, b, share_of_a, 1 - share_of_a), np.float32)


def _mirrored(
    known: NDArray[np.uint8],
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Where each unknown pixel is mirrored to: ``(x, y)``, and its distance to the known part."""
    away, labels = cv2.distanceTransformWithLabels(
        1 - known, cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
    )
    rows, columns = np.nonzero(known)
    nearest_x, nearest_y = np.zeros(labels.max() + 1), np.zeros(labels.max() + 1)
    nearest_x[labels[rows, columns]] = columns
    nearest_y[labels[rows, columns]] = rows
    y, x = np.mgrid[: known.shape[0], : known.shape[1]].astype(np.float32) + np.float32(0.5)
    # Twice the way to the nearest known pixel; smoothed, as its direction changes by leaps.
    to_x = cv2.GaussianBlur((nearest_x[labels] + 0.5 - x).astype(np.float32), (0, 0), 2.0)
    to_y = cv2.GaussianBlur((nearest_y[labels] + 0.5 - y).astype(np.float32), (0, 0), 2.0)
    return x + 2 * to_x, y + 2 * to_y, np.asarray(away, np.float32)
