"""What is judged of finished work, one sentence for each that falls short.

Belongs here: the questions of the asset checks about one image. Does not belong here: what must
hold before a result is stored at all (the rooms refuse it inside the stage), Dagster.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from animatize_assets.animatic.models import ClipRecord
from animatize_assets.errors import StorageFailed
from animatize_assets.generation.models import PictureRecord
from animatize_assets.movement.models import MovementPrediction
from animatize_assets.prompts.models import MotionPrompt
from animatize_assets.scene.models import SceneAnalysis

if TYPE_CHECKING:
    from animatize_assets.images.artifacts import ArtifactStore

LEAST_CONFIDENCE = 0.3
"""Below this confidence of an analysis a person should look before trusting the move."""


def picture_problem(
    artifacts: ArtifactStore, record: PictureRecord, asked: tuple[int, int] | None
) -> str | None:
    """Why a stored picture is not readable or not of the asked size; None when it is."""
    from PIL import Image, UnidentifiedImageError  # noqa: PLC0415  # not to load the location

    try:
        with artifacts.local(record.path) as path, Image.open(path) as picture:
            picture.load()
            size = picture.size
    except (StorageFailed, OSError, UnidentifiedImageError, Image.DecompressionBombError) as error:
        return f"The picture cannot be read: {error}"
    if size != (record.width, record.height):
        return f"The picture is {size[0]}x{size[1]} px; made was {record.width}x{record.height}."
    # A size that the provider does not make was replaced by its nearest. Of one that takes only a
    # ratio, the ratio was judged when the picture was made.
    wanted = record.asked_size or asked
    if wanted is not None and size != wanted and not record.aspect_only:
        return f"The picture is {size[0]}x{size[1]} px; asked was {wanted[0]}x{wanted[1]}."
    return None


def provider_problem(record: PictureRecord) -> str | None:
    """Why a person should look at who made a picture; None when it is as asked for."""
    if record.reuse is not None and record.reuse.level == "similar":
        return f"Reused from {record.reuse.source_image_key}: {record.reuse.why}"
    if not record.is_fallback:
        return None
    tried = ", ".join(
        f"{each.provider} {each.reason}" for each in record.attempts if each.outcome == "failed"
    )
    return f"Made by {record.provider} instead of {record.asked_provider} ({tried})."


def clip_problem(
    artifacts: ArtifactStore, record: ClipRecord, prediction: MovementPrediction
) -> str | None:
    """Why a stored clip does not play for as long as its camera path says; None when it does.

    The header and the first frame are read here: every frame was decoded when it was made.
    """
    import av  # here: only this question needs it

    try:
        with artifacts.local(record.path) as path, av.open(str(path)) as container:
            stream = container.streams.video[0]
            frames, rate = stream.frames, stream.average_rate
            next(container.decode(stream))
    except (StorageFailed, av.FFmpegError, OSError, IndexError, StopIteration) as error:
        return f"The clip cannot be played: {error}"
    path_ = prediction.camera_path
    predicted = path_.frame_count / path_.fps
    seconds = frames / float(rate) if rate else 0.0
    if abs(seconds - predicted) > 0.5 / path_.fps:
        return f"The clip lasts {seconds:.3f} s; its camera path says {predicted:.3f} s."
    return None


def prompt_problem(record: MotionPrompt, prediction: MovementPrediction) -> str | None:
    """Why a prompt is too long or names another move than the clip makes; None when it is right."""
    move = prediction.camera_path.move
    if record.length > record.length_limit:
        return (
            f"The prompt has {record.length} {record.length_unit}; {record.target} takes "
            f"{record.length_limit}."
        )
    if record.camera_move != move or record.camera_phrase not in record.positive:
        return f"The prompt does not name the move '{move}' that the camera path makes."
    return None


def analysis_problem(record: SceneAnalysis) -> str | None:
    """Why an analysis should not be trusted blindly; None when it can be."""
    if record.confidence < LEAST_CONFIDENCE:
        return f"The analysis has a confidence of {record.confidence:.2f}."
    return None
