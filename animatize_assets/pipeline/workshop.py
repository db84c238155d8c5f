"""Everything the stages work with, put together once per process.

Belongs here: opening stores, rules, models and providers from plain arguments. Does not belong
here: environment variables (``settings``), Dagster's resources (``defs``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from upath import UPath

from animatize_assets.generation.sourcing import PictureSource
from animatize_assets.images.artifacts import ArtifactStore
from animatize_assets.images.disk_space import UNLIMITED, DiskSpace
from animatize_assets.images.durable import local_path
from animatize_assets.images.half_restored import check_whole
from animatize_assets.images.limits import ImageLimits
from animatize_assets.movement.rule_schema import RuleBook
from animatize_assets.movement.rules import load_rules
from animatize_assets.pipeline.desks import Desks
from animatize_assets.pipeline.generation_setup import ONLY_LOCAL, GenerationSetup
from animatize_assets.pipeline.model_files import digest_of_model_files
from animatize_assets.pipeline.request import PipelineRequest
from animatize_assets.pipeline.source_opening import open_analyses, open_expansions, open_source
from animatize_assets.pipeline.stages import Stage
from animatize_assets.pipeline.versions import code_versions
from animatize_assets.prompts.dialects import Dialects, load_dialects
from animatize_assets.telemetry.job_tracking import JobTracker, NoTracking

if TYPE_CHECKING:
    from animatize_assets.images.store import ImageStore
    from animatize_assets.pipeline.expanding import Expansions
    from animatize_assets.pipeline.remembered_analyses import RememberedAnalyses
    from animatize_assets.scene.optional_models import SceneModels

DATABASE = "animatize.db"
"""File name of the database inside the data folder."""

EXPANSIONS_AT_ONCE = 8
"""Prompts that a language model is asked for at the same time: enough to hide its latency, far
below the limits of a new account."""


def _default_stages() -> Mapping[str, Stage]:
    from animatize_assets.pipeline.making import default_stages  # here: they load OpenCV

    return default_stages()


@dataclass(frozen=True)
class Workshop:
    """What stages need beside an image and a request."""

    images: ImageStore
    artifacts: ArtifactStore
    rules: RuleBook
    dialects: Dialects
    pictures: PictureSource
    """Where pictures come from; closed with the workshop."""
    scene_models: SceneModels
    scene_models_digest: str = ""
    """Which optional models measure the scene, by content; empty without one."""
    stages: Mapping[str, Stage] = field(default_factory=_default_stages)
    desks: Desks = field(default_factory=Desks)
    """Places to compute at, shared by all images that are under way."""

    expansions: Expansions | None = None
    """What expands prompts; None when nothing is set up for it."""
    analyses: RememberedAnalyses | None = None
    """Those that this process has read; None: each is read whenever it is needed."""
    run_id: str | None = None
    """Of the Dagster run that works here: budgets count per run."""
    queue_seconds: float | None = None
    """How long that run waited from enqueued to started; None where nobody knows."""
    tracker: JobTracker = field(default_factory=NoTracking)
    """Records what is made here."""
    disk: DiskSpace = UNLIMITED
    """Where nothing is made while there is too little room; what is there is found all the same."""

    def images_at_once(self, request: PipelineRequest) -> int:
        """How many images should be under way at the same time for ``request``.

        As many as its provider takes calls at a time and one more, which is prepared meanwhile; a
        few when a language model is waited for. What is all made here comes one after the other:
        more at once would only need more memory.
        """
        expanding = EXPANSIONS_AT_ONCE if request.expand != "off" else 0
        if request.provider == "local":
            return max(1, expanding)
        return max(self.pictures.at_once.get(request.provider, 1) + 1, expanding)

    def close(self) -> None:
        """Let go of connections and threads."""
        self.pictures.studio.close()

    @cached_property
    def code_versions(self) -> Mapping[str, str]:
        """Stage -> version of its code, with these rules, dialects and models."""
        return code_versions(
            rules_version=self.rules.version,
            dialects_version=self.dialects.version,
            scene_models_digest=self.scene_models_digest,
        )


def open_stores(
    data_dir: UPath, limits: ImageLimits, *, database_url: str | None = None
) -> tuple[ImageStore, ArtifactStore]:
    """Open the images and what was made from them; the database is brought up to date.

    Raises:
        StorageFailed: a restore of the data folder was cut off half-way.
    """
    # A fifth of a second of SQLAlchemy, which a code location that only loads does not need.
    from animatize_assets.database.engine import open_engine
    from animatize_assets.database.migration import upgrade
    from animatize_assets.images.store import ImageStore

    if local := local_path(data_dir):
        check_whole(local)
    data_dir.mkdir(parents=True, exist_ok=True)
    engine = open_engine(database_url or f"sqlite:///{data_dir / DATABASE}")
    upgrade(engine)
    return ImageStore(data_dir, engine, limits), ArtifactStore(data_dir)


def open_workshop(
    images: ImageStore,
    artifacts: ArtifactStore,
    *,
    generation: GenerationSetup = ONLY_LOCAL,
    depth_model: Path | None = None,
    face_model: Path | None = None,
    tracker: JobTracker | None = None,
    call_tracker: JobTracker | None = None,
) -> Workshop:
    """Put together a workshop with the rules and dialects that ship with the code.

    ``tracker`` records the stages, ``call_tracker`` what is asked of providers; None: nobody does.

    Raises:
        NotConfigured: a scene model is named that is not there, or needs an extra dependency.
        InvalidRule: a packaged rule or dialect file cannot be used.

    """
    from animatize_assets.scene.optional_models import load_scene_models  # here: it loads OpenCV

    return Workshop(
        images=images,
        artifacts=artifacts,
        rules=load_rules(),
        dialects=load_dialects(),
        pictures=open_source(generation, artifacts, images.engine, call_tracker),
        expansions=open_expansions(generation, images.engine, call_tracker, artifacts),
        scene_models=load_scene_models(depth_model, face_model),
        scene_models_digest=digest_of_model_files(depth_model, face_model),
        analyses=open_analyses(),
        tracker=tracker or NoTracking(),
        disk=generation.disk,
    )
