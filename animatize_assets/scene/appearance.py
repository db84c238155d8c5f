"""What the scene type is judged by: a few dozen named measurements of the whole picture.

Belongs here: the measurements, each with what it says about a scene. Does not belong here: their
weights (``scene_type.yaml``) or the decision (``scene_type``).

All are computed on the small copy, so they do not depend on the image's size; none is larger than
a few units, so that one of them cannot decide alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from animatize_assets.scene.face_pattern import face_pattern
from animatize_assets.scene.models import Regions, Subject
from animatize_assets.scene.surface import Surface

USUAL_RECTILINEAR = 0.45
"""Share of straight slope in a picture of nothing straight."""


OFFSETS = np.array([0, 22, 22], np.int32)
"""Makes colour bins of 6 CIELAB units non-negative: 18 of L*, at most 44 of a* and of b*."""


@dataclass(frozen=True)
class Appearance:
    """The measurements by name, in the order of :func:`measure_appearance`.

    ``vegetation`` and ``sky``: plain shares, for telling nature from landscape. ``structure``:
    0 for a flat colour or noise, 1 for anything that a picture is of.
    """

    values: dict[str, float]
    structure: float
    sky: float
    vegetation: float


def measure_appearance(small: Surface, regions: Regions, subject: Subject) -> Appearance:
    """Measure what the scene type depends on."""
    surfaces = _surfaces(regions)
    values = {
        **surfaces,
        "subject_area": subject.area,
        "subject_strength": subject.strength,
        "face_pattern": face_pattern(small),
        **_drawn(small),
        **_light_and_colour(small),
        **_structure(small),
        # Buildings are what is straight below a sky; indoors and paper have no sky.
        "straight_under_sky": surfaces["sky"] * (_rectilinear(small) - USUAL_RECTILINEAR),
    }
    return Appearance(
        values={name: float(value) for name, value in values.items()},
        structure=small.structure,
        sky=regions.sky.share,
        vegetation=regions.vegetation.share,
    )


def _surfaces(regions: Regions) -> dict[str, float]:
    """Take square roots: that there is a sky says more than how much of it."""
    names = ("sky", "vegetation", "water", "ground", "skin")
    return {name: float(getattr(regions, name).share) ** 0.5 for name in names}


def _drawn(small: Surface) -> dict[str, float]:
    """Measure what drawings have: few colours, areas without grain, all slope in few edges."""
    bins = np.round(small.lab / np.float32(6)).astype(np.int32) + OFFSETS
    keys = (bins[..., 0] * 44 + bins[..., 1]) * 44 + bins[..., 2]
    counts = np.sort(np.bincount(keys.ravel()))
    slope = small.slope.ravel()
    weakest_kept = slope.size - slope.size // 20
    edges = float(np.partition(slope, weakest_kept)[weakest_kept:].sum())
    return {
        "top_colours": float(counts[-3:].sum()) / keys.size,
        "flat": float((small.texture < 0.35).mean()),
        "smooth": float((small.texture < 1.0).mean()),
        "edge_concentration": edges / (float(slope.sum()) + 1e-6),
    }


def _light_and_colour(small: Surface) -> dict[str, float]:
    chroma, hue = small.chroma, small.hue_deg
    purple = (chroma > 12) & ((hue > 300) | (hue < 25))
    return {
        "lightness": float(small.lightness.mean()) / 100,
        "chroma": float(chroma.mean()) / 30,
        "vivid": float((chroma > 55).mean()),
        "grey": float((chroma < 3).mean()),
        "purple": float(purple.mean()),
    }


def _rectilinear(small: Surface) -> float:
    return float(small.slope[small.is_straight].sum()) / (float(small.slope.sum()) + 1e-6)


def _structure(small: Surface) -> dict[str, float]:
    """Measure how the picture is built up.

    ``layers_down``: the share of colour variance between rows; open scenery changes from top to
    bottom more than from side to side. ``horizontal_edges``: the share of gradient energy across
    rows. ``fine_detail``: log of the finest over the coarser variation of lightness.
    ``uneven_texture``: how differently textured the 6 x 6 parts are.
    """
    whole = np.asarray(cv2.meanStdDev(small.lab)[1], np.float64)
    rows = np.asarray(cv2.meanStdDev(cv2.reduce(small.lab, 1, cv2.REDUCE_AVG))[1], np.float64)
    along_x, along_y = small.slopes
    across, down = float(cv2.norm(along_x)) ** 2, float(cv2.norm(along_y)) ** 2
    lightness = small.lightness
    fine = cv2.absdiff(lightness, cv2.blur(lightness, (3, 3))).mean()
    coarse = cv2.absdiff(cv2.blur(lightness, (13, 13)), cv2.blur(lightness, (41, 41))).mean()
    cells = cv2.resize(small.texture, (6, 6), interpolation=cv2.INTER_AREA)
    return {
        "layers_down": float((rows**2).sum()) / (float((whole**2).sum()) + 1),
        "horizontal_edges": down / (down + across + 1e-6),
        "fine_detail": float(np.log((fine + 0.1) / (coarse + 0.3))),
        "uneven_texture": float(np.log(cells + 0.3).std()),
    }
