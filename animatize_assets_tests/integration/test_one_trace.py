"""One trace through real processes: an upload, a run in another process, a provider's server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from PIL import Image

from animatize_assets.orchestration import open_instance
from animatize_assets.pipeline.stages import STAGES
from animatize_assets_tests.defs.runs import states
from animatize_assets_tests.integration.daemons import running_daemon, wait_for
from animatize_assets_tests.integration.test_providers_in_dagster import WORKFLOW
from animatize_assets_tests.loopback.otlp import OtlpReceiver, otlp_receiver
from animatize_assets_tests.loopback.server import LoopbackServer, loopback_server
from animatize_assets_tests.pipeline.cheap import write_images
from animatize_assets_tests.production import ON_EITHER

pytestmark = ON_EITHER

ANIMATIZE = Path(sys.executable).with_name("animatize")
SIZE = "64x48"


@dataclass(frozen=True)
class Studio:
    """A data folder, a ComfyUI server, and a receiver of what is told."""

    folder: Path
    comfyui: LoopbackServer
    received: OtlpReceiver

    def answer(self, *arguments: str | Path, code: int = 0) -> Any:
        workflow = self.folder / "workflow.json"
        workflow.write_text(json.dumps(WORKFLOW))
        done = subprocess.run(
            [ANIMATIZE, *map(str, arguments), "--json"],
            env=dict(os.environ)
            | {
                "ANIMATIZE_DATA_DIR": str(self.folder / "data"),
                "ANIMATIZE_COMFYUI_URL": self.comfyui.comfyui_url,
                "ANIMATIZE_COMFYUI_WORKFLOW": str(workflow),
                "ANIMATIZE_FALLBACK_TO_LOCAL": "false",
                "ANIMATIZE_MAX_ATTEMPTS": "1",
                "OTEL_EXPORTER_OTLP_ENDPOINT": self.received.url,
            },
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return json.loads(done.stdout)


@pytest.fixture
def studio(tmp_path: Path) -> Iterator[Studio]:
    with loopback_server() as comfyui, otlp_receiver() as received:
        yield Studio(tmp_path, comfyui, received)


def told(span: Span) -> dict[str, str]:
    return {each.key: each.value.string_value for each in span.attributes}


def test_an_image_has_one_trace_from_its_upload_to_the_providers_server(studio: Studio) -> None:
    upload = studio.folder / "upload.png"
    pixels = np.random.default_rng(1).integers(0, 255, (48, 64, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(upload)
    (image,) = studio.answer("ingest", upload)["images"]
    answer = studio.answer("run", "--provider", "comfyui", "--size", SIZE)
    (run_id,) = answer["run_ids"]
    spans = {span.name: span for span in studio.received.spans}
    ingest = spans["ingest image"]
    model = next(name for name in spans if name.startswith("generate_content "))
    for name in ("animate image", *STAGES, model):
        assert spans[name].trace_id == ingest.trace_id
        assert told(spans[name])["animatize.image.key"] == image["image_key"]
        assert told(spans[name])["animatize.run.id"] == run_id
    call = spans[model]
    assert call.parent_span_id == spans["generated_picture"].span_id
    assert call.kind == Span.SpanKind.SPAN_KIND_CLIENT
    assert told(call)["gen_ai.provider.name"] == "comfyui"
    (link,) = spans["animate image"].links
    assert link.span_id == spans["run image_pipeline"].span_id
    (submitted,) = studio.comfyui.comfyui.queue.history.values()
    _, _, _, extra, _ = submitted["prompt"]
    assert extra["traceparent"] == f"00-{call.trace_id.hex()}-{call.span_id.hex()}-03"
    measured = studio.received.measured
    for name in (
        "animatize.stage.duration",
        "animatize.queue.duration",
        "gen_ai.client.operation.duration",
        "animatize.cost",
    ):
        assert name in measured


@pytest.mark.full
# Dagster calls these deprecated functions of its own.
@pytest.mark.filterwarnings("ignore:Function `AssetSelection.sources` is deprecated")
def test_a_dropped_file_has_one_trace_through_the_daemons_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data_dir = tmp_path / "data"
    with otlp_receiver() as received, open_instance(data_dir) as instance:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", received.url)
        write_images(data_dir / "uploads", 1)
        with running_daemon(data_dir):

            def complete() -> bool:
                keys = instance.get_dynamic_partitions("images")
                made = states(instance, keys)["animatic_clip"] if keys else {}
                is_told = any(span.name == "run image_pipeline" for span in received.spans)
                return is_told and list(made.values()) == ["materialized"]

            wait_for(complete, data_dir / "daemon.log")
    spans = {span.name: span for span in received.spans}
    ingest = spans["ingest image"]
    for name in ("sensor new_uploads", "run ingest_files", "ask for image", "animate image"):
        assert spans[name].trace_id == ingest.trace_id
    sensor, run = spans["sensor new_images"], spans["run image_pipeline"]
    assert run.parent_span_id == sensor.span_id
    assert [link.span_id for link in spans["ask for image"].links] == [sensor.span_id]
    assert {"code_server", "run"} <= {each["animatize.role"] for each in received.resources}
