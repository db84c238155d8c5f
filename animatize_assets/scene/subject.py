"""The subject: the box around what stands out, and the people in the picture.

Belongs here: the box, how strongly it stands out, and who was found. Does not belong here: the
saliency map (``saliency``) or the detectors (``people``).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from animatize_assets.scene.models import Box, Subject
from animatize_assets.scene.optional_models import FaceModel
from animatize_assets.scene.people import find_faces, find_people
from animatize_assets.scene.saliency import saliency_map
from animatize_assets.scene.surface import Surface
from animatize_assets.scene.working_copy import WorkingCopy

PEAKS_ONLY = 12
"""Power applied to the map before a box is put around it: a cell at three quarters of the peak
then weighs 3 %, so that weak clutter does not stretch the box. Anything from 8 to 16 boxes the
labelled pictures alike."""

TRIMMED_TAIL = 0.001
"""Share of that mass that may lie outside the box on each of its four sides."""

WIDENED = 0.08
"""The box is grown by this share of the way to the frame: peaks lie inside a subject's outline."""

MIN_CONCENTRATION = 0.28
"""Strength below which nothing stands out: pictures of one texture have 0.26 to 0.30, a face that
fills the picture 0.31. Noise, which would have up to 0.31, has no structure and so strength 0."""


def measure_subject(
    copy: WorkingCopy, face: FaceModel | None, surface: Surface | None = None
) -> Subject:
    """Find the salient region and the people.

    ``strength`` is the Gini coefficient of squared saliency over the picture: 0 = spread evenly,
    1 = all in one place; times the picture's structure (noise has none). ``bbox`` is None below
    ``MIN_CONCENTRATION``. ``surface``: when already at hand.
    """
    small = Surface.of(copy) if surface is None else surface
    people = find_people(small.rgb)
    if face is not None:
        people = (*find_faces(copy.rgb, face), *people)
    saliency = saliency_map(small)
    strength = concentration(saliency**2) * small.structure
    if strength < MIN_CONCENTRATION:
        return Subject(
            bbox=None, strength=strength, area=0.0, center_x=None, center_y=None, people=people
        )
    peaks = (saliency / saliency.max()) ** PEAKS_ONLY
    x0, x1 = _extent(peaks.sum(axis=0))
    y0, y1 = _extent(peaks.sum(axis=1))
    box: Box = (x0, y0, x1, y1)
    return Subject(
        bbox=box,
        strength=strength,
        area=(x1 - x0) * (y1 - y0),
        center_x=(x0 + x1) / 2,
        center_y=(y0 + y1) / 2,
        people=people,
    )


def concentration(saliency: NDArray[np.float64]) -> float:
    """Gini coefficient of the map: 0 when every cell is alike (or all are zero), up to 1."""
    total = float(saliency.sum())
    if total <= 0:
        return 0.0
    ordered = np.sort(saliency.ravel()) / total
    cells = ordered.size
    ranks = np.arange(1, cells + 1)
    gini = float(((2 * ranks - cells - 1) * ordered).sum()) / cells
    return min(1.0, max(0.0, gini))


def _extent(profile: NDArray[np.float64]) -> tuple[float, float]:
    """Find where a profile holds all but ``TRIMMED_TAIL`` at each end, widened; in fractions."""
    mass = np.concatenate([[0.0], np.cumsum(profile)]) / profile.sum()
    edges = np.linspace(0.0, 1.0, mass.size)
    low = float(np.interp(TRIMMED_TAIL, mass, edges)) * (1 - WIDENED)
    # From the other end with the same arithmetic, so that a mirrored picture gives a mirrored box.
    back = np.concatenate([[0.0], np.cumsum(profile[::-1])]) / profile.sum()
    high = 1.0 - float(np.interp(TRIMMED_TAIL, back, edges)) * (1 - WIDENED)
    return low, high
