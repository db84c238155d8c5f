"""``animatize run`` and ``status`` against a code location that computes nothing."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import pytest

from animatize_assets import orchestration
from animatize_assets.cli import contact_sheets
from animatize_assets.cli import run as run_command
from animatize_assets.cli import status as status_command
from animatize_assets.defs.run_tags import ESTIMATED_TAG, METHOD_TAG
from animatize_assets_tests.cli.conftest import Animatize
from animatize_assets_tests.orchestration.test_runs import FAKE

Picture = Callable[..., Path]


@pytest.fixture(autouse=True)
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Starts the fake code location; collects the keys whose contact sheets are asked for."""
    drawn: list[str] = []

    def write(_terminal: object, _workplace: object, keys: Sequence[str]) -> None:
        drawn.extend(keys)

    assets = partial(orchestration.pipeline_assets, FAKE)
    monkeypatch.setattr(
        run_command, "run_images", partial(orchestration.run_images, code_location=FAKE)
    )
    monkeypatch.setattr(run_command, "pipeline_assets", assets)
    monkeypatch.setattr(status_command, "pipeline_assets", assets)
    monkeypatch.setattr(run_command, "write_contact_sheets", write)
    return drawn


@pytest.fixture
def keys(animatize: Animatize, picture: Picture) -> list[str]:
    files = [picture(f"{name}.png", seed=seed) for seed, name in enumerate("abc")]
    answer = animatize("ingest", "--json", *files)
    return [image["image_key"] for image in answer.document["images"]]


def wish(data_dir: Path, **wishes: object) -> None:
    (data_dir / "fake.json").write_text(json.dumps(wishes))


def test_what_is_not_complete_is_made_once(
    animatize: Animatize, keys: list[str], drawn: list[str]
) -> None:
    answer = animatize("run", "--json")
    assert answer.code == 0
    images = answer.document["images"]
    assert [image["image_key"] for image in images] == keys
    assert images[0] == {
        "image_key": keys[0],
        "status": "complete",
        "provider": "local",
        "seconds": 1.5,
        "cost_usd": 0.0,
        "reason": None,
    }
    assert len(answer.document["run_ids"]) == 1
    assert drawn == keys
    assert animatize("run", "--json").document == {"images": [], "run_ids": []}
    assert drawn == keys * 2  # offered again: one may have been deleted, or never drawn
    assert "all images (3) are complete" in animatize("run").out
    assert animatize("status", "--json").document["images"]["complete"] == 3
    assert "3 complete" in animatize("status").out


def test_a_run_says_how_long_it_will_take_before_it_starts(
    animatize: Animatize, keys: list[str], data_dir: Path
) -> None:
    (run_id,) = animatize("run", "--json").document["run_ids"]
    with orchestration.open_instance(data_dir) as instance:
        run = instance.get_run_by_id(run_id)
    assert run is not None
    # The fake code location tags nothing: what is there came with the launch.
    assert float(run.tags[ESTIMATED_TAG]) > 0
    assert run.tags[METHOD_TAG] == "heuristic, 0 jobs"


def test_one_failed_image_is_code_1_and_the_next_run_makes_only_that(
    animatize: Animatize, keys: list[str], data_dir: Path, drawn: list[str]
) -> None:
    wish(data_dir, fail={keys[1]: "animatic_clip"})
    answer = animatize("run", "--json")
    assert answer.code == 1
    assert drawn == [keys[0], keys[2]]
    assert [image["status"] for image in answer.document["images"]] == [
        "complete",
        "failed",
        "complete",
    ]
    assert keys[1] in answer.document["images"][1]["reason"]
    assert animatize("status", "--json").document["images"] == {
        "total": 3, "complete": 2, "stale": 0, "failed": 1, "in_progress": 0, "missing": 0,
        "archived": 0,
    }  # fmt: skip
    wish(data_dir)
    again = animatize("run", "--json").document["images"]
    assert [(image["image_key"], image["status"]) for image in again] == [(keys[1], "complete")]
    assert drawn[2:] == keys


def test_named_images_and_one_that_nobody_knows(animatize: Animatize, keys: list[str]) -> None:
    answer = animatize("run", "--json", "c-", "b-xyz", keys[2])
    assert answer.code == 1
    images = answer.document["images"]
    assert [(image["image_key"], image["status"]) for image in images] == [
        (keys[2], "complete"),
        ("b-xyz", "failed"),
    ]
    assert "b-xyz" in images[1]["reason"]
    assert "Images failed: 1." in animatize("run", "nobody").out


def test_all_makes_complete_images_again(animatize: Animatize, keys: list[str]) -> None:
    animatize("run")
    answer = animatize("run", "--all", "--style", "documentary", "--json")
    assert [image["status"] for image in answer.document["images"]] == ["complete"] * len(keys)


def test_sigterm_ends_the_run_and_keeps_what_is_finished(
    animatize: Animatize, picture: Picture, data_dir: Path, drawn: list[str]
) -> None:
    animatize("ingest", *(picture(f"{n}.png", seed=n) for n in range(12)))
    wish(data_dir, terminate_at=1)
    answer = animatize("run", "--json")
    assert answer.code == 1
    statuses = [image["status"] for image in answer.document["images"]]
    assert statuses[0] == "complete"
    assert statuses[-1] == "failed"
    assert answer.document["images"][-1]["reason"] == "Canceled before it was complete."
    assert drawn == []  # who ended the run does not wait for pictures; the next one draws them
    wish(data_dir)
    (run,) = animatize("status", "--json").document["runs"]
    assert run["status"] == "canceled"
    rest = animatize("run", "--json").document["images"]
    assert len(rest) == statuses.count("failed")
    assert {image["status"] for image in rest} == {"complete"}
    assert len(drawn) == len(statuses)


def test_a_broken_run_says_why(animatize: Animatize, keys: list[str], data_dir: Path) -> None:
    wish(data_dir, crash=True)
    answer = animatize("run", keys[0])
    assert answer.code == 1
    assert "the cellar is flooded" in answer.out


def test_a_contact_sheet_that_cannot_be_drawn_costs_no_image(
    animatize: Animatize,
    keys: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(run_command, "write_contact_sheets", contact_sheets.write_contact_sheets)
    answer = animatize("run", "--json", keys[0])
    assert answer.document["images"][0]["status"] == "complete"
    assert "No contact sheet" in answer.err
