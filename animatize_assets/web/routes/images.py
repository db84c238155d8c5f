"""``/api/images``: the images, what was made of them, and what more would cost.

Belongs here: these routes. Does not belong here: their files (``web.image_files``), what clients
send and receive (``image_models``), runs (``batches``).
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from http import HTTPStatus
from pathlib import PureWindowsPath
from typing import Annotated, Final, Literal

from fastapi import APIRouter, File, Path, Query, Request, Response, UploadFile
from sqlalchemy.exc import SQLAlchemyError
from starlette.convertors import StringConvertor, register_url_convertor

from animatize_assets.errors import AnimatizeError, ImageNotFound, InvalidImage
from animatize_assets.generation.quote import Quote
from animatize_assets.images.archive import ImageArchive
from animatize_assets.images.states import Wanted
from animatize_assets.pipeline.request import PipelineRequest
from animatize_assets.web.dependencies import ServiceDep
from animatize_assets.web.image_files import MEDIA_TYPES, PARTS, Part, answer_with, find_part
from animatize_assets.web.routes.image_models import (
    EXAMPLE_KEY,
    KEY_PATTERN,
    ImageDetail,
    ImageList,
    ImageQuery,
    ImageSummary,
    Links,
    QuoteRequest,
    Rated,
    Rating,
    RunRequest,
    Uploaded,
)
from animatize_assets.web.rules import reads
from animatize_assets.web.service import Service
from animatize_assets.workplace.estimating import estimate_images
from animatize_assets.workplace.quoting import quote_pictures
from animatize_assets.workplace.rating import rate_image
from animatize_assets.workplace.run_estimates import RunEstimate
from animatize_assets.workplace.stored import StoredImage, load_stored

_log = logging.getLogger(__name__)

MAX_UPLOAD_BODY_BYTES: Final = 100_000_000 + 64_000
"""The largest that ANIMATIZE_MAX_UPLOAD_MB allows, and what multipart puts around it. More than
that is not even read; what is over the setting is refused as ``animatize ingest`` does."""

LONGEST_NAME: Final = 255


class _ImageKey(StringConvertor):
    """So that only a path with an image key in it is one of an image's."""

    regex = KEY_PATTERN.removeprefix("^").removesuffix("$")


class _ImagePart(StringConvertor):
    """So that only the name of a part is one, and any other word is no path at all."""

    regex = "|".join(PARTS)


register_url_convertor("image_key", _ImageKey())
register_url_convertor("image_part", _ImagePart())

router = APIRouter(prefix="/api/images", tags=["images"])

ImageKey = Annotated[
    str,
    Path(pattern=KEY_PATTERN, max_length=57, description="of the image", examples=[EXAMPLE_KEY]),
]


@router.get("", summary="The images, newest first")
def list_images(service: ServiceDep, asked: Annotated[ImageQuery, Query()]) -> ImageList:
    """Return a page of the images that all filters let through."""
    wanted = Wanted(asked.state, asked.provider, asked.movement, asked.search)
    page = service.gallery.page(wanted, before=asked.cursor, limit=asked.limit)
    return ImageList(
        images=[ImageSummary.model_validate(image.model_dump()) for image in page.images],
        next_cursor=page.next_cursor,
        counts=service.remembered.get("image counts", object(), service.gallery.counts),
    )


@router.post(
    "",
    summary="Upload one image",
    status_code=HTTPStatus.CREATED,
    max_body_size=MAX_UPLOAD_BODY_BYTES,
    form_limits={"max_files": 1, "max_fields": 1},
    responses={
        200: {"model": Uploaded, "description": "These bytes were there already."},
        201: {"description": "The image was accepted."},
    },
)
def upload(
    file: Annotated[UploadFile, File(description="JPEG, PNG, WebP, BMP or TIFF, told by content")],
    service: ServiceDep,
    response: Response,
) -> Uploaded:
    """Take an image in, with the same checks as `animatize ingest`, and tell Dagster of it.

    A refused one is a problem with the code of the check that failed. Nothing is computed yet:
    start a batch, or let a running Dagster daemon find it.
    """
    service.workplace.check_disk()
    # One byte more than is allowed tells that there is more, whatever the client said.
    content = file.file.read(service.images.limits.max_bytes + 1)
    outcome = service.images.ingest_content(content, file_name(file.filename))
    if outcome.image_key is None or outcome.status == "rejected":
        raise InvalidImage(outcome.reason or "The image was refused.", code=outcome.code or "")
    _register(service, outcome.image_key)
    response.headers["Location"] = f"{router.prefix}/{outcome.image_key}"
    if outcome.status == "duplicate":
        response.status_code = HTTPStatus.OK
    return Uploaded(file=outcome.file, status=outcome.status, image_key=outcome.image_key)


