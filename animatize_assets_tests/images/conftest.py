"""Stores on a temporary folder and in memory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import Engine
from upath import UPath

from animatize_assets.database.engine import open_engine
from animatize_assets.database.migration import upgrade
from animatize_assets.images.limits import ImageLimits
from animatize_assets.images.store import ImageStore


@pytest.fixture
def sqlite_engine(tmp_path: Path) -> Iterator[Engine]:
    opened = open_engine(f"sqlite:///{tmp_path}/data/animatize.db")
    upgrade(opened)
    yield opened
    opened.dispose()


@pytest.fixture(params=["folder", "file-url", "memory"])
def data_dir(request: pytest.FixtureRequest, tmp_path: Path) -> UPath:
    """A data folder, once local and once on a file system that is not."""
    if request.param == "folder":
        return UPath(tmp_path / "data")
    if request.param == "file-url":
        return UPath(f"file://{tmp_path}/data")
    return UPath(f"memory://{uuid4().hex}/data")


@pytest.fixture
def store(data_dir: UPath, sqlite_engine: Engine) -> ImageStore:
    return ImageStore(data_dir, sqlite_engine, ImageLimits())
