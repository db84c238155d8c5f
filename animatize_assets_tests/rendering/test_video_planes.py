from __future__ import annotations

import numpy as np
import pytest

from animatize_assets.rendering.video_planes import reduced_rgb, to_planes, to_video_colours

# Y, Cb, Cr of full-range primaries in BT.709 limited range (as in ITU-R BT.709-6, 8 bit).
KNOWN = {
    (0, 0, 0): (16, 128, 128),
    (255, 255, 255): (235, 128, 128),
    (255, 0, 0): (63, 102, 240),
    (0, 255, 0): (173, 42, 26),
    (0, 0, 255): (32, 240, 118),
}


@pytest.mark.parametrize("rgb", KNOWN)
def test_colours_are_those_of_bt709(rgb: tuple[int, int, int]) -> None:
    pixel = np.full((2, 2, 3), rgb, np.uint8)
    assert np.abs(to_video_colours(pixel)[0, 0].astype(int) - KNOWN[rgb]).max() <= 1


@pytest.mark.parametrize("rgb", KNOWN)
def test_planes_and_back(rgb: tuple[int, int, int]) -> None:
    planes = to_planes(to_video_colours(np.full((36, 64, 3), rgb, np.uint8)))
    assert planes.shape == (54, 64)
    back = reduced_rgb(planes, (32, 18))
    assert back.shape == (18, 32, 3)
    assert np.abs(back.astype(int) - rgb).max() <= 3


def test_chroma_is_the_mean_of_four_pixels() -> None:
    video = np.zeros((2, 2, 3), np.uint8)
    video[..., 1] = [[10, 20], [30, 40]]
    video[..., 2] = [[100, 100], [200, 200]]
    planes = to_planes(video)
    assert planes[2].tolist() == [25, 150]
