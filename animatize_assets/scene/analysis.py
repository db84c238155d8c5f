"""One picture to one :class:`SceneAnalysis`: which analyses run, in what order, on what.

Belongs here: the order, the threads, and how much the whole can be trusted. Does not belong
here: any single measurement (one module each).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from animatize_assets.scene.models import SceneAnalysis
from animatize_assets.scene.optional_models import NO_MODELS, SceneModels

SCENE_VERSION = "1"
"""Changes whenever any measurement may change; part of what identifies a stored analysis."""


@dataclass(frozen=True)
class MeasuredScene:
    """An analysis and its arrays, all of one working copy.

    ``depth``: float32 rows x columns in 0..1, 1 = near. ``regions``: uint8 rows x columns, bit i
    set where the pixel belongs to ``models.REGION_NAMES[i]``.
    """

    analysis: SceneAnalysis
    depth: NDArray[np.float32]
    regions: NDArray[np.uint8]


def analyze_scene(
    pixels: NDArray[np.uint8],
    *,
    image_size: tuple[int, int],
    models: SceneModels = NO_MODELS,
) -> MeasuredScene:
    """Measure a working copy.

    ``pixels``: uint8 rows x columns x RGB, from ``images.decoding.load_working_copy`` with
    ``working_copy.WORKING_LONG_SIDE_PX``. ``image_size``: (width, height) of the whole image, px.
    The same pixels give the same answer to the last digit, whatever the number of threads.
    """
    raise NotImplementedError
