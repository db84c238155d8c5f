"""The ``WxH`` of pictures and clips, as options' types."""

from __future__ import annotations

import re
from typing import Any

import click

SMALLEST_SIDE_PX = 16
LARGEST_SIDE_PX = 4096


class Size(click.ParamType[tuple[int, int]]):
    """``WxH`` in pixels, both even, because H.264 with yuv420p knows no odd size."""

    name = "WxH"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, int]:
        """Read ``1280x720``."""
        if isinstance(value, tuple):
            return value
        match = re.fullmatch(r"([0-9]{1,5})[xX]([0-9]{1,5})", value)
        if match is None:
            self.fail(f"'{value}' is not a size such as 1280x720.", param, ctx)
        width, height = int(match[1]), int(match[2])
        if width % 2 or height % 2:
            self.fail(f"{width}x{height} has an odd side; a clip's sides are even.", param, ctx)
        if not all(SMALLEST_SIDE_PX <= side <= LARGEST_SIDE_PX for side in (width, height)):
            self.fail(f"Sides go from {SMALLEST_SIDE_PX} to {LARGEST_SIDE_PX} px.", param, ctx)
        return width, height


class Resolution(click.ParamType[tuple[int, int]]):
    """``WxH`` in pixels of a job that may be anybody's."""

    name = "WxH"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, int]:
        """Read ``768x768``."""
        if isinstance(value, tuple):
            return value
        match = re.fullmatch(r"([1-9][0-9]{0,4})[xX]([1-9][0-9]{0,4})", value)
        if match is None:
            self.fail(f"'{value}' is not a resolution such as 768x768.", param, ctx)
        return int(match[1]), int(match[2])


SIZE = Size()
RESOLUTION = Resolution()
