from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from animatize_assets.errors import ImpossibleCameraPath
from animatize_assets.movement.models import CameraPath, Keyframe
from animatize_assets.rendering import frame
from animatize_assets.rendering.frame import FrameRenderer
from animatize_assets.rendering.video_planes import to_planes, to_video_colours
from animatize_assets_tests.rendering.scenes import (
    EVERY_MOVE,
    camera_path,
    disc,
    even_depth,
    expected_flow,
    measured_flow,
    seen_at,
    textured,
)

IMAGE = (640, 360)
FRAME = (320, 180)


@pytest.fixture(autouse=True)
def _threads() -> Iterator[None]:
    before = cv2.getNumThreads()
    yield
    cv2.setNumThreads(before)


def test_a_full_frame_is_the_image() -> None:
    image = textured(*FRAME)
    frame = FrameRenderer(image, even_depth(), EVERY_MOVE[0], *FRAME).render(0.5)
    assert np.array_equal(frame, image)


def test_the_first_frame_of_a_layered_image_is_the_image_too() -> None:
    """Cutting and filling must not be seen before anything has moved."""
    image = textured(*FRAME)
    depth = disc(*FRAME).astype(np.float32)
    path = camera_path("push_in", "in", {}, {"zoom": 1.1, "dolly": 0.2})
    frame = FrameRenderer(image, depth, path, *FRAME).render(0)
    assert np.abs(frame.astype(int) - image).max() <= 2


@pytest.mark.parametrize("path", EVERY_MOVE, ids=lambda path: path.move)
@pytest.mark.parametrize("depth", [0.0, 0.5, 1.0])
def test_an_even_layer_is_seen_where_the_definition_says(path: CameraPath, depth: float) -> None:
    image = cv2.GaussianBlur(textured(*IMAGE), (0, 0), 3)
    renderer = FrameRenderer(image, even_depth(depth), path, *FRAME)
    for t in (0.3, 1.0):
        to_image = seen_at(path, t, depth, IMAGE, FRAME)
        to_image[:, 2] += to_image[:, :2] @ [0.5, 0.5] - 0.5  # to centres of pixels
        truth = cv2.warpAffine(
            image,
            to_image,
            FRAME,
            flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )
        error = np.abs(renderer.render(t).astype(float) - truth)
        assert np.median(error) <= 1
        assert np.percentile(error, 99) <= 4


def test_near_moves_more_than_far_by_the_parallax() -> None:
    image, near = textured(*IMAGE), disc(*IMAGE)
    path = camera_path(
        "truck", "right", {"zoom": 1.25, "pan": -0.01}, {"zoom": 1.25, "pan": 0.01}, parallax=0.5
    )
    renderer = FrameRenderer(image, near.astype(np.float32), path, *FRAME)
    flow = measured_flow(renderer.render(0), renderer.render(1))
    inside = cv2.erode(disc(*FRAME).astype(np.uint8), np.ones((25, 25))) > 0
    outside = cv2.dilate(disc(*FRAME).astype(np.uint8), np.ones((41, 41))) == 0
    for region, depth in ((inside, 1.0), (outside, 0.0)):
        expected = expected_flow(path, (0, 1), depth, IMAGE, FRAME)[region]
        assert np.abs(np.median(flow[region] - expected, axis=0)).max() < 0.25
    assert np.median(flow[inside][:, 0]) < 2.5 * np.median(flow[outside][:, 0]) < 0


def test_a_dolly_magnifies_near_more_than_far() -> None:
    image, near = textured(*IMAGE), disc(*IMAGE)
    path = camera_path("push_in", "in", {}, {"zoom": 1.0, "dolly": 0.12})
    renderer = FrameRenderer(image, near.astype(np.float32), path, *FRAME)
    flow = measured_flow(renderer.render(0), renderer.render(1))
    y, x = np.mgrid[: FRAME[1], : FRAME[0]] + 0.5
    x, y = x - FRAME[0] / 2, y - FRAME[1] / 2
    radial = (flow[..., 0] * x + flow[..., 1] * y) / (x * x + y * y)
    distance = np.hypot(x, y)
    assert np.median(radial[(distance > 15) & (distance < 35)]) == pytest.approx(0.12, abs=0.02)
    assert np.median(radial[distance > 70]) == pytest.approx(0, abs=0.01)


