"""Memory that is used again for every frame.

Belongs here: buffers for what does not outlive a frame. Does not belong here: anything returned to
a caller. Fresh memory of this size comes from the system page by page and zeroed, which costs as
much as drawing.
"""

from __future__ import annotations

import threading
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray


class Scratch(threading.local):
    """Named buffers, each thread's own; asking for a name again overwrites what it held."""

    def __init__(self) -> None:
        self._buffers: dict[str, NDArray[np.uint8]] = {}

    def take(self, name: str, shape: tuple[int, ...], dtype: type[np.generic]) -> NDArray[Any]:
        """Return an array of arbitrary content, contiguous."""
        size = prod(shape) * np.dtype(dtype).itemsize
        buffer = self._buffers.get(name)
        if buffer is None or buffer.size < size:
            buffer = self._buffers[name] = np.empty(size, np.uint8)
        return buffer[:size].view(dtype).reshape(shape)
