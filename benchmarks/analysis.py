"""How long scene analysis and movement prediction take, and whether their memory stays flat.

Both together, decode included, against ``cv2.imread`` of the same JPEG: at most 6 times as long
at 1080p and 3 times at 4K (a sequential analysis of the full resolution needs 47 and 20 times).
The pictures are the two photographs that scikit-learn ships, enlarged and given grain, and
generated ones with the spectrum of photographs: a bare clone has all it needs.

    python benchmarks/analysis.py [--quick] [--json]
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import psutil
from numpy.typing import NDArray
from report import Measurement, alternate, compare, finish, measure, medians

from animatize_assets.images.decoding import load_working_copy
from animatize_assets.movement.prediction import predict_movements
from animatize_assets.movement.rules import load_rules
from animatize_assets.scene.analysis import analyze_scene
from animatize_assets.scene.working_copy import WORKING_LONG_SIDE_PX

Picture = NDArray[np.uint8]

SIZES = {"1080p": ((1920, 1080), 6.0), "4K": ((3840, 2160), 3.0)}
"""Width and height, and the goal: most times as long as ``cv2.imread``."""

JPEG_QUALITY = 90
GRAIN = 3.0
"""Deviation of the noise that is added after enlarging, grey levels: a sensor's at low ISO."""

FLAT_MB = 10.0
"""Memory is flat when it grows by less than this from the second fifth of the pictures to the
last: under 7 kB per picture, while each decodes to more than 800 kB."""

RULES = load_rules()


def analyse(path: Path, image_size: tuple[int, int]) -> object:
    """Do everything between a file and its ranked movements."""
    pixels = load_working_copy(path, WORKING_LONG_SIDE_PX)
    return predict_movements(analyze_scene(pixels, image_size=image_size).analysis, RULES)


def photographs() -> list[Picture]:
    """Return scikit-learn's two sample photographs, 640 x 427."""
    from sklearn.datasets import load_sample_images

    return [np.asarray(image, np.uint8) for image in load_sample_images().images]


def generated(rng: np.random.Generator, size: tuple[int, int]) -> Picture:
    """Make a picture with the 1/f spectrum of photographs, under a lighter, smoother upper part."""
    width, height = size
    frequency = np.hypot(np.fft.fftfreq(height)[:, None] * height, np.fft.rfftfreq(width) * width)
    planes = []
    for _ in range(3):
        phase = rng.normal(size=frequency.shape) + 1j * rng.normal(size=frequency.shape)
        plane = np.fft.irfft2(phase / np.maximum(frequency, 1), s=(height, width))
        planes.append(plane / plane.std())
    common, tint, shade = planes
    sky = np.linspace(1.2, -0.8, height)[:, None]
    light = common * np.where(sky > rng.uniform(-0.4, 0.6), 0.35, 1.0) + sky
    color = np.stack([light + 0.3 * tint, light + 0.2 * shade, light - 0.3 * tint], axis=2)
    return np.clip(128 + 45 * color, 0, 255).astype(np.uint8)


def enlarged(picture: Picture, size: tuple[int, int], rng: np.random.Generator) -> Picture:
    """Crop to the shape of ``size``, enlarge to it and add grain."""
    rows = round(picture.shape[1] * size[1] / size[0])
    large = cv2.resize(picture[:rows], size, interpolation=cv2.INTER_CUBIC)
    grain = rng.normal(0, GRAIN, (*large.shape[:2], 1)).astype(np.float32)
    return np.clip(large.astype(np.float32) + grain, 0, 255).astype(np.uint8)


def written(picture: Picture, path: Path) -> Path:
    """Write a JPEG."""
    cv2.imwrite(str(path), picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    return path


def speed(folder: Path, repeats: int) -> Iterator[Measurement]:
    """Compare with ``cv2.imread`` at each size, in total over the pictures."""
    rng = np.random.default_rng(0)
    for name, (size, goal) in SIZES.items():
        pictures = [enlarged(photograph, size, rng) for photograph in photographs()]
        pictures += [generated(rng, size) for _ in range(2)]
        files = [
            written(picture, folder / f"{name}-{index}.jpg")
            for index, picture in enumerate(pictures)
        ]

        def read(files: list[Path] = files) -> None:
            for file in files:
                cv2.imread(str(file))

        def ours(files: list[Path] = files, size: tuple[int, int] = size) -> None:
            for file in files:
                analyse(file, size)

        seconds = medians(alternate({"imread": read, "analysis": ours}, repeats=repeats))
        ours_ms, read_ms = (1000 * seconds[side] / len(files) for side in ("analysis", "imread"))
        yield compare_to_imread(name, ours_ms, read_ms, goal)


def compare_to_imread(name: str, ours_ms: float, read_ms: float, goal: float) -> Measurement:
    """Make the row of one size."""
    return compare(
        f"decode, scene and movements of a {name} JPEG, against cv2.imread",
        ours_ms,
        "ms",
        baseline=read_ms,
        goal=goal,
        direction="at most",
    )


def memory(folder: Path, count: int) -> Measurement:
    """Analyse ``count`` different pictures and see whether the process grows."""
    rng = np.random.default_rng(1)
    bases = [*photographs(), *(generated(rng, (640, 427)) for _ in range(3))]
    process = psutil.Process()
    resident: list[float] = []
    for index in range(count):
        base = bases[index % len(bases)]
        moved = np.roll(base, rng.integers(0, 400, 2), axis=(0, 1))
        rows = int(rng.integers(280, 428))
        path = written(np.ascontiguousarray(moved[:rows]), folder / "one.jpg")
        analyse(path, (640, rows))
        resident.append(process.memory_info().rss / 1e6)
    fifth = count // 5
    early = statistics.median(resident[fifth : 2 * fifth])
    late = statistics.median(resident[-fifth:])
    return measure(
        f"growth of resident memory over {count} different pictures",
        late - early,
        "MB",
        baseline=early,
        goal=FLAT_MB,
    )


def main() -> int:
    """Measure, print, and return the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument(
        "--quick", action="store_true", help="under a minute: 200 pictures, not 2,000"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        results = [
            *speed(Path(folder), repeats=7 if options.quick else 15),
            memory(Path(folder), 200 if options.quick else 2000),
        ]
    return finish("analysis", results, as_json=options.json)


if __name__ == "__main__":
    sys.exit(main())
