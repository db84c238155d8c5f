"""A page that grows downwards: rows of panels, and blocks of words in columns.

Belongs here: type sizes, colours, columns and rows. Does not belong here: what the words say
(``sheet_words``) or which panels there are (``contact_sheet``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from animatize_assets.rendering.lettering import font, legible, wrapped

WIDTH_PX = 1600
MARGIN_PX = 56
GAP_PX = 24
ARROW_PX = 76
BESIDE_FROM_PX = 380
"""Words go beside a row of panels when at least this much is left of the width."""
COLUMN_PX = 400
"""Blocks of words stand side by side as long as each column keeps this width."""
LONGEST_PX = 4000

Color = tuple[int, int, int]
BACKGROUND: Color = (22, 23, 26)
SURFACE: Color = (36, 38, 43)
RULE: Color = (52, 55, 61)
TEXT: Color = (238, 238, 236)
QUIET: Color = (158, 162, 170)
ACCENT: Color = (255, 176, 46)

TITLE, LEAD, BODY, SMALL = 64, 27, 21, 17


@dataclass(frozen=True)
class Panel:
    """A captioned picture: rows x columns x RGB."""

    caption: str
    pixels: NDArray[np.uint8]

    @property
    def aspect(self) -> float:
        """Width / height."""
        return float(self.pixels.shape[1] / self.pixels.shape[0])


Block = Callable[["Page", float, float, float], float]
"""Draws words at x, y in a width, and returns the y below them."""


class Page:
    """Draws from the top; :attr:`y` is where the next thing goes."""

    def __init__(self) -> None:
        self._image = Image.new("RGB", (WIDTH_PX, LONGEST_PX), BACKGROUND)
        self.draw = ImageDraw.Draw(self._image)
        self.y: float = MARGIN_PX

    @property
    def inner_width(self) -> float:
        """Width between the margins."""
        return WIDTH_PX - 2 * MARGIN_PX

    def text(
        self,
        x: float,
        y: float,
        words: str,
        size_px: int,
        color: Color = TEXT,
        *,
        anchor: str = "la",
    ) -> float:
        """Draw one line; returns its width."""
        letters = font(size_px)
        shown = legible(words)
        self.draw.text((x, y), shown, font=letters, fill=color, anchor=anchor)
        return letters.getlength(shown)

    def paragraph(
        self, x: float, y: float, width: float, words: str, size_px: int,
        *, color: Color = TEXT, at_most: int | None = None,
    ) -> float:  # fmt: skip
        """Draw wrapped lines; returns the y below them."""
        for line in wrapped(words, size_px, width, at_most):
            self.draw.text((x, y), line, font=font(size_px), fill=color)
            y += round(size_px * 1.42)
        return y

    def heading(self, x: float, y: float, words: str) -> float:
        """Draw a small heading over a block; returns the y below it."""
        self.text(x, y, words, SMALL, QUIET)
        return y + 34

    def paste(self, image: Image.Image, x: float, y: float) -> None:
        """Put a picture, with its own transparency, at x, y."""
        mask = image if image.mode == "RGBA" else None
        self._image.paste(image, (round(x), round(y)), mask)

    def blocks(self, blocks: Sequence[Block], x: float, y: float, width: float) -> float:
        """Words in as many columns as fit, filled from the left; returns the y below all."""
        count = max(1, min(len(blocks), int((width + GAP_PX) // (COLUMN_PX + GAP_PX))))
        column = (width - (count - 1) * 2 * GAP_PX) / count
        below = y
        for first in range(0, len(blocks), count):
            top = below if first == 0 else below + 36
            below = max(
                block(self, x + i * (column + 2 * GAP_PX), top, column)
                for i, block in enumerate(blocks[first : first + count])
            )
        return below

    def row(
        self, panels: Sequence[Panel], height_px: int, *, beside: Sequence[Block],
        arrow: Image.Image | None = None,
    ) -> None:  # fmt: skip
        """Panels of one height that fill the width; words beside them, or below."""
        between = ARROW_PX if arrow is not None else GAP_PX
        room = self.inner_width - (len(panels) - 1) * between
        height = round(min(height_px, room / sum(panel.aspect for panel in panels)))
        x: float = MARGIN_PX
        for index, panel in enumerate(panels):
            width = max(1, round(height * panel.aspect))
            self._panel(panel, x, width, height)
            x += width
            if index < len(panels) - 1:
                if arrow is not None:
                    offset = (ARROW_PX - arrow.width) / 2
                    self.paste(arrow, x + offset, self.y + height / 2 - arrow.height / 2)
                x += between
        below = self.y + height + 44
        left = WIDTH_PX - MARGIN_PX - (x + 2 * GAP_PX)
        if not beside:
            self.y = below + 24
        elif left >= BESIDE_FROM_PX:
            self.y = max(below, self.blocks(beside, x + 2 * GAP_PX, self.y, left)) + 24
        else:
            self.y = self.blocks(beside, MARGIN_PX, below + 20, self.inner_width) + 40

    def _panel(self, panel: Panel, x: float, width: int, height: int) -> None:
        picture = Image.fromarray(panel.pixels).resize((width, height), Image.Resampling.LANCZOS)
        self.paste(picture, x, self.y)
        shown = wrapped(panel.caption, SMALL, max(width, 60), at_most=1)[0]
        self.text(x, self.y + height + 12, shown, SMALL, QUIET)

    def rule(self) -> None:
        """Draw a thin line across the page."""
        self.draw.line((MARGIN_PX, self.y, WIDTH_PX - MARGIN_PX, self.y), fill=RULE, width=1)
        self.y += 36

    def finished(self) -> NDArray[np.uint8]:
        """Return the page down to its last line, as rows x columns x RGB."""
        bottom = min(LONGEST_PX, round(self.y) + MARGIN_PX - 24)
        return np.asarray(self._image.crop((0, 0, WIDTH_PX, bottom)), np.uint8)
