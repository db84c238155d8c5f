"""Notes of how far the images of a run are, for lists of images.

What is noted is known elsewhere (the artefacts, the run): a note that cannot be written costs the
run nothing, and is looked up again when the run has ended.

Belongs here: from the outcomes of stages, or from what is stored, to a standing. Does not belong
here: the rows (``images.states``), Dagster.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from time import monotonic
from typing import TYPE_CHECKING

from animatize_assets.generation.models import PictureRecord
from animatize_assets.images.states import ImageStates, Standing
from animatize_assets.movement.models import MovementPrediction
from animatize_assets.pipeline.stages import STAGES, StageOutcome, digest_of

if TYPE_CHECKING:
    from animatize_assets.images.artifacts import ArtifactStore
    from animatize_assets.pipeline.workshop import Workshop

_log = logging.getLogger(__name__)

WRITE_EVERY_S = 1.0
"""Standings are written together: one commit per second, however fast images are done."""


def code_digest(versions: Mapping[str, str]) -> str:
    """Name the code versions of all stages, 64 hex."""
    return digest_of(dict(versions))


class RunProgress:
    """The images of one run. Give it every outcome, and close it when the run has ended.

    ``versions``: stage -> code version that the run makes things with. ``stages``: what the run
    makes of each image.
    """

    def __init__(
        self,
        states: ImageStates,
        artifacts: ArtifactStore,
        versions: Mapping[str, str],
        stages: Sequence[str],
        *,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._states = states
        self._artifacts = artifacts
        self._digest = code_digest(versions)
        self._stages = stages
        self._clock = clock
        self._under_way: dict[str, dict[str, StageOutcome]] = {}
        self._settled: list[Standing] = []
        self._written_at = clock()

    def begin(self, image_keys: Sequence[str], run_id: str | None) -> None:
        """Note that the run works on these images."""
        self._write(lambda: self._states.begin(image_keys, run_id))

    def note(self, outcome: StageOutcome) -> None:
        """Take what became of a stage; an image's last one settles it."""
        image = self._under_way.setdefault(outcome.image_key, {})
        image[outcome.stage] = outcome
        if len(image) == len(self._stages):
            del self._under_way[outcome.image_key]
            self._settled.append(self._standing(outcome.image_key, image))
        if self._settled and self._clock() - self._written_at >= WRITE_EVERY_S:
            self._flush()

    def close(self) -> None:
        """Write what is settled. What is not stays in progress until its run is known to be over.

        See :meth:`~animatize_assets.images.states.ImageStates.forget_runs`.
        """
        self._flush()

    def _flush(self) -> None:
        settled, self._settled = self._settled, []
        self._write(lambda: self._states.settle(settled))
        self._written_at = self._clock()

    def _standing(self, image_key: str, outcomes: Mapping[str, StageOutcome]) -> Standing:
        failed = [each for each in outcomes.values() if each.status == "failed"]
        is_whole = len(outcomes) == len(STAGES) or all(
            self._artifacts.current_fingerprint(stage, image_key) is not None
            for stage in STAGES
            if stage not in outcomes
        )
        prediction = outcomes.get("movement_prediction")
        picture = outcomes.get("generated_picture")
        return Standing(
            image_key,
            "failed" if failed else "complete" if is_whole else "missing",
            provider=_provider(picture.record if picture else None),
            movement=_movement(prediction.record if prediction else None),
            code_digest=self._digest if len(outcomes) == len(STAGES) and not failed else None,
            reason=_reason(failed[0]) if failed else None,
        )

    def _write(self, write: Callable[[], None]) -> None:
        try:
            write()
        except Exception:  # noqa: BLE001  # no run fails because a list cannot be kept up
            _log.exception("How far images are could not be noted; it is looked up again.")


def open_progress(workshop: Workshop, stages: Sequence[str]) -> RunProgress:
    """Return where a run that makes ``stages`` with ``workshop`` notes how far it is."""
    states = ImageStates(workshop.images.engine)
    return RunProgress(states, workshop.artifacts, workshop.code_versions, stages)


def look_up(artifacts: ArtifactStore, image_key: str) -> Standing:
    """Return how far an image is by what is stored of it. That a stage failed is stored nowhere.

    Raises:
        StorageFailed: something is there and cannot be read.
    """
    is_whole = all(
        artifacts.current_fingerprint(stage, image_key) is not None for stage in reversed(STAGES)
    )
    prediction = artifacts.current("movement_prediction", image_key, MovementPrediction)
    picture = artifacts.current("generated_picture", image_key, PictureRecord)
    return Standing(
        image_key,
        "complete" if is_whole else "missing",
        provider=_provider(picture),
        movement=_movement(prediction),
    )


def _provider(record: object) -> str | None:
    return record.provider if isinstance(record, PictureRecord) else None


def _movement(record: object) -> str | None:
    return record.camera_path.move if isinstance(record, MovementPrediction) else None


def _reason(outcome: StageOutcome) -> str | None:
    return None if outcome.error is None else f"{outcome.stage}: {outcome.error.reason}"
