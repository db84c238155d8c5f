"""Everything that is stored of one image, read together."""

from __future__ import annotations

from dataclasses import dataclass, fields

from animatize_assets.animatic.models import ClipRecord
from animatize_assets.generation.models import PictureRecord
from animatize_assets.images.models import ImageRecord
from animatize_assets.movement.models import MovementPrediction
from animatize_assets.prompts.models import MotionPrompt
from animatize_assets.records import Record
from animatize_assets.scene.models import SceneAnalysis
from animatize_assets.workplace.opening import Workplace


@dataclass(frozen=True)
class StoredImage:
    """The current record of each stage; None where it has not been made."""

    source_image: ImageRecord
    scene_analysis: SceneAnalysis | None
    movement_prediction: MovementPrediction | None
    motion_prompt: MotionPrompt | None
    generated_picture: PictureRecord | None
    animatic_clip: ClipRecord | None

    def by_stage(self) -> dict[str, Record | None]:
        """Asset name -> record, in the pipeline's order."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


def load_stored(workplace: Workplace, image_key: str) -> StoredImage:
    """Read what is stored of ``image_key``.

    Raises:
        ImageNotFound: no accepted image has this key.

    """
    current = workplace.artifacts.current
    return StoredImage(
        source_image=workplace.images.get(image_key),
        scene_analysis=current("scene_analysis", image_key, SceneAnalysis),
        movement_prediction=current("movement_prediction", image_key, MovementPrediction),
        motion_prompt=current("motion_prompt", image_key, MotionPrompt),
        generated_picture=current("generated_picture", image_key, PictureRecord),
        animatic_clip=current("animatic_clip", image_key, ClipRecord),
    )
