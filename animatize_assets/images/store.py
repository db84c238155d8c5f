"""Accepted images: their bytes on a file system or object store, their rows in the database.

An image exists when its row does, and the row is written last: a crash before it leaves whole
files that belong to no image and that the next upload of the same bytes takes over. Files lie
under the full hash, so two uploads of the same bytes write the same files, and the unique index
on the hash decides which of them is the first.

Belongs here: accepting and finding images. Does not belong here: checks (``validation``), pixels
(``decoding``), what becomes of a refused file (``quarantine``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, Engine, Row, select, update
from sqlalchemy.exc import IntegrityError
from upath import UPath

from animatize_assets.database.tables import image_aliases, image_archives, image_states, images
from animatize_assets.errors import ImageNotFound, InvalidImage, StorageFailed
from animatize_assets.images.decoding import DecodedImage, decode_normalized, decode_strictly
from animatize_assets.images.durable import as_local_file, write_whole
from animatize_assets.images.limits import ImageLimits
from animatize_assets.images.models import ImageFormat, ImageRecord, IngestOutcome
from animatize_assets.images.naming import content_hash, displayable, make_image_key
from animatize_assets.images.validation import Upload, check_content, read_upload
from animatize_assets.telemetry import tracing
from animatize_assets.telemetry.gen_ai import ERROR_TYPE

_EXTENSIONS: dict[ImageFormat, str] = {
    "jpeg": "jpg",
    "png": "png",
    "webp": "webp",
    "bmp": "bmp",
    "tiff": "tif",
}
_KEYS_AT_ONCE = 500
"""Bound values of one statement; old versions of SQLite take 999."""
_FAST_PNG = (cv2.IMWRITE_PNG_COMPRESSION, 1)


class ImageStore:
    """The accepted images of one data folder. The database must be at the newest revision.

    Safe to use from several threads and processes at once.
    """

    def __init__(self, data_dir: UPath, engine: Engine, limits: ImageLimits) -> None:
        self._data_dir = UPath(data_dir)
        self._engine = engine
        self._limits = limits

    @property
    def engine(self) -> Engine:
        """The database that the images are registered in."""
        return self._engine

    @property
    def limits(self) -> ImageLimits:
        """What an upload may be."""
        return self._limits

    def ingest(self, path: Path) -> IngestOutcome:
        """Accept the file at ``path``, recognise it as a duplicate, or refuse it.

        The file itself is read once and left where it is. Never raises InvalidImage.

        Raises:
            StorageFailed: the image is fine but could not be stored; nothing was registered.

        """
        return self._take(
            displayable(str(path)),
            displayable(path.name),
            lambda: read_upload(path, self._limits),
        )

    def ingest_content(self, content: bytes, name: str) -> IngestOutcome:
        """Do as :meth:`ingest` with bytes that came without a file.

        ``name`` only names the image: it is never used as a path.

        Raises:
            StorageFailed: the image is fine but could not be stored; nothing was registered.

        """
        shown = displayable(name)
        return self._take(shown, shown, lambda: check_content(content, self._limits, name=shown))

    def _take(self, file: str, name: str, read: Callable[[], Upload]) -> IngestOutcome:
        with tracing.span("ingest image"):
            outcome = self._taken(file, name, read)
            tracing.describe(
                {
                    tracing.IMAGE_KEY: outcome.image_key,
                    tracing.INGEST_STATUS: outcome.status,
                    ERROR_TYPE: outcome.code,
                }
            )
        return outcome

    def _taken(self, file: str, name: str, read: Callable[[], Upload]) -> IngestOutcome:
        try:
            upload = read()
            sha256 = content_hash(upload.content)
            image_key = self._recognise(sha256, name)
            if image_key is not None and self._is_stored(image_key):
                return IngestOutcome(file=file, status="duplicate", image_key=image_key)
            decoded = decode_strictly(upload)
        except InvalidImage as refusal:
            return IngestOutcome(
                file=file, status="rejected", code=refusal.code, reason=refusal.message
            )
        record = _describe(upload, decoded, sha256, name)
        self._write_files(record, upload.content, decoded.pixels)
        if image_key is not None:  # its files had been removed by hand and are back now
            return IngestOutcome(file=file, status="duplicate", image_key=image_key)
        return self._register(file, record)

    def get(self, image_key: str) -> ImageRecord:
        """Return what is known of an image.

        Raises:
            ImageNotFound: no accepted image has this key.

        """
        with self._engine.connect() as connection:
            row = connection.execute(
                select(images).where(images.c.image_key == image_key)
            ).one_or_none()
            if row is None:
                raise ImageNotFound(f"No image has the key '{image_key}'; ingest its file first.")
            names = connection.scalars(
                select(image_aliases.c.name)
                .where(image_aliases.c.image_id == row.id)
                .order_by(image_aliases.c.id)
            ).all()
        return _record_of(row, tuple(names))

    def traceparent(self, image_key: str) -> str | None:
        """Return the trace in which an image was taken in, as W3C writes it; None: in none."""
        with self._engine.connect() as connection:
            query = select(images.c.traceparent).where(images.c.image_key == image_key)
            return connection.scalar(query)

    def keys(self, *, archived: bool = False) -> tuple[str, ...]:
        """Return the keys of all images in the order in which they were registered.

        Without those that are archived, unless ``archived``.
        """
        query = select(images.c.image_key).order_by(images.c.id)
        if not archived:
            query = query.where(images.c.id.not_in(select(image_archives.c.image_id)))
        with self._engine.connect() as connection:
            return tuple(connection.scalars(query))

    def sizes(self, image_keys: Sequence[str]) -> tuple[tuple[str, int, int], ...]:
        """Return key, width and height (px) of each of these images, in the order asked for.

        Raises:
            ImageNotFound: no accepted image has one of these keys.

        """
        found: dict[str, tuple[str, int, int]] = {}
        with self._engine.connect() as connection:
            for at in range(0, len(image_keys), _KEYS_AT_ONCE):
                some = image_keys[at : at + _KEYS_AT_ONCE]
                query = select(images.c.image_key, images.c.width, images.c.height)
                for key, width, height in connection.execute(
                    query.where(images.c.image_key.in_(some))
                ):
                    found[key] = (key, width, height)
        for image_key in image_keys:
            if image_key not in found:
                raise ImageNotFound(f"No image has the key '{image_key}'; ingest its file first.")
        return tuple(found[image_key] for image_key in image_keys)

    def open_pixels(self, image_key: str) -> NDArray[np.uint8]:
        """Return an image's normalised pixels, full size: rows x columns x RGB, uint8.

        Raises:
            ImageNotFound: no accepted image has this key.
            StorageFailed: its file is gone.
            InvalidImage: its file was changed and does not decode.

        """
        record = self.get(image_key)
        with as_local_file(self._data_dir / record.normalized_path) as path:
            return decode_normalized(path)

    @contextmanager
    def local_original(self, image_key: str) -> Iterator[Path]:
        """Give the uploaded bytes as a local file, for as long as the context is open.

        Raises:
            ImageNotFound: no accepted image has this key.
            StorageFailed: its file is gone.

        """
        record = self.get(image_key)
        with as_local_file(self._data_dir / record.original_path) as path:
            yield path

    def _is_stored(self, image_key: str) -> bool:
        record = self.get(image_key)
        paths = {record.original_path, record.normalized_path}
        return all((self._data_dir / path).exists() for path in paths)

    def _write_files(self, record: ImageRecord, content: bytes, pixels: NDArray[np.uint8]) -> None:
        write_whole(self._data_dir / record.original_path, content)
        if record.normalized_path != record.original_path:
            bgr = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)
            encoded = cv2.imencode(".png", bgr, _FAST_PNG)[1]
            write_whole(self._data_dir / record.normalized_path, encoded.tobytes())

    def _recognise(self, sha256: str, name: str) -> str | None:
        """Find the key of the image with these bytes, and note that it came, under this name."""
        with self._engine.begin() as connection:
            row = connection.execute(select(images).where(images.c.sha256 == sha256)).one_or_none()
            if row is None:
                return None
            if name != row.original_name:
                _add_alias(connection, row.id, name)
            connection.execute(
                update(image_states)
                .where(image_states.c.image_id == row.id)
                .values(updated_at=datetime.now(UTC))
            )
            return str(row.image_key)

    def _register(self, file: str, record: ImageRecord) -> IngestOutcome:
        """Insert the row; whoever comes second with the same bytes finds the first one's key."""
        try:
            with self._engine.begin() as connection:
                image_id = connection.scalar(
                    images.insert()
                    .values(
                        record.model_dump(exclude={"aliases"})
                        | {tracing.TRACEPARENT: tracing.current_traceparent()}
                    )
                    .returning(images.c.id)
                )
                connection.execute(
                    image_states.insert().values(
                        image_id=image_id,
                        state="missing",
                        updated_at=record.registered_at,
                    )
                )
        except IntegrityError as error:
            image_key = self._recognise(record.sha256, record.original_name)
            if image_key is None:  # not these bytes, but others with the same first 64 bits
                raise StorageFailed(
                    f"The key '{record.image_key}' belongs to other bytes; rename the file."
                ) from error
            return IngestOutcome(file=file, status="duplicate", image_key=image_key)
        return IngestOutcome(file=file, status="accepted", image_key=record.image_key)


