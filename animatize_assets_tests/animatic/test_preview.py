from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from animatize_assets.animatic.preview import (
    encode_preview,
    preview_size,
    read_recipe,
    shrink_preview,
)
from animatize_assets.errors import RenderingFailed
from animatize_assets_tests.rendering.scenes import textured


def _moving(count: int = 16) -> list[np.ndarray]:
    wide = textured(400, 90)
    return [np.ascontiguousarray(wide[:, 4 * i : 4 * i + 160]) for i in range(count)]


@pytest.mark.parametrize("max_bytes", [300_000, 60_000, 30_000, 12_000])
def test_a_preview_fits_its_bytes(max_bytes: int) -> None:
    content = encode_preview(_moving(), max_bytes, duration_s=2.0)
    assert len(content) <= max_bytes
    with Image.open(BytesIO(content)) as preview:
        assert preview.format == "WEBP"
        assert preview.n_frames >= 3


def test_a_preview_that_cannot_fit_is_refused() -> None:
    with pytest.raises(RenderingFailed):
        encode_preview(_moving(), 200)


def test_a_stored_preview_shrinks_and_plays_as_long(tmp_path: Path) -> None:
    stored = tmp_path / "p.webp"
    stored.write_bytes(encode_preview(_moving(), 300_000, duration_s=1.5, recipe_text='{"a":1}'))
    small = shrink_preview(stored, 8_000)
    assert len(small) <= 8_000
    with Image.open(BytesIO(small)) as preview:
        milliseconds = 0
        for index in range(preview.n_frames):
            preview.seek(index)
            preview.load()
            milliseconds += preview.info["duration"]
    assert milliseconds == 1500


@pytest.mark.parametrize("content", [b"", b"RIFF0000WEBP", b"\x89PNG\r\n\x1a\n"])
def test_what_is_no_preview_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "p.webp").write_bytes(content)
    with pytest.raises(RenderingFailed):
        shrink_preview(tmp_path / "p.webp", 10_000)
    with pytest.raises(RenderingFailed):
        read_recipe(tmp_path / "p.webp")


@pytest.mark.parametrize(
    ("clip", "expected"),
    [((1280, 720), (320, 180)), ((720, 1280), (180, 320)), ((64, 36), (64, 36))],
)
def test_previews_keep_the_aspect(clip: tuple[int, int], expected: tuple[int, int]) -> None:
    assert preview_size(*clip) == expected
