"""A code location of the pipeline's shape that computes nothing, to test the door to it.

What it should do is read from a JSON file, so that a test can change it between runs and reach
it from another process: ``{"fail": {key: asset}, "crash": bool, "code_version": "2"}``.
"""

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import dagster as dg

NAMES = (
    "source_image",
    "scene_analysis",
    "movement_prediction",
    "motion_prompt",
    "generated_picture",
    "animatic_clip",
)


def wanted() -> dict[str, object]:
    path = Path(os.environ["ANIMATIZE_DATA_DIR"]) / "fake.json"
    return json.loads(path.read_text()) if path.exists() else {}


class Request(dg.Config):
    provider: str = "local"
    target: str = "generic"
    style: str = "cinematic"
    expand: str = "off"


@dg.multi_asset(
    name="image_pipeline",
    specs=[
        dg.AssetSpec(name, skippable=True, code_version="1", deps=NAMES[max(0, at - 1) : at])
        for at, name in enumerate(NAMES)
    ],
    partitions_def=dg.DynamicPartitionsDefinition(name="images"),
    backfill_policy=dg.BackfillPolicy.single_run(),
    can_subset=True,
)
def image_pipeline(
    context: dg.AssetExecutionContext, config: Request
) -> Iterator[dg.MaterializeResult]:
    wish = wanted()
    failed = {}
    print("noise from a library")  # noqa: T201  # must never reach standard output
    for number, key in enumerate(context.partition_keys):
        if wish.get("kill_at") == number:
            os.kill(os.getpid(), signal.SIGKILL)
        if wish.get("terminate_at") == number:
            os.kill(os.getpid(), signal.SIGTERM)
        if wish.get("crash"):
            raise RuntimeError("the cellar is flooded")
        fails_at = wish.get("fail", {}).get(key)
        for name in NAMES:
            if name == fails_at:
                failed[key] = {"asset": name, "code": "x", "reason": f"{name} of {key} broke."}
                break
            if dg.AssetKey(name) not in context.selected_asset_keys:
                continue
            context.log_event(
                dg.AssetMaterialization(
                    name,
                    partition=key,
                    tags={
                        "dagster/code_version": str(wish.get("code_version", "1")),
                        "dagster/data_version": f"{key}-{config.style}",
                    },
                    metadata={"seconds": 0.25, "reused": False, "provider": config.provider}
                    | ({"cost_usd": 0.0} if name == "generated_picture" else {}),
                )
            )
    if failed:
        raise dg.Failure(
            f"{len(failed)} images failed",
            metadata={"failed_images": dg.MetadataValue.json(failed)},
        )
    yield from ()


defs = dg.Definitions(
    assets=[image_pipeline],
    jobs=[dg.define_asset_job("animate_images", dg.AssetSelection.assets(*NAMES))],
    executor=dg.in_process_executor,
)
