"""What a container's control group allows and has used (Linux, cgroup v2).

Belongs here: reading those files. Does not belong here: what is reported of it (``host``).
Source: https://docs.kernel.org/admin-guide/cgroup-v2.html (``cpu.max``, ``cpu.stat``,
``memory.max``, ``memory.current``, ``memory.stat``). Of cgroup v1 nothing is read.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

MEGA = 1_000_000
ROOT = Path("/sys/fs/cgroup")
MEMBERSHIP = Path("/proc/self/cgroup")


class ControlGroups:
    """This process's group and those that it is within; the tightest limit is the one that binds.

    Where no such file can be read there is no limit, and every answer is None.
    """

    def __init__(self, root: Path = ROOT, membership: Path = MEMBERSHIP) -> None:
        self._groups = tuple(_groups(root, membership))
        self._cpu = _tightest((_cpu_limit(each), each) for each in self._groups)
        self._memory = _tightest((_memory_limit(each), each) for each in self._groups)

    @property
    def cpu_limit(self) -> float | None:
        """How many cores may be used; 1.5 is a core and a half."""
        return None if self._cpu is None else self._cpu[0]

    @property
    def memory_limit_mb(self) -> float | None:
        """How much memory may be used, 10^6 bytes."""
        return None if self._memory is None else self._memory[0] / MEGA

    def cpu_used_s(self) -> float | None:
        """Return the CPU seconds of the group whose limit binds."""
        if self._cpu is None:
            return None
        used = _named(self._cpu[1] / "cpu.stat", "usage_usec")
        return None if used is None else used / 1e6

    def memory_used_mb(self) -> float | None:
        """Return the memory of the group whose limit binds, without what can be dropped at once.

        That is ``memory.current`` less ``inactive_file``, which Kubernetes calls the working set.
        """
        if self._memory is None:
            return None
        group = self._memory[1]
        current = _number(group / "memory.current")
        if current is None:
            return None
        return max(current - (_named(group / "memory.stat", "inactive_file") or 0.0), 0.0) / MEGA


def _groups(root: Path, membership: Path) -> Iterator[Path]:
    lines = (_read(membership) or "").splitlines()
    own = next((line[len("0::") :] for line in lines if line.startswith("0::")), None)
    if own is None:
        return
    # outside its own cgroup namespace a path may begin with "/.."; then only the root is ours
    group = root / own.strip("/")
    if ".." in group.parts or not group.is_dir():
        group = root
    while group != root:
        yield group
        group = group.parent
    yield root


def _tightest(limits: Iterator[tuple[float | None, Path]]) -> tuple[float, Path] | None:
    found = [(limit, group) for limit, group in limits if limit is not None]
    return min(found, key=lambda each: each[0], default=None)


def _cpu_limit(group: Path) -> float | None:
    words = (_read(group / "cpu.max") or "").split()
    if len(words) != 2 or words[0] == "max":
        return None
    return float(words[0]) / float(words[1])


def _memory_limit(group: Path) -> float | None:
    return _number(group / "memory.max")


def _number(path: Path) -> float | None:
    text = (_read(path) or "").strip()
    return float(text) if text.isdigit() else None


def _named(path: Path, name: str) -> float | None:
    for line in (_read(path) or "").splitlines():
        key, _, value = line.partition(" ")
        if key == name:
            return float(value)
    return None


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="ascii")
    except OSError:
        return None  # no such file: this system, or this level, sets no limit
