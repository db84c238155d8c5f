"""Declarative automation: what another rule file, template or model made stale is offered again.

A partition is stale when other code made it than is current, or when one of its inputs has another
data version now than it was made from: as Dagster's own UI says it. Offered are exactly those,
the cheapest steps first: a step waits until those before it are current, and the picture until the
clip is; a step that gives the same answer again leaves what follows as it is. Each image is made
as it was asked for before (``pipeline.asked_before``). What failed is offered again with the next
version, not before.

Belongs here: the conditions and their sensor. Does not belong here: what a picture may cost
(``workplace.stale_pictures``). The sensor is off until a person turns it on (docs/automation.md).

Dagster's own conditions know that a code version changed since they looked last, not which
partitions were made by which; so one of them is ours, and is evaluated where our code is.
See https://docs.dagster.io/guides/automate/declarative-automation.
"""

import sys
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, date
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import dagster as dg

from animatize_assets.defs.beta_api import listed_beta_api
from animatize_assets.defs.metadata import (
    CODE_VERSION_TAG,
    DATA_VERSION_TAG,
    INPUT_DATA_VERSION_TAG,
)
from animatize_assets.defs.provider_resources import PictureProviders
from animatize_assets.defs.resources import Stores
from animatize_assets.pipeline.stages import NEEDS, STAGES
from animatize_assets.records import Record
from animatize_assets.settings import Settings

if TYPE_CHECKING:
    from dagster import AutomationCondition, AutomationContext, AutomationResult

INTERVAL_S = 60

SENSOR = "stale_results"

AS_BEFORE_TAG = "animatize/as_before"
"""Tag of a run that makes each image as it was asked for before, whatever its configuration."""

PAGE = 500
"""Materializations read in one query."""


@dataclass(frozen=True)
class _Made:
    """What a materialization says of how it was made."""

    storage_id: int
    code_version: str
    data_version: str
    inputs: tuple[str, ...]
    """Data versions in the order of ``NEEDS``; empty where it was not told."""


_known: dict[tuple[str, str], dict[str, _Made]] = {}
"""(instance, stage) -> image key -> its newest materialization. A materialization never changes, so
a look reads only those that are new: a few hundred bytes per image and stage are kept for it."""

_looks: "WeakKeyDictionary[Any, dict[str, frozenset[str]]]" = WeakKeyDictionary()
"""Of each evaluation: stage -> stale keys. One evaluation asks several times."""


def stale_keys(
    instance: dg.DagsterInstance, stage: str, code_version: str | None
) -> frozenset[str]:
    """Return the images whose ``stage`` was made by other code, or from other inputs, than now."""
    own = _made(instance, stage)
    inputs = [_made(instance, need) for need in NEEDS[stage]]
    return frozenset(
        key
        for key, made in own.items()
        if made.code_version != code_version
        or any(
            used and key in current and current[key].data_version != used
            for used, current in zip(made.inputs, inputs, strict=True)
        )
    )


def _made(instance: dg.DagsterInstance, stage: str) -> Mapping[str, _Made]:
    known = _known.setdefault((str(instance.get_ref()), stage), {})
    latest = instance.get_latest_storage_id_by_partition(
        dg.AssetKey(stage), dg.DagsterEventType.ASSET_MATERIALIZATION
    )
    for gone in known.keys() - latest.keys():
        del known[gone]
    new = sorted(
        storage_id
        for key, storage_id in latest.items()
        if key not in known or known[key].storage_id != storage_id
    )
    for at in range(0, len(new), PAGE):
        page = new[at : at + PAGE]
        found = instance.fetch_materializations(
            dg.AssetRecordsFilter(asset_key=dg.AssetKey(stage), storage_ids=page), limit=len(page)
        )
        for record in found.records:
            made = record.asset_materialization
            if made is not None and made.partition is not None:
                known[made.partition] = _told(stage, record.storage_id, made.tags or {})
    return known


def _told(stage: str, storage_id: int, tags: Mapping[str, str]) -> _Made:
    return _Made(
        storage_id,
        sys.intern(tags.get(CODE_VERSION_TAG, "")),
        tags.get(DATA_VERSION_TAG, ""),
        tuple(tags.get(INPUT_DATA_VERSION_TAG + need, "") for need in NEEDS[stage]),
    )


class _Forgetful(dg.AutomationCondition[dg.AssetKey]):
    """Judges each look anew: a cursor would cost a serialized subset per look."""

    @property
    def requires_cursor(self) -> bool:
        """Nothing is remembered of it."""
        return False


class Stale(_Forgetful):
    """True for the partitions that other code made, or that were made from other inputs."""

    @property
    def name(self) -> str:
        """What the UI calls it."""
        return "made by other code or from other inputs"

    def evaluate(
        self, context: "AutomationContext[dg.AssetKey]"
    ) -> "AutomationResult[dg.AssetKey]":
        """Return the stale ones among the candidates."""
        view, stage = context.asset_graph_view, context.key.to_user_string()
        look = _looks.setdefault(view, {})
        if stage not in look:
            version = context.asset_graph.get(context.key).code_version
            look[stage] = stale_keys(view.instance, stage, version)
        return _among(context, look[stage])


