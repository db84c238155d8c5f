"""What is asked of a picture provider and what it gives back.

Belongs here: records shared by every provider. Does not belong here: any provider.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from pydantic import AwareDatetime, Field

from animatize_assets.records import Measured, Record

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from animatize_assets.movement.models import CameraPath
    from animatize_assets.prompts.models import MotionPrompt


@dataclass(frozen=True)
class PictureRequest:
    """One picture to make. Pixels are opened by the caller, one image at a time."""

    image_key: str
    prompt: MotionPrompt
    width: int
    """Asked width, px."""
    height: int
    """Asked height, px."""
    seed: int
    source: NDArray[np.uint8]
    """The image: rows x columns x RGB."""
    depth: NDArray[np.float32]
    """Relative depth of the image, any size of the same aspect: 1 = near."""
    camera_path: CameraPath
    grade: bool
    """Whether light and colour of the prompt are applied to the picture."""


class Attempt(Record):
    """One call to one provider, whatever came of it."""

    provider: str
    model: str
    started_at: AwareDatetime
    seconds: Measured = Field(ge=0)
    outcome: Literal["made", "failed"]
    reason: str | None = None


@dataclass(frozen=True)
class MadePicture:
    """What a provider hands back: the file's bytes and what is true of them."""

    content: bytes
    media_type: Literal["image/png", "image/jpeg", "image/webp"]
    width: int
    height: int
    provider: str
    model: str
    seed: int | None
    cost_usd: float | None
    """None when the price is not known; 0.0 only for a provider that is really free."""


class PictureRecord(Record):
    """A stored picture."""

    provider: str
    model: str
    path: str = Field(description="relative to the data folder")
    media_type: str
    sha256: str
    width: int = Field(gt=0)
    height: int = Field(gt=0)
    seed: int | None
    graded: bool
    cost_usd: Measured | None
    attempts: tuple[Attempt, ...]
