"""The six assets of an image, as one subsettable step.

Belongs here: what the assets are called, what they depend on, and going through a run's images.
Does not belong here: what a stage does (``pipeline``), what a person sees of it (``metadata``).

Why one step that logs its materializations by hand, instead of six: a step over a range of
partitions succeeds or fails as a whole, so an image that fails would cost the others of its run
(docs/decisions). Here each stage of each image is recorded the moment it is done, and one
failure at the end lists the images that did not make it. ``Output`` is never used, so the tags
from which Dagster tells staleness are set here too.
See https://docs.dagster.io/guides/build/assets.
"""

from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace

import dagster as dg
from pydantic import Field

from animatize_assets.defs.cache_hits import CacheHits
from animatize_assets.defs.checks import CHECK_SPECS, Verdicts
from animatize_assets.defs.failed_images import FAILED_IMAGES, report, summary, why
from animatize_assets.defs.metadata import materialization_metadata, version_tags
from animatize_assets.defs.partitions import images
from animatize_assets.defs.performance import queue_seconds
from animatize_assets.defs.provider_pools import ProviderPools
from animatize_assets.defs.resources import SceneModelFiles, WorkshopResource
from animatize_assets.defs.run_telemetry import run_telemetry
from animatize_assets.defs.run_times import RunTime
from animatize_assets.defs.stale_results import AS_BEFORE_TAG
from animatize_assets.defs.step_worker import may_try_again, once_more, step_worker
from animatize_assets.defs.stopped_runs import begin_with_room, stopped_tags
from animatize_assets.pipeline.asked_before import requests_before
from animatize_assets.pipeline.cost import Cost
from animatize_assets.pipeline.model_files import digest_of_model_files
from animatize_assets.pipeline.request import PipelineRequest
from animatize_assets.pipeline.side_by_side import run_images
from animatize_assets.pipeline.stages import NEEDS, STAGES, StageOutcome
from animatize_assets.pipeline.versions import code_versions
from animatize_assets.pipeline.workshop import Workshop

GROUP = "animatize"
OWNERS = ["team:animatize"]
IMAGE_RECORDS = "image_records"
"""Key of the IO manager through which other assets load what these six made."""

PICTURE_POOL = "picture_providers"
"""Pool of the step, without a limit of its own: what a provider allows is a pool of each
(``provider_pools``), claimed call by call. ``dagster instance concurrency set picture_providers 1``
lets one run at a time make images at all."""

COST_TAG = "animatize/cost_usd"
"""Tag of a run that spent money: how much."""

_DESCRIPTIONS = {
    "source_image": "An accepted upload: upright 8-bit sRGB, named by its content.",
    "scene_analysis": "What is measured in the image: composition, depth, subject, palette, "
    "lighting, regions, scene type, aesthetics. No prose.",
    "movement_prediction": "What should move and why: ranked movements with evidence, and the "
    "camera path of the best one.",
    "motion_prompt": "Text for a target model that describes the camera path.",
    "generated_picture": "The picture that a provider made; 'local' renders the end of the shot.",
    "animatic_clip": "A playable H.264 clip of the camera path over the image's depth layers.",
}
_KINDS = {
    "source_image": {"python", "image"},
    "scene_analysis": {"python", "opencv"},
    "movement_prediction": {"python", "yaml"},
    "motion_prompt": {"python", "text"},
    "generated_picture": {"python", "image"},
    "animatic_clip": {"python", "ffmpeg"},
}


class PipelineConfig(dg.Config):
    """What is asked of a run: the fields of ``PipelineRequest``, one for one."""

    provider: str = Field(default="local", description="Who makes the picture.")
    target: str = Field(default="generic", description="Model that the prompt is for.")
    style: str = Field(default="cinematic", description="Style of the prompt.")
    size: list[int] | None = Field(
        default=None, description="[width, height] of picture and clip, px; default: the image's."
    )
    grade: bool = Field(default=True, description="Apply light and colour of the prompt.")
    expand: str = Field(
        default="off",
        description="Whether a language model expands the prompt: off, draft (cheaper) or final.",
    )
    seed: int = Field(default=0, description="Of everything random in a provider.")

    def request(self) -> PipelineRequest:
        """Check and convert."""
        return PipelineRequest.model_validate(self.model_dump())


def asset_specs(
    versions: Mapping[str, str],
    conditions: Mapping[str, dg.AutomationCondition[dg.AssetKey]] | None = None,
) -> list[dg.AssetSpec]:
    """Declare the assets, each with its stage's code version and when it is offered again."""
    return [
        dg.AssetSpec(
            stage,
            deps=NEEDS[stage],
            description=_DESCRIPTIONS[stage],
            group_name=GROUP,
            owners=OWNERS,
            kinds=_KINDS[stage],
            code_version=versions[stage],
            skippable=True,
            automation_condition=(conditions or {}).get(stage),
            metadata={"dagster/io_manager_key": IMAGE_RECORDS},
        )
        for stage in STAGES
    ]


