"""Analyses that this process has read before, so that asking for another style parses none again.

Belongs here: telling whether what is remembered is still what is stored. Does not belong here: the
bound in bytes (``generation.memory_cache``), storing (``images.artifacts``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from animatize_assets.images.durable import local_path
from animatize_assets.scene.models import SceneAnalysis

if TYPE_CHECKING:
    from animatize_assets.generation.memory_cache import MemoryCache
    from animatize_assets.images.artifacts import ArtifactStore

STAGE = "scene_analysis"

Stored = tuple[str, str, int, int]
"""Folder, file names, and modification time (ns) and bytes of the record: what is remembered holds
for exactly this."""


class RememberedAnalyses:
    """Reads analyses through a cache. Safe to use from several threads."""

    def __init__(self, kept: MemoryCache[Stored, SceneAnalysis]) -> None:
        self._kept = kept

    def find(
        self, artifacts: ArtifactStore, image_key: str, fingerprint: str
    ) -> SceneAnalysis | None:
        """Return what :meth:`ArtifactStore.find` returns; a file that has gone is noticed.

        Raises:
            StorageFailed: the storage refused.
        """
        stored = _stored(artifacts, image_key, fingerprint)
        if stored is None:
            return artifacts.find(STAGE, image_key, fingerprint, SceneAnalysis)
        known = self._kept.get(stored)
        if known is not None:
            return known
        found = artifacts.find(STAGE, image_key, fingerprint, SceneAnalysis)
        if found is not None:
            self._kept.put(stored, found)
        return found


def _stored(artifacts: ArtifactStore, image_key: str, fingerprint: str) -> Stored | None:
    """Return what is there now; None when nothing is, or when it is not on a local file system."""
    folder = local_path(artifacts.upath(f"artifacts/{STAGE}/{image_key}/{fingerprint}"))
    if folder is None:
        return None
    try:
        record = (folder / "record.json").stat()
        names = ",".join(sorted(file.name for file in folder.iterdir()))
    except (FileNotFoundError, NotADirectoryError):
        return None
    return str(folder), names, record.st_mtime_ns, record.st_size
