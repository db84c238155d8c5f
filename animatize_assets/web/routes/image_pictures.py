"""``/api/images/{key}/...``: the pictures that an image was given, and its composition, large.

Belongs here: these routes and what they answer with. Does not belong here: an image's current
files (``images``), finding earlier pictures (``workplace.earlier_pictures``), drawing
(``web.dashboard.drawings``).
"""

from __future__ import annotations

import hashlib
from http import HTTPStatus
from typing import Annotated, Final

from fastapi import APIRouter, Path, Request, Response
from pydantic import AwareDatetime, BaseModel, Field
from starlette.convertors import StringConvertor, register_url_convertor

from animatize_assets.errors import StorageFailed
from animatize_assets.web.dashboard.drawings import MEDIA_TYPE, Drawings
from animatize_assets.web.dependencies import ServiceDep
from animatize_assets.web.image_files import REVALIDATE, is_known
from animatize_assets.web.problems import Refused
from animatize_assets.web.routes.images import ImageKey
from animatize_assets.web.routes.images import router as images_router
from animatize_assets.workplace.earlier_pictures import (
    MOST_PICTURES,
    EarlierPicture,
    picture_named,
    pictures_of,
)

PICTURE_TYPES: Final = ("image/png", "image/jpeg", "image/webp")
RESULT_KEY: Final = "[0-9a-f]{32}"


class _ResultKey(StringConvertor):
    """So that only a path with the key of a result is one of a picture's."""

    regex = RESULT_KEY


register_url_convertor("result_key", _ResultKey())

router = APIRouter(prefix=images_router.prefix, tags=["images"])


class Picture(BaseModel):
    """A picture that a request for this image was given."""

    result_key: str = Field(
        description="names the picture; requests that were given the same one have the same key",
        examples=["0f3c1a9b5d7e24680f3c1a9b5d7e2468"],
    )
    request_id: int | None = Field(description="null: no request of the current picture is logged")
    requested_at: AwareDatetime | None
    asked_provider: str | None = Field(description="the provider that was asked")
    provider: str = Field(description="who made it; another one after a fallback")
    model: str
    run_id: str | None
    target: str | None = Field(description="the model that the prompt was written for")
    style: str | None
    outcome: str | None = Field(
        description="made, or how alike the earlier request was that it was taken from: exact, "
        "canonical, similar"
    )
    seconds: float | None = Field(description="of all calls for it; null: not known, or no call")
    cost_usd: float | None = Field(description="of the request, US dollars; 0 from a cache")
    prompt: str | None = Field(description="positive text; null: not known any more")
    width: int | None = Field(description="px; null: not known any more")
    height: int | None = Field(description="px; null: not known any more")
    is_current: bool = Field(description="whether it is the image's picture now")
    file: str | None = Field(description="where it is; null: the cache has dropped it")


class Pictures(BaseModel):
    """The pictures of an image, the newest request first."""

    pictures: list[Picture] = Field(description=f"the newest {MOST_PICTURES}")


def drawings(request: Request) -> Drawings:
    """Return the drawings that all callers of the service share."""
    found: Drawings = request.app.state.drawings
    return found


@router.get("/{image_key:image_key}/pictures", summary="The pictures that an image was given")
def image_pictures(image_key: ImageKey, service: ServiceDep) -> Pictures:
    """Return what each provider made of an image in each run, as far as it is still known."""
    found = pictures_of(service.workplace, image_key)
    return Pictures(pictures=[told_of(image_key, each) for each in found])


@router.head("/{image_key:image_key}/pictures/{result_key:result_key}", include_in_schema=False)
@router.get(
    "/{image_key:image_key}/pictures/{result_key:result_key}",
    summary="One of the pictures that an image was given",
    response_class=Response,
    responses={
        200: {
            "description": "The picture.",
            "content": {
                kind: {"schema": {"type": "string", "format": "binary"}} for kind in PICTURE_TYPES
            },
        },
        304: {"description": "If-None-Match names what is there."},
    },
)
def image_picture(
    image_key: ImageKey,
    result_key: Annotated[str, Path(pattern=f"^{RESULT_KEY}$", description="of the picture")],
    request: Request,
    service: ServiceDep,
) -> Response:
    """Send a picture of a provider or a run, as it was made."""
    found = picture_named(service.workplace, image_key, result_key)
    content = None if found is None else _whole(found)
    if found is None or found.file is None or content is None:
        raise Refused(
            HTTPStatus.NOT_FOUND,
            f"There is no picture {result_key} of {image_key}: the image was never given it, or "
            "the cache has dropped it.",
            code="part_not_found",
        )
    return _answer(request, content, found.file.media_type, found.file.sha256)


@router.head("/{image_key:image_key}/composition", include_in_schema=False)
@router.get(
    "/{image_key:image_key}/composition",
    summary="The composition drawn over the image, large",
    response_class=Response,
    responses={
        200: {
            "description": "WebP of at most 1280 px.",
            "content": {MEDIA_TYPE: {"schema": {"type": "string", "format": "binary"}}},
        },
        304: {"description": "If-None-Match names what is there."},
    },
)
def composition(image_key: ImageKey, request: Request) -> Response:
    """Send what the analysis measured, drawn over the image; `overlay` is the same, small."""
    shared = drawings(request)
    fingerprint = shared.fingerprint(image_key)
    if fingerprint is not None and is_known(_asked_for(request), _etag(fingerprint)):
        return _unchanged(fingerprint)
    drawing = shared.composition(image_key)
    if drawing is None:
        raise Refused(
            HTTPStatus.NOT_FOUND,
            f"There is no composition of {image_key}: it was not analysed yet.",
            code="part_not_found",
        )
    return _answer(request, drawing.content, MEDIA_TYPE, drawing.fingerprint)


def told_of(image_key: str, picture: EarlierPicture) -> Picture:
    """Return a picture as clients see it."""
    past = picture.request
    asked = None if past is None else past.asked
    width, height = picture.size or (None, None)
    return Picture(
        result_key=picture.result_key,
        request_id=None if past is None else past.request_id,
        requested_at=None if past is None else past.requested_at,
        asked_provider=None if asked is None else asked.provider,
        provider=picture.provider,
        model=picture.model,
        run_id=None if asked is None else asked.run_id,
        target=None if asked is None else asked.target,
        style=None if asked is None else asked.style,
        outcome=None if asked is None else asked.outcome,
        seconds=picture.seconds,
        cost_usd=picture.cost_usd,
        prompt=picture.prompt,
        width=width,
        height=height,
        is_current=picture.is_current,
        file=None
        if picture.file is None
        else f"{router.prefix}/{image_key}/pictures/{picture.result_key}",
    )


def _whole(picture: EarlierPicture) -> bytes | None:
    """Read a picture; None when it went a moment ago, or its bytes are not those that were kept."""
    if picture.file is None:
        return None
    try:
        content = picture.file.path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StorageFailed(f"A stored picture could not be read: {error}.") from error
    return content if hashlib.sha256(content).hexdigest() == picture.file.sha256 else None


def _answer(request: Request, content: bytes, media_type: str, mark: str) -> Response:
    if is_known(_asked_for(request), _etag(mark)):
        return _unchanged(mark)
    return Response(content, media_type=media_type, headers=_headers(mark))


def _unchanged(mark: str) -> Response:
    return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=_headers(mark))


def _asked_for(request: Request) -> str | None:
    return request.headers.get("if-none-match")


def _headers(mark: str) -> dict[str, str]:
    return {"ETag": _etag(mark), "Cache-Control": REVALIDATE}


def _etag(mark: str) -> str:
    return f'"{mark}"'
