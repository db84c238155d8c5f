"""Whether process ids mean here what they mean to a device driver.

Belongs here: that one question. Does not belong here: what follows from the answer
(``gpu_attribution``).
"""

from __future__ import annotations

import sys
from pathlib import Path

INITIAL_NAMESPACE = 0xEFFFFFFC
"""Inode of Linux's first pid namespace: ``PROC_PID_INIT_INO`` of ``include/linux/proc_ns.h``,
``PID_NS_INIT_INO`` of ``include/uapi/linux/nsfs.h``."""

OWN_NAMESPACE = Path("/proc/self/ns/pid")


def foreign_namespace(link: Path = OWN_NAMESPACE) -> str | None:
    """Return why ids of the driver are not ours to compare; None when they are.

    A driver lives in the kernel and counts processes in its first namespace. A container has a
    namespace of its own, where the same number is another process, unless it was started with
    the host's (``--pid=host``).
    """
    if not sys.platform.startswith("linux"):
        return None
    try:
        inode = link.stat().st_ino
    except OSError as error:
        return f"whether process ids are the host's cannot be read: {error.strerror}"
    if inode == INITIAL_NAMESPACE:
        return None
    return "this container has process ids of its own, and the driver tells the host's"
