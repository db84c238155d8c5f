"""``animatize run``: materialize the pipeline in Dagster, without a daemon."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import click

from animatize_assets.cli.contact_sheets import write_contact_sheets
from animatize_assets.cli.interruption import canceled_by_signals, in_own_thread
from animatize_assets.cli.keys import resolve_key
from animatize_assets.cli.tables import run_table
from animatize_assets.cli.terminal import Terminal
from animatize_assets.defs.launch_estimates import estimate_tags, tags_or_none
from animatize_assets.defs.run_telemetry import TRACE_TAG
from animatize_assets.errors import ImageNotFound
from animatize_assets.orchestration import (
    BATCH_TAG,
    QUIET,
    VERBOSE,
    ImageResult,
    PipelineRunResult,
    StageFinished,
    end_abandoned_runs,
    image_states,
    open_instance,
    pipeline_assets,
    register_images,
    run_images,
)
from animatize_assets.pipeline.request import PipelineRequest
from animatize_assets.pipeline.stages import STAGES
from animatize_assets.prompts.dialects import load_dialects
from animatize_assets.prompts.templates import load_templates
from animatize_assets.workplace.opening import Workplace, open_workplace

NOTHING = PipelineRunResult(images=(), run_ids=())


def run(
    terminal: Terminal,
    keys: tuple[str, ...],
    *,
    everything: bool,
    provider: str,
    target: str,
    style: str,
    size: tuple[int, int] | None,
    expand: str,
    batch: str | None,
    traceparent: str | None,
) -> int:
    """Materialize the images named, all, or those not complete; 1 when one failed.

    ``batch``: an id under which the caller will look for the runs; ``traceparent``: the trace, as
    W3C writes it, in which they are asked for.

    Raises:
        InvalidSetting: no such target model or style; the sentence lists those there are.
        NotConfigured: the provider is not set up; the sentence says what is missing.
        DiskNearlyFull: there is no room for what would be made.

    """
    if keys and everything:
        raise click.UsageError("Name images or say --all, not both.")
    load_dialects().of(target)
    load_templates().style(style)
    workplace = open_workplace()
    workplace.check_provider(provider)
    if expand != "off":
        workplace.check_provider("openai")  # whose models expand prompts
    known = workplace.known_keys()
    named, unknown = _resolve(keys, known, workplace.known_keys(archived=True))
    result = NOTHING
    if known and (named or not keys):
        result = materialize(
            terminal,
            workplace,
            {
                "provider": provider,
                "target": target,
                "style": style,
                "size": size and list(size),
                "expand": expand,
            },
            keys=named or known,
            only_incomplete=not (named or everything),
            tags={
                name: value
                for name, value in ((BATCH_TAG, batch), (TRACE_TAG, traceparent))
                if value is not None
            },
        )
    result = result.model_copy(update={"images": (*result.images, *unknown)})
    terminal.document(run_document(result))
    if result.images:
        terminal.say(run_table(result))
        terminal.say(what_was_done(result))
        if told := fallen_back(result, provider):
            terminal.say(told)
    elif known:
        terminal.say(f"Nothing to do: all images ({len(known)}) are complete.")
    else:
        terminal.say(f"Nothing to do: {workplace.data_dir} holds no image. See: animatize ingest")
    return exit_code(result)


def exit_code(result: PipelineRunResult) -> int:
    """Return 0 when every image is complete and nothing else went wrong."""
    failed = any(image.status == "failed" for image in result.images)
    return 1 if failed or result.canceled or result.problems else 0


def run_document(result: PipelineRunResult) -> dict[str, Any]:
    """Return the JSON answer of ``run`` and ``demo``."""
    return result.model_dump(mode="json", include={"images", "run_ids"})


def what_was_done(result: PipelineRunResult) -> str:
    """Say in one sentence what was computed and what was not."""
    if result.canceled:
        return "Canceled; what is finished is kept, and `animatize run` goes on from there."
    failed = sum(image.status == "failed" for image in result.images)
    if not result.recomputed and not failed:
        return "Nothing was computed again: every result was there already."
    reused = sum(len(stages) for stages in result.stages.values()) - result.recomputed
    told = f"Results computed: {result.recomputed}; taken from before: {reused}."
    return f"{told} Images failed: {failed}." if failed else told


def fallen_back(result: PipelineRunResult, asked: str) -> str:
    """Say which pictures are not by the provider that was asked; empty when all are."""
    others = [each for each in result.images if each.provider not in {None, asked}]
    if not others:
        return ""
    return (
        f"Pictures that {asked} did not deliver: {len(others)}; "
        f"`animatize show {others[0].image_key}` says why. The next run asks again."
    )


def materialize(
    terminal: Terminal,
    workplace: Workplace,
    request: Mapping[str, Any],
    *,
    keys: Sequence[str],
    only_incomplete: bool,
    tags: Mapping[str, str] | None = None,
) -> PipelineRunResult:
    """Materialize ``keys`` with progress, then draw the contact sheets of the complete ones.

    Those of images that took no run are drawn too where they are missing or out of date: a run
    that was cut short draws none, nor do the runs of the sensors and the UI. ``tags``: of the runs.

    Raises:
        DiskNearlyFull: there is no room for what would be made.

    """
    asked = keys
    with open_instance(workplace.data_dir) as instance:
        register_images(instance, workplace.images.keys())
        end_abandoned_runs(instance)
        if only_incomplete:
            states = image_states(instance, keys, pipeline_assets())
            keys = [key for key in keys if states[key] != "complete"]
        if not keys:
            write_contact_sheets(terminal, workplace, asked)
            return NOTHING
        workplace.check_disk()
        config = {name: value for name, value in request.items() if value is not None}
        with canceled_by_signals(terminal.note) as cancel, terminal.progress("results") as bar:
            task = bar.add_task("Starting", total=len(keys) * len(pipeline_assets()))

            def advance(stage: StageFinished) -> None:
                done = "have" if stage.reused else "made"
                bar.update(task, advance=1, description=f"{stage.image_key}: {done} {stage.asset}")

            result = in_own_thread(
                lambda: run_images(
                    keys,
                    config,
                    instance=instance,
                    on_event=advance,
                    cancel=cancel,
                    tags_of=lambda of_run: {
                        **(tags or {}),
                        **_estimated(workplace, of_run, config),
                    },
                    log_level=VERBOSE if terminal.verbose else QUIET,
                )
            )
    if not result.canceled:
        short = {image.image_key for image in result.images if image.status != "complete"}
        write_contact_sheets(terminal, workplace, [key for key in asked if key not in short])
    return result


def _estimated(
    workplace: Workplace, keys: Sequence[str], config: Mapping[str, Any]
) -> dict[str, str]:
    """Return the tags that tell how long a run over ``keys`` will take, before it starts."""
    request = PipelineRequest.model_validate(config)

    def told() -> Mapping[str, str]:
        with workplace.workshop() as workshop:
            return estimate_tags(
                workplace.images,
                keys,
                request,
                STAGES,
                workplace.performance.time_estimator,
                at_once=workshop.images_at_once(request),
                provider_model=workshop.pictures.provider(request.provider).model,
            )

    return dict(tags_or_none(told))


def _resolve(
    given: Sequence[str], known: Sequence[str], archived: Sequence[str]
) -> tuple[list[str], list[ImageResult]]:
    keys: dict[str, None] = {}
    unknown = []
    for name in given:
        try:
            keys[resolve_key(name, known)] = None
        except ImageNotFound as error:
            reason = f"It is archived: animatize unarchive {name}" if name in archived else None
            unknown.append(
                ImageResult(
                    image_key=name,
                    status="failed",
                    provider=None,
                    seconds=0,
                    cost_usd=None,
                    reason=reason or error.message,
                )
            )
    return list(keys), unknown