def _add_alias(connection: Connection, image_id: int, name: str) -> None:
    known = select(image_aliases.c.id).where(
        image_aliases.c.image_id == image_id, image_aliases.c.name == name
    )
    if connection.scalar(known) is not None:
        return
    try:
        with connection.begin_nested():
            connection.execute(
                image_aliases.insert().values(
                    image_id=image_id, name=name, registered_at=datetime.now(UTC)
                )
            )
    except IntegrityError:  # another process noted the same name at the same moment
        return


def _describe(upload: Upload, decoded: DecodedImage, sha256: str, name: str) -> ImageRecord:
    original_path = f"images/{sha256}/original.{_EXTENSIONS[upload.header.format]}"
    return ImageRecord(
        image_key=make_image_key(name, sha256),
        sha256=sha256,
        original_name=name,
        format=upload.header.format,
        byte_count=upload.header.byte_count,
        width=decoded.pixels.shape[1],
        height=decoded.pixels.shape[0],
        source_mode=decoded.source_mode,
        exif_orientation=decoded.exif_orientation,
        has_icc_profile=decoded.has_icc_profile,
        flattened_alpha=decoded.flattened_alpha,
        frame_count=decoded.frame_count,
        original_path=original_path,
        normalized_path=original_path if decoded.is_plain else f"images/{sha256}/normalized.png",
        registered_at=datetime.now(UTC),
    )


def _record_of(row: Row[tuple[object, ...]], aliases: tuple[str, ...]) -> ImageRecord:
    values = dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's public name for a row as a mapping
    del values["id"], values["traceparent"]
    values["registered_at"] = values["registered_at"].replace(tzinfo=UTC)  # SQLite keeps no zone
    return ImageRecord(**values, aliases=aliases)
