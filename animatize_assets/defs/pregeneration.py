"""Pictures made ahead at night: two assets, their job, their schedule, and the look at batches.

Belongs here: phrasing them for Dagster. Does not belong here: which pictures are made and how
(``pregeneration``). The schedule is off until a person turns it on, in the UI or with
``dagster schedule start pregeneration``; its time is that of ``ANIMATIZE_TIME_ZONE``. Its run waits
behind every other one (``dagster/priority``), and its calls to one's own hardware take the places
that all runs share (``provider_pools``). No step waits for a batch.
See https://docs.dagster.io/guides/build/assets.
"""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import dagster as dg
from pydantic import Field

from animatize_assets.defs.assets import OWNERS, PICTURE_POOL
from animatize_assets.defs.performance import PerformanceResource, tracked_step
from animatize_assets.defs.pregeneration_metadata import night_metadata, patterns_metadata
from animatize_assets.defs.provider_pools import ProviderPools
from animatize_assets.defs.provider_resources import PictureProviders
from animatize_assets.defs.resources import Stores, WorkshopResource
from animatize_assets.defs.stopped_runs import begin_with_room
from animatize_assets.errors import AnimatizeError, NotConfigured
from animatize_assets.settings import Settings

if TYPE_CHECKING:
    from animatize_assets.pregeneration.night import NightShift

GROUP = "pregeneration"
PREGENERATE_JOB = "pregenerate_pictures"
OFF = dg.DefaultScheduleStatus.STOPPED
BEHIND_ALL = "-10"
"""Priority of a run in the queue; others have 0."""

COLLECT_INTERVAL_S = 300
"""A batch takes minutes to hours, and nobody waits for its pictures."""


@dg.asset(
    group_name=GROUP,
    owners=OWNERS,
    kinds={"python", "sql"},
    code_version="1",
    description="What people ask for, without the image: target model, style, provider, size and "
    "kind of movement, counted over 60 days, each request counting half after a week.",
)
def prompt_patterns(stores: Stores) -> dg.MaterializeResult[None]:
    """Count the patterns of the requests so far."""
    from animatize_assets.pregeneration.demand import read_demand  # noqa: PLC0415 - SQLAlchemy
    from animatize_assets.pregeneration.night import WINDOW_DAYS  # noqa: PLC0415 - the same
    from animatize_assets.pregeneration.patterns import TOP, pattern_counts  # noqa: PLC0415

    images, _ = stores.open()
    now = datetime.now(UTC)
    demand = read_demand(images.engine, since=now - timedelta(days=WINDOW_DAYS), until=now)
    counts = pattern_counts(demand.asked, now)
    return dg.MaterializeResult(metadata=patterns_metadata(counts[:TOP], len(counts)))


class NightConfig(dg.Config):
    """When the night ends."""

    until: str | None = Field(
        default=None,
        description="ISO 8601 with an offset; default: ANIMATIZE_PREGENERATION_WINDOW_H from now.",
    )

    def ends_at(self, window: timedelta) -> datetime:
        """Return when nothing new is begun any more.

        Raises:
            dg.Failure: it is no time with an offset.
        """
        if self.until is None:
            return datetime.now(UTC) + window
        try:
            until = datetime.fromisoformat(self.until)
        except ValueError:
            until = None
        if until is None or until.tzinfo is None:
            raise dg.Failure(
                f"until is {self.until!r}; give a time with its offset, as 2026-06-01T06:00+02:00.",
                allow_retries=False,
            )
        return until


@dg.asset(
    deps=[prompt_patterns],
    group_name=GROUP,
    owners=OWNERS,
    kinds={"python"},
    code_version="1",
    pool=PICTURE_POOL,
    description="Pictures that will probably be asked for, made within budget and window: in "
    "batches at half the price, or on one's own hardware. `animatize pregenerate report` tells "
    "which were used.",
)
def pregenerated_pictures(
    context: dg.AssetExecutionContext,
    config: NightConfig,
    workshop: WorkshopResource,
) -> dg.MaterializeResult[None]:
    """Do one night's work."""
    from animatize_assets.workplace.pregenerating import limits_of, window_of  # noqa: PLC0415

    settings = Settings.read()
    until = config.ends_at(window_of(settings))
    with (
        _night(workshop, context) as night,
        tracked_step(context.op_execution_context, workshop.performance, PREGENERATE_JOB),
    ):
        limits = limits_of(settings, until - datetime.now(UTC))
        try:
            report = night.work(limits, until, run_id=context.run.run_id)
        except TimeoutError as error:
            raise dg.Failure(
                "Another process makes pictures ahead now.", allow_retries=False
            ) from error
        except AnimatizeError as error:
            raise dg.Failure(error.message, allow_retries=False) from error
    if report.stopped:
        context.log.warning("%s %d pictures stay planned.", report.stopped, report.remaining)
    return dg.MaterializeResult(metadata=night_metadata(report))


