"""How long a run over images will take, by what this process knows.

Belongs here: from keys and a request to the arguments of the estimate. Does not belong here: the
estimate itself (``run_estimates``), what a person sees.
"""

from __future__ import annotations

from collections.abc import Sequence

from animatize_assets.pipeline.request import PipelineRequest
from animatize_assets.pipeline.stages import STAGES
from animatize_assets.workplace.opening import Workplace
from animatize_assets.workplace.run_estimates import RunEstimate, run_estimate


def estimate_images(
    workplace: Workplace, image_keys: Sequence[str], request: PipelineRequest
) -> RunEstimate:
    """Return how long the whole pipeline takes over these images, if all has to be made.

    Raises:
        ImageNotFound: no accepted image has one of these keys.
        NotConfigured: a model is named that is not there, is retired, or needs an extra.

    """
    estimator = workplace.performance.time_estimator
    if not image_keys:
        return run_estimate([], request, STAGES, estimator, 1)
    images = workplace.images.sizes(image_keys)
    with workplace.workshop() as workshop:
        return run_estimate(
            images,
            request,
            STAGES,
            estimator,
            workshop.images_at_once(request),
            provider_model=workshop.pictures.provider(request.provider).model,
        )
