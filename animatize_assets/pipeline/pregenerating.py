"""Pictures prepared as a run would ask for them, without changing what is stored of an image.

Scene and image are taken as they are stored. Movement and prompt are found or made again in memory:
both are quick, and what holds now of an image must stay what its last run made.

Belongs here: from an image and a pattern to a fingerprint and an order. Does not belong here: which
pictures are made ahead (``pregeneration``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from animatize_assets.images.models import ImageRecord
from animatize_assets.movement.models import MovementPrediction
from animatize_assets.pipeline.making_frames import picture_order
from animatize_assets.pipeline.opened import OpenedImage
from animatize_assets.pipeline.request import PipelineRequest
from animatize_assets.pipeline.stages import Finished, Work, fingerprint_of
from animatize_assets.pregeneration.patterns import Pattern
from animatize_assets.pregeneration.preparation import Prepared
from animatize_assets.prompts.models import MotionPrompt
from animatize_assets.rendering.size import output_size

if TYPE_CHECKING:
    from animatize_assets.generation.sourcing import PictureOrder
    from animatize_assets.pipeline.workshop import Workshop

MUST_BE_STORED = ("source_image", "scene_analysis")
MADE_AGAIN = ("movement_prediction", "motion_prompt")
PICTURE = "generated_picture"


@dataclass(frozen=True)
class StagePreparation:
    """``pregeneration.preparation.Preparation`` on the stages of a workshop."""

    workshop: Workshop

    def prepared(self, image_key: str, pattern: Pattern) -> Prepared | None:
        """Return what a run would ask for; None when the image's analysis is missing or outdated.

        Raises:
            NotConfigured: the provider is not set up.
        """
        work = self._work(image_key, pattern)
        if work is None:
            return None
        image = work.input("source_image", ImageRecord)
        width, height = output_size(image.width, image.height, size=pattern.size)
        return Prepared(
            fingerprint=fingerprint_of(work, PICTURE),
            model=self.workshop.pictures.provider(pattern.provider).model,
            width=width,
            height=height,
            movement=work.input("movement_prediction", MovementPrediction).camera_path.move,
            source_size=(image.width, image.height),
            characters=len(work.input("motion_prompt", MotionPrompt).positive),
        )

    def order(self, image_key: str, pattern: Pattern) -> PictureOrder | None:
        """Return the order itself, with the pixels; None as above."""
        work = self._work(image_key, pattern)
        return None if work is None else picture_order(work, fingerprint_of(work, PICTURE))

    def _work(self, image_key: str, pattern: Pattern) -> Work | None:
        request = PipelineRequest(
            provider=pattern.provider,
            target=pattern.target,
            style=pattern.style,
            size=pattern.size,
        )
        finished: dict[str, Finished] = {}
        opened = OpenedImage(self.workshop, image_key)
        work = Work(self.workshop, image_key, request, finished, opened)
        for stage in (*MUST_BE_STORED, *MADE_AGAIN):
            found = self._found(work, stage)
            if found is None:
                return None
            finished[stage] = found
        return work

    def _found(self, work: Work, stage: str) -> Finished | None:
        plan, artifacts = self.workshop.stages[stage], self.workshop.artifacts
        fingerprint = fingerprint_of(work, stage)
        record = artifacts.find(stage, work.image_key, fingerprint, plan.record_type)
        if record is None and stage in MADE_AGAIN:
            with artifacts.draft(stage, work.image_key, fingerprint) as draft:
                record = plan.make(work, draft)  # never committed: nothing else is to hold now
        if record is None:
            return None
        return Finished(record, fingerprint, plan.data_version(record, fingerprint))