def build_image_pipeline(
    versions: Mapping[str, str] | None = None,
    scene_models: SceneModelFiles | None = None,
    conditions: Mapping[str, dg.AutomationCondition[dg.AssetKey]] | None = None,
) -> dg.AssetsDefinition:
    """Make the step.

    ``versions``: the code versions; by default those of the code with ``scene_models``, by
    default those that the settings name at this moment. ``conditions``: stage -> when its stale
    partitions are offered again; by default never.

    Raises:
        InvalidSetting: a variable of the environment is outside its range.
    """
    if versions is None:
        files = (scene_models or SceneModelFiles()).files()
        versions = code_versions(scene_models_digest=digest_of_model_files(*files))

    @dg.multi_asset(
        name="image_pipeline",
        specs=asset_specs(versions, conditions),
        check_specs=CHECK_SPECS,
        partitions_def=images,
        backfill_policy=dg.BackfillPolicy.single_run(),
        can_subset=True,
        pool=PICTURE_POOL,
    )
    def image_pipeline(
        context: dg.AssetExecutionContext, config: PipelineConfig, workshop: WorkshopResource
    ) -> Iterator[dg.AssetCheckResult]:
        with step_worker(context):
            yield from _make_images(context, config, workshop)

    return image_pipeline


def _make_images(
    context: dg.AssetExecutionContext, config: PipelineConfig, workshop: WorkshopResource
) -> Iterator[dg.AssetCheckResult]:
    # SQLAlchemy, which a code location that only loads does not need.
    from animatize_assets.pipeline.progress import open_progress  # noqa: PLC0415

    opened = workshop.open()
    begin_with_room(context, opened.disk)
    pools = ProviderPools(context.instance, context.run.run_id)
    bench = replace(
        opened,
        run_id=context.run.run_id,
        queue_seconds=queue_seconds(context.instance, context.run.run_id),
        pictures=replace(opened.pictures, across_runs=pools),
    )
    selected = [key.to_user_string() for key in context.selected_asset_keys]
    asked = _asked(context, bench, config)
    run_time = RunTime(context.instance, context.run)
    cache_hits = CacheHits()
    if len(asked) == 1:
        ((request, keys),) = asked.items()
        if "generated_picture" in selected:
            bench.pictures.check(request.provider)
        run_time.promise(bench, keys, request, selected)
    verdicts = Verdicts(
        bench.artifacts, {key: each.size for each, keys in asked.items() for key in keys}
    )
    failed: dict[str, dict[str, str]] = {}
    pointers = _Pointers(context.instance)
    outcomes = _outcomes(bench, asked, selected)
    cost = Cost()
    is_outage = False
    progress = open_progress(bench, selected)
    progress.begin(context.partition_keys, context.run.run_id)
    with (
        run_telemetry(context.run.run_id, "image_pipeline", bench.queue_seconds, context.run.tags),
        closing(bench),
        closing(progress),
        closing(outcomes),
    ):
        for outcome in outcomes:
            progress.note(outcome)
            verdicts.note(outcome)
            run_time.note(outcome)
            cost = cost.plus(outcome)
            if outcome.is_complete:
                context.log_event(_materialization(bench, outcome, pointers))
            elif outcome.status == "failed":
                failed.setdefault(outcome.image_key, why(outcome))
                is_outage |= outcome.error is not None and outcome.error.is_outage
                report(context.log, outcome)
    run_time.settle()
    tags = cache_hits.tags() | ({COST_TAG: str(cost)} if cost else {})
    tags |= stopped_tags(failed.values())
    if tags:
        context.instance.add_run_tags(context.run.run_id, tags)
    if is_outage and may_try_again(context):
        raise once_more()
    yield from verdicts.results(context.selected_asset_check_keys)
    if failed:
        raise dg.Failure(
            description=summary(failed, len(context.partition_keys)),
            metadata={FAILED_IMAGES: dg.MetadataValue.json(failed)},
            allow_retries=False,
        )


def _asked(
    context: dg.AssetExecutionContext, bench: Workshop, config: PipelineConfig
) -> Mapping[PipelineRequest, Sequence[str]]:
    """Return what is asked for -> of which images: the configuration, or as before."""
    request = config.request()
    if AS_BEFORE_TAG not in context.run.tags:
        return {request: context.partition_keys}
    return requests_before(bench.artifacts, context.partition_keys, request)


def _outcomes(
    bench: Workshop, asked: Mapping[PipelineRequest, Sequence[str]], stages: Sequence[str]
) -> Generator[StageOutcome]:
    for request, keys in asked.items():
        at_once = bench.images_at_once(request)
        yield from run_images(bench, keys, request, stages, at_once=at_once)


class _Pointers:
    """Storage ids of the inputs' materializations, asked for when needed.

    Dagster finds out with them whether an input changed since.
    """

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self._instance = instance
        self._known: dict[str, dict[str, int]] = {}

    def of(self, outcome: StageOutcome) -> Mapping[str, int]:
        """Input stage of ``outcome`` -> storage id of its latest materialization."""
        known = self._known.setdefault(outcome.image_key, {})
        for stage in outcome.inputs:
            if stage not in known:
                found = self._instance.get_latest_storage_id_by_partition(
                    dg.AssetKey(stage),
                    dg.DagsterEventType.ASSET_MATERIALIZATION,
                    {outcome.image_key},
                )
                if outcome.image_key in found:
                    known[stage] = found[outcome.image_key]
        return known


def _materialization(
    workshop: Workshop, outcome: StageOutcome, pointers: _Pointers
) -> dg.AssetMaterialization:
    return dg.AssetMaterialization(
        asset_key=outcome.stage,
        partition=outcome.image_key,
        metadata=materialization_metadata(outcome, workshop.artifacts),
        tags=version_tags(outcome, pointers.of(outcome)),
    )
