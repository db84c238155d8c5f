"""Real photographs are accepted, and their working copies do not depend on how they are saved."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from animatize_assets.images.decoding import decode_strictly, load_working_copy
from animatize_assets.images.limits import ImageLimits
from animatize_assets.images.validation import read_upload
from animatize_assets_tests.images.pictures import encode

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}


def test_real_photographs_are_accepted(photos: Path) -> None:
    files = sorted(file for file in photos.iterdir() if file.suffix.lower() in SUFFIXES)
    assert len(files) > 20
    for file in files:
        pixels = decode_strictly(read_upload(file, ImageLimits())).pixels
        assert min(pixels.shape[:2]) > 100


def _sharpness(pixels: NDArray[np.uint8]) -> float:
    return float(cv2.Laplacian(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), cv2.CV_64F).var())


def test_a_photograph_is_as_sharp_at_every_size(photos: Path, tmp_path: Path) -> None:
    files = sorted(file for file in photos.iterdir() if file.suffix.lower() in SUFFIXES)[::12]
    spreads = []
    for file in files:
        image = Image.open(file).convert("RGB")
        logs = []
        for long_side in (1280, 1920, 3840):
            scale = long_side / max(image.size)
            size = (round(image.width * scale), round(image.height * scale))
            resized = image.resize(size, Image.Resampling.LANCZOS)
            for image_format, options in (
                ("JPEG", {"quality": 92}),
                ("PNG", {"compress_level": 1}),
            ):
                path = tmp_path / "upload"
                path.write_bytes(encode(resized, image_format, **options))
                logs.append(np.log(_sharpness(load_working_copy(path, 640))))
        spreads.append(np.std(logs))
    assert np.median(spreads) < 0.12
