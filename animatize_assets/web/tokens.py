"""Access tokens of the service: who may read, who may write.

A token is 256 random bits, shown once when it is made. The file keeps its SHA-256: of so much
chance nothing can be guessed, so a slow hash, as passwords need, would add nothing (OWASP Password
Storage Cheat Sheet speaks of what people choose).

Belongs here: the file of tokens. Does not belong here: requests (``access``).
"""

from __future__ import annotations

import fcntl
import hashlib
import hmac
import os
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AwareDatetime, Field, TypeAdapter, ValidationError
from upath import UPath

from animatize_assets.errors import InvalidSetting, StorageFailed
from animatize_assets.images.durable import write_whole
from animatize_assets.records import Record

Scope = Literal["read", "write"]
"""``write`` includes ``read``."""

FILE = Path("web") / "tokens.json"
"""Below the data folder."""

PREFIX = "anim_"
"""So that a scanner for leaked secrets can tell one."""

TOKEN_BYTES = 32


class AccessToken(Record):
    """What is kept of a token."""

    name: Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9._-]+$")]
    scope: Scope
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    created_at: AwareDatetime


_tokens = TypeAdapter(tuple[AccessToken, ...])


class TokenFile:
    """The tokens of one data folder. A token made or removed counts at the next request."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read: tuple[tuple[int, int, int], tuple[AccessToken, ...]] | None = None
        self._lock = threading.Lock()

    def tokens(self) -> tuple[AccessToken, ...]:
        """Return every token; none when there is no file.

        Raises:
            InvalidSetting: the file cannot be read, or is not what this project wrote.

        """
        try:
            stat = self._path.stat()
        except FileNotFoundError:
            return ()
        except OSError as error:
            raise self._unreadable(error) from error
        version = stat.st_ino, stat.st_mtime_ns, stat.st_size
        with self._lock:
            if self._read is None or self._read[0] != version:
                self._read = version, self._parsed()
            return self._read[1]

    def find(self, token: str) -> AccessToken | None:
        """Return what is kept of a token. Every one is compared, in constant time."""
        digest = _digest(token)
        found = None
        for each in self.tokens():
            if hmac.compare_digest(each.sha256, digest):
                found = each
        return found

    def add(self, name: str, scope: Scope, *, now: datetime | None = None) -> str:
        """Make a token and return it; it cannot be shown again.

        Raises:
            InvalidSetting: the name is taken, or is no name.

        """
        token = PREFIX + secrets.token_urlsafe(TOKEN_BYTES)
        try:
            made = AccessToken(
                name=name, scope=scope, sha256=_digest(token), created_at=now or datetime.now(UTC)
            )
        except ValidationError as error:
            raise InvalidSetting(
                f"'{name}' is no name of a token: up to 64 letters, digits, '.', '_' and '-'."
            ) from error
        with self._alone():
            known = self.tokens()
            if any(each.name == name for each in known):
                raise InvalidSetting(f"There is a token named '{name}' already; remove it first.")
            self._write((*known, made))
        return token

    def remove(self, name: str) -> bool:
        """Remove a token; returns whether there was one. Its sessions end with it."""
        with self._alone():
            known = self.tokens()
            kept = tuple(each for each in known if each.name != name)
            if len(kept) == len(known):
                return False
            self._write(kept)
        return True

    def _parsed(self) -> tuple[AccessToken, ...]:
        try:
            return _tokens.validate_json(self._path.read_bytes())
        except OSError as error:
            raise self._unreadable(error) from error
        except ValidationError as error:
            raise InvalidSetting(
                f"{self._path} is no list of access tokens; remove it and make them anew with "
                "`animatize serve --new-token NAME`."
            ) from error

    def _unreadable(self, error: OSError) -> InvalidSetting:
        return InvalidSetting(
            f"The access tokens in '{self._path}' cannot be read: {error.strerror}. Let this user "
            "read that file, or remove it and make them anew."
        )

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep other processes from changing the file; the kernel frees the lock of a killed one.

        Raises:
            StorageFailed: the folder cannot be made or opened.

        """
        folder = self._path.parent
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        except OSError as error:
            raise StorageFailed(f"'{folder}' cannot keep access tokens: {error}.") from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def _write(self, tokens: tuple[AccessToken, ...]) -> None:
        write_whole(UPath(self._path), _tokens.dump_json(tokens, indent=2))


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()
