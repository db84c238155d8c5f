from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from animatize_assets.errors import RenderingFailed
from animatize_assets.rendering.thumbnail import encode_thumbnail


def noise(height: int, width: int, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def smooth(height: int, width: int) -> NDArray[np.uint8]:
    y, x = np.mgrid[0:height, 0:width]
    return np.dstack([x * 255 // width, y * 255 // height, (x + y) % 256]).astype(np.uint8)


def opened(content: bytes) -> Image.Image:
    return Image.open(io.BytesIO(content))


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 500), st.integers(1, 500), st.integers(32, 400), st.integers(1500, 40_000))
def test_the_budget_and_the_size_are_kept(
    height: int, width: int, long_side_px: int, max_bytes: int
) -> None:
    content = encode_thumbnail(noise(height, width), long_side_px=long_side_px, max_bytes=max_bytes)
    picture = opened(content)
    assert len(content) <= max_bytes
    assert picture.format == "WEBP"
    assert max(picture.size) <= min(long_side_px, max(height, width))


def test_an_easy_picture_keeps_its_size_and_likeness() -> None:
    pixels = smooth(360, 640)
    picture = opened(encode_thumbnail(pixels, long_side_px=320, max_bytes=20_000))
    assert picture.size == (320, 180)
    reduced = np.asarray(Image.fromarray(pixels).resize((320, 180), Image.Resampling.BOX), float)
    assert np.abs(np.asarray(picture.convert("RGB"), float) - reduced).mean() < 6


def test_more_bytes_never_give_a_smaller_picture() -> None:
    pixels = noise(300, 400)
    sizes = [
        max(opened(encode_thumbnail(pixels, long_side_px=300, max_bytes=budget)).size)
        for budget in (2_000, 4_000, 8_000, 16_000, 64_000)
    ]
    assert sizes == sorted(sizes)
    assert sizes[-1] == 300


def test_the_same_pixels_give_the_same_bytes() -> None:
    first, second = (
        encode_thumbnail(noise(200, 300), long_side_px=256, max_bytes=9_000) for _ in range(2)
    )
    assert first == second


def test_an_impossible_budget_is_refused() -> None:
    with pytest.raises(RenderingFailed, match="fits in 60 bytes"):
        encode_thumbnail(noise(200, 300), long_side_px=256, max_bytes=60)
