"""How many threads OpenCV uses while frames are drawn.

Belongs here: that number, which is one for the whole process. Does not belong here: which threads
draw.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

import cv2

_lock = Lock()
_users = 0
_threads_before = 0


@contextmanager
def one_opencv_thread() -> Iterator[None]:
    """Keep OpenCV to one thread inside this context, in the whole process.

    Frames are drawn side by side, one per thread; OpenCV's own threads would only wait for each
    other, which costs a third more CPU (they spin). The last to leave restores the number.
    """
    global _users, _threads_before  # noqa: PLW0603  (OpenCV's number is global, so is our count)
    with _lock:
        if _users == 0:
            _threads_before = cv2.getNumThreads()
            cv2.setNumThreads(1)
        _users += 1
    try:
        yield
    finally:
        with _lock:
            _users -= 1
            if _users == 0:
                cv2.setNumThreads(_threads_before)
