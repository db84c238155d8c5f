"""May this file be decoded at all? Everything that is decided before a decoder sees a byte.

The order is fixed and documented, because the first refusal is the one reported: the path names a
regular file, its size, its first bytes, its declared dimensions.

Belongs here: the checks up to the header. Does not belong here: the full decode (``decoding``),
which is the fifth and last check.

Nothing heavy is imported, so a sensor may use this module.
"""

from __future__ import annotations

import errno
import os
import stat
from dataclasses import dataclass
from pathlib import Path

from animatize_assets.errors import InvalidImage
from animatize_assets.images.headers import declared_size, sniff_format
from animatize_assets.images.limits import ImageLimits
from animatize_assets.images.models import ImageFormat
from animatize_assets.images.naming import displayable

_NO_SUCH_FILE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG})


@dataclass(frozen=True)
class UploadHeader:
    """What a file declares of itself. Width and height in pixels, before any orientation."""

    format: ImageFormat
    byte_count: int
    width: int
    height: int


@dataclass(frozen=True)
class Upload:
    """A file's bytes, read once, and what they declare: hash and pixels cannot differ."""

    content: bytes
    header: UploadHeader


def validate_upload(path: Path, limits: ImageLimits) -> UploadHeader:
    """Read what the file at ``path`` declares, when it may be decoded.

    Raises:
        InvalidImage: the first check that failed, in the order of this module's docstring.

    """
    return read_upload(path, limits).header


def read_upload(path: Path, limits: ImageLimits) -> Upload:
    """Read the bytes of the file at ``path`` once, with what they declare.

    A symbolic link to a regular file is followed; a FIFO, socket, device or directory is refused
    without waiting for it.

    Raises:
        InvalidImage: as :func:`validate_upload`.

    """
    content = _read_regular_file(path, limits)
    return Upload(content, check_header(content, limits, name=displayable(path.name)))


def check_content(content: bytes, limits: ImageLimits, *, name: str) -> Upload:
    """Take bytes that came without a file, such as those of a web upload called ``name``.

    Raises:
        InvalidImage: as :func:`validate_upload`, without what only a path can be refused for.

    """
    _require_size(content, name, limits)
    return Upload(content, check_header(content, limits, name=name))


def check_header(content: bytes, limits: ImageLimits, *, name: str = "upload") -> UploadHeader:
    """Read what ``content`` declares, when its format and dimensions are within ``limits``.

    Raises:
        InvalidImage: ``image_format_unsupported``, ``image_header_corrupt``,
            ``image_too_many_pixels`` or ``image_too_small``.

    """
    image_format = sniff_format(content)
    if image_format is None:
        raise InvalidImage(
            f"'{name}' is not a JPEG, PNG, WebP, BMP or TIFF by its first bytes; convert it first.",
            code="image_format_unsupported",
        )
    width, height = declared_size(content, image_format)
    if width * height > limits.max_pixels:
        raise InvalidImage(
            f"'{name}' declares {width} x {height} = {width * height / 1e6:.1f} megapixels, "
            f"over the limit of {limits.max_pixels / 1e6:g}; reduce it first.",
            code="image_too_many_pixels",
        )
    if min(width, height) < limits.min_side_px:
        raise InvalidImage(
            f"'{name}' declares {width} x {height} pixels; the shortest side must have at least "
            f"{limits.min_side_px}.",
            code="image_too_small",
        )
    return UploadHeader(image_format, len(content), width, height)


def _read_regular_file(path: Path, limits: ImageLimits) -> bytes:
    name = displayable(path.name or str(path))  # "." and "/" have no name of their own
    try:
        # Asked before opening (opening a device may act on it) and again on what was opened.
        _require_regular(path.stat().st_mode, name)
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
        with os.fdopen(descriptor, "rb") as file:
            status = os.fstat(descriptor)
            _require_regular(status.st_mode, name)
            if status.st_size > limits.max_bytes:
                raise _too_many_bytes(name, status.st_size, limits)
            content = file.read(limits.max_bytes + 1)
    except OSError as error:
        raise _refusal_of(error, name) from error
    except ValueError as error:  # a path with a NUL character names no file
        raise InvalidImage(f"No file is at '{name}'.", code="image_missing") from error
    _require_size(content, name, limits)  # it may have grown while it was read
    return content


def _require_size(content: bytes, name: str, limits: ImageLimits) -> None:
    if len(content) > limits.max_bytes:
        raise _too_many_bytes(name, len(content), limits)
    if not content:
        raise InvalidImage(f"'{name}' has zero bytes; upload it again.", code="image_empty")


def _require_regular(mode: int, name: str) -> None:
    if not stat.S_ISREG(mode):
        raise InvalidImage(
            f"'{name}' is a directory, FIFO, socket or device; offer a file.",
            code="image_not_a_file",
        )


def _too_many_bytes(name: str, byte_count: int, limits: ImageLimits) -> InvalidImage:
    return InvalidImage(
        f"'{name}' has {byte_count / 1e6:.1f} MB, over the limit of {limits.max_bytes / 1e6:g} MB "
        "(ANIMATIZE_MAX_UPLOAD_MB).",
        code="image_too_many_bytes",
    )


def _refusal_of(error: OSError, name: str) -> InvalidImage:
    if error.errno in _NO_SUCH_FILE:
        return InvalidImage(f"No file is at '{name}'.", code="image_missing")
    return InvalidImage(
        f"'{name}' may not be read: {error.strerror or error}; check its permissions.",
        code="image_unreadable",
    )
