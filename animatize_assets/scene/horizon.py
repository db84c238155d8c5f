"""The horizon: one long straight boundary between what lies far above and what lies below.

Belongs here: finding it, or that there is none. Does not belong here: straight edges in general
(``lines``).

A line across the whole picture is a horizon when the band above it differs from the band below
it in nearly every column and in the same way, when the step is sharp there, and when what is
above it is smooth and brighter or bluer, as sky is.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from animatize_assets.scene.fractions import as_share
from animatize_assets.scene.models import Horizon
from animatize_assets.scene.working_copy import WorkingCopy

Floats = NDArray[np.float32]

CELL_ROWS, CELL_COLUMNS = 72, 16
"""The picture is averaged into cells first: a horizon is long, so columns are redundant, while
its height is wanted to about 1 % of the picture."""

TILTS_DEG = tuple(float(tilt) for tilt in (0, 2, -2, 4, -4, 6, -6, 8, -8, 10, -10, 12, -12))
"""Tilts that are tried; hand-held horizons rarely exceed 10 degrees."""

BAND = 5
"""Cells above and below the line whose means are compared: 7 % of the height."""

MARGIN = 5
"""Nearer to the frame than this (cells) there is too little on one side to compare."""

LEAST_STEP = 9.0
"""Step (CIELAB units) at which half of the belief in it is given."""

ROUGH = 14.0
"""Gradient above the line (grey levels per px of the quarter copy, median over columns, so that a
tree or a person before the sky does not count) that speaks against sky."""

LEAST_STRENGTH = 0.52
"""Below this there is none: noise, grids, plain colour and scattered shapes stay below 0.4."""


@dataclass(frozen=True)
class _Cells:
    """Cell means: CIELAB (rows, columns, 3) and gradient (rows, columns)."""

    lab: Floats
    detail: Floats


def find_horizon(copy: WorkingCopy) -> Horizon | None:
    """Find the horizon of ``copy``; None when no line is one."""
    if min(copy.quarter.height, copy.quarter.width) < 12:
        return None
    cells = _cells(copy.quarter)
    wide, narrow = _steps(cells.lab, BAND), _steps(cells.lab, 1)
    roughness = np.cumsum(np.median(cells.detail, axis=1).astype(np.float64))
    aspect = (copy.height / CELL_ROWS) / (copy.width / CELL_COLUMNS)
    shift = _shifts(aspect)
    strengths = _strengths(_along(wide, shift), _along(narrow, shift), roughness)
    tilt, row = np.unravel_index(int(np.argmax(np.round(strengths, 6))), strengths.shape)
    strength = float(strengths[tilt, row])
    if strength < LEAST_STRENGTH:
        return None
    return Horizon(
        y=as_share((row + _peak_offset(strengths[tilt], int(row))) / CELL_ROWS),
        angle_deg=TILTS_DEG[tilt],
        strength=min(strength, 1.0),
    )


def _cells(quarter: WorkingCopy) -> _Cells:
    size = (CELL_COLUMNS, CELL_ROWS)
    scaled = quarter.lab.astype(np.float32) * np.array([100 / 255, 1, 1], np.float32)
    lab = cv2.resize(scaled, size, interpolation=cv2.INTER_AREA)
    detail = cv2.resize(quarter.gradient_magnitude / 4, size, interpolation=cv2.INTER_AREA)
    return _Cells(np.asarray(lab, np.float32), np.asarray(detail, np.float32))


def _steps(lab: Floats, band: int) -> Floats:
    """Mean of the ``band`` cells above minus below each row boundary; zero near the frame.

    Entry r belongs to the boundary above row r.
    """
    total = np.concatenate([np.zeros_like(lab[:1]), np.cumsum(lab, axis=0)])
    steps = np.zeros_like(total)
    rows = lab.shape[0]
    above = total[band : rows - band + 1] - total[: rows - 2 * band + 1]
    below = total[2 * band :] - total[band : rows - band + 1]
    steps[band : rows - band + 1] = (above - below) / band
    return steps


def _shifts(aspect: float) -> NDArray[np.intp]:
    """Rows that a line lies below its middle, per tilt (rows) and column (columns)."""
    columns = np.arange(CELL_COLUMNS) - (CELL_COLUMNS - 1) / 2
    slopes = np.tan(np.radians(np.array(TILTS_DEG)))
    return np.asarray(np.round(-slopes[:, None] * columns[None, :] / aspect), np.intp)


def _along(steps: Floats, shift: NDArray[np.intp]) -> Floats:
    """Move each column of ``steps`` so that a line of each tilt becomes a row.

    Returns channels x tilts x rows x columns; zero from outside.
    """
    reach = int(np.abs(shift).max())
    padded = np.pad(steps, ((reach, reach), (0, 0), (0, 0))).transpose(2, 0, 1)
    rows = np.arange(steps.shape[0])[None, :, None] + shift[:, None, :] + reach
    columns = np.arange(CELL_COLUMNS)[None, None, :]
    return np.ascontiguousarray(padded[:, rows, columns], np.float32)


def _strengths(wide: Floats, narrow: Floats, roughness: NDArray[np.float64]) -> Floats:
    """Belief in each tilt (rows) and row boundary (columns), 0..1.

    The product of what a horizon must be: the same step everywhere along it, sharp, clear,
    brighter or bluer above, and smooth above.
    """
    mean = wide.mean(axis=3)
    squared = (mean**2).sum(axis=0)
    size = np.sqrt(squared)
    share = (wide * mean[..., None]).sum(axis=0) / (squared[..., None] + 1)
    everywhere = np.clip(2 * share - 0.4, 0, 1).mean(axis=2)
    step = np.sqrt((narrow.mean(axis=3) ** 2).sum(axis=0))
    sharp = np.clip(2.5 * step / (size + 1) - 0.4, 0, 1)
    clear = squared / (squared + LEAST_STEP**2)
    sky_like = 1 / (1 + np.exp(-(mean[0] - mean[2]) / 4))
    rows = np.arange(1, roughness.size + 1)
    smooth = np.exp(-((np.concatenate([[0], roughness / rows]) / ROUGH) ** 2))
    strengths = np.sqrt(everywhere**2 * sharp * clear * sky_like * smooth)
    strengths[:, :MARGIN] = strengths[:, -MARGIN:] = 0
    return np.asarray(strengths, np.float32)


def _peak_offset(values: Floats, row: int) -> float:
    """Vertex of the parabola through a peak and its neighbours, in rows, within half a row."""
    if not 0 < row < values.size - 1:
        return 0.0
    before, peak, after = (float(value) for value in values[row - 1 : row + 2])
    bend = before - 2 * peak + after
    return 0.0 if bend >= 0 else float(np.clip((before - after) / (2 * bend), -0.5, 0.5))
