from __future__ import annotations

from io import BytesIO

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from animatize_assets.generation.source_image import encoded_source, size_of
from animatize_assets_tests.rendering.scenes import textured

SIDE = st.integers(1, 200)


def opened(content: bytes) -> Image.Image:
    picture = Image.open(BytesIO(content))
    picture.load()
    return picture


@settings(max_examples=50, deadline=None)
@given(columns=SIDE, rows=SIDE, width=SIDE, height=SIDE)
def test_it_covers_what_is_asked_and_is_never_enlarged(
    columns: int, rows: int, width: int, height: int
) -> None:
    source = np.zeros((rows, columns, 3), np.uint8)
    size = opened(encoded_source(source, width=width, height=height, form="JPEG")).size
    assert size[0] <= columns
    assert size[1] <= rows
    # Half a pixel is lost by rounding.
    assert size[0] >= min(width, columns) - 1
    assert size[1] >= min(height, rows) - 1
    if size != (columns, rows):
        assert size[0] <= width + 1 or size[1] <= height + 1


def test_png_is_lossless_and_the_same_every_time() -> None:
    source = textured(64, 48)
    content = encoded_source(source, width=64, height=48, form="PNG")
    assert np.array_equal(np.asarray(opened(content)), source)
    assert encoded_source(source, width=64, height=48, form="PNG") == content


def test_jpeg_shows_the_same_picture() -> None:
    source = textured(64, 48)
    shown = np.asarray(opened(encoded_source(source, width=64, height=48, form="JPEG")))
    assert np.abs(shown.astype(int) - source).mean() < 3


def test_the_size_is_read_from_the_header_alone() -> None:
    content = encoded_source(textured(64, 48), width=64, height=48, form="PNG")
    assert size_of(content) == size_of(content[:40]) == (64, 48)
    assert size_of(content[:10]) is None
    assert size_of(b"<html>") is None