class FreePrompt(_Forgetful):
    """True for the candidates whose prompt costs nothing to make again."""

    def __init__(self, stores: Stores) -> None:
        self._stores = stores

    @property
    def name(self) -> str:
        """What the UI calls it."""
        return "no language model is paid for it"

    def evaluate(
        self, context: "AutomationContext[dg.AssetKey]"
    ) -> "AutomationResult[dg.AssetKey]":
        """Return those that no language model expanded."""
        from animatize_assets.workplace.stale_pictures import free_prompts  # noqa: PLC0415

        keys = sorted(context.candidate_subset.expensively_compute_partition_keys())
        if not keys:
            return _among(context, ())
        images, artifacts = self._stores.open()
        images.engine.dispose()
        return _among(context, free_prompts(artifacts, keys))


class AffordablePicture(dg.AutomationCondition[dg.AssetKey]):
    """True for the candidates that are free, or cost no more than automation may still spend today.

    To be the last of an asset's conditions: what it lets through counts as spent. Its cursor, which
    Dagster keeps with the sensor's, tells how much that is today.
    """

    def __init__(self, stores: Stores, picture_providers: PictureProviders) -> None:
        self._stores = stores
        self._providers = picture_providers

    @property
    def name(self) -> str:
        """What the UI calls it."""
        return "free, or within the budget of automation"

    def evaluate(
        self, context: "AutomationContext[dg.AssetKey]"
    ) -> "AutomationResult[dg.AssetKey]":
        """Return those that may be made, and remember what they cost."""
        from animatize_assets.workplace.stale_pictures import affordable_pictures  # noqa: PLC0415

        now = context.evaluation_time.astimezone(UTC)
        spent = Spent.model_validate_json(context.cursor) if context.cursor else Spent()
        if spent.day != now.date():
            spent = Spent(day=now.date())
        keys = sorted(context.candidate_subset.expensively_compute_partition_keys())
        chosen: Collection[str] = ()
        if keys:
            images, artifacts = self._stores.open()
            try:
                chosen, costs = affordable_pictures(
                    images,
                    artifacts,
                    self._providers.setup(),
                    keys,
                    Settings.read().automation_budget_usd - spent.usd,
                    now=now,
                )
            finally:
                images.engine.dispose()
            spent = spent.model_copy(update={"usd": spent.usd + costs})
        return _among(context, chosen, cursor=spent.model_dump_json())


class Spent(Record):
    """What automation has asked for on one day (UTC)."""

    day: date | None = None
    usd: float = 0.0


def _among(
    context: "AutomationContext[dg.AssetKey]", keys: Collection[str], cursor: str | None = None
) -> "AutomationResult[dg.AssetKey]":
    candidates = context.candidate_subset
    found = candidates.expensively_compute_partition_keys() & set(keys)
    subset = candidates.compute_intersection_with_partition_keys(found)
    return dg.AutomationResult(context, subset, cursor=cursor)


def automation_conditions(
    stores: Stores, picture_providers: PictureProviders
) -> "dict[str, AutomationCondition[dg.AssetKey]]":
    """Return stage -> when its stale partitions are offered."""
    built_in, stale = dg.AutomationCondition, Stale()
    news = (
        stale.newly_true()
        | (built_in.code_version_changed() & stale)
        | (built_in.newly_updated() & stale)
    )
    offered: Any = (
        stale
        & news.since(built_in.newly_requested())
        & ~built_in.in_progress()
        & ~built_in.any_deps_match(stale)
        & ~built_in.any_deps_in_progress()
    )
    conditions: dict[str, Any] = dict.fromkeys(STAGES, offered)
    conditions["motion_prompt"] = offered & FreePrompt(stores)
    conditions["generated_picture"] = (
        offered
        & ~built_in.asset_matches("animatic_clip", stale)
        & AffordablePicture(stores, picture_providers)
    )
    return conditions


def build_stale_sensor(
    interval_s: int | None = None,
) -> dg.AutomationConditionSensorDefinition:
    """Make the sensor; a person turns it on.

    ``interval_s``: seconds between two looks; None: as many as :data:`INTERVAL_S`.
    """
    with listed_beta_api():
        return dg.AutomationConditionSensorDefinition(
            SENSOR,
            target=dg.AssetSelection.assets(*STAGES),
            minimum_interval_seconds=interval_s or INTERVAL_S,
            default_status=dg.DefaultSensorStatus.STOPPED,
            run_tags={AS_BEFORE_TAG: SENSOR},
            use_user_code_server=True,
            description="Offers again what another rule file, template or model made stale: "
            "exactly that, the cheapest steps first, as it was asked for, and nothing paid for "
            "without a budget.",
        )
