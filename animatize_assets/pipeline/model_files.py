"""Which optional model files a scene is measured with, told by their content.

Belongs here: the digest that makes another file's results stale. Does not belong here: loading a
model (``scene.optional_models``) or where the names of the files come from (``settings``).
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path

NOT_THERE = "missing"
"""What stands for a file that is named but cannot be read. A run with it fails in words; asking
for its digest must not, since a code location asks while it loads."""

DIGEST_HEX = 16
"""Digits of SHA-256 that are kept per file: enough to tell a person's models apart."""


def digest_of_model_files(depth_model: Path | None, face_model: Path | None) -> str:
    """Name the files by content: ``depth 0123456789abcdef, face none``; empty without any.

    A file is read once per process as long as its size and modification time stay the same.
    """
    if depth_model is None and face_model is None:
        return ""
    named = (("depth", depth_model), ("face", face_model))
    return ", ".join(f"{kind} {_digest(path)}" for kind, path in named)


def _digest(path: Path | None) -> str:
    if path is None:
        return "none"
    try:
        status = path.stat()
        return _digest_of_content(path, status.st_size, status.st_mtime_ns)
    except OSError:
        return NOT_THERE


@lru_cache(maxsize=8)
def _digest_of_content(path: Path, _size: int, _mtime_ns: int) -> str:
    """Read the file; size and time are there to be part of the cache's key."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:DIGEST_HEX]