@router.post("/estimate", summary="How long a run over images will take")
@reads
def estimate(asked: RunRequest, service: ServiceDep) -> RunEstimate:
    """Estimate a run that makes everything anew: its seconds, with an 80 % interval."""
    service.workplace.check_provider(asked.provider)
    if asked.expand != "off":
        service.workplace.check_provider("openai")  # whose models expand prompts
    request = PipelineRequest(provider=asked.provider, size=asked.size, expand=asked.expand)
    return estimate_images(service.workplace, _asked(service, asked.image_keys), request)


@router.post("/quote", summary="What pictures of images would cost")
@reads
def quote(asked: QuoteRequest, service: ServiceDep) -> Quote:
    """Quote the money, with a 90 % interval, before anything is spent; nobody is asked."""
    keys = _asked(service, asked.image_keys)
    return quote_pictures(service.workplace, keys, asked.provider, asked.size)


@router.get("/{image_key:image_key}", summary="Everything known of one image")
def image(image_key: ImageKey, service: ServiceDep) -> ImageDetail:
    """Return the record of each stage, null where a stage was not made, and links to its files."""
    stored = load_stored(service.workplace, image_key)
    line = service.gallery.line(image_key)
    if line is None:
        raise ImageNotFound(f"No image has the key '{image_key}'; ingest its file first.")
    return ImageDetail(
        image_key=image_key,
        state=line.state,
        reason=line.reason,
        run_id=line.run_id,
        **{field: getattr(stored, field) for field in stored.by_stage()},
        links=_links(service, stored),
    )


@router.post("/{image_key:image_key}/rating", summary="Rate what was made of an image")
def rate(image_key: ImageKey, rating: Rating, service: ServiceDep) -> Rated:
    """Keep a person's rating with the jobs that made the newest picture and clip."""
    service.images.get(image_key)
    jobs = rate_image(service.workplace, image_key, rating.rating)
    return Rated(image_key=image_key, rating=rating.rating, jobs=[job.job_id for job in jobs])


@router.head("/{image_key:image_key}/{part:image_part}", include_in_schema=False)
@router.get(
    "/{image_key:image_key}/{part:image_part}",
    summary="A file of an image",
    response_class=Response,
    responses={
        200: {
            "description": "The file.",
            "content": {
                kind: {"schema": {"type": "string", "format": "binary"}} for kind in MEDIA_TYPES
            },
        },
        206: {"description": "The part of the file that the Range header asks for."},
        304: {"description": "If-None-Match names what is there: nothing has changed."},
    },
)
def image_part(
    image_key: ImageKey,
    part: Annotated[
        Part, Path(description="; ".join(f"{name}: {what}" for name, what in PARTS.items()))
    ],
    request: Request,
    service: ServiceDep,
) -> Response:
    """Send a file, or a range of its bytes. HEAD tells the same without them (RFC 9110, 9.3.2)."""
    return answer_with(request, service, image_key, part)


def file_name(given: str | None) -> str:
    """Return the last part of a name that a client gave: it names the image, and never a file."""
    name = PureWindowsPath(given or "").name
    shown = "".join(each for each in name if each.isprintable())[:LONGEST_NAME].strip()
    return shown or "upload"


def _asked(service: Service, keys: list[str] | Literal["all"]) -> Sequence[str]:
    """Return the keys of a list, each once."""
    return service.workplace.known_keys() if keys == "all" else list(dict.fromkeys(keys))


def _register(service: Service, image_key: str) -> None:
    """Make an image a partition, an archived one again.

    Where Dagster cannot be reached, the next run does it; an archived one stays archived.
    """
    from animatize_assets.orchestration import (  # noqa: PLC0415  # a second
        register_images,
        unarchive_images,
    )

    try:
        unarchive_images(service.dagster, ImageArchive(service.images.engine), [image_key])
        register_images(service.dagster, [image_key])
    except (AnimatizeError, OSError, SQLAlchemyError):
        _log.exception("Dagster was not told of %s; a run over it does so.", image_key)


def _links(service: Service, stored: StoredImage) -> Links:
    image_key = stored.source_image.image_key
    below = f"{router.prefix}/{image_key}"
    found = {part: find_part(service, image_key, part) for part in PARTS}
    parts = {
        part.replace("-", "_"): f"{below}/{part}"
        if each is not None and each.path.is_file()
        else None
        for part, each in found.items()
    }
    composition = None if stored.scene_analysis is None else f"{below}/composition"
    return Links.model_validate(
        parts | {"composition": composition, "pictures": f"{below}/pictures"}
    )
