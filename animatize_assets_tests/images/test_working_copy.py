"""A working copy is the full picture, reduced: however it is saved, and however large."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from animatize_assets.images.decoding import decode_normalized, load_working_copy
from animatize_assets_tests.images.pictures import (
    WIDTH,
    Encoded,
    encode,
    picture,
    turned_file,
    whole_files,
)

LOSSLESS_FILES = ("PNG", "WEBP", "TIFF")


@pytest.mark.parametrize(("width", "height"), [(1920, 1080), (1081, 1923), (700, 333), (4000, 16)])
@pytest.mark.parametrize("image_format", ["JPEG", "PNG"])
def test_a_working_copy_has_exactly_the_asked_long_side(
    tmp_path: Path, width: int, height: int, image_format: str
) -> None:
    path = tmp_path / "picture"
    path.write_bytes(encode(Image.fromarray(picture(width, height)), image_format))
    copy = load_working_copy(path, 640)
    assert max(copy.shape[:2]) == 640
    assert min(copy.shape[:2]) == max(1, round(min(width, height) * 640 / max(width, height)))
    np.testing.assert_array_equal(copy, load_working_copy(path, 640))


@pytest.mark.parametrize("file", whole_files(), ids=lambda file: file.name)
def test_a_small_picture_is_its_own_working_copy(file: Encoded, tmp_path: Path) -> None:
    path = tmp_path / "picture"
    path.write_bytes(file.content)
    np.testing.assert_array_equal(load_working_copy(path, 640), decode_normalized(path))
    np.testing.assert_array_equal(load_working_copy(path, WIDTH), decode_normalized(path))


@pytest.mark.parametrize("file", whole_files(), ids=lambda file: file.name)
def test_a_working_copy_is_normalised_like_the_full_picture(file: Encoded, tmp_path: Path) -> None:
    path = tmp_path / "picture"
    path.write_bytes(file.content)
    full = decode_normalized(path)
    small = load_working_copy(path, 30)
    # The same colours on average: no missed profile, inversion, background or page.
    difference = np.abs(small.mean(axis=(0, 1)) - full.mean(axis=(0, 1)))
    assert difference.max() < 6


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("image_format", [*LOSSLESS_FILES, "JPEG"])
def test_a_working_copy_is_upright(orientation: int, image_format: str, tmp_path: Path) -> None:
    path, upright = tmp_path / "turned", tmp_path / "upright"
    path.write_bytes(turned_file(orientation, image_format))
    upright.write_bytes(turned_file(1, image_format))
    copy = load_working_copy(path, 40)
    expected = load_working_copy(upright, 40)
    assert copy.shape == expected.shape
    assert np.abs(copy.astype(int) - expected).mean() < 5


def _smooth_photograph() -> Image.Image:
    rng = np.random.default_rng(9)
    return Image.fromarray(rng.integers(0, 255, (45, 80, 3), dtype=np.uint8))


def test_one_picture_gives_one_working_copy_at_every_size(tmp_path: Path) -> None:
    scene = _smooth_photograph()
    copies = []
    for width, height in [(1280, 720), (1920, 1080), (3840, 2160)]:
        enlarged = scene.resize((width, height), Image.Resampling.BICUBIC)
        for image_format in ("JPEG", "PNG"):
            path = tmp_path / f"{width}.{image_format}"
            options = {"quality": 92} if image_format == "JPEG" else {"compress_level": 1}
            path.write_bytes(encode(enlarged, image_format, **options))
            copies.append(load_working_copy(path, 640).astype(int))
    for copy in copies[1:]:
        assert np.abs(copy - copies[0]).mean() < 2.5


@pytest.mark.parametrize("image_format", ["JPEG", "PNG"])
def test_opencvs_threads_do_not_change_a_working_copy(image_format: str, tmp_path: Path) -> None:
    path = tmp_path / "picture"
    path.write_bytes(encode(Image.fromarray(picture(1500, 1100)), image_format))
    threads = cv2.getNumThreads()
    try:
        copies = []
        for count in (1, 2, 4):
            cv2.setNumThreads(count)
            copies.append(load_working_copy(path, 640))
    finally:
        cv2.setNumThreads(threads)
    np.testing.assert_array_equal(copies[0], copies[1])
    np.testing.assert_array_equal(copies[0], copies[2])
