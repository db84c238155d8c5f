from __future__ import annotations

import hashlib
import resource
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from animatize_assets.animatic.clip import frame_times, write_clip
from animatize_assets.animatic.inspection import inspect_clip
from animatize_assets.animatic.models import ClipFacts
from animatize_assets.animatic.preview import MAX_BYTES, read_recipe
from animatize_assets.errors import RenderingFailed
from animatize_assets.movement.models import CameraPath
from animatize_assets.rendering.frame import FrameRenderer
from animatize_assets.rendering.video_planes import to_planes, to_video_colours
from animatize_assets_tests.rendering.scenes import (
    EVERY_MOVE,
    camera_path,
    disc,
    even_depth,
    expected_flow,
    measured_flow,
    textured,
)

IMAGE = (640, 360)
FRAME = (320, 180)
RECIPE: dict[str, str | int | float] = {"image_key": "täst-01", "seed": 7, "zoom": 1.25}


def _write(
    folder: Path,
    path: CameraPath,
    *,
    image: NDArray[np.uint8] | None = None,
    depth: NDArray[np.float32] | None = None,
    frame: tuple[int, int] = FRAME,
) -> ClipFacts:
    renderer = FrameRenderer(
        textured(*IMAGE) if image is None else image,
        even_depth() if depth is None else depth,
        path,
        *frame,
    )
    return write_clip(
        renderer, path, mp4=folder / "c.mp4", preview=folder / "p.webp", recipe=RECIPE
    )


