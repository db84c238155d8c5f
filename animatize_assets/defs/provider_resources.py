"""One resource per provider: how it is reached, beside what the environment says.

Belongs here: fields and their descriptions. Does not belong here: clients (``generation``), which
provider is asked when (``pipeline.generation_setup``). A field that is not given is read from the
environment when a run starts; give a key as ``dg.EnvVar``, so that it is never stored.
See https://docs.dagster.io/guides/build/external-resources.
"""

from pathlib import Path

import dagster as dg
from pydantic import Field, SecretStr

from animatize_assets.pipeline.generation_setup import GenerationSetup, ProviderSetup
from animatize_assets.settings import Settings
from animatize_assets.workplace.from_settings import generation_setup


class OpenAIPicturesResource(dg.ConfigurableResource["OpenAIPicturesResource"]):
    """OpenAI's image API, and its text models for prompt expansion."""

    api_key: str | None = Field(
        default=None, description="Default: ANIMATIZE_OPENAI_API_KEY, else OPENAI_API_KEY."
    )
    base_url: str | None = Field(default=None, description="Default: ANIMATIZE_OPENAI_BASE_URL.")
    model: str | None = Field(default=None, description="Default: ANIMATIZE_OPENAI_MODEL.")


class FluxPicturesResource(dg.ConfigurableResource["FluxPicturesResource"]):
    """Black Forest Labs' FLUX API."""

    api_key: str | None = Field(
        default=None, description="Default: ANIMATIZE_FLUX_API_KEY, else BFL_API_KEY."
    )
    base_url: str | None = Field(default=None, description="Default: ANIMATIZE_FLUX_BASE_URL.")
    model: str | None = Field(default=None, description="Default: ANIMATIZE_FLUX_MODEL.")


class ImagenPicturesResource(dg.ConfigurableResource["ImagenPicturesResource"]):
    """Google's image models by the Gemini API."""

    api_key: str | None = Field(
        default=None, description="Default: ANIMATIZE_IMAGEN_API_KEY, else GEMINI_API_KEY."
    )
    base_url: str | None = Field(default=None, description="Default: ANIMATIZE_IMAGEN_BASE_URL.")
    model: str | None = Field(default=None, description="Default: ANIMATIZE_IMAGEN_MODEL.")


class ComfyUIPicturesResource(dg.ConfigurableResource["ComfyUIPicturesResource"]):
    """A ComfyUI server of one's own."""

    base_url: str | None = Field(default=None, description="Default: ANIMATIZE_COMFYUI_URL.")
    workflow: str | None = Field(
        default=None, description="File in API format. Default: ANIMATIZE_COMFYUI_WORKFLOW."
    )


class PictureProviders(dg.ConfigurableResource["PictureProviders"]):
    """Who may make pictures; ``local`` needs nothing."""

    enabled: list[str] = Field(
        default=["local", "openai", "flux", "imagen", "comfyui"],
        description="Names of those that may be used.",
    )
    shadow_share: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="Share of reused pictures that are made, and paid for, after all, to measure "
        "how often reuse is wrong; default: ANIMATIZE_SHADOW_SHARE.",
    )
    openai: dg.ResourceDependency[OpenAIPicturesResource]
    flux: dg.ResourceDependency[FluxPicturesResource]
    imagen: dg.ResourceDependency[ImagenPicturesResource]
    comfyui: dg.ResourceDependency[ComfyUIPicturesResource]

    def setup(self) -> GenerationSetup:
        """Return what is set about generation; what a resource leaves open the environment says."""
        read = generation_setup(Settings.read())
        given = {
            "openai": _keyed(self.openai, read.providers["openai"]),
            "flux": _keyed(self.flux, read.providers["flux"]),
            "imagen": _keyed(self.imagen, read.providers["imagen"]),
            "comfyui": ProviderSetup(
                base_url=self.comfyui.base_url or read.providers["comfyui"].base_url,
                workflow=(
                    Path(self.comfyui.workflow)
                    if self.comfyui.workflow
                    else read.providers["comfyui"].workflow
                ),
            ),
        }
        return read.changed(
            providers=given,
            enabled=tuple(self.enabled),
            shadow_share=read.shadow_share if self.shadow_share is None else self.shadow_share,
        )


def _keyed(
    given: OpenAIPicturesResource | FluxPicturesResource | ImagenPicturesResource,
    read: ProviderSetup,
) -> ProviderSetup:
    return ProviderSetup(
        api_key=SecretStr(given.api_key) if given.api_key else read.api_key,
        base_url=given.base_url or read.base_url,
        model=given.model or read.model,
    )
