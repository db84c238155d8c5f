"""What a process works on: the settings of this process and the stores below the data folder.

Belongs here: opening things. Does not belong here: what is done with them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from upath import UPath

from animatize_assets.database.engine import open_engine
from animatize_assets.database.migration import revision_of, upgrade
from animatize_assets.errors import InvalidSetting, NotConfigured
from animatize_assets.images.artifacts import ArtifactStore
from animatize_assets.images.half_restored import check_whole
from animatize_assets.images.limits import ImageLimits
from animatize_assets.images.store import ImageStore
from animatize_assets.pipeline.generation_setup import (
    GenerationSetup,
    ProviderSetup,
    missing,
)
from animatize_assets.pipeline.workshop import Workshop, open_workshop
from animatize_assets.settings import Settings
from animatize_assets.workplace.from_settings import generation_setup, performance_room

if TYPE_CHECKING:
    from animatize_assets.performance.gpu import GpuMonitor
    from animatize_assets.performance.opening import PerformanceRoom

DATABASE = "animatize.db"
MISREAD = "%?"
"""Characters of a path that SQLAlchemy and Dagster read as part of their URL's syntax."""


@dataclass(frozen=True)
class Workplace:
    """The data folder of this process and what is stored there, opened when first used.

    ``gpu_monitor``: what reads the GPUs of this machine, in a process that watches them.
    """

    settings: Settings
    gpu_monitor: GpuMonitor | None = None

    @property
    def data_dir(self) -> Path:
        """Absolute path of the data folder; may not exist yet."""
        return self.settings.data_dir

    @property
    def exists(self) -> bool:
        """Whether anything was ever stored here."""
        if self.settings.database_url is None:
            return (self.data_dir / DATABASE).is_file()
        engine = open_engine(self.database_url)
        try:
            return revision_of(engine) is not None
        finally:
            engine.dispose()

    @property
    def database_url(self) -> str:
        """Where images, ledger and caches are recorded."""
        url = self.settings.database_url
        return url.get_secret_value() if url else f"sqlite:///{self.data_dir / DATABASE}"

    @cached_property
    def images(self) -> ImageStore:
        """The accepted images; makes the data folder and its database when they are missing."""
        self.data_dir.mkdir(parents=True, exist_ok=True)
        engine = open_engine(self.database_url)
        upgrade(engine)
        return ImageStore(UPath(self.data_dir), engine, limits_of(self.settings))

    @cached_property
    def artifacts(self) -> ArtifactStore:
        """What was made from the images."""
        return ArtifactStore(UPath(self.data_dir))

    @cached_property
    def generation(self) -> GenerationSetup:
        """What is set about providers, money and caches."""
        return generation_setup(self.settings)

    @cached_property
    def performance(self) -> PerformanceRoom:
        """The job records and what is learned from them; connected when they are used."""
        return performance_room(self.settings, self.gpu_monitor)

    def check_provider(self, name: str) -> None:
        """Return when the provider ``name`` is set up.

        Raises:
            NotConfigured: it is not; the sentence says what is missing.
        """
        lacks = missing(name, self.generation.providers.get(name, ProviderSetup()))
        if lacks:
            raise NotConfigured(f"Provider '{name}' is not configured: {lacks}.")

    def check_disk(self) -> None:
        """Return when there is room for new work.

        Raises:
            DiskNearlyFull: there is too little; the sentence says what to do.
        """
        self.generation.disk.check()

    @contextmanager
    def workshop(self) -> Iterator[Workshop]:
        """Everything the stages work with, closed at the end.

        Raises:
            NotConfigured: a model is named that is not there, is retired, or needs an extra.
        """
        workshop = open_workshop(
            self.images,
            self.artifacts,
            generation=self.generation,
            depth_model=self.settings.depth_model,
            face_model=self.settings.face_model,
        )
        with closing(workshop):
            yield workshop

    def known_keys(self, *, archived: bool = False) -> tuple[str, ...]:
        """Every image key, without creating anything when there is none.

        Without those of archived images, unless ``archived``.
        """
        return self.images.keys(archived=archived) if self.exists else ()


def open_workplace(*, restoring: bool = False) -> Workplace:
    """Read the settings of this process; nothing is created.

    ``restoring``: what is there is about to be replaced, whatever it is.

    Raises:
        StorageFailed: a restore was cut off half-way, and this is none.
        InvalidSetting: an environment variable is outside its range, or the data folder cannot be
            written in a database URL.

    """
    settings = Settings.read()
    if odd := set(MISREAD) & set(str(settings.data_dir)):
        raise InvalidSetting(
            f"ANIMATIZE_DATA_DIR={str(settings.data_dir)!r} has a '{min(odd)}', which database "
            "URLs read as something else. Name another folder."
        )
    if not restoring:
        check_whole(settings.data_dir)
    return Workplace(settings)


def limits_of(settings: Settings) -> ImageLimits:
    """Return what an upload may be, in bytes and pixels."""
    return ImageLimits(
        max_bytes=round(settings.max_upload_mb * 1_000_000),
        max_pixels=round(settings.max_megapixels * 1_000_000),
        min_side_px=settings.min_side_px,
    )
