"""Contact sheets: drawn once, drawn again when what they show has changed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from animatize_assets.cli.contact_sheets import sheet_path, write_contact_sheet
from animatize_assets.errors import StorageFailed
from animatize_assets.pipeline import workshop
from animatize_assets.scene.models import SceneArrays
from animatize_assets.workplace.opening import DATABASE, Workplace, open_workplace
from animatize_assets_tests.prompts.scenes import analysis, prediction

Picture = Callable[..., Path]


@pytest.fixture
def workplace() -> Workplace:
    return open_workplace()


@pytest.fixture
def image_key(workplace: Workplace, picture: Picture) -> str:
    """An image with a stored analysis and prediction."""
    key = workplace.images.ingest(picture()).image_key
    assert key is not None
    store_stages(workplace, key, "a" * 64)
    return key


def store_stages(workplace: Workplace, key: str, fingerprint: str) -> None:
    artifacts = workplace.artifacts
    with artifacts.draft("scene_analysis", key, fingerprint) as draft:
        np.save(draft.path("depth.npy"), np.zeros((24, 32), np.float16))
        stored = SceneArrays(depth=draft.relative("depth.npy")).model_dump()
        draft.commit(analysis(width=32, height=24, arrays=stored))
    with artifacts.draft("movement_prediction", key, fingerprint) as draft:
        draft.commit(prediction())


def test_a_sheet_is_a_jpeg_that_is_left_alone_while_it_holds(
    workplace: Workplace, image_key: str
) -> None:
    path = write_contact_sheet(workplace, image_key)
    assert path == sheet_path(workplace.data_dir, image_key)
    with Image.open(path) as sheet:
        assert sheet.format == "JPEG"
    written = path.stat()
    write_contact_sheet(workplace, image_key)
    assert path.stat().st_ino == written.st_ino
    assert list(path.parent.iterdir()) == [path]


def test_another_prediction_draws_it_again(workplace: Workplace, image_key: str) -> None:
    path = write_contact_sheet(workplace, image_key)
    before = path.stat().st_ino
    store_stages(workplace, image_key, "b" * 64)
    write_contact_sheet(workplace, image_key)
    assert path.stat().st_ino != before


def test_a_broken_sheet_is_drawn_again(workplace: Workplace, image_key: str) -> None:
    path = sheet_path(workplace.data_dir, image_key)
    path.parent.mkdir()
    path.write_bytes(b"half a pict")
    write_contact_sheet(workplace, image_key)
    with Image.open(path) as sheet:
        assert sheet.format == "JPEG"


def test_an_image_without_analysis_has_no_sheet(workplace: Workplace, picture: Picture) -> None:
    key = workplace.images.ingest(picture()).image_key
    assert key is not None
    with pytest.raises(StorageFailed, match=key):
        write_contact_sheet(workplace, key)


def test_the_command_line_and_the_pipeline_open_the_same_database() -> None:
    assert DATABASE == workshop.DATABASE
