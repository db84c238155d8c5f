"""A 5 s clip of 1080p24 with parallax, against ffmpeg's zoompan.

Both sides go from the same JPEG to the same kind of MP4: a camera that travels sideways, with the
same crop, way, frame count, size, x264 preset, quality and distance of key frames. zoompan gets its
input upscaled 4 times, as its users do to avoid its jitter (it rounds the crop to whole pixels); it
has no parallax. Ours is ``write_clip``: decoding, layers, frames, MP4, and opening the result
again; a second row adds the animated preview, which zoompan does not make. The depth map is given,
as it comes from scene analysis. Peak memory is that of a process of its own which makes one clip
with its preview.

    python benchmarks/clip.py [--quick] [--json]
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import cv2
import imageio_ffmpeg
import numpy as np
from numpy.typing import NDArray
from report import REPEATS, Measurement, alternate, compare, finish, measure, medians

from animatize_assets.animatic.clip import write_clip
from animatize_assets.animatic.encoding import CONSTANT_QUALITY, KEYFRAME_INTERVAL_S, PRESET
from animatize_assets.movement.models import CameraPath, Keyframe
from animatize_assets.rendering.frame import FrameRenderer

WIDTH, HEIGHT, FPS = 1920, 1080, 24
SECONDS = 5
QUICK_SECONDS = 2
ROUNDS = 9
"""A shared machine moves a single clip's time by a tenth."""

MAX_RATIO = 1.0
MAX_MEMORY_MB = 600
ZOOM = 1.3
PAN = 0.04
PARALLAX = 0.6


def main() -> int:
    """Measure, print, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="2 s clips; under a minute")
    parser.add_argument("--json", action="store_true", help="one JSON document")
    parser.add_argument("--one", type=Path, metavar="JPEG", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        with tempfile.TemporaryDirectory() as own:
            _ours(arguments.one, Path(own), SECONDS, preview=True)
        print(_peak_memory_mb())
        return 0
    seconds = QUICK_SECONDS if arguments.quick else SECONDS
    with tempfile.TemporaryDirectory() as folder:
        source = _photograph(Path(folder))
        times = medians(
            alternate(
                {
                    "ours": lambda: _ours(source, Path(folder), seconds, preview=False),
                    "zoompan": lambda: _zoompan(source, Path(folder), seconds),
                    "with preview": lambda: _ours(source, Path(folder), seconds, preview=True),
                },
                repeats=REPEATS if arguments.quick else ROUNDS,
            )
        )
        memory = subprocess.run(
            [sys.executable, __file__, "--one", str(source)],
            check=True,
            capture_output=True,
            text=True,
        )
        results = [
            compare(
                f"{seconds} s of 1080p24 with parallax / zoompan without",
                times["ours"],
                "s",
                baseline=times["zoompan"],
                goal=MAX_RATIO,
                direction="at most",
            ),
            measure(
                "the same with its animated preview / zoompan without either",
                times["with preview"],
                "s",
                baseline=times["zoompan"],
            ),
            _size(Path(folder)),
            measure(
                "peak memory of a process that makes one 5 s clip",
                float(memory.stdout),
                "MB",
                goal=MAX_MEMORY_MB,
            ),
        ]
    return finish("clip", results, as_json=arguments.json)


def _photograph(folder: Path) -> Path:
    """Write a real photograph as a 1920x1280 JPEG: a common size of a picture on the web."""
    from sklearn.datasets import load_sample_images  # here: seconds of import, for one picture

    photograph = load_sample_images().images[0]
    enlarged = cv2.resize(photograph, (WIDTH, WIDTH * 2 // 3), interpolation=cv2.INTER_CUBIC)
    target = folder / "photograph.jpg"
    cv2.imwrite(
        str(target), cv2.cvtColor(enlarged, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 92]
    )
    return target


def _depth() -> NDArray[np.float32]:
    """Return ground that comes nearer downwards and a near object: slopes and jumps alike."""
    depth = np.tile(np.linspace(0.05, 0.6, 427, dtype=np.float32)[:, None], (1, 640))
    cv2.ellipse(depth, (250, 230), (150, 170), 0, 0, 360, 0.95, cv2.FILLED)
    return depth


def _ours(source: Path, folder: Path, seconds: float, *, preview: bool) -> None:
    pixels = cv2.cvtColor(cv2.imread(str(source)), cv2.COLOR_BGR2RGB)
    path = CameraPath(
        move="truck",
        direction="right",
        duration_s=seconds,
        fps=FPS,
        aspect_ratio=WIDTH / HEIGHT,
        easing="ease_in_out",
        parallax=PARALLAX,
        keyframes=(Keyframe(t=0, zoom=ZOOM, pan=-PAN), Keyframe(t=1, zoom=ZOOM, pan=PAN)),
    )
    renderer = FrameRenderer(np.asarray(pixels, np.uint8), _depth(), path, WIDTH, HEIGHT)
    webp = folder / "ours.webp" if preview else None
    write_clip(renderer, path, mp4=folder / "ours.mp4", preview=webp, recipe={"seed": 0})


def _zoompan(source: Path, folder: Path, seconds: float) -> None:
    frames = seconds * FPS
    filters = (
        f"crop={WIDTH}:{HEIGHT},scale=iw*4:ih*4"
        f",zoompan=z={ZOOM}"
        f":x='iw/2-iw/zoom/2+iw*{PAN}*(2*on/{frames - 1}-1)':y='ih/2-ih/zoom/2'"
        f":d={frames}:s={WIDTH}x{HEIGHT}:fps={FPS}"
    )
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-y", "-v", "error", "-i", str(source)]
    command += ["-vf", filters, "-frames:v", str(frames), "-c:v", "libx264", "-preset", PRESET]
    command += [
        "-g",
        str(KEYFRAME_INTERVAL_S * FPS),
        "-crf",
        str(CONSTANT_QUALITY),
        "-pix_fmt",
        "yuv420p",
        "-movflags",
        "+faststart",
    ]
    subprocess.run([*command, str(folder / "zoompan.mp4")], check=True)


def _size(folder: Path) -> Measurement:
    ours, theirs = (folder / f"{name}.mp4" for name in ("ours", "zoompan"))
    return measure(
        "size of the MP4", ours.stat().st_size / 1e6, "MB", baseline=theirs.stat().st_size / 1e6
    )


def _peak_memory_mb() -> float:
    """Peak of this process since it was started, MB (10^6 bytes)."""
    for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) * 1024 / 1e6
    message = "This system does not tell the peak memory of a process (VmHWM)."
    raise SystemExit(message)


if __name__ == "__main__":
    sys.exit(main())
