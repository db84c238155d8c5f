"""What may lie behind: values for the unknown part of a plane, from the known part around it.

Belongs here: filling of holes. Does not belong here: which part is unknown (``layers``).
"""

from __future__ import annotations

from collections.abc import Sequence

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
    box = cv2.boundingRect(((amount > 0) & (covering > 0)).astype(np.uint8))
    if not known.any() or not box[2]:
        return pixels
    smooth = fill_unknown(np.asarray(small, np.float32), np.asarray(known, np.float32))
    x, y, away = _mirrored(np.asarray(known, np.uint8))
    scale = size[0] / coarse[0]
    part = _Enlargement(box, coarse, size)
    mirrored = cv2.remap(
        pixels,
        part.of(x) * np.float32(scale) - np.float32(0.5),
        part.of(y) * np.float32(scale) - np.float32(0.5),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REFLECT_101,
    )
    share = np.clip(1.5 - away * scale / max(depth_px, 1.0), 0, 1).astype(np.float32)
    textured = part.of(share)
    behind = cv2.blendLinear(
        np.asarray(mirrored, np.uint8), part.of(smooth).astype(np.uint8), textured, 1 - textured
    )
    rows, columns = part.rows, part.columns
    # 1 where hidden is 255, 0 from 251 down: what shines through a soft edge stays the image.
    covered = cv2.addWeighted(hidden[rows, columns], 64, hidden[rows, columns], 0, -64 * 251)
    replaced = part.of(amount) * covered.astype(np.float32) * np.float32(1 / 255)
    whole = pixels.copy()
    whole[rows, columns] = cv2.blendLinear(behind, pixels[rows, columns], replaced, 1 - replaced)
    return whole


class _Enlargement:
    """A part of a coarse plane at the resolution of the picture: nothing else is computed."""

    def __init__(self, box: Sequence[int], coarse: tuple[int, int], size: tuple[int, int]) -> None:
        left, top, width, height = box
        across, down = size[0] / coarse[0], size[1] / coarse[1]
        self.columns = slice(int(left * across), min(size[0], int((left + width) * across) + 1))
        self.rows = slice(int(top * down), min(size[1], int((top + height) * down) + 1))
        self._size = (
            self.columns.stop - self.columns.start,
            self.rows.stop - self.rows.start,
        )
        # From pixel centres of the part to pixel centres of the coarse plane.
        self._affine = np.array(
            [
                [1 / across, 0, (self.columns.start + 0.5) / across - 0.5],
                [0, 1 / down, (self.rows.start + 0.5) / down - 0.5],
            ]
        )

    def of(self, plane: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return this part of ``plane``, bilinearly interpolated."""
        enlarged = cv2.warpAffine(
            plane,
            self._affine,
            self._size,
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )
        return np.asarray(enlarged, np.float32)


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
