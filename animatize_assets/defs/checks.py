"""Asset checks: one evaluation per run over its images, naming those that fall short.

Belongs here: the checks' names and how verdicts on single images become one result. Does not
belong here: the verdicts (``pipeline.verdicts``). The checks are outputs of the pipeline's own
step: they are evaluated in every run that makes their asset, also in one that ends in a failure.
See https://docs.dagster.io/guides/test/asset-checks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Set

import dagster as dg

from animatize_assets.animatic.models import ClipRecord
from animatize_assets.errors import StorageFailed
from animatize_assets.generation.models import PictureRecord
from animatize_assets.images.artifacts import ArtifactStore
from animatize_assets.movement.models import MovementPrediction
from animatize_assets.pipeline.stages import STAGES, StageOutcome
from animatize_assets.pipeline.verdicts import (
    analysis_problem,
    clip_problem,
    picture_problem,
    prompt_problem,
    provider_problem,
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
        "picture_is_by_the_asked_provider",
        asset="generated_picture",
        description="No other provider had to step in, and no text that only resembles was reused.",
    ),
    dg.AssetCheckSpec(
        "clip_is_playable",
        asset="animatic_clip",
        description="The stored clip plays for as long as its camera path says.",
    ),
]
_WARNS = {"analysis_is_confident", "picture_is_by_the_asked_provider"}
"""A picture may rightly have little to measure, a fallback is a picture all the same: a person
should look, nothing is broken."""


class Verdicts:
    """Collects verdicts while a run goes through its images; keeps only what falls short.

    The stages of several images may come in turn; those of one image come in their order.
    ``sizes``: image key -> width and height that were asked for, px; None: the image's own.
    """

    def __init__(
        self, artifacts: ArtifactStore, sizes: Mapping[str, tuple[int, int] | None]
    ) -> None:
        self._artifacts = artifacts
        self._sizes = sizes
        self._judged: dict[str, int] = {}
        self._short: dict[str, dict[str, str]] = {}
        self._predictions: dict[str, MovementPrediction] = {}
        self._judges: dict[str, Callable[[Record, str], str | None]] = {
            "analysis_is_confident": self._analysis,
            "prompt_fits_and_names_the_move": self._prompt,
            "picture_is_readable": self._picture,
            "picture_is_by_the_asked_provider": self._provider,
            "clip_is_playable": self._clip,
        }

    def note(self, outcome: StageOutcome) -> None:
        """Judge one finished stage, or remember that it was not made."""
        if isinstance(outcome.record, MovementPrediction):
            self._predictions[outcome.image_key] = outcome.record
        for spec in CHECK_SPECS:
            if spec.asset_key.to_user_string() == outcome.stage:
                self._judge(spec.name, outcome)
        if outcome.stage == STAGES[-1]:
            self._predictions.pop(outcome.image_key, None)

    def _judge(self, check: str, outcome: StageOutcome) -> None:
        self._judged[check] = self._judged.get(check, 0) + 1
        if outcome.record is None:
            problem: str | None = outcome.error.reason if outcome.error else "Not made."
        else:
            try:
                problem = self._judges[check](outcome.record, outcome.image_key)
            except StorageFailed as error:  # what it is judged by cannot be read
                problem = error.message
        if problem is not None:
            self._short.setdefault(check, {})[outcome.image_key] = problem

    def results(self, selected: Set[dg.AssetCheckKey]) -> Iterator[dg.AssetCheckResult]:
        """Give one result for each selected check of which an image was judged."""
        for spec in CHECK_SPECS:
            if spec.key not in selected or spec.name not in self._judged:
                continue
            short = self._short.get(spec.name, {})
            yield dg.AssetCheckResult(
                asset_key=spec.asset_key,
                check_name=spec.name,
                passed=not short,
                severity=(
                    dg.AssetCheckSeverity.WARN
                    if spec.name in _WARNS
                    else dg.AssetCheckSeverity.ERROR
                ),
                description=f"{len(short)} of {self._judged[spec.name]} images fall short.",
                metadata={
                    "images": self._judged[spec.name],
                    "failing": dg.MetadataValue.json(dict(list(short.items())[:LISTED])),
                },
            )

    def _analysis(self, record: Record, _: str) -> str | None:
        assert isinstance(record, SceneAnalysis)  # noqa: S101  # the stage's record type
        return analysis_problem(record)

    def _prompt(self, record: Record, image_key: str) -> str | None:
        assert isinstance(record, MotionPrompt)  # noqa: S101  # the stage's record type
        return prompt_problem(record, self._prediction(image_key))

    def _picture(self, record: Record, image_key: str) -> str | None:
        assert isinstance(record, PictureRecord)  # noqa: S101  # the stage's record type
        return picture_problem(self._artifacts, record, self._sizes[image_key])

    def _provider(self, record: Record, _: str) -> str | None:
        assert isinstance(record, PictureRecord)  # noqa: S101  # the stage's record type
        return provider_problem(record)

    def _clip(self, record: Record, image_key: str) -> str | None:
        assert isinstance(record, ClipRecord)  # noqa: S101  # the stage's record type
        return clip_problem(self._artifacts, record, self._prediction(image_key))

    def _prediction(self, image_key: str) -> MovementPrediction:
        """Return the prediction of this run, or the stored one where the run makes none.

        Raises:
            StorageFailed: there is none any more, though something was made from it.

        """
        known = self._predictions.get(image_key)
        if known is None:
            known = self._artifacts.current("movement_prediction", image_key, MovementPrediction)
        if known is None:
            raise StorageFailed(f"{image_key} has no movement_prediction any more to judge by.")
        return known
