from __future__ import annotations

from dataclasses import replace
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from animatize_assets.animatic.clip import write_clip
from animatize_assets.errors import ProviderError
from animatize_assets.generation.local import LocalProvider
from animatize_assets.generation.models import MadePicture
from animatize_assets.generation.provider import PictureProvider
from animatize_assets.generation.verification import verify_picture
from animatize_assets.movement.models import CameraPath
from animatize_assets.movement.prediction import predict_movements
from animatize_assets.movement.rules import load_rules
from animatize_assets.rendering.frame import FrameRenderer
from animatize_assets.rendering.size import output_size
from animatize_assets.scene.analysis import analyze_scene
from animatize_assets_tests.generation.requests import made_by, picture_request
from animatize_assets_tests.rendering.scenes import EVERY_MOVE, camera_path


def _pixels(made: MadePicture) -> NDArray[np.uint8]:
    with Image.open(BytesIO(made.content)) as picture:
        return np.asarray(picture.convert("RGB"))


def _likeness(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    """SSIM of the luma of two pictures."""
    luma = [cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY) for pixels in (one, other)]
    return float(cv2.quality.QualitySSIM_compute(*luma)[0][0])


def test_it_is_the_frame_at_the_end_of_the_path() -> None:
    request = picture_request()
    provider: PictureProvider = LocalProvider()
    made = made_by(provider, request)
    verify_picture(made, request)
    frame = FrameRenderer(request.source, request.depth, request.camera_path, 320, 180).render(1)
    assert np.array_equal(_pixels(made), frame)


@pytest.mark.parametrize("path", EVERY_MOVE, ids=lambda path: path.move)
def test_it_equals_the_last_frame_of_the_clip(tmp_path: Path, path: CameraPath) -> None:
    request = picture_request(camera_path=path)
    renderer = FrameRenderer(request.source, request.depth, path, 320, 180)
    write_clip(
        renderer, path, mp4=tmp_path / "c.mp4", preview=tmp_path / "p.webp", recipe={"seed": 3}
    )
    import av  # as in the package: never at module level

    with av.open(str(tmp_path / "c.mp4")) as container:
        *_, last = (frame.to_ndarray(format="rgb24") for frame in container.decode(video=0))
    picture = _pixels(made_by(LocalProvider(), request))
    # On luma, as SSIM is defined (Wang et al. 2004); 4:2:0 halves the resolution of colour noise.
    assert _likeness(picture, last) >= 0.95


@pytest.mark.parametrize("name", ["china.jpg", "flower.jpg"])
def test_it_equals_the_last_frame_of_a_photographs_clip(tmp_path: Path, name: str) -> None:
    """At the size that the photograph gets by default: 854 rows, which 4 does not divide."""
    from sklearn.datasets import load_sample_image

    source = np.asarray(load_sample_image(name), np.uint8)
    scene = analyze_scene(
        np.asarray(cv2.resize(source, (640, 427), interpolation=cv2.INTER_AREA), np.uint8),
        image_size=(source.shape[1], source.shape[0]),
    )
    path = predict_movements(scene.analysis, load_rules(), duration_s=0.5).camera_path
    width, height = output_size(source.shape[1], source.shape[0])
    request = picture_request(
        source=source, depth=scene.depth, camera_path=path, width=width, height=height
    )
    renderer = FrameRenderer(source, scene.depth, path, width, height)
    write_clip(renderer, path, mp4=tmp_path / "c.mp4", preview=tmp_path / "p.webp", recipe={})
    import av

    with av.open(str(tmp_path / "c.mp4")) as container:
        *_, last = (frame.to_ndarray(format="rgb24") for frame in container.decode(video=0))
    picture = _pixels(made_by(LocalProvider(), request))
    assert _likeness(picture, last) >= 0.95
    assert np.abs(picture.mean(axis=(0, 1)) - last.mean(axis=(0, 1))).max() < 3


def test_it_says_what_made_it() -> None:
    made = made_by(LocalProvider(), picture_request())
    assert (made.provider, made.model, made.cost_usd, made.seed) == (
        "local",
        "camera-path-render",
        0.0,
        3,
    )
    with Image.open(BytesIO(made.content)) as picture:
        assert "provider=local" in picture.text["Source"]
        assert "seed=3" in picture.text["Comment"]


def test_the_same_request_gives_the_same_bytes() -> None:
    request = picture_request({"contrast": 0.4, "temperature": -0.2})
    assert made_by(LocalProvider(), request) == made_by(LocalProvider(), request)


def test_a_grade_is_applied_when_asked_for() -> None:
    plain = _pixels(made_by(LocalProvider(), picture_request()))
    warm = _pixels(made_by(LocalProvider(), picture_request({"temperature": 0.8})))
    assert warm[..., 0].mean() > plain[..., 0].mean() + 3
    assert warm[..., 2].mean() < plain[..., 2].mean() - 3
    declined = replace(picture_request({"temperature": 0.8}), grade=False)
    assert np.array_equal(_pixels(made_by(LocalProvider(), declined)), plain)


@pytest.mark.parametrize("grade", [{"glow": 0.5}, {"contrast": 3.0}, {"contrast": "much"}])
def test_a_grade_that_means_nothing_is_refused(grade: dict[str, str | float]) -> None:
    with pytest.raises(ProviderError) as caught:
        made_by(LocalProvider(), picture_request(grade))
    assert caught.value.kind == "rendering"


def test_an_impossible_path_is_refused() -> None:
    path = camera_path("pan", "right", {"zoom": 1.1}, {"zoom": 1.1, "pan": 0.3})
    with pytest.raises(ProviderError):
        made_by(LocalProvider(), picture_request(camera_path=path))
