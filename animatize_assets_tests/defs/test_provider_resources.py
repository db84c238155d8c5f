"""What the resource of the providers turns into plain settings."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from animatize_assets.defs.provider_resources import (
    ComfyUIPicturesResource,
    FluxPicturesResource,
    ImagenPicturesResource,
    OpenAIPicturesResource,
    PictureProviders,
)


def providers(**fields: float) -> PictureProviders:
    return PictureProviders(
        openai=OpenAIPicturesResource(),
        flux=FluxPicturesResource(),
        imagen=ImagenPicturesResource(),
        comfyui=ComfyUIPicturesResource(),
        **fields,  # type: ignore[arg-type]  # only fields of its own
    )


def test_nothing_is_made_in_the_shadow_unless_asked_for() -> None:
    assert providers().setup().shadow_share == 0
    assert providers(shadow_share=0.25).setup().shadow_share == 0.25
    with pytest.raises(ValidationError):
        providers(shadow_share=2)
