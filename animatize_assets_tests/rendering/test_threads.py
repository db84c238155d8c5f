from __future__ import annotations

import cv2
import pytest

from animatize_assets.rendering.threads import one_opencv_thread


def test_the_number_of_threads_is_restored() -> None:
    before = cv2.getNumThreads()
    with one_opencv_thread():
        assert cv2.getNumThreads() == 1
        with one_opencv_thread():
            assert cv2.getNumThreads() == 1
        assert cv2.getNumThreads() == 1  # the outer one still holds
    assert cv2.getNumThreads() == before


def test_it_is_restored_after_an_error() -> None:
    before = cv2.getNumThreads()
    with pytest.raises(ValueError, match="stop"), one_opencv_thread():
        raise ValueError("stop")
    assert cv2.getNumThreads() == before
