"""The installed ``animatize`` from another working directory, on the real pipeline."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

ANIMATIZE = Path(sys.executable).with_name("animatize")
STAGES = (
    "source_image",
    "scene_analysis",
    "movement_prediction",
    "motion_prompt",
    "generated_picture",
    "animatic_clip",
)


@dataclass(frozen=True)
class Place:
    """A data folder, and a working directory that has nothing to do with it."""

    data_dir: Path
    elsewhere: Path

    def environment(self) -> dict[str, str]:
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("ANIMATIZE_", "DAGSTER_"))
        }
        return kept | {"ANIMATIZE_DATA_DIR": str(self.data_dir)}

    def start(self, *arguments: str | Path) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [ANIMATIZE, *map(str, arguments)],
            cwd=self.elsewhere,
            env=self.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str | Path, code: int = 0) -> str:
        started = self.start(*arguments)
        out, err = started.communicate()
        assert started.returncode == code, out + err
        return out

    def answer(self, *arguments: str | Path, code: int = 0) -> Any:
        return json.loads(self.run(*arguments, "--json", code=code))


def new_place(folder: Path) -> Place:
    elsewhere = folder / "else where"
    elsewhere.mkdir()
    return Place(folder / "data", elsewhere)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Place, Any]:
    """A place where ``animatize demo --json`` has run once, and its answer."""
    place = new_place(tmp_path_factory.mktemp("demo"))
    return place, place.answer("demo")


def test_demo_completes_both_photographs(demo: tuple[Place, Any]) -> None:
    place, answer = demo
    assert [image["status"] for image in answer["images"]] == ["complete", "complete"]
    assert [image["image_key"].split("-")[0] for image in answer["images"]] == ["china", "flower"]
    assert {image["provider"] for image in answer["images"]} == {"local"}
    assert {image["cost_usd"] for image in answer["images"]} == {0.0}
    assert len(answer["run_ids"]) == 1
    assert list(place.elsewhere.iterdir()) == []


def test_a_second_demo_computes_nothing_and_says_so(demo: tuple[Place, Any]) -> None:
    place, _ = demo
    sheets = sorted((place.data_dir / "contact_sheets").iterdir())
    before = [sheet.stat().st_mtime_ns for sheet in sheets]
    printed = place.run("demo")
    assert "Nothing was computed again" in printed
    assert "china" in printed
    assert "make" in printed
    assert [sheet.stat().st_mtime_ns for sheet in sheets] == before
    assert len(place.answer("status")["runs"]) == 1


def test_contact_sheets_are_pictures(demo: tuple[Place, Any]) -> None:
    place, answer = demo
    for image in answer["images"]:
        with Image.open(place.data_dir / "contact_sheets" / f"{image['image_key']}.jpg") as sheet:
            assert min(sheet.size) > 500


def test_a_contact_sheet_that_is_gone_is_drawn_again(demo: tuple[Place, Any]) -> None:
    place, answer = demo
    lost = place.data_dir / "contact_sheets" / f"{answer['images'][0]['image_key']}.jpg"
    lost.unlink()
    assert "are complete" in place.run("run")
    assert lost.is_file()


def test_show_gives_every_stage_and_files_that_open(demo: tuple[Place, Any]) -> None:
    place, _ = demo
    shown = place.answer("show", "china")
    assert tuple(shown) == ("image_key", *STAGES)
    assert all(shown[stage] for stage in STAGES)
    for path in (
        shown["generated_picture"]["path"],
        shown["animatic_clip"]["path"],
        shown["animatic_clip"]["preview_path"],
        shown["source_image"]["original_path"],
        shown["scene_analysis"]["arrays"]["depth"],
    ):
        assert Path(path).is_absolute()
        assert Path(path).is_file()
    scene = shown["scene_analysis"]
    assert scene["scene_type"]["type"] in {*scene["scene_type"]["scores"], "unknown"}
    assert {"sky", "vegetation", "water"} <= set(scene["regions"])
    assert (
        shown["motion_prompt"]["camera_move"] == shown["movement_prediction"]["camera_path"]["move"]
    )


def test_analyze_answers_as_the_pipeline_does(demo: tuple[Place, Any]) -> None:
    place, _ = demo
    shown = place.answer("show", "flower")
    analyzed = place.answer("analyze", shown["source_image"]["original_path"])
    assert set(analyzed) == {"scene_analysis", "movement_prediction"}
    for answer in (shown, analyzed):
        answer["scene_analysis"].pop("arrays")
    assert analyzed["scene_analysis"] == shown["scene_analysis"]
    assert analyzed["movement_prediction"] == shown["movement_prediction"]


def test_status_counts_and_measures(demo: tuple[Place, Any]) -> None:
    place, _ = demo
    status = place.answer("status")
    assert status["images"]["total"] == status["images"]["complete"] == 2
    assert status["runs"][0]["status"] == "success"
    assert status["storage"]["artifacts"]["bytes"] > 0


def test_another_request_is_made_for_the_image_named(demo: tuple[Place, Any]) -> None:
    place, _ = demo
    answer = place.answer("run", "flower", "--size", "96x64", "--target", "veo")
    assert [image["status"] for image in answer["images"]] == ["complete"]
    shown = place.answer("show", "flower")
    assert (shown["animatic_clip"]["width"], shown["animatic_clip"]["height"]) == (96, 64)
    assert shown["motion_prompt"]["target"] == "veo"


def test_two_runs_at_once_both_end_well(tmp_path: Path) -> None:
    place = new_place(tmp_path)
    files = []
    for seed in range(2):
        pixels = np.random.default_rng(seed).integers(0, 256, (48, 64, 3), np.uint8)
        files.append(tmp_path / f"{seed}.png")
        Image.fromarray(pixels).save(files[-1])
    ingested = place.answer("ingest", *files)
    both = [place.start("run", "--size", "64x48", "--json") for _ in range(2)]
    for started in both:
        out, err = started.communicate()
        assert started.returncode == 0, out + err
        assert {image["status"] for image in json.loads(out)["images"]} <= {"complete"}
    status = place.answer("status")
    assert status["images"]["complete"] == len(ingested["images"])
    assert {run["status"] for run in status["runs"]} == {"success"}
