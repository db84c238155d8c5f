"""How an image is called: its slug, its image key, and its file name as people may see it.

Belongs here: names derived from names and bytes. Does not belong here: where anything is stored.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from pathlib import PurePosixPath

SLUG_MAX_CHARACTERS = 40
KEY_HASH_CHARACTERS = 16
NAMELESS_SLUG = "image"

_KEY = re.compile(
    rf"(?=[a-z0-9-]{{1,{SLUG_MAX_CHARACTERS + 1 + KEY_HASH_CHARACTERS}}}\Z)"
    rf"[a-z0-9]+(?:-[a-z0-9]+)*-[0-9a-f]{{{KEY_HASH_CHARACTERS}}}\Z"
)


def slugify(file_name: str) -> str:
    """Write a file name's stem as ``[a-z0-9-]``, 1 to 40 characters; ``image`` when none is left.

    Accents are dropped ("Café" gives "cafe"); letters without a Latin base are left out.
    """
    stem = PurePosixPath(file_name).stem
    latin = unicodedata.normalize("NFKD", stem).encode("ascii", "ignore").decode("ascii")
    slug = re.sub(r"[^a-z0-9]+", "-", latin.lower()).strip("-")
    return slug[:SLUG_MAX_CHARACTERS].rstrip("-") or NAMELESS_SLUG


def content_hash(content: bytes) -> str:
    """Compute the SHA-256 of the uploaded bytes, 64 hexadecimal digits: an image's identity."""
    return hashlib.sha256(content).hexdigest()


def make_image_key(file_name: str, sha256: str) -> str:
    """Make the partition key ``<slug>-<first 16 hex of the SHA-256>``."""
    return f"{slugify(file_name)}-{sha256[:KEY_HASH_CHARACTERS]}"


def is_image_key(text: str) -> bool:
    """Tell whether ``text`` has the form of an image key (not whether such an image exists)."""
    return _KEY.match(text) is not None


def displayable(name: str) -> str:
    r"""Write ``name`` as text that JSON and a database can hold.

    A file name that is not UTF-8 reaches Python with surrogates; each such byte is shown as
    ``\xNN``. Other names are returned as they are.
    """
    try:
        raw = name.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # a surrogate that stands for no byte
        raw = name.encode("utf-8", "backslashreplace")
    return raw.decode("utf-8", "backslashreplace")
