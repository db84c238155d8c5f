"""The files of an image, as answers: with their type, an ETag, and parts on request.

A file is found by what our own records say of an image key that is in the database; nothing else of
a request names a file.

Belongs here: which file a part is, and answering with it. Does not belong here: making any.
"""

from __future__ import annotations

import io
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from PIL import Image
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.types import Receive, Scope, Send

from animatize_assets.animatic.models import ClipRecord
from animatize_assets.generation.models import PictureRecord
from animatize_assets.images.models import ImageFormat
from animatize_assets.pipeline.thumbnails import THUMBNAIL
from animatize_assets.records import Record
from animatize_assets.scene.models import SceneAnalysis
from animatize_assets.web.problems import Refused, problem_response
from animatize_assets.web.service import Service

Part = Literal[
    "source", "thumbnail", "overlay", "depth", "picture", "picture-thumbnail", "preview", "clip"
]
PARTS: Final[dict[Part, str]] = {
    "source": "the uploaded bytes",
    "thumbnail": "the image in 160 px, WebP",
    "overlay": "the composition drawn over the image, 320 px, WebP",
    "depth": "the depth map, 8-bit grey PNG, white is near",
    "picture": "what the provider made",
    "picture-thumbnail": "the picture in 240 px, WebP",
    "preview": "the clip as a small animated WebP",
    "clip": "the clip, H.264 MP4",
}
"""What can be had of an image."""


@dataclass(frozen=True)
class _Made:
    """Which stage makes a part. Without a type of record it is the stage's thumbnail."""

    stage: str
    record_type: type[Record] | None = None
    file: Callable[[Any], tuple[str | None, str]] = lambda _: (None, "")
    """From the record to the file, relative to the data folder, and its type."""


_MADE: Final[dict[Part, _Made]] = {
    "thumbnail": _Made("source_image"),
    "overlay": _Made("scene_analysis"),
    "picture-thumbnail": _Made("generated_picture"),
    "depth": _Made("scene_analysis", SceneAnalysis, lambda r: (r.arrays.depth, "image/png")),
    "picture": _Made("generated_picture", PictureRecord, lambda r: (r.path, r.media_type)),
    "preview": _Made("animatic_clip", ClipRecord, lambda r: (r.preview_path, "image/webp")),
    "clip": _Made("animatic_clip", ClipRecord, lambda r: (r.path, "video/mp4")),
}
_SOURCE_TYPE: Final[dict[ImageFormat, str]] = {
    "jpeg": "image/jpeg",
    "png": "image/png",
    "webp": "image/webp",
    "bmp": "image/bmp",
    "tiff": "image/tiff",
}
_ENDING: Final = {
    "image/jpeg": "jpg",
    "image/png": "png",
    "image/webp": "webp",
    "image/bmp": "bmp",
    "image/tiff": "tif",
    "video/mp4": "mp4",
}
MEDIA_TYPES: Final = tuple(_ENDING)
"""What any part may be."""

REVALIDATE: Final = "private, no-cache"
"""A client keeps what it got and asks with the ETag whether it is still so."""


@dataclass(frozen=True)
class StoredPart:
    """A file below the data folder and what identifies its content."""

    path: Path
    media_type: str
    etag: str


class PartResponse(FileResponse):
    """A file, or the part that the Range header asks for; a bad range is told as a problem."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        refused: MutableMapping[str, Any] | None = None

        async def send_unless_refused(message: MutableMapping[str, Any]) -> None:
            nonlocal refused
            if message["type"] == "http.response.start" and message["status"] >= 400:
                refused = message
            if refused is None:
                await send(message)

        await super().__call__(scope, receive, send_unless_refused)
        if refused is not None:
            sent = {name.decode(): value.decode() for name, value in refused["headers"]}
            sizes = {n: v for n, v in sent.items() if n.lower() == "content-range"}
            told = "The Range header asks for no part of this file."
            answer = problem_response(
                refused["status"], "range_not_satisfiable", told, headers=sizes
            )
            await answer(scope, receive, send)


def answer_with(request: Request, service: Service, image_key: str, part: Part) -> Response:
    """Return a part of an image, 304 when the client has it already.

    Raises:
        ImageNotFound: no accepted image has this key.
        Refused: that part of it was not made yet, or its file is gone.

    """
    found = find_part(service, image_key, part)
    if found is None or not found.path.is_file():
        raise Refused(
            HTTPStatus.NOT_FOUND,
            f"There is no {part} of {image_key}: it was not made yet, or is not stored any more.",
            code="part_not_found",
        )
    headers = {"ETag": found.etag, "Cache-Control": REVALIDATE}
    if is_known(request.headers.get("if-none-match"), found.etag):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    if part == "depth":
        return Response(_grey_png(found.path), headers=headers, media_type=found.media_type)
    return PartResponse(
        found.path,
        headers=headers,
        media_type=found.media_type,
        filename=f"{image_key}-{part}.{_ENDING[found.media_type]}",
        content_disposition_type="inline",
    )


def find_part(service: Service, image_key: str, part: Part) -> StoredPart | None:
    """Return where a part is; None when it was not made.

    Raises:
        ImageNotFound: no accepted image has this key.

    """
    image, artifacts = service.images.get(image_key), service.artifacts
    if part == "source":
        path = service.data_dir / image.original_path
        return StoredPart(path, _SOURCE_TYPE[image.format], f'"{image.sha256}"')
    made = _MADE[part]
    fingerprint = artifacts.current_fingerprint(made.stage, image_key)
    if fingerprint is None:
        return None
    place: str | None = f"artifacts/{made.stage}/{image_key}/{fingerprint}/{THUMBNAIL}"
    media_type = "image/webp"
    if made.record_type is not None:
        record = artifacts.find(made.stage, image_key, fingerprint, made.record_type)
        if record is None:
            return None
        place, media_type = made.file(record)
    if place is None:
        return None
    return StoredPart(service.data_dir / place, media_type, f'"{fingerprint}-{part}"')


def is_known(if_none_match: str | None, etag: str) -> bool:
    """Whether an If-None-Match header names what is there (RFC 9110, section 13.1.2)."""
    if if_none_match is None:
        return False
    named = {each.strip().removeprefix("W/") for each in if_none_match.split(",")}
    return bool(named & {etag, "*"})


def _grey_png(path: Path) -> bytes:
    """Draw a stored depth map: 0..1 becomes 0..255."""
    depth = np.clip(np.load(path).astype(np.float32), 0, 1)
    file = io.BytesIO()
    Image.fromarray(np.rint(depth * 255).astype(np.uint8)).save(file, "PNG", compress_level=1)
    return file.getvalue()