def _decoded(mp4: Path) -> list[NDArray[np.uint8]]:
    import av  # as in the package: never at module level

    with av.open(str(mp4)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


@pytest.mark.parametrize(
    ("duration_s", "fps", "frame"),
    [(0.5, 24, (320, 180)), (0.7, 30, (90, 160)), (1.0, 25, (180, 180)), (0.01, 24, (64, 36))],
)
def test_frames_duration_and_size_are_what_the_path_says(
    tmp_path: Path, duration_s: float, fps: int, frame: tuple[int, int]
) -> None:
    path = camera_path("zoom_in", "in", {}, {"zoom": 1.05}, duration_s=duration_s, fps=fps)
    facts = _write(tmp_path, path, frame=frame)
    assert (facts.width, facts.height, facts.fps) == (*frame, fps)
    assert facts.frame_count == path.frame_count == len(_decoded(tmp_path / "c.mp4"))
    assert facts.duration_s == pytest.approx(path.frame_count / fps, abs=1e-6)
    import av

    with av.open(str(tmp_path / "c.mp4")) as container:
        assert container.duration == pytest.approx(path.frame_count / fps * 1e6, abs=2000)
        assert container.streams.video[0].duration * container.streams.video[
            0
        ].time_base == pytest.approx(path.frame_count / fps)


@pytest.mark.parametrize(
    ("frame", "levels"),
    [((320, 180), 2), ((320, 182), 2), ((178, 322), 2), ((66, 34), 6), ((16, 18), 6)],
)
def test_every_decoded_frame_is_the_one_that_was_drawn(
    tmp_path: Path, frame: tuple[int, int], levels: float
) -> None:
    """In luma and in chroma, whatever the size: nothing is scaled or moved on the way."""
    path = camera_path("zoom_in", "in", {}, {"zoom": 1.05}, duration_s=0.25)
    soft = cv2.GaussianBlur(np.random.default_rng(3).normal(0, 1, (360, 640, 3)), (0, 0), 12)
    image = np.clip(128 + 50 * soft / soft.std(), 0, 255).astype(np.uint8)
    renderer = FrameRenderer(image, even_depth(), path, *frame)
    write_clip(renderer, path, mp4=tmp_path / "c.mp4", preview=tmp_path / "p.webp", recipe={})
    import av

    with av.open(str(tmp_path / "c.mp4")) as container:
        decoded = [shown.to_ndarray() for shown in container.decode(video=0)]
    for planes, t in zip(decoded, frame_times(path), strict=True):
        error = np.abs(planes.astype(int) - renderer.render_planes(t))
        assert error[: frame[1]].mean() < levels
        assert error[frame[1] :].mean() < levels


def test_a_browser_can_play_it(tmp_path: Path) -> None:
    facts = _write(tmp_path, EVERY_MOVE[3])
    assert (facts.codec, facts.pixel_format) == ("h264", "yuv420p")
    content = (tmp_path / "c.mp4").read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")  # fast start
    import av

    with av.open(str(tmp_path / "c.mp4")) as container:
        codec = container.streams.video[0].codec_context
        bt709, limited = 1, 1
        assert (codec.colorspace, codec.color_primaries, codec.color_trc) == (bt709,) * 3
        assert codec.color_range == limited


def test_colours_survive(tmp_path: Path) -> None:
    """A wrong matrix or range would shift these by 5 to 20 levels."""
    image = np.zeros((180, 320, 3), np.uint8)
    colours = [(200, 40, 40), (40, 180, 40), (50, 50, 200), (235, 235, 235)]
    for i, colour in enumerate(colours):
        image[:, 80 * i : 80 * (i + 1)] = colour
    _write(tmp_path, EVERY_MOVE[0], image=image)
    shown = _decoded(tmp_path / "c.mp4")[5]
    for i, colour in enumerate(colours):
        assert np.abs(shown[90, 80 * i + 40].astype(int) - colour).max() <= 3


@pytest.mark.parametrize("path", EVERY_MOVE, ids=lambda path: path.move)
def test_optical_flow_agrees_with_the_camera_path(tmp_path: Path, path: CameraPath) -> None:
    """Direction and size, in the decoded clip, for layers of one depth."""
    _write(tmp_path, path, depth=even_depth(0.7))
    frames = _decoded(tmp_path / "c.mp4")
    times = frame_times(path)
    inner = np.s_[12:-12, 12:-12]
    for first, last in ((0, 5), (3, 8), (6, 11)):
        flow = measured_flow(frames[first], frames[last])[inner]
        expected = expected_flow(path, (times[first], times[last]), 0.7, IMAGE, FRAME)[inner]
        error = np.hypot(*(flow - expected).transpose(2, 0, 1))
        size = np.hypot(*expected.transpose(2, 0, 1))
        assert np.median(error) < 0.15 + 0.05 * np.median(size)
        moving = size > 1
        if moving.mean() > 0.3:
            agreement = (flow * expected).sum(axis=2)[moving] / (
                np.hypot(*flow[moving].T) * size[moving] + 1e-9
            )
            assert np.median(agreement) > 0.98
    if path.move == "static":
        assert max(np.abs(f.astype(int) - frames[0]).mean() for f in frames) < 1.5


def test_near_layers_move_more_than_far_ones_in_the_clip(tmp_path: Path) -> None:
    path = camera_path(
        "truck", "right", {"zoom": 1.25, "pan": -0.012}, {"zoom": 1.25, "pan": 0.012}, parallax=0.5
    )
    _write(tmp_path, path, depth=disc(*IMAGE).astype(np.float32))
    frames = _decoded(tmp_path / "c.mp4")
    flow = measured_flow(frames[0], frames[-1])[..., 0]
    near = cv2.erode(disc(*FRAME).astype(np.uint8), np.ones((25, 25))) > 0
    far = cv2.dilate(disc(*FRAME).astype(np.uint8), np.ones((41, 41))) == 0
    assert np.median(flow[near]) / np.median(flow[far]) == pytest.approx(3, rel=0.1)


def test_the_recipe_can_be_read_from_both_files(tmp_path: Path) -> None:
    facts = _write(tmp_path, EVERY_MOVE[3])
    assert facts.recipe == RECIPE
    assert inspect_clip(tmp_path / "c.mp4") == facts
    assert read_recipe(tmp_path / "p.webp") == RECIPE


def test_without_a_preview_the_clip_is_the_same(tmp_path: Path) -> None:
    path = EVERY_MOVE[3]
    _write(tmp_path, path)
    alone = tmp_path / "alone.mp4"
    renderer = FrameRenderer(textured(*IMAGE), even_depth(), path, *FRAME)
    write_clip(renderer, path, mp4=alone, preview=None, recipe=RECIPE)
    assert alone.read_bytes() == (tmp_path / "c.mp4").read_bytes()
    assert {file.name for file in tmp_path.iterdir()} == {"c.mp4", "p.webp", "alone.mp4"}


def test_the_preview_plays_as_long_and_is_small(tmp_path: Path) -> None:
    path = camera_path("zoom_in", "in", {}, {"zoom": 1.1}, duration_s=2.0)
    _write(tmp_path, path)
    assert (tmp_path / "p.webp").stat().st_size <= MAX_BYTES
    with Image.open(tmp_path / "p.webp") as preview:
        assert preview.is_animated
        milliseconds = 0
        for index in range(preview.n_frames):
            preview.seek(index)
            preview.load()
            milliseconds += preview.info["duration"]
    assert milliseconds == 2000


def test_the_same_input_gives_the_same_bytes_whatever_the_threads(tmp_path: Path) -> None:
    digests = set()
    before = cv2.getNumThreads()
    try:
        for threads in (1, 4, 1):
            cv2.setNumThreads(threads)
            _write(tmp_path, EVERY_MOVE[7], depth=disc(*IMAGE).astype(np.float32))
            digests.add(
                tuple(
                    hashlib.sha256((tmp_path / name).read_bytes()).hexdigest()
                    for name in ("c.mp4", "p.webp")
                )
            )
    finally:
        cv2.setNumThreads(before)
    assert len(digests) == 1


class _Source:
    """Frames of noise; the one at ``fails_at`` raises."""

    width, height = FRAME

    def __init__(self, fails_at: float = 2.0) -> None:
        self.fails_at = fails_at

    def render_planes(self, t: float) -> NDArray[np.uint8]:
        if t >= self.fails_at:
            raise MemoryError("no room for a frame")
        return to_planes(to_video_colours(textured(*FRAME)))


def test_a_failing_frame_leaves_no_file(tmp_path: Path) -> None:
    mp4, preview = tmp_path / "c.mp4", tmp_path / "p.webp"
    with pytest.raises(MemoryError):
        write_clip(_Source(0.5), EVERY_MOVE[1], mp4=mp4, preview=preview, recipe={})
    assert not list(tmp_path.iterdir())


@pytest.fixture
def _small_disk() -> Iterator[None]:
    """No file of this process may grow beyond 20 KB: writing fails as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.usefixtures("_small_disk")
def test_a_full_disk_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(RenderingFailed, match="could not be written"):
        _write(tmp_path, EVERY_MOVE[1])
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_not_there_is_told_as_such(tmp_path: Path) -> None:
    missing = tmp_path / "missing"
    with pytest.raises(RenderingFailed):
        write_clip(
            _Source(), EVERY_MOVE[1], mp4=missing / "c.mp4", preview=missing / "p", recipe={}
        )


def test_a_preview_that_cannot_be_written_leaves_no_clip(tmp_path: Path) -> None:
    with pytest.raises(RenderingFailed, match="preview"):
        write_clip(
            _Source(),
            EVERY_MOVE[1],
            mp4=tmp_path / "c.mp4",
            preview=tmp_path / "missing" / "p.webp",
            recipe={},
        )
    assert not list(tmp_path.iterdir())
