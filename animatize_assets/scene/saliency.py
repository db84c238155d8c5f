"""Where the eye goes first: a saliency map from focus, background and contrast.

Belongs here: the map. Does not belong here: what box or person is made of it (``subject``).
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from animatize_assets.scene.surface import Surface

GRID_LONG_SIDE_PX = 64
"""Long side of the saliency map: a subject is placed to about 1.5 % of the picture."""

COLOUR_STEP = 8.0
"""Width of a colour bin in CIELAB units, about four just noticeable differences."""

COLOUR_SPREAD = 8.0
"""Colours closer than this (standard deviation of the kernel) count as the same surface."""

BACKGROUND_CONNECTIVITY = 0.7
"""A surface whose border contact per square root of its area exceeds about twice this is
background (boundary connectivity: Zhu et al. 2014, who use 1)."""

SURROUND_CELLS = (9, 21)
"""Sides of the neighbourhoods that a cell's colour is compared with: a seventh and a third of the
map (centre-surround contrast at two scales: Itti et al. 1998)."""

MIN_ENERGY = 2.0
"""Sobel response in L* units below which a picture counts as without gradient (noise of one grey
level reaches about 1 at this scale)."""


def saliency_map(small: Surface) -> NDArray[np.float64]:
    """Saliency on a grid of at most 64 cells per side, 0..1.

    The mean of three maps, each 0..1: *focus* is local gradient energy relative to the picture's
    own 95th percentile; *foreground* falls with the boundary connectivity of the cell's colour;
    *surround* is the colour contrast with the neighbourhood, relative to its 95th percentile. A
    prior for the centre was tried and made boxes worse. All zero in a picture without gradient.
    """
    rows, columns = small.shape
    scale = min(1.0, GRID_LONG_SIDE_PX / max(rows, columns))
    size = (max(4, round(columns * scale)), max(4, round(rows * scale)))
    energy = cv2.resize(small.slope, size, interpolation=cv2.INTER_AREA)
    ceiling = float(np.percentile(energy, 95))
    if ceiling < MIN_ENERGY:
        return np.zeros(energy.shape, np.float64)
    focus = np.minimum(energy.astype(np.float64) / ceiling, 1.0)
    lab = np.asarray(cv2.resize(small.lab, size, interpolation=cv2.INTER_AREA), np.float32)
    return np.asarray((focus + _foreground(lab) + _surround(lab)) / 3, np.float64)


def _surround(lab: NDArray[np.float32]) -> NDArray[np.float64]:
    """Colour distance to the two neighbourhoods' means, 1 from its own 95th percentile."""
    cell = cv2.blur(lab, (3, 3))
    contrast = np.zeros(lab.shape[:2], np.float64)
    for side in SURROUND_CELLS:
        difference = (cell - cv2.blur(lab, (side, side))).astype(np.float64)
        contrast += np.sqrt((difference**2).sum(axis=2))
    return np.asarray(np.minimum(contrast / max(1.0, np.percentile(contrast, 95)), 1.0))


def _foreground(lab: NDArray[np.float32]) -> NDArray[np.float64]:
    """1 where a colour hardly touches the frame, towards 0 where it surrounds the picture."""
    rows, columns, _ = lab.shape
    flat = lab.reshape(-1, 3).astype(np.float64)
    bins = np.round(flat / COLOUR_STEP).astype(np.int64)
    keys = (bins[:, 0] * 128 + bins[:, 1]) * 128 + bins[:, 2]
    _, inverse, counts = np.unique(keys, return_inverse=True, return_counts=True)
    means = np.stack([np.bincount(inverse, flat[:, c]) / counts for c in range(3)], axis=1)
    on_frame = np.zeros((rows, columns))
    on_frame[0] = on_frame[-1] = on_frame[:, 0] = on_frame[:, -1] = 1
    contact = np.bincount(inverse, on_frame.ravel())
    squared = (means**2).sum(1)
    # einsum, not BLAS products: the same digits on any number of threads.
    products = np.einsum("ic,jc->ij", means, means)
    distance = np.maximum(squared[:, None] + squared[None, :] - 2 * products, 0)
    alike = np.exp(-distance / (2 * COLOUR_SPREAD**2))
    touching = np.einsum("ij,j->i", alike, contact)
    area = np.einsum("ij,j->i", alike, counts.astype(np.float64))
    connectivity = touching / np.sqrt(area)
    foreground = np.exp(-(connectivity**2) / (2 * BACKGROUND_CONNECTIVITY**2))
    return np.asarray(foreground[inverse].reshape(rows, columns), np.float64)
