"""Every environment variable that this project reads, once, typed and validated.

Belongs here: names, ranges, defaults. Does not belong here: any decision made from them, and any
default for a secret. Only the places where a process starts import this module (``defs``,
``definitions``, ``cli``); rooms take plain arguments.

Every variable is described in ``docs/settings.md``, which a test compares with this class.
"""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    AliasChoices,
    BeforeValidator,
    Field,
    SecretStr,
    ValidationError,
)
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

from animatize_assets.errors import InvalidSetting

PREFIX = "ANIMATIZE_"
SECRETS = ("_API_KEY", "_SECRET", "_WEBHOOK_URL", "DATABASE_URL")
"""Endings of the variables whose values are never shown."""


def _existing_zone(name: str) -> str:
    """Return ``name`` when the system's time-zone database has it."""
    try:
        ZoneInfo(name)
    except (LookupError, ValueError, OSError) as error:
        raise ValueError("it is no time zone, such as Europe/Berlin or UTC") from error
    return name


class Settings(BaseSettings):
    """The settings of one process. Read with :meth:`read`; immutable afterwards."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_ignore_empty=True, frozen=True, extra="ignore"
    )

    data_dir: Path = Field(
        default=Path("data"), description="Folder of everything generated; two never meet."
    )
    max_upload_mb: Annotated[float, Field(ge=1, le=100)] = Field(
        default=10, description="Largest accepted upload, megabytes (10^6 bytes), 1 to 100."
    )
    max_megapixels: Annotated[float, Field(gt=0, le=500)] = Field(
        default=50, description="Largest accepted image, megapixels, up to 500."
    )
    min_side_px: Annotated[int, Field(ge=1, le=4096)] = Field(
        default=16, description="Shortest accepted side, pixels."
    )
    depth_model: Path | None = Field(
        default=None,
        description="ONNX file of the MiDaS or Depth Anything family; needs the extra 'depth'.",
    )
    face_model: Path | None = Field(
        default=None, description="ONNX file for OpenCV's FaceDetectorYN (YuNet)."
    )
    cv_threads: Annotated[int, Field(ge=0, le=256)] = Field(
        default=0, description="OpenCV threads per process; 0 lets OpenCV choose."
    )

    openai_api_key: SecretStr | None = Field(
        default=None,
        validation_alias=AliasChoices("ANIMATIZE_OPENAI_API_KEY", "OPENAI_API_KEY"),
        description="Key of OpenAI: pictures and prompt expansion.",
    )
    openai_base_url: str | None = Field(
        default=None, description="Another address that speaks OpenAI's protocol."
    )
    openai_model: str | None = Field(
        default=None, description="Picture model of OpenAI; default: the catalogue's."
    )
    flux_api_key: SecretStr | None = Field(
        default=None,
        validation_alias=AliasChoices("ANIMATIZE_FLUX_API_KEY", "BFL_API_KEY"),
        description="Key of Black Forest Labs.",
    )
    flux_base_url: str | None = Field(
        default=None, description="Another address of Black Forest Labs, such as its EU one."
    )
    flux_model: str | None = Field(
        default=None, description="Model of Black Forest Labs; default: the catalogue's."
    )
    imagen_api_key: SecretStr | None = Field(
        default=None,
        validation_alias=AliasChoices("ANIMATIZE_IMAGEN_API_KEY", "GEMINI_API_KEY"),
        description="Key of Google's Gemini API.",
    )
    imagen_base_url: str | None = Field(
        default=None, description="Another address that speaks the Gemini API's protocol."
    )
    imagen_model: str | None = Field(
        default=None, description="Picture model of Google; default: the catalogue's."
    )
    comfyui_url: str | None = Field(
        default=None, description="Address of a ComfyUI server, such as http://127.0.0.1:8188."
    )
    comfyui_workflow: Path | None = Field(
        default=None, description="Workflow in API format whose slots are filled in."
    )
    fallback: tuple[str, ...] = Field(
        default=(),
        description="Providers to ask after the one that was asked for, in order, as a JSON list.",
    )
    fallback_to_local: bool = Field(
        default=True, description="Whether the local provider ends the list of fallbacks."
    )
    share_refused: bool = Field(
        default=False,
        description="Whether content that one provider refused may be sent to another one.",
    )
    max_attempts: Annotated[int, Field(ge=1, le=10)] = Field(
        default=8, description="Calls to one provider for one picture at most."
    )
    picture_deadline_s: Annotated[float, Field(ge=1, le=86_400)] = Field(
        default=900, description="Time for one picture, retries and fallbacks included, seconds."
    )
    budget_run_usd: Annotated[float, Field(ge=0, le=100_000)] | None = Field(
        default=10, description="What one run may spend at most, US dollars."
    )
    budget_day_usd: Annotated[float, Field(ge=0, le=100_000)] | None = Field(
        default=25, description="What one day (UTC) may cost at most, US dollars."
    )
    budget_provider_day_usd: dict[str, float] = Field(
        default={}, description="What one provider may cost per day, as a JSON object."
    )
    expansion_model: str = Field(
        default="gpt-6.1-sol", description="Text model that expands prompts for final work."
    )
    expansion_draft_model: str = Field(
        default="gpt-6-luna", description="Cheaper text model for drafts and batches."
    )
    semantic_reuse: Literal["exact", "canonical", "similar"] = Field(
        default="canonical", description="How alike two prompts must be to share a picture."
    )
    similarity: Annotated[float, Field(ge=0.5, le=1)] = Field(
        default=0.95, description="Cosine from which texts count as similar."
    )
    sentence_model: Path | None = Field(
        default=None, description="Folder of all-MiniLM-L6-v2's weights; needs the extra 'similar'."
    )
    shadow_share: Annotated[float, Field(ge=0, le=1)] = Field(
        default=0,
        description="Share of reused pictures made, and paid for, after all, to measure mistakes.",
    )
    results_ttl_days: Annotated[float, Field(gt=0, le=3650)] = Field(
        default=7, description="Days that an unused result is kept."
    )
    results_max_gb: Annotated[float, Field(gt=0, le=100_000)] = Field(
        default=10, description="Size of the result store, gigabytes (10^9 bytes)."
    )
    webhook_secret: SecretStr | None = Field(
        default=None, description="Signing secret of OpenAI's webhooks."
    )

    database_url: SecretStr | None = Field(
        default=None,
        description="SQLAlchemy URL of images, ledger, caches and job records; default: files.",
    )
    dagster_database_url: SecretStr | None = Field(
        default=None, description="PostgreSQL of Dagster's own storage; its dagster.yaml reads it."
    )
    performance_database_url: SecretStr | None = Field(
        default=None,
        description="SQLAlchemy URL of the job records; default: the database, or performance.db.",
    )
    mlflow_tracking_uri: str | None = Field(
        default=None, description="MLflow server or database; default: mlflow.db."
    )
    sample_interval_s: Annotated[float, Field(ge=0.1, le=60)] = Field(
        default=1, description="Seconds between two samples of CPU, memory and GPU while jobs run."
    )
    job_retention_days: Annotated[int, Field(ge=1, le=3650)] = Field(
        default=90, description="Days that single job records are kept; then daily aggregates."
    )
    slow_image_s: Annotated[float, Field(gt=0, le=86_400)] = Field(
        default=120, description="From how many seconds on a picture is slow."
    )
    slow_video_s: Annotated[float, Field(gt=0, le=86_400)] = Field(
        default=300, description="From how many seconds on a clip is slow."
    )
    low_gpu_percent: Annotated[float, Field(gt=0, le=100)] = Field(
        default=60, description="Below which use, in per cent, a GPU is idle."
    )
    high_cpu_percent: Annotated[float, Field(gt=0, le=100)] = Field(
        default=80, description="Above which use of all cores, in per cent, the CPU is the limit."
    )
    failure_rate: Annotated[float, Field(gt=0, lt=1)] = Field(
        default=0.1, description="Share of failed jobs from which on there are too many."
    )
    high_queue_s: Annotated[float, Field(gt=0, le=86_400)] = Field(
        default=30, description="From how many seconds in the queue on a job waits too long."
    )
    accuracy_bar: Annotated[float, Field(gt=0, lt=1)] = Field(
        default=0.6,
        description="Share of the last 50 estimates within 20 % below which they are learned anew.",
    )
    alert_webhook_url: SecretStr | None = Field(
        default=None, description="Address that alerts are posted to as JSON."
    )

    time_zone: Annotated[str, AfterValidator(_existing_zone)] = Field(
        default="UTC", description="Time zone in which the schedules tell the time."
    )
    pregeneration_budget_usd: Annotated[float, Field(ge=0, le=100_000)] = Field(
        default=5, description="What pictures made before they are asked for may cost a night."
    )
    pregeneration_window_h: Annotated[float, Field(gt=0, le=24)] = Field(
        default=4, description="Hours from 02:00 in which pictures are made beforehand."
    )
    pregeneration_most: Annotated[int, Field(ge=1, le=10_000)] = Field(
        default=200, description="Pictures made beforehand a night at most."
    )
    pregeneration_waste: Annotated[float, Field(ge=0, le=1)] = Field(
        default=0.1, description="Share of them that may be expected never to be asked for."
    )

    stuck_run_s: Annotated[float, Field(ge=60, le=86_400)] = Field(
        default=1_800, description="Seconds without an event before a run may count as stuck."
    )
    stuck_run_factor: Annotated[float, Field(ge=1, le=100)] = Field(
        default=3, description="Times the upper bound of the estimate that a run may be silent."
    )
    stuck_run_cancel: bool = Field(
        default=False, description="Whether a stuck run is cancelled, not only told of."
    )
    automation_budget_usd: Annotated[float, Field(ge=0, le=100_000)] = Field(
        default=0, description="What stale pictures made again by themselves may cost a day (UTC)."
    )

    disk_free_gb: Annotated[float, Field(ge=0, le=100_000)] = Field(
        default=1, description="Room on the disk that is kept free, gigabytes (10^9 bytes)."
    )
    disk_free_percent: Annotated[float, Field(ge=0, le=50)] = Field(
        default=1, description="The same as a part of the whole disk, per cent; the larger counts."
    )
    archive_after_days: Annotated[int, Field(ge=1, le=3650)] = Field(
        default=90, description="Days after which an untouched image is archived."
    )
    superseded_retention_days: Annotated[int, Field(ge=1, le=3650)] = Field(
        default=90, description="Days that results of an image are kept which others replaced."
    )
    run_retention_days: Annotated[int, Field(ge=1, le=3650)] = Field(
        default=30, description="Days that Dagster's runs and their logs are kept."
    )
    training_retention_days: Annotated[int, Field(ge=1, le=3650)] = Field(
        default=90, description="Days that MLflow's runs of estimators kept no longer are kept."
    )
    ledger_retention_days: Annotated[int, Field(ge=32, le=3650)] = Field(
        default=400, description="Days that logged requests and closed paid calls are kept."
    )

    serve_host: str = Field(
        default="127.0.0.1", description="Address that the web service listens on."
    )
    serve_port: Annotated[int, Field(ge=1, le=65535)] = Field(
        default=8328, description="Port that the web service listens on."
    )
    serve_hosts: tuple[str, ...] = Field(
        default=(), description="Further names by which the web service is reached."
    )
    serve_origins: tuple[str, ...] = Field(
        default=(), description="Origins of pages elsewhere that may call the web service (CORS)."
    )
    serve_requests_per_s: Annotated[float, Field(gt=0, le=100_000)] = Field(
        default=200, description="Requests a second that one client may send to the web service."
    )

    otlp_endpoint: Annotated[str, Field(pattern=r"^https?://\S+$")] | None = Field(
        default=None,
        validation_alias=AliasChoices("ANIMATIZE_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"),
        description="OTLP receiver (HTTP) that traces and metrics are sent to.",
    )
    otlp_temporality: Annotated[Literal["delta", "cumulative"], BeforeValidator(str.lower)] = Field(
        default="delta",
        validation_alias=AliasChoices(
            "ANIMATIZE_OTLP_TEMPORALITY", "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE"
        ),
        description="Whether sums that are sent begin anew with each message or with the process.",
    )
    log_format: Literal["text", "json"] = Field(
        default="text", description="Form of log lines on standard error."
    )

    @classmethod
    def read(cls) -> Self:
        """Read the environment.

        Raises:
            InvalidSetting: a variable is outside its range; the sentence names it.

        """
        settings = cls._of(frozenset(os.environ.items()))
        return settings.model_copy(update={"data_dir": settings.data_dir.expanduser().absolute()})

    @classmethod
    @lru_cache(maxsize=2)
    def _of(cls, environment: frozenset[tuple[str, str]]) -> Self:
        """Read each ``environment`` once: every look, step and request asks."""
        del environment  # pydantic asks the system itself
        try:
            return cls()
        except SettingsError as error:
            # Its message names the field and the source, never the value.
            field = next((name for name in cls.model_fields if f'"{name}"' in str(error)), "")
            raise InvalidSetting(
                f"{PREFIX}{field.upper()} is not usable: it is no JSON. See docs/settings.md."
            ) from None
        except ValidationError as error:
            first = error.errors()[0]
            name = PREFIX + str(first["loc"][0]).upper().removeprefix(PREFIX)
            # A secret is never repeated, nor is what pydantic says of it.
            shown = name if name.endswith(SECRETS) else f"{name}={os.environ.get(name)!r}"
            raise InvalidSetting(
                f"{shown} is not usable: {first['msg']}. See docs/settings.md."
            ) from None
