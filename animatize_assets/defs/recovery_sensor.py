"""A sensor that asks again for pictures whose provider was down, when it is back.

Belongs here: gathering what a look needs and phrasing it as a run request. Does not belong here:
which pictures these are (``generation.recovery``), what may be spent (``workplace.allowances``).
It pays, so it is off until a person turns it on (docs/automation.md).
See https://docs.dagster.io/guides/automate/sensors.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import dagster as dg

from animatize_assets.defs.jobs import ANIMATE_JOB, animate_images
from animatize_assets.defs.partitions import IMAGE_PARTITIONS, range_tags
from animatize_assets.defs.provider_resources import PictureProviders
from animatize_assets.defs.resources import Stores
from animatize_assets.defs.sensors import LONGEST_RANGE, UNFINISHED, no_room
from animatize_assets.errors import AnimatizeError
from animatize_assets.pipeline.generation_setup import GenerationSetup, ProviderSetup, missing
from animatize_assets.pipeline.request import PipelineRequest
from animatize_assets.pipeline.watched_folder import first_range
from animatize_assets.records import Record

if TYPE_CHECKING:
    from animatize_assets.generation.recovery import WaitingPicture
    from animatize_assets.images.store import ImageStore

INTERVAL_S = 300

RECOVERS_TAG = "animatize/asks_again"
"""Tag of a run that asks again: the provider that was down."""

ASKED_AFTER = timedelta(minutes=10)
"""A provider that has shown nothing itself is asked whether it is there so long after a fallback;
as long as a circuit breaker waits at most (``generation.breaker``)."""

MADE_AGAIN = [dg.AssetKey("motion_prompt"), dg.AssetKey("generated_picture")]
"""The prompt is found again, unless something else was asked for since."""


class Offered(Record):
    """What was asked for again before, of what still waits."""

    requests: tuple[int, ...] = ()


def provider_recovery(
    context: dg.SensorEvaluationContext, stores: Stores, picture_providers: PictureProviders
) -> dg.SensorResult:
    """Ask again, once, for what fell back to ``local`` while its provider was down."""
    if (full := no_room()) is not None:
        return dg.SensorResult(skip_reason=full, cursor=context.cursor)
    from animatize_assets.generation.recovery import waiting_pictures  # noqa: PLC0415  # SQLAlchemy
    from animatize_assets.generation.request_log import RequestLog  # noqa: PLC0415

    instance, now = context.instance, datetime.now(UTC)
    before = set(Offered.model_validate_json(context.cursor).requests if context.cursor else ())
    setup = picture_providers.setup()
    images, artifacts = stores.open()
    try:
        order = instance.get_dynamic_partitions(IMAGE_PARTITIONS)
        found = waiting_pictures(RequestLog(images.engine), artifacts, set(order), now=now)
        asked_again = _asked_again(instance, found)
        waiting = [
            each
            for each in found
            if each.request_id not in before and each.run_id not in asked_again
        ]
        look = _Look(context, images, setup, now)
        back = look.back(_idle(instance, waiting))
        looked = [look.first_batch(provider, waiting, order) for provider in back]
    finally:
        images.engine.dispose()
    batches = [each for each in looked if not isinstance(each, str)]
    offered = {each.request_id for batch in batches for each in batch}
    still = {each.request_id for each in found} & before
    return dg.SensorResult(
        run_requests=[_again(batch) for batch in batches],
        cursor=Offered(requests=tuple(sorted(offered | still))).model_dump_json(),
        skip_reason=None if batches else _why_none(len(waiting), back, looked),
    )


def _why_none(
    waiting: int, back: Sequence[str], looked: "Iterable[list[WaitingPicture] | str]"
) -> dg.SkipReason:
    known = (
        f"{waiting} pictures wait for a provider that was down; "
        f"{', '.join(back) or 'none'} is back."
    )
    return dg.SkipReason(" ".join([known, *(each for each in looked if isinstance(each, str))]))


def _asked_again(instance: dg.DagsterInstance, found: Iterable["WaitingPicture"]) -> frozenset[str]:
    """Return the runs among those of ``found`` that asked again already: once is enough."""
    run_ids = sorted({each.run_id for each in found if each.run_id is not None})
    runs = instance.get_runs(dg.RunsFilter(run_ids=run_ids)) if run_ids else []
    return frozenset(run.run_id for run in runs if RECOVERS_TAG in run.tags)


def _idle(instance: dg.DagsterInstance, waiting: Iterable["WaitingPicture"]) -> dict[str, datetime]:
    """Return provider -> when a picture fell back last; without those that are asked right now."""
    fell_back: dict[str, datetime] = {}
    for each in waiting:
        fell_back[each.provider] = max(
            each.fell_back_at, fell_back.get(each.provider, each.fell_back_at)
        )
    return {
        provider: at
        for provider, at in fell_back.items()
        if not instance.get_runs(
            dg.RunsFilter(tags={RECOVERS_TAG: provider}, statuses=UNFINISHED), limit=1
        )
    }


@dataclass(frozen=True)
class _Look:
    """One look at providers and budgets."""

    context: dg.SensorEvaluationContext
    images: "ImageStore"
    setup: GenerationSetup
    now: datetime

    def back(self, fell_back: Mapping[str, datetime]) -> list[str]:
        """Return those of the providers that work again."""
        from animatize_assets.generation.health import HealthBoard  # noqa: PLC0415  # SQLAlchemy
        from animatize_assets.generation.recovery import is_known_to_be_back  # noqa: PLC0415
        from animatize_assets.generation.request_log import RequestLog  # noqa: PLC0415

        log, health = RequestLog(self.images.engine), HealthBoard(self.images.engine)
        there = [name for name in sorted(fell_back) if missing(name, self._how(name)) is None]
        back = [
            name for name in there if is_known_to_be_back(name, log, health, since=fell_back[name])
        ]
        silent = [
            name for name in there if name not in back and self.now - fell_back[name] >= ASKED_AFTER
        ]
        return sorted([*back, *asyncio.run(self._answering(silent))])

    async def _answering(self, names: Sequence[str]) -> list[str]:
        """Return those of ``names`` that answer now; the question costs nothing."""
        answered = await asyncio.gather(*map(self._answers, names))
        return [name for name, ok in zip(names, answered, strict=True) if ok]

    async def _answers(self, name: str) -> bool:
        from animatize_assets.generation.reachability import reach  # noqa: PLC0415

        how = self._how(name)
        try:
            reached = await reach(name, how.base_url, how.api_key)
        except AnimatizeError as error:
            self.context.log.warning("%s is not asked: %s", name, error.message)
            return False
        if not reached.ok:
            self.context.log.info("%s is not back: %s", name, reached.says)
        return reached.ok

    def first_batch(
        self, provider: str, waiting: Iterable["WaitingPicture"], order: Sequence[str]
    ) -> "list[WaitingPicture] | str":
        """Return neighbours that were asked for alike and fit in the budget, or why there are none.

        The next look goes on with the others.
        """
        from animatize_assets.workplace.allowances import affordable, allowance_usd  # noqa: PLC0415

        of_provider = [each for each in waiting if each.provider == provider]
        request = of_provider[0].request
        alike = {each.image_key: each for each in of_provider if each.request == request}
        keys = first_range(alike, order, longest=LONGEST_RANGE)
        try:
            allowance = allowance_usd(self.images.engine, self.setup, provider, now=self.now)
            kept = affordable(self.images, self.setup, keys, _request(of_provider[0]), allowance)
        except AnimatizeError as error:
            self.context.log.warning("%s is not asked again: %s", provider, error.message)
            return f"{provider} is not asked again: {error.message}"
        if not kept:
            return (
                f"The budgets leave ${allowance:g} for {provider} now, and a picture costs more or "
                "has no known price."
            )
        return [alike[key] for key in kept]

    def _how(self, name: str) -> ProviderSetup:
        return self.setup.providers.get(name, ProviderSetup())


def _request(waiting: "WaitingPicture") -> PipelineRequest:
    return PipelineRequest.model_validate(dict(waiting.request))


def _again(batch: "Sequence[WaitingPicture]") -> dg.RunRequest:
    provider, first = batch[0].provider, min(each.request_id for each in batch)
    config = _request(batch[0]).model_dump(mode="json", exclude_none=True)
    return dg.RunRequest(
        run_key=f"{provider} is back: {first} and {len(batch) - 1} more",
        run_config={"ops": {"image_pipeline": {"config": config}}},
        tags={RECOVERS_TAG: provider, **range_tags([each.image_key for each in batch])},
        asset_selection=MADE_AGAIN,
    )


def build_recovery_sensor(interval_s: int | None = None) -> dg.SensorDefinition:
    """Make the sensor; a person turns it on.

    ``interval_s``: seconds between two looks; None: as many as :data:`INTERVAL_S`.
    """
    return dg.sensor(
        name="provider_recovery",
        job=animate_images,
        minimum_interval_seconds=interval_s or INTERVAL_S,
        default_status=dg.DefaultSensorStatus.STOPPED,
        description=f"Asks {ANIMATE_JOB} again, once and within budget, for pictures that fell "
        "back to 'local' while the provider that was asked for was down.",
    )(provider_recovery)
