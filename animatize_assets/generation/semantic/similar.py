"""How alike two texts are, as vectors.

Belongs here: vectors as bytes, and the cosine. Does not belong here: making vectors (``encoder``)
and what follows from a cosine (``reuse``).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

_VERSION_BYTES = 8


def packed(vector: Floats, encoder_version: str) -> bytes:
    """Pack a vector of length 1 for the index: 8 bytes of the encoder's version, then float32.

    ``encoder_version``: 16 hexadecimal digits.
    """
    return bytes.fromhex(encoder_version) + np.asarray(vector, "<f4").tobytes()


def unpacked(stored: bytes | None, encoder_version: str) -> Floats | None:
    """Return the vector; None when there is none or another encoder made it."""
    if stored is None or stored[:_VERSION_BYTES] != bytes.fromhex(encoder_version):
        return None
    return np.frombuffer(stored, "<f4", offset=_VERSION_BYTES)


def cosines(vector: Floats, others: Sequence[Floats]) -> Floats:
    """Return the cosine of ``vector`` with each of ``others``; all have length 1."""
    if not others:
        return np.empty(0, np.float32)
    return np.asarray(np.clip(np.stack(others) @ vector, -1, 1), np.float32)
