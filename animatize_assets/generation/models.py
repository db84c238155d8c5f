"""What is asked of a picture provider and what it gives back.

Belongs here: records shared by every provider. Does not belong here: any provider, retries or
money's rules.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from pydantic import AwareDatetime, Field, JsonValue

from animatize_assets.records import Measured, Record

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from animatize_assets.movement.models import CameraPath
    from animatize_assets.prompts.models import MotionPrompt

MediaType = Literal["image/png", "image/jpeg", "image/webp"]


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
    with_source: bool = True
    """Whether a model that takes an input image is given the source to start from."""
    fingerprint: str = ""
    """Hash of everything that determines the picture; equal requests have equal ones."""


Resume = Mapping[str, str]
"""What must be remembered of submitted work to fetch it later: ids and addresses, no secrets."""


def _nobody_notes(remote_id: str, resume: Resume) -> None:
    """For work that costs nothing when it is lost."""
    del remote_id, resume


@dataclass(frozen=True)
class Call:
    """The circumstances of one attempt, from the router to the provider."""

    timeout_s: float
    """The attempt must have ended by then, polling included."""
    note_remote: Callable[[str, Resume], None] = _nobody_notes
    """To be called as soon as the provider's id of the work is known, before anything else is
    awaited: what it notes is written to the ledger, so that a crash loses nothing paid."""
    resume: Resume | None = None
    """What an earlier attempt noted: fetch that work instead of submitting it again."""


class Usage(Record):
    """What a call used up, as the provider counted it. None: not told."""

    input_tokens: int | None = Field(default=None, ge=0)
    input_image_tokens: int | None = Field(default=None, ge=0)
    cached_tokens: int | None = Field(default=None, ge=0)
    cache_write_tokens: int | None = Field(default=None, ge=0)
    output_tokens: int | None = Field(default=None, ge=0)
    output_image_tokens: int | None = Field(default=None, ge=0)
    images: int | None = Field(default=None, ge=0)
    megapixels: Measured | None = Field(default=None, ge=0)


class Attempt(Record):
    """One call to one provider, whatever came of it."""

    provider: str
    model: str
    started_at: AwareDatetime
    seconds: Measured = Field(ge=0)
    outcome: Literal["made", "resumed", "failed"]
    reason: str | None = Field(default=None, description="a kind of FAILURE_KINDS when it failed")
    message: str | None = Field(default=None, description="one sentence, without secrets")
    cost_usd: Measured | None = Field(
        default=None, description="None: not known; it may have been billed"
    )
    remote_id: str | None = None


@dataclass(frozen=True)
class MadePicture:
    """What a provider hands back: the file's bytes and what is true of them."""

    content: bytes
    media_type: MediaType
    """Told from the bytes, never from what the provider says of them."""
    width: int
    height: int
    provider: str
    model: str
    seed: int | None
    """None when the provider takes no seed."""
    cost_usd: float | None
    """None when the price is not known; 0.0 only for a provider that is really free."""
    asked_size: tuple[int, int] | None = None
    """What the provider was asked for when it cannot make the request's size: the nearest one."""
    aspect_only: bool = False
    """Whether the provider takes an aspect ratio and chooses the number of pixels itself."""
    usage: Usage | None = None
    remote_id: str | None = None
    notes: tuple[str, ...] = field(default=())
    """What a person should know: a parameter that the model does not take, another size."""
    reproducible: bool = False
    """Whether the same request gives the same bytes again."""


@dataclass(frozen=True)
class Delivery:
    """A picture and the way to it."""

    made: MadePicture
    attempts: tuple[Attempt, ...]
    """Every call that was made for it, the successful one last."""


ReuseLevel = Literal["exact", "canonical", "similar"]


class Reuse(Record):
    """Why a picture was taken from the result store instead of being made."""

    level: ReuseLevel
    source_image_key: str
    source_sha256: str
    similarity: Measured | None = Field(
        default=None, description="cosine of the texts' vectors; None unless the level is similar"
    )
    why: str = Field(description="one sentence: why it was allowed")


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
    asked_provider: str = Field(description="the provider that the request named")
    request: dict[str, JsonValue] = Field(
        description="what was asked of the pipeline, to ask for it again"
    )
    asked_size: tuple[int, int] | None = Field(
        default=None,
        description="width and height that the provider was asked for, px, the nearest to the "
        "request's that it makes; None: the request's own",
    )
    aspect_only: bool = False
    notes: tuple[str, ...] = ()
    reproducible: bool = False
    usage: Usage | None = None
    reuse: Reuse | None = None
    prompt: str | None = Field(
        default=None,
        description="positive text that it was asked for with; None: made before this was kept",
    )

    @property
    def is_fallback(self) -> bool:
        """Whether another provider than the asked one made it."""
        return self.provider != self.asked_provider
