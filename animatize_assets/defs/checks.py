"""Asset checks: one evaluation per run over its images, naming those that fall short.

Belongs here: the checks' names and how verdicts on single images become one result. Does not
belong here: the verdicts (``pipeline.verdicts``). The checks are outputs of the pipeline's own
step: they are evaluated in every run that makes their asset, also in one that ends in a failure.
See https://docs.dagster.io/guides/test/asset-checks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Set

import dagster as dg

from animatize_assets.animatic.models import ClipRecord
from animatize_assets.generation.models import PictureRecord
from animatize_assets.images.artifacts import ArtifactStore
from animatize_assets.movement.models import MovementPrediction
from animatize_assets.pipeline.request import PipelineRequest
from animatize_assets.pipeline.stages import StageOutcome
from animatize_assets.pipeline.verdicts import (
    analysis_problem,
    clip_problem,
    picture_problem,
    prompt_problem,
)
from animatize_assets.prompts.models import MotionPrompt
from animatize_assets.records import Record
from animatize_assets.scene.models import SceneAnalysis

LISTED = 50
"""Images that a check names at most; the count is always complete."""

CHECK_SPECS = [
    dg.AssetCheckSpec(
        "analysis_is_confident",
        asset="scene_analysis",
        description="The measurements can carry an answer.",
    ),
    dg.AssetCheckSpec(
        "prompt_fits_and_names_the_move",
        asset="motion_prompt",
        description="The prompt keeps its model's limit and names the camera path's move.",
    ),
    dg.AssetCheckSpec(
        "picture_is_readable",
        asset="generated_picture",
        description="The stored picture decodes and has the asked size.",
    ),
    dg.AssetCheckSpec(
        "clip_is_playable",
        asset="animatic_clip",
        description="The stored clip plays for as long as its camera path says.",
    ),
]
_WARNS = {"analysis_is_confident"}
"""A picture may rightly have little to measure: a person should look, nothing is broken."""


class Ledger:
    """Collects verdicts while a run goes from image to image; keeps only what falls short."""

    def __init__(self, artifacts: ArtifactStore, request: PipelineRequest) -> None:
        self._artifacts = artifacts
        self._size = request.size
        self._judged: dict[str, int] = {}
        self._short: dict[str, dict[str, str]] = {}
        self._prediction: MovementPrediction | None = None
        self._judges: dict[str, Callable[[Record], str | None]] = {
            "scene_analysis": self._analysis,
            "motion_prompt": self._prompt,
            "generated_picture": self._picture,
            "animatic_clip": self._clip,
        }

    def note(self, outcome: StageOutcome) -> None:
        """Judge one finished stage, or remember that it was not made."""
        stage = outcome.stage
        if stage == "source_image":
            self._prediction = None  # of the image before
        if isinstance(outcome.record, MovementPrediction):
            self._prediction = outcome.record
        if stage not in self._judges:
            return
        self._judged[stage] = self._judged.get(stage, 0) + 1
        if outcome.record is None:
            problem: str | None = outcome.error.reason if outcome.error else "Not made."
        else:
            problem = self._judges[stage](outcome.record)
        if problem is not None:
            self._short.setdefault(stage, {})[outcome.image_key] = problem

    def results(self, selected: Set[dg.AssetCheckKey]) -> Iterator[dg.AssetCheckResult]:
        """Give one result for each selected check of which an image was judged."""
        for spec in CHECK_SPECS:
            stage = spec.asset_key.to_user_string()
            if spec.key not in selected or stage not in self._judged:
                continue
            short = self._short.get(stage, {})
            yield dg.AssetCheckResult(
                asset_key=spec.asset_key,
                check_name=spec.name,
                passed=not short,
                severity=(
                    dg.AssetCheckSeverity.WARN
                    if spec.name in _WARNS
                    else dg.AssetCheckSeverity.ERROR
                ),
                description=f"{len(short)} of {self._judged[stage]} images fall short.",
                metadata={
                    "images": self._judged[stage],
                    "failing": dg.MetadataValue.json(dict(list(short.items())[:LISTED])),
                },
            )

    def _analysis(self, record: Record) -> str | None:
        assert isinstance(record, SceneAnalysis)  # noqa: S101  # the stage's record type
        return analysis_problem(record)

    def _prompt(self, record: Record) -> str | None:
        assert isinstance(record, MotionPrompt)  # noqa: S101  # the stage's record type
        return prompt_problem(record, self._prediction) if self._prediction else None

    def _picture(self, record: Record) -> str | None:
        assert isinstance(record, PictureRecord)  # noqa: S101  # the stage's record type
        return picture_problem(self._artifacts, record, self._size)

    def _clip(self, record: Record) -> str | None:
        assert isinstance(record, ClipRecord)  # noqa: S101  # the stage's record type
        return clip_problem(self._artifacts, record, self._prediction) if self._prediction else None
