"""Resources: what a run works with, as thin wrappers that make plain objects.

Belongs here: turning settings into stores, providers and a workshop. Does not belong here: any
logic of theirs; none of the objects made here knows Dagster. A field that is not given is read
from the environment when a run starts, so the code location loads with an empty environment.
See https://docs.dagster.io/guides/build/external-resources.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg
from pydantic import Field
from upath import UPath

from animatize_assets.defs.nvidia import NvidiaMonitorResource
from animatize_assets.defs.performance import PerformanceResource
from animatize_assets.defs.provider_resources import (
    ComfyUIPicturesResource,
    FluxPicturesResource,
    ImagenPicturesResource,
    OpenAIPicturesResource,
    PictureProviders,
)
from animatize_assets.images.artifacts import ArtifactStore
from animatize_assets.images.limits import ImageLimits
from animatize_assets.pipeline.workshop import Workshop, open_stores, open_workshop
from animatize_assets.settings import Settings

if TYPE_CHECKING:
    from animatize_assets.images.store import ImageStore

MEGA = 1_000_000

PROVIDER_RESOURCES: Mapping[str, type[dg.ConfigurableResource[Any]]] = {
    "openai_pictures": OpenAIPicturesResource,
    "flux_pictures": FluxPicturesResource,
    "imagen_pictures": ImagenPicturesResource,
    "comfyui_pictures": ComfyUIPicturesResource,
}
"""Resource key -> how the provider of that name is reached."""


class Stores(dg.ConfigurableResource["Stores"]):
    """Where images and everything made from them are kept."""

    data_dir: str | None = Field(
        default=None,
        description="Folder or URL that UPath understands; default: ANIMATIZE_DATA_DIR.",
    )
    database_url: str | None = Field(
        default=None,
        description="SQLAlchemy URL; default: ANIMATIZE_DATABASE_URL, else animatize.db inside the "
        "data folder.",
    )

    def location(self) -> UPath:
        """Return the data folder."""
        return UPath(self.data_dir or Settings.read().data_dir)

    def uploads(self) -> Path:
        """Return the watched folder, which is always a local one."""
        return Path(self.location().path) / "uploads"

    def open(self) -> "tuple[ImageStore, ArtifactStore]":
        """Open both stores and bring the database up to date."""
        settings = Settings.read()
        limits = ImageLimits(
            max_bytes=round(settings.max_upload_mb * MEGA),
            max_pixels=round(settings.max_megapixels * MEGA),
            min_side_px=settings.min_side_px,
        )
        url = settings.database_url
        named = self.database_url or (url.get_secret_value() if url else None)
        return open_stores(self.location(), limits, database_url=named)


class SceneModelFiles(dg.ConfigurableResource["SceneModelFiles"]):
    """Optional models that measure the scene."""

    depth_model: str | None = Field(
        default=None, description="ONNX file; default: ANIMATIZE_DEPTH_MODEL, else depth cues."
    )
    face_model: str | None = Field(
        default=None, description="ONNX file; default: ANIMATIZE_FACE_MODEL, else no face model."
    )

    def files(self) -> tuple[Path | None, Path | None]:
        """Return the files of the depth and of the face model."""
        settings = Settings.read()
        depth = Path(self.depth_model) if self.depth_model else settings.depth_model
        face = Path(self.face_model) if self.face_model else settings.face_model
        return depth, face


class WorkshopResource(dg.ConfigurableResource["WorkshopResource"]):
    """Everything the six stages work with; replace it to replace what they do."""

    stores: dg.ResourceDependency[Stores]
    scene_models: dg.ResourceDependency[SceneModelFiles]
    picture_providers: dg.ResourceDependency[PictureProviders]
    performance: dg.ResourceDependency[PerformanceResource]

    def open(self) -> Workshop:
        """Put the workshop together."""
        if threads := Settings.read().cv_threads:
            import cv2  # noqa: PLC0415  # not to load the location

            cv2.setNumThreads(threads)
        images, artifacts = self.stores.open()
        depth_model, face_model = self.scene_models.files()
        room = self.performance.room()
        promises = room.promises()
        return open_workshop(
            images,
            artifacts,
            generation=self.picture_providers.setup(),
            depth_model=depth_model,
            face_model=face_model,
            tracker=room.tracking(promises),
            call_tracker=room.call_tracking(promises),
        )


def default_resources(
    overrides: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Every resource by its key; an override also reaches the resources built from it."""
    given = dict(overrides or {})
    stores = given.setdefault("stores", Stores())
    scene_models = given.setdefault("scene_models", SceneModelFiles())
    clients = {
        name.removesuffix("_pictures"): given.setdefault(name, resource())
        for name, resource in PROVIDER_RESOURCES.items()
    }
    providers = given.setdefault("picture_providers", PictureProviders(**clients))
    nvidia = given.setdefault("nvidia", NvidiaMonitorResource())
    performance = given.setdefault(
        "performance", PerformanceResource(nvidia=nvidia, data_dir=stores.data_dir)
    )
    given.setdefault(
        "workshop",
        WorkshopResource(
            stores=stores,
            scene_models=scene_models,
            picture_providers=providers,
            performance=performance,
        ),
    )
    return given