def _moved_apart() -> tuple[FrameRenderer, np.ndarray, np.ndarray, np.ndarray]:
    """A red disc before a smooth ground, trucked aside, and the truth of its last frame."""
    width, height = IMAGE
    y, x = np.mgrid[:height, :width].astype(np.float32)
    ground = np.dstack([60 + 0 * x, 40 + 160 * x / width, 60 + 120 * y / height])
    near = disc(width, height)
    image = np.where(near[..., None], [230, 20, 20], ground).astype(np.uint8)
    path = camera_path(
        "truck", "right", {"zoom": 1.4, "pan": -0.04}, {"zoom": 1.4, "pan": 0.04}, parallax=0.5
    )
    renderer = FrameRenderer(image, near.astype(np.float32), path, *IMAGE)

    def shown(picture: np.ndarray, depth: float) -> np.ndarray:
        to_image = seen_at(path, 1, depth, IMAGE, IMAGE)
        to_image[:, 2] += to_image[:, :2] @ [0.5, 0.5] - 0.5
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        return cv2.warpAffine(picture.astype(np.float32), to_image, IMAGE, flags=flags)

    covered = shown(near, 1.0) > 0.5
    truth = np.where(covered[..., None], [230, 20, 20], shown(ground, 0.0))
    uncovered = (shown(near, 0.0) > 0.5) & ~(
        cv2.dilate(covered.astype(np.uint8), np.ones((7, 7))) > 0
    )
    return renderer, truth, covered, uncovered


def test_what_comes_to_light_is_filled_not_stretched() -> None:
    renderer, truth, covered, uncovered = _moved_apart()
    frame = renderer.render(1).astype(float)
    assert np.count_nonzero(uncovered) > 2000
    # Red is the near object's alone: stretching would draw it across what it uncovers.
    assert np.abs(frame - truth)[uncovered].mean() < 6
    assert np.percentile(frame[..., 0][uncovered], 99) < 90
    inside = cv2.erode(covered.astype(np.uint8), np.ones((7, 7))) > 0
    assert np.abs(frame - truth)[inside].max() <= 8  # a sharp edge rings by that much


def test_slow_motion_has_no_jitter() -> None:
    """A pan by a third of a pixel per frame is where it should be to a fiftieth of a pixel."""
    image = cv2.GaussianBlur(textured(*IMAGE), (0, 0), 2)
    path = camera_path(
        "pan",
        "right",
        {"zoom": 1.2, "pan": -0.01},
        {"zoom": 1.2, "pan": 0.01},
        easing="linear",
        duration_s=1.0,
    )
    renderer = FrameRenderer(image, even_depth(), path, *FRAME)
    for i in range(24):
        frame = renderer.render(i / 23).astype(np.float32)
        truth = _seen_exactly(image, path, i / 23)
        slope = (np.roll(truth, -1, axis=1) - np.roll(truth, 1, axis=1)) / 2
        inner = np.s_[8:-8, 8:-8]
        late = ((frame - truth) * slope)[inner].sum() / (slope**2)[inner].sum()
        assert abs(late) < 0.02


def _seen_exactly(image: np.ndarray, path: CameraPath, t: float) -> np.ndarray:
    """The frame of an even layer, interpolated directly from the image."""
    to_image = seen_at(path, t, 0.5, IMAGE, FRAME)
    to_image[:, 2] += to_image[:, :2] @ [0.5, 0.5] - 0.5  # to centres of pixels
    y, x = np.mgrid[: FRAME[1], : FRAME[0]].astype(np.float64)
    u, v = (row[0] * x + row[1] * y + row[2] for row in to_image)
    return cv2.remap(
        image.astype(np.float32),
        u.astype(np.float32),
        v.astype(np.float32),
        cv2.INTER_LANCZOS4,
        borderMode=cv2.BORDER_REPLICATE,
    )


