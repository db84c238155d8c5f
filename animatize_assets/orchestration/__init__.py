"""The one door to Dagster: prepare an instance, register images, start, watch and cancel runs.

``cli`` and ``web`` reach Dagster only through here. What is started is named by a module name
and a job name; this package does not import the code location, and returns typed results instead
of Dagster's objects. Belongs here: everything that needs a live Dagster instance from outside a
run. Does not belong here: assets, and what a person sees.
"""

from dagster import DagsterInstance

from animatize_assets.orchestration.archive import (
    archive_images,
    forget_archived,
    forget_ended_runs,
    unarchive_images,
)
from animatize_assets.orchestration.batches import (
    BatchProgress,
    Finish,
    batch_progress,
    ended_runs,
    finishing,
)
from animatize_assets.orchestration.code_location import PipelineAsset, pipeline_assets
from animatize_assets.orchestration.detached import DetachedRuns, start_batch, start_detached
from animatize_assets.orchestration.home import open_instance, prepare_home
from animatize_assets.orchestration.old_runs import DeletedRuns, delete_old_runs
from animatize_assets.orchestration.partitions import (
    image_keys,
    image_states,
    register_images,
)
from animatize_assets.orchestration.queue_times import AskedRun, asked_run, finishing_in_queue
from animatize_assets.orchestration.results import (
    ImageResult,
    ImageState,
    PipelineRunResult,
    RunSummary,
    StageFinished,
)
from animatize_assets.orchestration.runs import (
    BATCH_TAG,
    QUIET,
    VERBOSE,
    end_abandoned_runs,
    recent_runs,
    run_images,
    unfinished_runs,
    waiting_runs,
)

__all__ = [
    "BATCH_TAG",
    "QUIET",
    "VERBOSE",
    "AskedRun",
    "BatchProgress",
    "DagsterInstance",
    "DeletedRuns",
    "DetachedRuns",
    "Finish",
    "ImageResult",
    "ImageState",
    "PipelineAsset",
    "PipelineRunResult",
    "RunSummary",
    "StageFinished",
    "archive_images",
    "asked_run",
    "batch_progress",
    "delete_old_runs",
    "end_abandoned_runs",
    "ended_runs",
    "finishing",
    "finishing_in_queue",
    "forget_archived",
    "forget_ended_runs",
    "image_keys",
    "image_states",
    "open_instance",
    "pipeline_assets",
    "prepare_home",
    "recent_runs",
    "register_images",
    "run_images",
    "start_batch",
    "start_detached",
    "unarchive_images",
    "unfinished_runs",
    "waiting_runs",
]
