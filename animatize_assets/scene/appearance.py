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
from numpy.typing import NDArray

from animatize_assets.scene.face_pattern import face_pattern
from animatize_assets.scene.models import REGION_NAMES, Regions, Subject
from animatize_assets.scene.surface import Surface

FRAME_SHARE = 0.06
"""Width of the frame band as a share of the shorter side."""


@dataclass(frozen=True)
class Appearance:
    """The measurements by name, in the order of :func:`measure_appearance`.

    ``vegetation`` and ``sky``: plain shares, for telling nature from landscape.
    """

    values: dict[str, float]
    sky: float
    vegetation: float


def measure_appearance(small: Surface, regions: Regions, subject: Subject) -> Appearance:
    """Measure what the scene type depends on."""
    values = {
        **_surfaces(regions),
        "subject_strength": subject.strength,
        "subject_area": subject.area,
        "face_pattern": face_pattern(small),
        **_drawn(small),
        **_frame(small),
        **_light_and_colour(small),
        **_layout(small),
        **_structure(small),
        "aspect": float(np.log(small.shape[1] / small.shape[0])),
    }
    return Appearance(
        values={name: float(value) for name, value in values.items()},
        sky=regions.sky.share,
        vegetation=regions.vegetation.share,
    )


def _surfaces(regions: Regions) -> dict[str, float]:
    """Take square roots: that there is a sky says more than how much of it."""
    return {name: float(getattr(regions, name).share) ** 0.5 for name in REGION_NAMES}


def _drawn(small: Surface) -> dict[str, float]:
    """Measure what drawings have: few colours, areas without grain, all slope in few edges."""
    bins = np.round(small.lab.reshape(-1, 3) / 6).astype(np.int64)
    keys = (bins[:, 0] * 128 + bins[:, 1]) * 128 + bins[:, 2]
    _, counts = np.unique(keys, return_counts=True)
    shares = np.sort(counts)[::-1] / keys.size
    slope = _slope(small)
    strongest = np.partition(slope.ravel(), slope.size - slope.size // 20)
    edges = float(strongest[slope.size - slope.size // 20 :].sum())
    return {
        "colour_count": float(np.log(np.searchsorted(shares.cumsum(), 0.9) + 1)),
        "top_colours": float(shares[:3].sum()),
        "flat": float((small.texture < 0.35).mean()),
        "smooth": float((small.texture < 1.0).mean()),
        "edge_concentration": edges / (float(slope.sum()) + 1e-6),
    }


def _slope(small: Surface) -> NDArray[np.float32]:
    return np.asarray(cv2.magnitude(*small.slopes), np.float32)


def _frame(small: Surface) -> dict[str, float]:
    """Measure the frame: that of a lone thing is quiet, that of a cut-out is white."""
    rows, columns = small.shape
    band = max(2, round(FRAME_SHARE * min(rows, columns)))
    frame = np.ones(small.shape, np.bool_)
    frame[band:-band, band:-band] = False
    centre = small.texture[rows // 4 : rows - rows // 4, columns // 4 : columns - columns // 4]
    white = (small.lightness > 96) & (small.chroma < 4)
    spread = float(np.sqrt(small.lab[frame].var(axis=0).sum()))
    return {
        "white_frame": float(white[frame].mean()),
        "white": float(white.mean()),
        "frame_spread": float(np.log(spread + 2)),
        "focus": float(np.log((centre.mean() + 0.5) / (small.texture[frame].mean() + 0.5))),
    }


def _light_and_colour(small: Surface) -> dict[str, float]:
    coloured = small.chroma > 12
    hue = small.hue_deg
    warm_skin = (
        (hue > 20)
        & (hue < 75)
        & (small.chroma > 10)
        & (small.chroma < 42)
        & (small.lightness > 35)
        & (small.lightness < 90)
    )
    return {
        "chroma": float(small.chroma.mean()) / 30,
        "vivid": float((small.chroma > 55).mean()),
        "grey": float((small.chroma < 3).mean()),
        "lightness": float(small.lightness.mean()) / 100,
        "lightness_spread": float(small.lightness.std()) / 30,
        "dark": float((small.lightness < 15).mean()),
        "red_green": float(small.lab[..., 1].mean()) / 15,
        "yellow_blue": float(small.lab[..., 2].mean()) / 20,
        "green": float(((hue > 98) & (hue < 165) & coloured).mean()),
        "orange": float(((hue < 98) & (hue > 25) & coloured).mean()),
        "purple": float(((hue > 300) | (hue < 25))[coloured].sum()) / coloured.size,
        "skin_tone": float(warm_skin.mean()),
    }


def _layout(small: Surface) -> dict[str, float]:
    """Measure layers: outdoors is smooth and light above, textured and dark below."""
    rows = small.shape[0]
    third, fifth = rows // 3, rows // 5
    texture, lightness = small.texture, small.lightness
    blue = (small.hue_deg > 225) & (small.hue_deg < 300) & (small.chroma > 12)
    total = float(small.lab.reshape(-1, 3).var(axis=0).sum()) + 1
    return {
        "lighter_above": float(lightness[:third].mean() - lightness[-third:].mean()) / 30,
        "rougher_below": float(
            np.log((texture[-third:].mean() + 0.5) / (texture[:third].mean() + 0.5))
        ),
        "layers_down": float(small.lab.mean(axis=1).var(axis=0).sum()) / total,
        "layers_across": float(small.lab.mean(axis=0).var(axis=0).sum()) / total,
        "blue_above": float(blue[: rows // 2].mean()),
        "smooth_above": float((texture[:fifth] < 2).mean()),
        "smooth_below": float((texture[-fifth:] < 2).mean()),
    }


def _structure(small: Surface) -> dict[str, float]:
    along_x, along_y = small.slopes
    slope = _slope(small)
    straight = np.minimum(along_x, along_y) < 0.27 * np.maximum(along_x, along_y)
    down = float((along_y**2).sum())
    lightness = small.lightness
    fine = cv2.absdiff(lightness, cv2.GaussianBlur(lightness, (0, 0), 1.0)).mean()
    coarse = cv2.absdiff(
        cv2.GaussianBlur(lightness, (0, 0), 4.0), cv2.GaussianBlur(lightness, (0, 0), 12.0)
    ).mean()
    cells = cv2.resize(small.texture, (6, 6), interpolation=cv2.INTER_AREA)
    return {
        "texture": float(np.log(small.texture.mean() + 0.5)),
        "rectilinear": float(slope[straight].sum()) / (float(slope.sum()) + 1e-6),
        "horizontal_edges": down / (down + float((along_x**2).sum()) + 1e-6),
        "fine_detail": float(np.log((fine + 0.1) / (coarse + 0.3))),
        "uneven_texture": float(np.log(cells + 0.3).std()),
    }
