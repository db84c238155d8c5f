"""What this room needs to know of a picture before it is asked for, and cannot know itself.

Belongs here: the protocol. Does not belong here: the stages that tell it (``pipeline``), which this
room lies below.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from animatize_assets.generation.sourcing import PictureOrder
from animatize_assets.pregeneration.patterns import Pattern


@dataclass(frozen=True)
class Prepared:
    """A picture that a run would ask for."""

    fingerprint: str
    """Of the request: under which the result store keeps its picture."""
    model: str
    width: int
    """Of the picture, px."""
    height: int
    movement: str
    """Kind of camera movement."""
    source_size: tuple[int, int]
    """Of the image, px."""
    characters: int
    """Of the prompt."""


class Preparation(Protocol):
    """Prepares pictures exactly as a run would, and changes nothing that is stored of an image."""

    def prepared(self, image_key: str, pattern: Pattern) -> Prepared | None:
        """Return what a run would ask for; None when the image is not ready: run it first.

        Raises:
            NotConfigured: the provider is not set up.
        """

    def order(self, image_key: str, pattern: Pattern) -> PictureOrder | None:
        """Return the order itself, with the pixels; None when the image is not ready."""


class PictureTimes(Protocol):
    """How long one picture takes, in seconds: what the performance room estimates."""

    def seconds(self, provider: str, prepared: Prepared) -> float:
        """Return the estimate for one picture of ``provider``."""
