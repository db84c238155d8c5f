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
SIGN_PX = 96
BESIDE_FROM_PX = 380
"""Least width of words beside a row of panels."""
LOWEST_SHARE = 0.75
"""A row that would get lower than this share of its height beside words fills the width instead."""
COLUMN_PX = 380
"""Least width of a column of words; below panels, columns are as wide as these."""
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

    def blocks(
        self,
        blocks: Sequence[Block],
        x: float,
        y: float,
        width: float,
        *,
        columns: int = 1,
        between: float = GAP_PX,
    ) -> float:
        """Draw words in columns, row by row; returns the y below all."""
        count = columns
        column = (width - (count - 1) * between) / count
        below = y
        for first in range(0, len(blocks), count):
            top = below if first == 0 else below + 36
            below = max(
                block(self, x + i * (column + between), top, column)
                for i, block in enumerate(blocks[first : first + count])
            )
        return below

    def row(
        self,
        panels: Sequence[Panel],
        height_px: int,
        *,
        beside: Sequence[Block],
        key: Sequence[tuple[Color, str]] = (),
        sign: Image.Image | None = None,
    ) -> None:
        """Panels of one height, with words beside them when there is room and else below.

        ``height_px`` is what a row has at most when it does not fill the width. ``key`` explains
        colours under the panels; ``sign`` is drawn between each two of them.
        """
        between = GAP_PX if sign is None else SIGN_PX
        height, fills = self._row_height(panels, height_px, between, words=bool(beside))
        x: float = MARGIN_PX
        caption_below = self.y
        for index, panel in enumerate(panels):
            width = max(1.0, height * panel.aspect)
            caption_below = max(caption_below, self._panel(panel, x, width, height))
            x += width
            if index < len(panels) - 1:
                if sign is not None:
                    middle = self.y + height / 2 - sign.height / 2
                    self.paste(sign, x + (SIGN_PX - sign.width) / 2, middle)
                x += between
        below = caption_below
        if key:
            below = self._key(key, MARGIN_PX, below + 10, x - MARGIN_PX)
        if fills:
            columns = min(len(panels), int((self.inner_width + between) // (COLUMN_PX + between)))
            below = self.blocks(
                beside,
                MARGIN_PX,
                below + 32,
                self.inner_width,
                columns=columns,
                between=between,
            )
        else:
            x += 2 * GAP_PX
            left = WIDTH_PX - MARGIN_PX - x
            below = max(below, self.blocks(beside, x, self.y, left))
        self.y = below + 40

    def _row_height(
        self, panels: Sequence[Panel], height_px: int, between: float, *, words: bool
    ) -> tuple[float, bool]:
        """Height of a row, and whether it fills the width (so that words go below it)."""
        aspects = sum(panel.aspect for panel in panels)
        room = self.inner_width - (len(panels) - 1) * between
        filling = room / aspects
        if not words:
            return min(filling, height_px), True
        with_words = min(height_px, (room - BESIDE_FROM_PX - 2 * GAP_PX) / aspects)
        if with_words >= LOWEST_SHARE * height_px:
            return with_words, False
        return filling, True

    def _panel(self, panel: Panel, x: float, width: float, height: float) -> float:
        """Draw one picture and its caption; returns the y below."""
        left, right = round(x), round(x + width)
        size = (max(1, right - left), max(1, round(height)))
        picture = Image.fromarray(panel.pixels).resize(size, Image.Resampling.LANCZOS)
        self.paste(picture, left, self.y)
        top = self.y + size[1] + 12
        return self.paragraph(
            left, top, max(size[0], 90), panel.caption, SMALL, color=QUIET, at_most=2
        )

    def _key(self, entries: Sequence[tuple[Color, str]], x: float, y: float, width: float) -> float:
        """Draw what each colour means, one after the other; returns the y below."""
        at = x
        for color, words in entries:
            needed = 26 + font(SMALL).getlength(legible(words)) + 30
            if at > x and at + needed - 30 > x + width:
                at, y = x, y + 30
            self.draw.rounded_rectangle((at, y + 2, at + 16, y + 16), radius=3, fill=color)
            self.text(at + 26, y, words, SMALL)
            at += needed
        return y + 30

    def rule(self) -> None:
        """Draw a thin line across the page."""
        self.draw.line((MARGIN_PX, self.y, WIDTH_PX - MARGIN_PX, self.y), fill=RULE, width=1)
        self.y += 36

    def finished(self) -> NDArray[np.uint8]:
        """Return the page down to its last line, as rows x columns x RGB."""
        bottom = min(LONGEST_PX, round(self.y) + MARGIN_PX - 24)
        return np.asarray(self._image.crop((0, 0, WIDTH_PX, bottom)), np.uint8)
