"""A real file system of a few megabytes, which a test fills and frees.

Belongs here: mounting a tmpfs, and taking its room. Does not belong here: what must be true when it
is full.
"""

from __future__ import annotations

import errno
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import disk_usage

import pytest

PAGE_BYTES = 4_096
MEGA = 1_000_000


class SmallDisk:
    """A mounted file system, part of which is taken by a file that has nothing to do with us."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._others = folder / "others"

    @property
    def free(self) -> int:
        """Bytes that may still be written."""
        return disk_usage(self.folder).free

    def fill(self, leaving: int = 0) -> None:
        """Take room until only ``leaving`` bytes are free."""
        with self._others.open("ab", buffering=0) as file:
            while (room := self.free - leaving) > 0:
                try:
                    file.write(b"\0" * min(room, MEGA))
                except OSError as error:
                    if error.errno != errno.ENOSPC:
                        raise
                    return

    def empty(self) -> None:
        """Give all of it back."""
        self._others.unlink()


@contextmanager
def mounted_disk(folder: Path, megabytes: int) -> Iterator[SmallDisk]:
    """Mount one at the new folder while the block runs; skips the test where that is forbidden."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount a file system that other processes see")
    folder.mkdir(parents=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", folder]
    mounted = subprocess.run(command, capture_output=True, text=True, check=False)
    if mounted.returncode:
        pytest.skip(f"this machine mounts nothing: {mounted.stderr.strip()}")
    try:
        yield SmallDisk(folder)
    finally:
        # Lazily: a process that has just been killed may still hold a file.
        subprocess.run(["umount", "--lazy", folder], check=True)
