"""One sheet per image: what it is, what was seen in it, which move it gets and why.

Belongs here: the layout of the sheet. Does not belong here: text fitting (``lettering``), the
drawings over the picture (``overlay``).

The sheet is 1600 px wide and as high as it needs to be. Rows of panels fill the width; a row of
tall panels is capped in height, and the words take the room that is left beside it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from animatize_assets.movement.models import MovementPrediction
from animatize_assets.rendering.move_glyph import draw_path, glyph
from animatize_assets.rendering.overlay import LONG_SIDE_PX, draw_composition, draw_depth
from animatize_assets.rendering.sheet_page import ACCENT, SURFACE, Page, Panel
from animatize_assets.rendering.sheet_words import (
    composition_key,
    draw_title,
    fact_blocks,
    story_blocks,
)
from animatize_assets.rendering.thumbnail import reduce_to
from animatize_assets.scene.models import SceneAnalysis

PROVIDER = "local"
"""The frames on the sheet are rendered here; no provider's picture is shown."""

FRAMES_HEIGHT_PX = 560
MEASURED_HEIGHT_PX = 420
GLYPH_PX = 72


def draw_contact_sheet(
    *,
    source: NDArray[np.uint8],
    analysis: SceneAnalysis,
    depth: NDArray[np.floating],
    prediction: MovementPrediction,
    first_frame: NDArray[np.uint8],
    last_frame: NDArray[np.uint8],
    regions: NDArray[np.uint8] | None = None,
) -> NDArray[np.uint8]:
    """Draw the sheet; every picture is rows x columns x RGB, ``depth`` 0..1 (1 = near).

    ``regions`` (uint8 bit mask, any size) adds tints to the composition. Returns RGB pixels.
    """
    path = prediction.camera_path
    page = Page()
    draw_title(page, prediction, PROVIDER)
    page.row(
        [
            Panel("First frame", first_frame),
            Panel(f"Last frame, after {path.duration_s:g} s", last_frame),
        ],
        FRAMES_HEIGHT_PX,
        beside=story_blocks(prediction),
        sign=glyph(path.move, path.direction, GLYPH_PX, color=ACCENT, ground=SURFACE),
    )
    page.rule()
    shown = reduce_to(source, LONG_SIDE_PX)
    framed = draw_path(shown, path)
    page.row(
        [
            Panel("Source, seen by the camera first (white) and last (amber)", framed),
            Panel("Composition", draw_composition(shown, analysis, regions)),
            Panel("Depth, bright is near", draw_depth(depth)),
        ],
        MEASURED_HEIGHT_PX,
        beside=fact_blocks(analysis),
        key=composition_key(analysis, tinted=regions is not None),
    )
    return page.finished()
