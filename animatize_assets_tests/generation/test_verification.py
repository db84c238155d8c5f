from __future__ import annotations

from dataclasses import replace
from io import BytesIO
from typing import Literal

import numpy as np
import pytest
from PIL import Image

from animatize_assets.errors import ProviderError
from animatize_assets.generation.models import MadePicture
from animatize_assets.generation.verification import MAX_BYTES, verify_picture
from animatize_assets_tests.generation.requests import picture_request
from animatize_assets_tests.rendering.scenes import textured

MediaType = Literal["image/png", "image/jpeg", "image/webp"]
FORMATS: dict[MediaType, str] = {"image/png": "PNG", "image/jpeg": "JPEG", "image/webp": "WEBP"}


def _made(pixels: np.ndarray, media_type: MediaType = "image/png") -> MadePicture:
    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, FORMATS[media_type])
    return MadePicture(
        content=buffer.getvalue(),
        media_type=media_type,
        width=320,
        height=180,
        provider="flux",
        model="m",
        seed=1,
        cost_usd=None,
    )


@pytest.mark.parametrize("media_type", FORMATS)
def test_a_good_picture_passes(media_type: MediaType) -> None:
    verify_picture(_made(textured(320, 180), media_type), picture_request())


@pytest.mark.parametrize("media_type", FORMATS)
@pytest.mark.parametrize("share", [0, 0.02, 0.5, 0.95])
def test_a_truncated_picture_is_refused(media_type: MediaType, share: float) -> None:
    made = _made(textured(320, 180), media_type)
    cut = replace(made, content=made.content[: int(len(made.content) * share)])
    with pytest.raises(ProviderError) as caught:
        verify_picture(cut, picture_request())
    assert caught.value.kind == "bad_output"


GOOD = _made(textured(320, 180))
BAD = {
    "another size": _made(textured(318, 180)),
    "a size that is not said": replace(GOOD, width=640),
    "another type": replace(GOOD, media_type="image/jpeg"),
    "text": replace(GOOD, content=b"<html>502</html>"),
    "blank": _made(np.full((180, 320, 3), 128, np.uint8)),
    "too many bytes": replace(GOOD, content=GOOD.content + bytes(MAX_BYTES)),
}


@pytest.mark.parametrize("made", BAD.values(), ids=BAD)
def test_a_bad_picture_is_refused(made: MadePicture) -> None:
    with pytest.raises(ProviderError):
        verify_picture(made, picture_request())


def test_a_blank_source_may_give_a_blank_picture() -> None:
    request = picture_request(source=np.full((360, 640, 3), 200, np.uint8))
    verify_picture(_made(np.full((180, 320, 3), 200, np.uint8)), request)
