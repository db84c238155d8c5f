"""How long one picture of a provider takes, by the estimators that learned from the job records.

Belongs here: from a picture to the job that its record will be. Does not belong here: the estimate
(``performance``), what is done within the time (``pregeneration``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from animatize_assets.performance.given_parameters import read_given
from animatize_assets.performance.models import Submission
from animatize_assets.pipeline.job_parameters import stage_parameters
from animatize_assets.pipeline.request import PipelineRequest
from animatize_assets.pregeneration.preparation import Prepared

if TYPE_CHECKING:
    from animatize_assets.performance.run_promises import Estimator


@dataclass(frozen=True)
class EstimatedPictureTimes:
    """``pregeneration.preparation.PictureTimes`` on the time estimator."""

    estimator: Estimator
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)

    def seconds(self, provider: str, prepared: Prepared) -> float:
        """Return the estimate for one picture of ``provider``."""
        given = stage_parameters(
            "generated_picture",
            prepared.source_size,
            PipelineRequest(provider=provider, size=(prepared.width, prepared.height)),
            provider_model=prepared.model,
        )
        submission = Submission(
            pipeline_type="image",
            parameters=read_given(given).parameters,
            submitted_at=self.clock(),
        )
        return self.estimator.estimate_many([submission])[0].predicted_time_seconds
