"""Results that other results have replaced, and what crashes left of unfinished ones.

Another request, rule or version makes a stage's result anew beside the one before, which is found
again when the same is asked again. Kept for ever, an image would grow with each of them. So what
is not current goes when it is old, and the oldest go when there are too many.

Belongs here: which artefacts and files go. Does not belong here: how they are stored
(``artifacts``), when and how old (``workplace.housekeeping``).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from animatize_assets.images.artifacts import ArtifactStore
from animatize_assets.images.durable import LEFTOVER_SUFFIX, local_path, remove_abandoned

MOST_SUPERSEDED = 20
"""Results of one stage of one image that are kept beside the current one: the newest. It bounds an
image at 21 times the results of one request; a person who compares providers and styles makes a
handful."""

_RECORD = "record.json"


@dataclass(frozen=True)
class Tidied:
    """What was removed."""

    superseded: int
    """Results."""
    bytes: int
    """Of them."""


def remove_superseded(
    artifacts: ArtifactStore,
    image_keys: Sequence[str],
    stages: Sequence[str],
    *,
    before: datetime,
    most: int = MOST_SUPERSEDED,
) -> Tidied:
    """Remove results of images that are not current, older than ``before`` or more than ``most``.

    What a current record of the same image names stays. Artefacts on an object store stay, too:
    its own lifecycle rules are the means there.

    Raises:
        StorageFailed: the storage refused.
        OSError: a folder cannot be read.

    """
    limit = before.astimezone(UTC).timestamp()
    removed = freed = 0
    for image_key in image_keys:
        folders = [_shelf(artifacts, stage, image_key) for stage in stages]
        named = _named(artifacts, image_key, stages)
        for stage, folder in zip(stages, folders, strict=True):
            if folder is None or not folder.is_dir():
                continue
            remove_abandoned(folder)
            others = [each for each in _results(folder) if each.path.name not in named]
            for at, each in enumerate(others):
                if at >= most or each.made_at < limit:
                    artifacts.forget(stage, image_key, each.path.name)
                    removed += 1
                    freed += each.bytes
    return Tidied(removed, freed)


@dataclass(frozen=True)
class _Result:
    path: Path
    made_at: float
    bytes: int


def _shelf(artifacts: ArtifactStore, stage: str, image_key: str) -> Path | None:
    return local_path(artifacts.upath(f"artifacts/{stage}/{image_key}"))


def _results(folder: Path) -> list[_Result]:
    """Return the results of one stage of one image, the newest first."""
    found = []
    for path in folder.iterdir():
        if not path.is_dir() or path.name.endswith(LEFTOVER_SUFFIX):
            continue
        files = list(_files(path))
        size = sum(file.stat().st_size for file in files)
        made_at = max((file.stat().st_mtime for file in files), default=path.stat().st_mtime)
        found.append(_Result(path, made_at, size))
    return sorted(found, key=lambda each: each.made_at, reverse=True)


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.iterdir() if path.is_file())


def _named(artifacts: ArtifactStore, image_key: str, stages: Sequence[str]) -> frozenset[str]:
    """Return the fingerprints that are current, and those that a current record names."""
    current = {stage: artifacts.current_fingerprint(stage, image_key) for stage in stages}
    texts = [
        (folder / fingerprint / _RECORD).read_text(encoding="utf-8")
        for stage, fingerprint in current.items()
        if fingerprint is not None
        and (folder := _shelf(artifacts, stage, image_key)) is not None
        and (folder / fingerprint / _RECORD).is_file()
    ]
    named = {
        path.name
        for stage in stages
        if (folder := _shelf(artifacts, stage, image_key)) is not None and folder.is_dir()
        for path in folder.iterdir()
        if any(f"/{image_key}/{path.name}/" in text for text in texts)
    }
    return frozenset(named | {each for each in current.values() if each is not None})
