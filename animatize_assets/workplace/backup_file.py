"""The file that a backup is: a compressed tar file that can be checked, also by hand.

::

    data/...            files of the data folder
    dagster/...         files of Dagster's home
    databases/NAME.db   what a server's databases held
    SHA256SUMS          a line for each of the above, in their order, as `sha256sum` writes it
    manifest.json       when it was made, by which versions, and the SHA-256 of SHA256SUMS

It is written and read as a stream, once, so nothing but the file itself takes room.

Belongs here: writing, reading, checking. Does not belong here: what is saved (``backing_up``) and
where it goes (``restoring``).
"""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import tarfile
import zlib
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from tempfile import TemporaryFile
from typing import IO, Literal, Self

from pydantic import AwareDatetime, Field, ValidationError

from animatize_assets.errors import StorageFailed
from animatize_assets.records import Record

MANIFEST, SUMS = "manifest.json", "SHA256SUMS"
COMPRESSION = 1
"""Pictures and clips are compressed already; the databases shrink to a third even so."""

CHUNK_BYTES = 1 << 20
MODE = 0o777
MOST_MANIFEST_BYTES = 1 << 20

Damage = (tarfile.TarError, zlib.error, EOFError, gzip.BadGzipFile)
"""What reading a file that is cut short or altered ends in."""


class SavedDatabase(Record):
    """One database of a backup."""

    name: str
    kind: Literal["sqlite", "postgresql"]
    member: str = Field(description="name in the file")


class Manifest(Record):
    """What a backup says of itself."""

    format: Literal[1] = 1
    made_at: AwareDatetime
    data_dir: str = Field(description="the data folder that was saved")
    versions: dict[str, str] = Field(description="of this project, Python and Dagster")
    schema_revision: str = Field(description="newest migration that the version knew")
    settings: dict[str, str] = Field(
        description="variables that were set; a secret's value is never kept"
    )
    databases: tuple[SavedDatabase, ...]
    files: int = Field(ge=0)
    bytes: int = Field(ge=0, description="of all files, before compression")
    sums_sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


