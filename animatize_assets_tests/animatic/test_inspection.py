from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from animatize_assets.animatic.encoding import encode_mp4
from animatize_assets.animatic.inspection import inspect_clip
from animatize_assets.errors import RenderingFailed
from animatize_assets.rendering.video_planes import to_planes, to_video_colours
from animatize_assets_tests.rendering.scenes import textured


def _planes(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return to_planes(to_video_colours(rgb))


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    target = tmp_path_factory.mktemp("clip") / "c.mp4"
    wide = textured(192, 64)
    frames = (_planes(wide[:, 8 * i : 8 * i + 96]) for i in range(12))
    encode_mp4(frames, target, width=96, height=64, fps=12, comment='{"seed":1}')
    return target.read_bytes()


def test_a_whole_clip_is_described(clip: bytes, tmp_path: Path) -> None:
    (tmp_path / "c.mp4").write_bytes(clip)
    facts = inspect_clip(tmp_path / "c.mp4")
    assert (facts.width, facts.height, facts.fps, facts.frame_count) == (96, 64, 12, 12)
    assert facts.byte_count == len(clip)
    assert facts.recipe == {"seed": 1}


@pytest.mark.parametrize("share", [0, 0.01, 0.3, 0.6, 0.9, 0.99])
def test_a_truncated_clip_is_refused(clip: bytes, tmp_path: Path, share: float) -> None:
    (tmp_path / "c.mp4").write_bytes(clip[: int(len(clip) * share)])
    with pytest.raises(RenderingFailed):
        inspect_clip(tmp_path / "c.mp4")


@pytest.mark.parametrize("seed", range(5))
def test_a_damaged_clip_is_refused(clip: bytes, tmp_path: Path, seed: int) -> None:
    damaged = bytearray(clip)
    start = clip.index(b"mdat") + 1500
    random = np.random.default_rng(seed)
    for at in random.integers(start, len(clip) - 1, 40):
        damaged[at] ^= 0xFF
    (tmp_path / "c.mp4").write_bytes(bytes(damaged))
    with pytest.raises(RenderingFailed):
        inspect_clip(tmp_path / "c.mp4")


@pytest.mark.parametrize("content", [b"", b"not a clip", b"\x00" * 5000])
def test_what_is_no_clip_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "c.mp4").write_bytes(content)
    with pytest.raises(RenderingFailed):
        inspect_clip(tmp_path / "c.mp4")


def test_a_missing_clip_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RenderingFailed):
        inspect_clip(tmp_path / "c.mp4")


def test_a_clip_without_a_recipe_is_refused(tmp_path: Path) -> None:
    target = tmp_path / "c.mp4"
    encode_mp4(
        [_planes(textured(96, 64))] * 3, target, width=96, height=64, fps=12, comment="a holiday"
    )
    with pytest.raises(RenderingFailed, match="recipe"):
        inspect_clip(target)
