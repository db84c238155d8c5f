"""Files of uploads that never became images.

An image exists when its row does, and the row is written last. A crash before it leaves whole
files that belong to no image; the next upload of the same bytes takes them over, or they go here.

Belongs here: finding and removing them. Does not belong here: refused files (``quarantine``, which
nothing empties), the watched folder, which belongs to whoever fills it.
"""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Engine, select

from animatize_assets.database.tables import images
from animatize_assets.images.durable import remove_abandoned

FOLDER = "images"
"""Below the data folder; one folder per content."""

_HASHES_AT_ONCE = 500


def remove_orphans(data_dir: Path, engine: Engine, *, before: datetime) -> int:
    """Remove folders of contents that no image has and that nothing was written to since.

    Returns:
        How many. ``before``: an upload takes seconds; an hour ago is long.

    Raises:
        OSError: a folder cannot be read or removed.

    """
    root = data_dir / FOLDER
    if not root.is_dir():
        return 0
    limit = before.astimezone(UTC).timestamp()
    folders = {path.name: path for path in root.iterdir() if path.is_dir()}
    names = sorted(folders)
    removed = 0
    for at in range(0, len(names), _HASHES_AT_ONCE):
        some = names[at : at + _HASHES_AT_ONCE]
        with engine.connect() as connection:
            known = set(
                connection.scalars(select(images.c.sha256).where(images.c.sha256.in_(some)))
            )
        for name in some:
            remove_abandoned(folders[name])
            if name not in known and folders[name].stat().st_mtime < limit:
                shutil.rmtree(folders[name])
                removed += 1
    return removed
