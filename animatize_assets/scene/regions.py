"""Surfaces: sky, vegetation, water, ground, built, skin, by colour and position and texture.

Each rule needs all three. A blue car is not sky, because it does not reach the top edge; blue
wallpaper is not sky, because it reaches the bottom edge; a green shirt on white is not vegetation,
because neither the frame nor a sky is near it. The rules are hand-written from what these surfaces
look like; their thresholds were set on 93 labelled pictures (``benchmarks/scene_quality.py``
reports what they reach).

Belongs here: the six masks and their shares. Does not belong here: what follows from a surface.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from animatize_assets.scene.models import REGION_NAMES, Horizon, Region, Regions
from animatize_assets.scene.surface import Surface
from animatize_assets.scene.working_copy import WorkingCopy

Mask = NDArray[np.bool_]

MIN_REGION_SHARE = 0.03
"""A surface with a smaller share of the picture is not reported: it is as often an accident of
colour as the thing itself."""

_OPEN_3X3 = np.ones((3, 3), np.uint8)


def measure_regions(
    copy: WorkingCopy, horizon: Horizon | None, surface: Surface | None = None
) -> tuple[Regions, NDArray[np.uint8]]:
    """Find the six surfaces.

    Returns the shares with centroids, and a uint8 bitmask of the working copy's shape: bit i is
    ``REGION_NAMES[i]``. A pixel has at most one bit. ``surface``: when already at hand.
    """
    small = Surface.of(copy) if surface is None else surface
    masks: dict[str, Mask] = {}
    masks["sky"] = _kept(_sky(small, horizon))
    masks["skin"] = _kept(_skin(small) & ~masks["sky"])
    taken = masks["sky"] | masks["skin"]
    masks["vegetation"] = _kept(_vegetation(small, masks["sky"]) & ~taken)
    taken |= masks["vegetation"]
    masks["water"] = _kept(_water(small, masks["sky"], horizon) & ~taken)
    taken |= masks["water"]
    masks["built"] = _kept(_built(small) & ~taken)
    taken |= masks["built"]
    masks["ground"] = _kept(_ground(small, masks, horizon) & ~taken)
    bits = np.zeros(small.shape, np.uint8)
    for index, name in enumerate(REGION_NAMES):
        bits |= masks[name].astype(np.uint8) << index
    full = cv2.resize(bits, (copy.width, copy.height), interpolation=cv2.INTER_NEAREST)
    regions = Regions(**{name: _region(masks[name]) for name in REGION_NAMES})
    return regions, np.asarray(full, np.uint8)


def _kept(mask: Mask) -> Mask:
    return mask if mask.mean() >= MIN_REGION_SHARE else np.zeros_like(mask)


def _opened(mask: Mask) -> Mask:
    return np.asarray(cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_OPEN, _OPEN_3X3) > 0)


def _region(mask: Mask) -> Region:
    total = int(mask.sum())
    if total == 0:
        return Region(share=0.0, center_x=None, center_y=None)
    rows, columns = mask.shape
    per_row, per_column = mask.sum(1), mask.sum(0)
    return Region(
        share=total / mask.size,
        center_x=float((per_column * (np.arange(columns) + 0.5)).sum() / total / columns),
        center_y=float((per_row * (np.arange(rows) + 0.5)).sum() / total / rows),
    )


# Sky: L*, C* and texture in L* units; hue in degrees of h_ab.
SKY_HUE = (225.0, 300.0)
BRIGHT_SKY_HUE, BRIGHT_SKY_LIGHTNESS, BRIGHT_SKY_MAX_CHROMA = 195.0, (75.0, 90.0), 26.0
SKY_MIN_CHROMA = 5.0
PALE_MIN_LIGHTNESS, PALE_MAX_CHROMA, PALE_MAX_B = 78.0, 14.0, 4.0
SKY_MAX_TEXTURE = 4.5
SKY_MIN_TOP_WIDTH = 0.08
SKY_MAX_BOTTOM_WIDTH = 0.10
SKY_MAX_LOWER_QUARTER = 0.35
PAPER_LIGHTNESS, PAPER_MAX_LOWER_QUARTER = 99.0, 0.1
SCENE_MIN_TEXTURE = 2.6
PALE_MIN_LIGHTNESS_STEP = 12.0


def _sky(small: Surface, horizon: Horizon | None) -> Mask:
    """Smooth, blue or pale, grown from the top edge; all of it or none of it.

    It must not reach the bottom; a pale one must be clearly lighter than what is below it; what
    is below must have texture (a drawing on coloured paper has none); paper white is sky only
    when there is none in the lower quarter, joined to it or not. A sky so bright that its blue
    channel is full turns towards cyan, so the lighter it is the more of cyan is sky.
    """
    empty = np.zeros(small.shape, np.bool_)
    dark, light = BRIGHT_SKY_LIGHTNESS
    bright = np.clip((small.lightness - dark) / (light - dark), 0, 1)
    bright *= small.chroma < BRIGHT_SKY_MAX_CHROMA
    bluest_cyan = SKY_HUE[0] + bright * (BRIGHT_SKY_HUE - SKY_HUE[0])
    hue = (small.hue_deg > bluest_cyan) & (small.hue_deg < SKY_HUE[1])
    blue = hue & (small.chroma > SKY_MIN_CHROMA) & (small.lightness > 12)
    pale = (
        (small.lightness > PALE_MIN_LIGHTNESS)
        & (small.chroma < PALE_MAX_CHROMA)
        & (small.lab[..., 2] < PALE_MAX_B)
    )
    smooth = _opened((blue | pale) & (small.texture < SKY_MAX_TEXTURE))
    white = smooth & (small.lightness > PAPER_LIGHTNESS)
    if horizon is not None and horizon.strength >= 0.5:
        smooth[round(min(1.0, horizon.y + 0.05) * small.shape[0]) :] = False
    sky = _reaching_top(smooth)
    if sky.mean() < MIN_REGION_SHARE:
        return empty
    start_of_lower_quarter = round(small.shape[0] * 0.75)
    lower_quarter = sky[start_of_lower_quarter:].mean()
    if sky[-2:].any(0).mean() > SKY_MAX_BOTTOM_WIDTH or lower_quarter > SKY_MAX_LOWER_QUARTER:
        return empty
    rest = ~sky
    lightness = float(small.lightness[sky].mean())
    step = lightness - float(small.lightness[rest].mean())
    is_pale = float((pale & sky).sum()) > 0.5 * float(sky.sum())
    white_below = white[start_of_lower_quarter:].mean()
    is_paper = lightness > PAPER_LIGHTNESS and white_below > PAPER_MAX_LOWER_QUARTER
    is_drawn = float(small.texture[rest].mean()) < SCENE_MIN_TEXTURE
    if is_drawn or is_paper or (is_pale and step < PALE_MIN_LIGHTNESS_STEP):
        return empty
    return sky


def _reaching_top(mask: Mask) -> Mask:
    count, labels = cv2.connectedComponents(mask.astype(np.uint8), connectivity=4)
    keep = np.zeros(count, np.bool_)
    for label in np.unique(labels[:2]):
        keep[label] = label > 0 and (labels[:2] == label).any(0).mean() > SKY_MIN_TOP_WIDTH
    return np.asarray(keep[labels])


def _hue_within(small: Surface, bounds: tuple[float, float]) -> Mask:
    return np.asarray((small.hue_deg > bounds[0]) & (small.hue_deg < bounds[1]))


VEGETATION_HUE = (98.0, 160.0)
VEGETATION_MIN_CHROMA = 9.0
VEGETATION_LIGHTNESS = (5.0, 74.0)
VEGETATION_MIN_TEXTURE = 1.2
VEGETATION_MIN_FRAME_SHARE = 0.03
VEGETATION_MAX_STRAIGHT = 0.68


def _vegetation(small: Surface, sky: Mask) -> Mask:
    """Green, neither pale nor flat, and reaching the frame unless a sky says it is outdoors.

    Leaves and grass have edges in every direction: what is straight is painted or made.
    """
    low, high = VEGETATION_LIGHTNESS
    green = (
        _hue_within(small, VEGETATION_HUE)
        & (small.chroma > VEGETATION_MIN_CHROMA)
        & (small.lightness > low)
        & (small.lightness < high)
        & (small.texture > VEGETATION_MIN_TEXTURE)
    )
    green = _opened(green)
    frame = np.concatenate([green[0], green[-1], green[:, 0], green[:, -1]])
    if frame.mean() < VEGETATION_MIN_FRAME_SHARE and not sky.any():
        return np.zeros_like(green)
    total = float(small.slope[green].sum())
    straight = float(small.slope[green & small.is_straight].sum())
    return green if straight <= VEGETATION_MAX_STRAIGHT * total else np.zeros_like(green)


WATER_HUE = (195.0, 300.0)
WATER_MIN_CHROMA = 4.0
WATER_MAX_TEXTURE = 7.0
WATER_MIN_RIPPLE = 1.25
WATER_MIN_WIDTH = 0.35
WATER_MIN_DARKER = 3.0


def _water(small: Surface, sky: Mask, horizon: Horizon | None) -> Mask:
    """Blue to grey, below a sky, wide, and rippled: it changes more down the picture than across.

    Water is told from a blue wall by lying below the sky's lower edge, being wider than a third
    of the picture and having horizontal texture; from haze, by being darker than the sky that it
    reflects.
    """
    empty = np.zeros(small.shape, np.bool_)
    if not sky.any():
        return empty
    rows = np.arange(small.shape[0])[:, None]
    sky_ends = np.where(sky.any(0), small.shape[0] - 1 - np.argmax(sky[::-1], 0), 0)
    below = rows > max(float(np.median(sky_ends)), 0.25 * small.shape[0])
    if horizon is not None and horizon.strength >= 0.5:
        below &= rows > (horizon.y - 0.05) * small.shape[0]
    blue = _hue_within(small, WATER_HUE) & (small.chroma > WATER_MIN_CHROMA)
    cand = _opened(blue & below & (small.texture < WATER_MAX_TEXTURE))
    along_x, along_y = small.slopes
    sky_lightness = float(small.lightness[sky].mean())
    count, labels, stats, _ = cv2.connectedComponentsWithStats(
        cand.astype(np.uint8), connectivity=4
    )
    water = empty
    for label in range(1, count):
        if stats[label, cv2.CC_STAT_WIDTH] < WATER_MIN_WIDTH * small.shape[1]:
            continue
        piece = labels == label
        darker = sky_lightness - float(small.lightness[piece].mean()) > WATER_MIN_DARKER
        if darker and along_y[piece].sum() > WATER_MIN_RIPPLE * along_x[piece].sum():
            water = water | piece
    return water


SKIN_HUE = (15.0, 75.0)
SKIN_CHROMA = (9.0, 42.0)
SKIN_LIGHTNESS = (30.0, 92.0)
SKIN_MAX_TEXTURE = 7.0
SKIN_MIN_BLOB_SHARE = 0.008


def _skin(small: Surface) -> Mask:
    """Skin hue and chroma in CIELAB, smooth, in blobs (Kakumanu et al. 2007 survey the ranges)."""
    tone = (
        _hue_within(small, SKIN_HUE)
        & (small.chroma > SKIN_CHROMA[0])
        & (small.chroma < SKIN_CHROMA[1])
        & (small.lightness > SKIN_LIGHTNESS[0])
        & (small.lightness < SKIN_LIGHTNESS[1])
        & (small.texture < SKIN_MAX_TEXTURE)
    )
    tone = _opened(tone)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(
        tone.astype(np.uint8), connectivity=4
    )
    keep = np.zeros(count, np.bool_)
    for label in range(1, count):
        width, height = stats[label, cv2.CC_STAT_WIDTH], stats[label, cv2.CC_STAT_HEIGHT]
        fill = stats[label, cv2.CC_STAT_AREA] / max(1, width * height)
        is_blob = stats[label, cv2.CC_STAT_AREA] >= SKIN_MIN_BLOB_SHARE * tone.size
        spans = width > 0.95 * small.shape[1]
        keep[label] = is_blob and fill > 0.25 and not spans
    return np.asarray(keep[labels])


BUILT_WINDOW_PX = 15
BUILT_MIN_SLOPE = 14.0
BUILT_MIN_RECTILINEAR = 0.62


def _built(small: Surface) -> Mask:
    """Strong edges nearly all of which run straight along or across the picture."""
    along_x, along_y = small.slopes
    total = along_x + along_y
    straight = np.where(small.is_straight, total, 0)
    window = (BUILT_WINDOW_PX, BUILT_WINDOW_PX)
    mean_total = cv2.boxFilter(total, -1, window)
    mean_straight = cv2.boxFilter(straight.astype(np.float32), -1, window)
    return np.asarray(
        (mean_total > BUILT_MIN_SLOPE) & (mean_straight > BUILT_MIN_RECTILINEAR * mean_total)
    )


GROUND_MAX_CHROMA = 45.0


def _ground(small: Surface, masks: dict[str, Mask], horizon: Horizon | None) -> Mask:
    """Take what is left below the sky, the horizon, or the upper half beside vegetation."""
    rows = np.arange(small.shape[0])[:, None]
    sky = masks["sky"]
    if sky.any():
        start = max(0.5 * small.shape[0], float(np.nonzero(sky.any(1))[0][-1]))
    elif horizon is not None:
        start = horizon.y * small.shape[0]
    elif masks["vegetation"].any():
        start = 0.5 * small.shape[0]
    else:
        return np.zeros(small.shape, np.bool_)
    warm_or_grey = (small.chroma < GROUND_MAX_CHROMA) & ~_hue_within(small, (150.0, 330.0))
    grey = small.chroma < 8
    return np.asarray((rows > start) & (warm_or_grey | grey))
