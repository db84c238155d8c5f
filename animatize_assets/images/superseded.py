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


@dataclass(frozen=True)
class Tidied:
    """What was removed."""

    superseded: int
    """Results."""
    bytes: int
    """Of them."""


def remove_superseded(
    artifacts: ArtifactStore,
    stages: Sequence[str],
    *,
    before: datetime,
    most: int = MOST_SUPERSEDED,
) -> Tidied:
    """Remove results that are not current, older than ``before`` or more than ``most``.

    What a current result of the same image names stays. Artefacts on an object store stay, too:
    its own lifecycle rules are the means there.

    Raises:
        StorageFailed: the storage refused.
        OSError: a folder cannot be read.
        ValueError: ``most`` is less than 1; the newest may be about to become current.

    """
    if most < 1:
        raise ValueError(f"At least 1 result that is not current is kept, not {most}.")
    root = local_path(artifacts.upath("artifacts"))
    if root is None:
        return Tidied(0, 0)
    limit = before.astimezone(UTC).timestamp()
    removed = freed = 0
    for stage in stages:
        for shelf in _folders(root / stage):
            remove_abandoned(shelf)
            folders = list(_folders(shelf))
            if len(folders) <= 1:  # nearly every image: nothing was replaced
                continue
            found = [_result(path) for path in folders]
            if len(found) <= most + 1 and all(each.made_at >= limit for each in found):
                continue  # asking what holds would cost a file of each stage
            others = _others(artifacts, root, shelf, stages, found)
            for at, each in enumerate(others):
                if at >= most or each.made_at < limit:
                    artifacts.forget(stage, shelf.name, each.fingerprint)
                    removed += 1
                    freed += each.bytes
    return Tidied(removed, freed)


@dataclass(frozen=True)
class _Result:
    fingerprint: str
    made_at: float
    bytes: int


def _folders(folder: Path) -> Iterator[Path]:
    if folder.is_dir():
        for path in folder.iterdir():
            if path.is_dir() and not path.name.endswith(LEFTOVER_SUFFIX):
                yield path


def _others(
    artifacts: ArtifactStore,
    root: Path,
    shelf: Path,
    stages: Sequence[str],
    found: Sequence[_Result],
) -> list[_Result]:
    """Return the results of one stage of one image that nothing needs, the newest first."""
    image_key = shelf.name
    current = {stage: artifacts.current_fingerprint(stage, image_key) for stage in stages}
    texts = [
        record.read_text(encoding="utf-8")
        for stage, fingerprint in current.items()
        if fingerprint is not None
        and (record := root / stage / image_key / fingerprint / "record.json").is_file()
    ]
    others = [
        each
        for each in found
        if each.fingerprint != current[shelf.parent.name]
        and not any(f"/{image_key}/{each.fingerprint}/" in text for text in texts)
    ]
    return sorted(others, key=lambda each: each.made_at, reverse=True)


def _result(folder: Path) -> _Result:
    seen = [path.stat() for path in folder.iterdir() if path.is_file()]
    made_at = max((each.st_mtime for each in seen), default=folder.stat().st_mtime)
    return _Result(folder.name, made_at, sum(each.st_size for each in seen))
