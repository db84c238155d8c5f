"""What the watched folder asks for: which files to take in now, which images to make next.

Pure decisions from what was listed and what runs there are, so that a restart changes nothing:
the only memory is each file's size and time at the tick before, to tell whether it still grows.

Belongs here: listing and deciding. Does not belong here: opening a file (nothing here does),
Dagster (``defs.sensors`` asks these questions and starts runs).
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

FILES_PER_RUN = 100
"""Files in one ingest run."""

BATCH_AFTER_TRIES = (FILES_PER_RUN, 10, 1)
"""Files in one run after 0, 1, 2 runs that ended without taking them in. The batches shrink, so
one file that brings its run down is found and costs the others two more runs at most."""

WATCHED_AT_ONCE = 1_000
"""Files whose growth is watched at the same time, the oldest first; keeps the memory small."""


@dataclass(frozen=True)
class SeenFile:
    """A file as a listing shows it."""

    name: str
    """Relative to the watched folder, with forward slashes."""
    size: int
    changed_ns: int
    """When its content, name or mode last changed (st_ctime), ns."""

    @property
    def trace(self) -> list[int]:
        """What a growing file changes."""
        return [self.size, self.changed_ns]


@dataclass(frozen=True)
class Decision:
    """What to do about the watched folder now."""

    batch: tuple[str, ...]
    """Names for one ingest run; empty when there is nothing to do."""
    growing: int
    """Files that changed since the tick before, or were not there."""
    claimed: int
    """Files that a run which has not ended yet will take in."""
    given_up: tuple[str, ...]
    """Names of files that no run could take in."""
    seen: dict[str, list[int]]
    """Memory for the next tick: name -> trace."""


def list_files(uploads: Path) -> list[SeenFile]:
    """List every file below ``uploads``, oldest first; nothing is opened, links are not followed.

    Names that begin with a dot are left out: that is how copying programs call what they have
    not finished. A folder that may not be read is listed like a file, to be refused as none: it
    must not hold up what lies beside it.
    """
    found = [
        SeenFile(Path(entry.path).relative_to(uploads).as_posix(), stat.st_size, stat.st_ctime_ns)
        for entry, stat in _entries(uploads)
    ]
    return sorted(found, key=lambda file: (file.changed_ns, file.name))


def is_watched(path: Path, uploads: Path) -> bool:
    """Whether ``path`` lies in the watched folder, by its name, links not followed."""
    return Path(os.path.normpath(path)).is_relative_to(os.path.normpath(uploads))


def decide(
    files: Sequence[SeenFile],
    *,
    before: Mapping[str, Sequence[int]],
    claimed: AbstractSet[str],
    tries: Mapping[str, int],
) -> Decision:
    """Choose the files of the next ingest run.

    Args:
        files: what lies in the folder, oldest first.
        before: ``Decision.seen`` of the tick before; empty after a first start.
        claimed: names that unfinished runs will take in.
        tries: name -> runs that ended without taking the file in as it is now.

    """
    given_up = tuple(f.name for f in files if tries.get(f.name, 0) >= len(BATCH_AFTER_TRIES))
    waiting = [f for f in files if f.name not in claimed and f.name not in given_up]
    settled = [f for f in waiting if list(before.get(f.name, ())) == f.trace]
    batch: list[str] = []
    if settled:
        # Those that were never tried first: a bad file must not hold up good ones.
        fewest = min(tries.get(f.name, 0) for f in settled)
        alike = [f.name for f in settled if tries.get(f.name, 0) == fewest]
        batch = alike[: BATCH_AFTER_TRIES[fewest]]
    return Decision(
        batch=tuple(batch),
        growing=len(waiting) - len(settled),
        claimed=sum(f.name in claimed for f in files),
        given_up=given_up,
        seen={f.name: f.trace for f in waiting[:WATCHED_AT_ONCE]},
    )


def first_range(wanted: Iterable[str], order: Sequence[str], *, longest: int) -> tuple[str, ...]:
    """Return the first neighbours in ``order`` that are all wanted, at most ``longest`` of them.

    A ranged run covers every partition between its ends, so a range may hold nothing unwanted.
    """
    chosen = set(wanted)
    for is_wanted, group in groupby(order, key=chosen.__contains__):
        if is_wanted:
            return tuple(group)[:longest]
    return ()


def _entries(folder: Path) -> Iterator[tuple[os.DirEntry[str], os.stat_result]]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith("."):
                continue
            try:
                if entry.is_dir(follow_symlinks=False) and os.access(entry, os.R_OK | os.X_OK):
                    yield from _entries(Path(entry.path))
                else:
                    yield entry, entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue  # taken away between listing and looking
