"""A data folder whose restore was cut off between two of its parts says so, and is not worked in.

One folder takes its place at one moment. Where there is more (Dagster's home elsewhere, databases
on a server) there is a time at which some of it is of the backup and some of before. A file in the
data folder marks that time, so that nobody works on halves of two instances.

Belongs here: the mark, and refusing. Does not belong here: the order (``workplace.restoring``).
"""

from __future__ import annotations

from pathlib import Path

from animatize_assets.errors import StorageFailed

MARK = "restore-unfinished"
"""Name of the file; its text is the backup's path."""


def check_whole(data_dir: Path) -> None:
    """Return when the data folder, which may not be there yet, is of one piece.

    Raises:
        StorageFailed: a restore was cut off half-way; the sentence says what to do.
    """
    try:
        backup = (data_dir / MARK).read_text(errors="replace").strip()
    except (FileNotFoundError, NotADirectoryError):
        return
    raise StorageFailed(
        f"A restore into {data_dir} was cut off half-way: some of it is of the backup, some of "
        f"before. Repeat it: animatize restore --replace {backup}"
    )
