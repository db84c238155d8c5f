"""One picture to one :class:`SceneAnalysis`: which analyses run, in what order, on what.

Belongs here: the order, and how much the whole can be trusted. Does not belong here: any single
measurement (one module each).
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from animatize_assets.records import rounded
from animatize_assets.scene.aesthetics import measure_aesthetics
from animatize_assets.scene.appearance import measure_appearance
from animatize_assets.scene.composition import measure_composition
from animatize_assets.scene.depth import measure_depth, separation
from animatize_assets.scene.horizon import find_horizon
from animatize_assets.scene.lighting import measure_lighting
from animatize_assets.scene.lines import find_segments
from animatize_assets.scene.models import SCENE_VERSION, SceneAnalysis
from animatize_assets.scene.optional_models import NO_MODELS, SceneModels
from animatize_assets.scene.palette import measure_palette
from animatize_assets.scene.regions import measure_regions
from animatize_assets.scene.scene_type import classify_scene
from animatize_assets.scene.subject import measure_subject
from animatize_assets.scene.surface import Surface
from animatize_assets.scene.working_copy import WorkingCopy

ENOUGH_SIDE_PX = 160
"""Shorter side from which a picture's size stops limiting what can be measured."""

SLIVER_PX = 48
"""A 5000 x 16 px image has a working copy of 640 x 2."""

ENOUGH_CONTRAST = 0.25
"""Luma range from which contrast stops limiting what can be measured."""


ENOUGH_SHARPNESS = 0.3
"""Sharpness from which blur stops limiting what can be measured."""

NOISE_SURVIVES, ENOUGH_STRUCTURE = 0.3, 0.4
"""White noise keeps 0.25 of its deviation when each 4 x 4 pixels are averaged."""


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

    Raises:
        NotConfigured: a model in ``models`` does not answer as its kind must.

    """
    copy = WorkingCopy(_without_slivers(pixels))
    surface = Surface.of(copy)
    with ThreadPoolExecutor(max_workers=1) as beside:
        # Two that spend their time inside OpenCV, where Python's lock is free. What they answer
        # does not depend on when they run.
        finding_segments = beside.submit(find_segments, copy)
        measuring_subject = beside.submit(measure_subject, copy, models.face, surface)
        palette = measure_palette(copy)
        lighting = measure_lighting(copy)
        horizon = find_horizon(copy)
        regions, region_mask = measure_regions(copy, horizon, surface)
        composition = measure_composition(copy, finding_segments.result(), horizon)
        subject = measuring_subject.result()
    depth, depth_map = measure_depth(copy, composition, models.depth)
    apart = separation(depth_map, subject.bbox)
    depth = depth.model_copy(
        update={"subject_separation": None if apart is None else rounded(apart)}
    )
    scene_type = classify_scene(measure_appearance(surface, regions, subject))
    analysis = SceneAnalysis(
        version=SCENE_VERSION,
        width=image_size[0],
        height=image_size[1],
        working_width=pixels.shape[1],
        working_height=pixels.shape[0],
        composition=composition,
        depth=depth,
        subject=subject,
        palette=palette,
        lighting=lighting,
        regions=regions,
        scene_type=scene_type,
        aesthetics=measure_aesthetics(composition, subject, palette, lighting),
        confidence=0,
    )
    confidence = rounded(_confidence(copy, analysis, min(pixels.shape[:2])))
    analysis = analysis.model_copy(update={"confidence": confidence})
    size = (pixels.shape[1], pixels.shape[0])
    if depth_map.shape != pixels.shape[:2]:
        depth_map = np.asarray(cv2.resize(depth_map, size, interpolation=cv2.INTER_AREA))
        region_mask = np.asarray(cv2.resize(region_mask, size, interpolation=cv2.INTER_NEAREST))
    return MeasuredScene(analysis=analysis, depth=depth_map, regions=region_mask)


def _without_slivers(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Stretch a side below SLIVER_PX: windows and thirds need a few pixels to exist.

    Fractions of the picture stay what they are; such pictures get little confidence anyway.
    """
    rows, columns = pixels.shape[:2]
    if min(rows, columns) >= SLIVER_PX:
        return pixels
    size = (max(columns, SLIVER_PX), max(rows, SLIVER_PX))
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_LINEAR), np.uint8)


def _confidence(copy: WorkingCopy, analysis: SceneAnalysis, shorter_side_px: int) -> float:
    """How far the measurements can carry an answer, 0..1.

    What the picture offers times what was found in it. Offered: the weakest of sharpness,
    contrast, size and structure (noise loses its contrast when it is reduced, a picture keeps
    it). Found: the scene type's margin, the agreement of the depth cues, and how strongly a
    subject stands out, joined as independent witnesses.
    """
    offered = min(
        1.0,
        analysis.composition.sharpness / ENOUGH_SHARPNESS,
        analysis.lighting.contrast / ENOUGH_CONTRAST,
        shorter_side_px / ENOUGH_SIDE_PX,
        _structure(copy) / ENOUGH_STRUCTURE,
    )
    subject = analysis.subject.strength if analysis.subject.bbox is not None else 0.0
    missed = (1 - analysis.scene_type.margin) * (1 - analysis.depth.confidence) * (1 - subject)
    return float(max(0.0, offered) * (1 - missed))


def _structure(copy: WorkingCopy) -> float:
    """Share of the grey deviation that survives a reduction to a quarter, less that of noise."""
    whole, reduced = (
        float(cv2.meanStdDev(plane)[1].item()) for plane in (copy.gray, copy.quarter.gray)
    )
    return max(0.0, reduced / (whole + 1e-3) - NOISE_SURVIVES)
