"""The images as a gallery, one image as a contact card, and its files in one download.

Belongs here: what these pages show. Does not belong here: the list itself (``web.gallery``), the
files of an image (``web.image_files``).
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from tempfile import TemporaryFile
from typing import IO, Any, Final, cast, get_args
from urllib.parse import urlencode

from pydantic import BaseModel, ConfigDict, Field

from animatize_assets.errors import ImageNotFound, NotConfigured
from animatize_assets.images.states import ListedImage, Wanted
from animatize_assets.movement.models import CameraMove, Movement, MovementPrediction
from animatize_assets.prompts.models import MotionPrompt
from animatize_assets.web.image_files import Part, find_part
from animatize_assets.web.routes.image_models import LAST_ID, ImageDetail, Provider, State
from animatize_assets.web.service import Service

ON_A_PAGE: Final = 24

MOVES: Final[tuple[str, ...]] = get_args(CameraMove)
STATES: Final[tuple[str, ...]] = get_args(State)
PROVIDERS: Final[tuple[str, ...]] = get_args(Provider)

PARTS_OF_STAGES: Final[dict[str, tuple[Part, ...]]] = {
    "source_image": ("thumbnail",),
    "scene_analysis": ("overlay", "depth"),
    "generated_picture": ("picture-thumbnail",),
    "animatic_clip": ("clip",),
}
"""What a card shows once a stage is done."""

RECIPE: Final = "recipe.json"

IN_DOWNLOAD: Final[tuple[Part, ...]] = ("source", "picture", "clip")

_CHUNK_BYTES = 262_144


@dataclass(frozen=True)
class Card:
    """One image of the gallery."""

    image: ListedImage
    parts: frozenset[Part]
    """What there is of it, as far as its runs noted."""
    movement: Movement | None
    """The first of those predicted."""
    prompt: str | None

    @property
    def preview(self) -> Part | None:
        """What stands for it; None: nothing was made yet."""
        best: tuple[Part, ...] = ("picture-thumbnail", "thumbnail")
        return next((part for part in best if part in self.parts), None)


def _one_of(choices: tuple[str, ...]) -> Any:
    """Return the field of a filter: one of ``choices``, or empty as a form sends it."""
    return Field(default="", pattern=f"^(|{'|'.join(choices)})$")


class Filters(BaseModel):
    """What the gallery shows only; empty: all."""

    model_config = ConfigDict(frozen=True)

    state: str = _one_of(STATES)
    provider: str = _one_of(PROVIDERS)
    movement: str = _one_of(MOVES)
    search: str = Field(default="", max_length=57, description="a part of the name")
    cursor: int | None = Field(default=None, ge=1, le=LAST_ID, description="of the page before")

    def query(self) -> str:
        """Return the filters as they stand in an address, without the cursor."""
        return urlencode(self.model_dump(exclude={"cursor"}, exclude_defaults=True))


@dataclass(frozen=True)
class GalleryView:
    """A page of the gallery."""

    cards: tuple[Card, ...]
    next_cursor: int | None
    counts: dict[str, int]
    """Of all images, by state."""
    filters: Filters


def read_gallery(service: Service, filters: Filters) -> GalleryView:
    """Return a page of the images that all filters let through, newest first."""
    wanted = Wanted(
        state=cast("State | None", filters.state or None),
        provider=filters.provider or None,
        movement=filters.movement or None,
        key_contains=key_part(filters.search) or None,
    )
    page = service.gallery.page(wanted, before=filters.cursor, limit=ON_A_PAGE)
    return GalleryView(
        cards=tuple(_card(service, image) for image in page.images),
        next_cursor=page.next_cursor,
        counts=service.remembered.get("image counts", object(), service.gallery.counts),
        filters=filters,
    )


def usable_providers(service: Service) -> list[str]:
    """Return the providers that are set up, the one that costs nothing first."""
    found = []
    for name in PROVIDERS:
        try:
            service.workplace.check_provider(name)
        except NotConfigured:
            continue
        found.append(name)
    return found


def key_part(search: str) -> str:
    """Return what a person typed as it may stand in an image key."""
    return re.sub(r"[^a-z0-9]+", "-", search.lower()).strip("-")


def _card(service: Service, image: ListedImage) -> Card:
    artifacts, key = service.artifacts, image.image_key
    predicted = artifacts.current("movement_prediction", key, MovementPrediction)
    prompt = artifacts.current("motion_prompt", key, MotionPrompt)
    made = (
        parts
        for stage, parts in PARTS_OF_STAGES.items()
        if artifacts.current_fingerprint(stage, key) is not None
    )
    return Card(
        image,
        frozenset(part for parts in made for part in parts),
        None if predicted is None else predicted.movements[0],
        None if prompt is None else prompt.positive,
    )


def pack(service: Service, image: ImageDetail) -> IO[bytes]:
    """Return an archive of what was made of an image and the recipe that makes it again.

    Raises:
        ImageNotFound: no accepted image has this key.

    """
    found = {part: find_part(service, image.image_key, part) for part in IN_DOWNLOAD}
    if found["source"] is None:
        raise ImageNotFound(f"No image has the key '{image.image_key}'.")
    archive = TemporaryFile()  # noqa: SIM115  # whoever sends it closes it
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as packed:  # all is compressed already
        packed.writestr(RECIPE, image.model_dump_json(indent=2))
        for part, file in found.items():
            if file is not None and file.path.is_file():
                packed.write(file.path, f"{image.image_key}-{part}{file.path.suffix}")
    archive.seek(0)
    return archive


def chunks(archive: IO[bytes]) -> Iterator[bytes]:
    """Yield an archive, and close it."""
    with archive:
        while chunk := archive.read(_CHUNK_BYTES):
            yield chunk
