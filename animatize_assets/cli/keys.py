"""From what a person typed to image keys.

Belongs here: unique prefixes and near misses. Does not belong here: looking into any store.
"""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches

from animatize_assets.errors import ImageNotFound

NEAREST = 3
"""Keys named in a refusal."""


def resolve_key(given: str, keys: Sequence[str]) -> str:
    """Return the one key that is ``given`` or begins with it.

    Raises:
        ImageNotFound: none is or several do; the sentence names the nearest.

    """
    if given in keys:
        return given
    begins = [key for key in keys if given and key.startswith(given)]
    if len(begins) == 1:
        return begins[0]
    if begins:
        shown = ", ".join(begins[:NEAREST]) + (", ..." if len(begins) > NEAREST else "")
        raise ImageNotFound(f"'{given}' begins {len(begins)} image keys: {shown}.")
    if not keys:
        raise ImageNotFound(f"No image has the key '{given}': none has been ingested here yet.")
    near = get_close_matches(given, keys, n=NEAREST, cutoff=0.3)
    hint = f"; nearest: {', '.join(near)}" if near else "; `animatize status` counts the images"
    raise ImageNotFound(f"No image has the key '{given}'{hint}.")
