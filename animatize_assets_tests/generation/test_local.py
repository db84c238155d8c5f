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
from animatize_assets.rendering.frame import FrameRenderer
from animatize_assets_tests.generation.requests import made_by, picture_request
from animatize_assets_tests.rendering.scenes import EVERY_MOVE, camera_path


def _pixels(made: MadePicture) -> NDArray[np.uint8]:
    with Image.open(BytesIO(made.content)) as picture:
        return np.asarray(picture.convert("RGB"))


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
    luma = [cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY) for pixels in (picture, last)]
    assert cv2.quality.QualitySSIM_compute(*luma)[0][0] >= 0.95


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