def test_reducing_does_not_alias() -> None:
    """A checkerboard of single pixels is grey from afar; point sampling would make moire."""
    width, height = 1600, 900
    y, x = np.mgrid[:height, :width]
    board = np.repeat(((x + y) % 2 * 255).astype(np.uint8)[..., None], 3, axis=2)
    path = camera_path("zoom_in", "in", {}, {"zoom": 1.4})
    renderer = FrameRenderer(board, even_depth(), path, *FRAME)
    for t in (0, 0.37, 1):
        assert renderer.render(t).std() < 8


@pytest.mark.parametrize("path", [EVERY_MOVE[5], EVERY_MOVE[7]], ids=lambda path: path.move)
def test_frames_do_not_depend_on_threads(path: CameraPath) -> None:
    image, depth = textured(*IMAGE), disc(*IMAGE).astype(np.float32)
    rendered = []
    for threads in (1, 2, 4):
        cv2.setNumThreads(threads)
        renderer = FrameRenderer(image, depth, path, *FRAME)
        rendered.append(np.stack([renderer.render(t) for t in (0, 0.4, 1)]).tobytes())
    assert rendered[0] == rendered[1] == rendered[2]


@st.composite
def possible_paths(draw: st.DrawFn) -> CameraPath:
    """Any path whose crop stays inside a 16:9 image, up to its very edge."""
    parallax = draw(st.floats(0, 1))
    roll = draw(st.sampled_from([0.0, 0.0, -4.0, 4.0]))
    tilted = np.sin(np.radians(abs(roll)))
    keyframes = []
    for _ in range(draw(st.integers(2, 3))):
        zoom = draw(st.floats(1 + 16 / 9 * tilted, 1.6))
        room_x = (1 - (1 + 9 / 16 * tilted) / zoom) / 2 / (1 + parallax) / (1 + parallax)
        room_y = (1 - (1 + 16 / 9 * tilted) / zoom) / 2 / (1 + parallax) / (1 + parallax)
        keyframes.append(
            {
                "zoom": zoom,
                "pan": draw(st.floats(-1, 1)) * max(0.0, room_x),
                "tilt": draw(st.floats(-1, 1)) * max(0.0, room_y),
                "roll": roll * draw(st.floats(0, 1)),
                "dolly": draw(st.floats(0, 0.3)),
            }
        )
    first = keyframes[0]
    for k in keyframes[1:]:  # the nearest layer's displacement counts from the first keyframe
        k["pan"] = first["pan"] + (k["pan"] - first["pan"]) / (1 + parallax)
        k["tilt"] = first["tilt"] + (k["tilt"] - first["tilt"]) / (1 + parallax)
    return camera_path("static", None, *keyframes, parallax=parallax)


@settings(max_examples=40, deadline=None)
@given(possible_paths(), st.floats(0, 1), st.integers(0, 5))
def test_no_frame_ever_has_a_black_border(path: CameraPath, t: float, seed: int) -> None:
    image = textured(160, 90, seed=seed, low=100)
    depth = cv2.GaussianBlur(
        np.random.default_rng(seed).random((45, 80), dtype=np.float32), (0, 0), 1 + seed
    )
    depth = cv2.normalize(depth, None, 0, 1, cv2.NORM_MINMAX)
    try:
        renderer = FrameRenderer(image, depth, path, 96, 54)
    except ImpossibleCameraPath:
        return  # a viewport drawn smaller between two keyframes may reach further
    assert renderer.render(t).min() >= 90


def test_a_path_that_leaves_the_image_is_refused() -> None:
    path = camera_path("pan", "right", {"zoom": 1.1}, {"zoom": 1.1, "pan": 0.2})
    with pytest.raises(ImpossibleCameraPath, match="leaves"):
        FrameRenderer(textured(*IMAGE), even_depth(), path, *FRAME)