class BackupWriter:
    """Writes members to a stream, as a context. Without :meth:`finish` the file is not whole."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._gzip = gzip.GzipFile(fileobj=stream, mode="wb", compresslevel=COMPRESSION, mtime=0)
        self._tar = tarfile.open(fileobj=self._gzip, mode="w", format=tarfile.PAX_FORMAT)  # noqa: SIM115  # the context closes it
        self._sums = TemporaryFile()  # noqa: SIM115  # the context closes it
        self.files = 0
        self.bytes = 0

    def __enter__(self) -> Self:
        """Return it."""
        return self

    def __exit__(self, *_: object) -> None:
        """Let go of what is open; what was written stays as it is."""
        self._sums.close()
        self._gzip.close()

    def add(self, name: str, file: IO[bytes]) -> None:
        """Add an open file under ``name``, as long as it is now.

        Raises:
            StorageFailed: it became shorter meanwhile.
        """
        status = os.fstat(file.fileno())
        member = tarfile.TarInfo(name)
        member.size, member.mtime = status.st_size, int(status.st_mtime)
        member.mode = status.st_mode & MODE
        hashed = _Hashed(file)
        try:
            self._tar.addfile(member, hashed)  # type: ignore[arg-type]  # it only reads
        except OSError as error:
            if "end of data" not in str(error):
                raise
            raise StorageFailed(f"'{name}' became shorter while it was read. Try again.") from error
        self._sums.write(_line(hashed.sha256, name))
        self.files += 1
        self.bytes += status.st_size

    def finish(self, manifest_of: Callable[[str], Manifest]) -> Manifest:
        """Write the sums and the manifest, which is told the SHA-256 of the sums."""
        self._sums.flush()
        self._sums.seek(0)
        digest = hashlib.file_digest(self._sums, "sha256").hexdigest()
        self._sums.seek(0)
        member = tarfile.TarInfo(SUMS)
        member.size = os.fstat(self._sums.fileno()).st_size
        self._tar.addfile(member, self._sums)
        manifest = manifest_of(digest)
        content = manifest.model_dump_json(indent=2).encode()
        member = tarfile.TarInfo(MANIFEST)
        member.size = len(content)
        self._tar.addfile(member, io.BytesIO(content))
        self._tar.close()  # its end; the stream of gzip goes on until the context ends
        return manifest


def read_backup(file: Path, place_of: Callable[[str], Path | None]) -> Manifest:
    """Read a backup to its end, write each member where ``place_of`` says, and check everything.

    ``place_of`` is given a member's name; None: it is only checked.

    Raises:
        StorageFailed: there is no such file, it is cut short or altered, or something else. What
            was written until then is the caller's to remove.
        OSError: the disk refused what was written.
    """
    try:
        opened = gzip.open(file, "rb")  # noqa: SIM115  # closed below
    except OSError as error:
        raise StorageFailed(f"'{file}' cannot be read: {error.strerror}.") from error
    try:
        with opened, tarfile.open(fileobj=opened, mode="r|") as tar, TemporaryFile() as seen:
            return _read(tar, place_of, seen)
    except Damage as error:
        raise StorageFailed(f"'{file}' is no whole backup: {error}.") from error
    except StorageFailed as error:
        raise StorageFailed(f"'{file}' is no whole backup: {error.message}") from error


def _read(
    tar: tarfile.TarFile, place_of: Callable[[str], Path | None], seen: IO[bytes]
) -> Manifest:
    sums = None
    for member in tar:
        content = tar.extractfile(member) if member.isfile() else None
        if content is None:
            raise StorageFailed(f"it has '{member.name}', which is no file.")
        if member.name == MANIFEST:
            return _checked(content.read(MOST_MANIFEST_BYTES), sums)
        if member.name == SUMS:
            seen.seek(0)
            sums = _compared(content, seen)
            continue
        _check_name(member.name)
        digest = _written(content, member, place_of(member.name))
        seen.write(_line(digest, member.name))
    raise StorageFailed(f"it ends without its {MANIFEST}.")


def _checked(content: bytes, sums: str | None) -> Manifest:
    try:
        manifest = Manifest.model_validate_json(content)
    except ValidationError as error:
        raise StorageFailed(f"its {MANIFEST} is of another kind, perhaps a later one.") from error
    if sums != manifest.sums_sha256:
        raise StorageFailed(f"its {SUMS} are not those that were written.")
    return manifest


def _compared(told: IO[bytes], seen: IO[bytes]) -> str:
    """Return the SHA-256 of the lines that were told, when they are those that were seen."""
    digest = hashlib.sha256()
    for line in told:
        digest.update(line)
        if seen.readline() != line:
            name = line.decode(errors="replace").strip()[66:]
            raise StorageFailed(f"'{name}' is not what was saved.")
    if extra := seen.readline():
        raise StorageFailed(f"'{extra.decode(errors='replace').strip()[66:]}' was added later.")
    return digest.hexdigest()


def _written(content: IO[bytes], member: tarfile.TarInfo, place: Path | None) -> str:
    hashed = _Hashed(content)
    if place is None:
        while hashed.read(CHUNK_BYTES):
            pass
        return hashed.sha256
    place.parent.mkdir(parents=True, exist_ok=True)
    with place.open("wb") as file:
        while chunk := hashed.read(CHUNK_BYTES):
            file.write(chunk)
    place.chmod(member.mode & MODE)
    os.utime(place, (member.mtime, member.mtime))
    return hashed.sha256


def _check_name(name: str) -> None:
    """Nothing may be written outside the folders that are meant."""
    parts = PurePosixPath(name)
    if parts.is_absolute() or ".." in parts.parts or "\n" in name:
        raise StorageFailed(f"it has a file of the name {name!r}.")


def _line(sha256: str, name: str) -> bytes:
    return f"{sha256}  {name}\n".encode("utf-8", "surrogateescape")


class _Hashed:
    """A file that hashes what is read of it."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._digest = hashlib.sha256()

    def read(self, size: int) -> bytes:
        """Read and hash."""
        chunk = self._file.read(size)
        self._digest.update(chunk)
        return chunk

    @property
    def sha256(self) -> str:
        """Of everything that was read so far."""
        return self._digest.hexdigest()
