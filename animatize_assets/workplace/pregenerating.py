"""Pictures made ahead, with the settings of this process: for the command line and for Dagster.

Belongs here: from settings to a night's limits, and opening what works at night. Does not belong
here: Dagster, any choice of pictures (``pregeneration``), what a person sees.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from animatize_assets.pipeline.pregeneration_opening import open_night
from animatize_assets.pregeneration.planning import Limits
from animatize_assets.pregeneration.pregenerated import PregeneratedPictures
from animatize_assets.pregeneration.usage import PregenerationUse, use_of_pregenerated
from animatize_assets.settings import Settings
from animatize_assets.workplace.opening import Workplace
from animatize_assets.workplace.picture_times import EstimatedPictureTimes

if TYPE_CHECKING:
    from animatize_assets.performance.opening import PerformanceRoom
    from animatize_assets.pipeline.generation_setup import GenerationSetup
    from animatize_assets.pipeline.workshop import Workshop
    from animatize_assets.pregeneration.night import NightShift


def window_of(settings: Settings) -> timedelta:
    """Return how long a night is."""
    return timedelta(hours=settings.pregeneration_window_h)


def limits_of(settings: Settings, left: timedelta) -> Limits:
    """Return what a night may take; ``left``: of its window."""
    return Limits(
        budget_usd=settings.pregeneration_budget_usd,
        window_s=max(timedelta(), left).total_seconds(),
        most=settings.pregeneration_most,
        waste=settings.pregeneration_waste,
    )


def night_in(workshop: Workshop, setup: GenerationSetup, room: PerformanceRoom) -> NightShift:
    """Open what works at night in a workshop, with the estimators of ``room``.

    Raises:
        NotConfigured: no provider is set up, or the data folder is not a local one.
    """
    return open_night(workshop, setup, EstimatedPictureTimes(room.time_estimator))


@contextmanager
def open_night_of(workplace: Workplace) -> Iterator[NightShift]:
    """Open what works at night in this process's workplace.

    Raises:
        NotConfigured: as :func:`night_in`.
    """
    with workplace.workshop() as workshop:
        yield night_in(workshop, workplace.generation, workplace.performance)


def use_in(workplace: Workplace) -> PregenerationUse:
    """Return what pictures made ahead were worth so far."""
    engine = workplace.images.engine
    PregeneratedPictures(engine).note_uses()
    return use_of_pregenerated(
        engine,
        datetime.now(UTC),
        kept_for=timedelta(seconds=workplace.generation.results_ttl_s),
        time_zone=ZoneInfo(workplace.settings.time_zone),
    )