def test_another_aspect_shows_the_middle_undistorted() -> None:
    image = textured(320, 180)
    frame = FrameRenderer(image, even_depth(), EVERY_MOVE[0], 180, 180).render(0)
    assert np.array_equal(frame, image[:, 70:250])


@pytest.mark.parametrize("depth", [np.zeros((1, 1)), np.ones((7, 900)), np.zeros((360, 640))])
def test_any_size_of_depth_map_is_taken(depth: np.ndarray) -> None:
    frame = FrameRenderer(textured(*IMAGE), depth, EVERY_MOVE[7], *FRAME).render(1)
    assert frame.shape == (180, 320, 3)
    assert frame.dtype == np.uint8


def test_a_tiny_image_is_taken() -> None:
    frame = FrameRenderer(textured(16, 16), even_depth(), EVERY_MOVE[5], 64, 36).render(1)
    assert frame.shape == (36, 64, 3)


def test_the_frame_as_video_is_the_same_frame() -> None:
    path = EVERY_MOVE[7]
    renderer = FrameRenderer(textured(*IMAGE), disc(*IMAGE).astype(np.float32), path, *FRAME)
    for t in (0, 0.6):
        expected = to_planes(to_video_colours(renderer.render(t)))
        assert np.abs(renderer.render_planes(t).astype(int) - expected).max() <= 3


def test_several_threads_may_draw_at_once() -> None:
    path = EVERY_MOVE[5]
    renderer = FrameRenderer(textured(*IMAGE), disc(*IMAGE).astype(np.float32), path, *FRAME)
    times = [i / 7 for i in range(8)]
    alone = [renderer.render(t) for t in times]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(renderer.render, times))
    assert all(np.array_equal(a, b) for a, b in zip(alone, together, strict=True))


def test_a_wall_is_not_cut_at_its_windows() -> None:
    """Depth that follows texture: small far patches on a near wall must move with the wall."""
    image = textured(*IMAGE)
    depth = np.full((180, 320), 0.8, np.float32)
    for y in range(10, 170, 20):
        for x in range(10, 310, 20):
            depth[y : y + 4, x : x + 4] = 0.3
    path = EVERY_MOVE[7]
    windowed = FrameRenderer(image, depth, path, *FRAME).render(1)
    even = FrameRenderer(image, even_depth(0.8), path, *FRAME).render(1)
    assert np.abs(windowed.astype(int) - even).mean() < 1


@pytest.mark.parametrize("size", [(1280, 720), (642, 362)])
@pytest.mark.parametrize("roll", [0.0, 4.0])
def test_hidden_parts_left_out_change_no_pixel(
    size: tuple[int, int], roll: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What lies behind something opaque is not drawn: the frame is the same as if it were."""
    random = np.random.default_rng(5)
    noise = random.integers(0, 256, (90, 160, 3), np.uint8)
    pixels = np.asarray(cv2.resize(noise, (1280, 720), interpolation=cv2.INTER_CUBIC), np.uint8)
    depth = np.full((180, 320), 0.1, np.float32)
    cv2.rectangle(depth, (60, 30), (250, 179), 0.9, cv2.FILLED)
    path = CameraPath(
        move="truck",
        direction="right",
        duration_s=1,
        fps=24,
        aspect_ratio=16 / 9,
        easing="linear",
        parallax=0.6,
        keyframes=(
            Keyframe(t=0, zoom=1.3, pan=-0.03),
            Keyframe(t=1, zoom=1.3, pan=0.03, roll=roll, dolly=0.05),
        ),
    )
    drawn = [FrameRenderer(pixels, depth, path, *size).render(t) for t in (0.0, 0.6, 1.0)]
    assert size[0] / 2 > frame.MIN_HIDDEN_PX
    monkeypatch.setattr(frame, "MIN_HIDDEN_PX", 10**6)
    whole = [FrameRenderer(pixels, depth, path, *size).render(t) for t in (0.0, 0.6, 1.0)]
    for one, other in zip(drawn, whole, strict=True):
        # Coordinates of another window differ in their last bits.
        assert int(np.abs(one.astype(int) - other).max()) <= 2
