"""Nobody works in a data folder whose restore was cut off half-way."""

from __future__ import annotations

from pathlib import Path

import pytest
from upath import UPath

from animatize_assets.errors import StorageFailed
from animatize_assets.images.half_restored import MARK, check_whole
from animatize_assets.images.limits import ImageLimits
from animatize_assets.pipeline.workshop import open_stores


def test_a_folder_without_the_mark_or_that_is_not_there_is_whole(tmp_path: Path) -> None:
    check_whole(tmp_path)
    check_whole(tmp_path / "nowhere")


def test_the_mark_names_the_backup_and_no_worker_opens_the_stores(tmp_path: Path) -> None:
    (tmp_path / MARK).write_text("/backups/of monday.tar.gz\n")
    with pytest.raises(StorageFailed, match=r"animatize restore --replace /backups/of monday"):
        open_stores(UPath(tmp_path), ImageLimits())
    assert [each.name for each in tmp_path.iterdir()] == [MARK]