@contextmanager
def _night(workshop: WorkshopResource, context: dg.AssetExecutionContext) -> Iterator["NightShift"]:
    from animatize_assets.workplace.pregenerating import night_in  # noqa: PLC0415 - SQLAlchemy

    opened = workshop.open()
    with closing(opened):
        begin_with_room(context, opened.disk)
        pools = ProviderPools(context.instance, context.run.run_id)
        bench = replace(opened, pictures=replace(opened.pictures, across_runs=pools))
        setup = workshop.picture_providers.setup()
        try:
            yield night_in(bench, setup, workshop.performance.room())
        except NotConfigured as error:
            raise dg.Failure(error.message, allow_retries=False) from error


pregenerate_pictures = dg.define_asset_job(
    PREGENERATE_JOB,
    selection=dg.AssetSelection.groups(GROUP),
    tags={"dagster/priority": BEHIND_ALL},
    description="Make pictures that will probably be asked for, within budget and window.",
)


def pregeneration(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
    """Ask for one night, which ends so many hours after the schedule's time."""
    window = timedelta(hours=Settings.read().pregeneration_window_h)
    # In UTC, as hours of the clock are not hours of work on the night of a change.
    until = context.scheduled_execution_time.astimezone(UTC) + window
    return dg.RunRequest(
        run_key=context.scheduled_execution_time.date().isoformat(),
        run_config={
            "ops": {pregenerated_pictures.op.name: {"config": {"until": until.isoformat()}}}
        },
    )


def build_pregeneration_schedules(time_zone: str = "UTC") -> tuple[dg.ScheduleDefinition, ...]:
    """Make the schedule; ``time_zone``: the one in which it tells the time."""
    return (
        dg.schedule(
            name="pregeneration",
            job=pregenerate_pictures,
            cron_schedule="0 2 * * *",
            execution_timezone=time_zone,
            description="Makes pictures ahead that will probably be asked for.",
            default_status=OFF,
        )(pregeneration),
    )


def pregeneration_batches(
    context: dg.SensorEvaluationContext,
    stores: Stores,
    workshop: WorkshopResource,
    picture_providers: PictureProviders,
    performance: PerformanceResource,
) -> dg.SkipReason:
    """Take what batches of pictures brought that have ended."""
    from animatize_assets.pregeneration.pregenerated import (  # noqa: PLC0415 - SQLAlchemy
        PregeneratedPictures,
    )
    from animatize_assets.workplace.pregenerating import night_in  # noqa: PLC0415 - the same

    images, _ = stores.open()
    if not PregeneratedPictures(images.engine).batches("creating", "submitted"):
        return dg.SkipReason("No batch of pictures is under way.")
    try:
        with closing(workshop.open()) as bench:
            night = night_in(bench, picture_providers.setup(), performance.room())
            came, under_way = night.collect()
    except TimeoutError:
        return dg.SkipReason("A night is at work; it takes what came by itself.")
    except AnimatizeError as error:
        context.log.error("The batches could not be asked after: %s", error.message)  # noqa: TRY400 - a sentence, no traceback
        return dg.SkipReason(error.message)
    return dg.SkipReason(f"{came} pictures have come; {under_way} batches are under way.")


def build_pregeneration_sensor() -> dg.SensorDefinition:
    """Make the sensor; it runs from the start and does nothing while no batch is under way."""
    return dg.sensor(
        name="pregeneration_batches",
        minimum_interval_seconds=COLLECT_INTERVAL_S,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Takes pictures that batches brought into the result store.",
    )(pregeneration_batches)


pregeneration_assets: tuple[Any, ...] = (prompt_patterns, pregenerated_pictures)
pregeneration_jobs = (pregenerate_pictures,)
