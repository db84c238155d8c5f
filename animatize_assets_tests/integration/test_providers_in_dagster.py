"""The command line, Dagster and the real clients together, against the loopback server."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import pytest
from PIL import Image
from sqlalchemy import select

from animatize_assets.cli.entry import execute
from animatize_assets.database.tables import generation_calls
from animatize_assets.defs.assets import COST_TAG
from animatize_assets.defs.provider_pools import pool_of
from animatize_assets.workplace.opening import open_workplace
from animatize_assets_tests.loopback.server import LoopbackServer, loopback_server
from animatize_assets_tests.production import ON_EITHER

pytestmark = ON_EITHER

Animatize = Callable[..., tuple[int, Any]]

WORKFLOW = {
    "1": {"class_type": "LoadImage", "inputs": {"image": "{{image}}"}},
    "2": {
        "class_type": "ImageScale",
        "inputs": {
            "image": ["1", 0],
            "width": "{{width}}",
            "height": "{{height}}",
            "upscale_method": "lanczos",
            "crop": "disabled",
        },
    },
    "3": {
        "class_type": "SaveImage",
        "inputs": {"images": ["2", 0], "filename_prefix": "{{seed}}"},
    },
}
SIZE = "320x320"
"""Each makes its clip, too, which takes by the pixel."""
PROVIDERS = ("openai", "flux", "imagen", "comfyui")


@pytest.fixture
def data_dir() -> Path:
    return Path(os.environ["ANIMATIZE_DATA_DIR"])


@pytest.fixture
def server() -> Iterator[LoopbackServer]:
    with loopback_server() as running:
        yield running


@pytest.fixture
def configured(server: LoopbackServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    workflow = tmp_path / "workflow.json"
    workflow.write_text(json.dumps(WORKFLOW))
    for name, value in {
        "OPENAI_API_KEY": server.keys["openai"],
        "ANIMATIZE_OPENAI_BASE_URL": server.openai_url,
        "BFL_API_KEY": server.keys["flux"],
        "ANIMATIZE_FLUX_BASE_URL": server.flux_url,
        "GEMINI_API_KEY": server.keys["gemini"],
        "ANIMATIZE_IMAGEN_BASE_URL": server.gemini_url,
        "ANIMATIZE_COMFYUI_URL": server.comfyui_url,
        "ANIMATIZE_COMFYUI_WORKFLOW": str(workflow),
    }.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def animatize(capsys: pytest.CaptureFixture[str], configured: None) -> Animatize:
    def run(*arguments: str | Path) -> tuple[int, Any]:
        capsys.readouterr()
        code = execute([*(str(argument) for argument in arguments), "--json"])
        return code, json.loads(capsys.readouterr().out)

    return run


@pytest.fixture
def key(animatize: Animatize, tmp_path: Path) -> str:
    pixels = np.random.default_rng(3).integers(0, 256, (60, 60, 3), np.uint8)
    path = tmp_path / "given.png"
    Image.fromarray(pixels).resize((640, 640), Image.Resampling.BICUBIC).save(path)
    code, answer = animatize("ingest", path)
    assert code == 0
    return str(answer["images"][0]["image_key"])


def picture_of(animatize: Animatize, key: str) -> dict[str, Any]:
    return dict(animatize("show", key)[1]["generated_picture"])


def test_every_provider_makes_a_picture_that_is_paid_once(
    animatize: Animatize, server: LoopbackServer, key: str, data_dir: Path
) -> None:
    for provider in PROVIDERS:
        code, answer = animatize("run", key, "--provider", provider, "--size", SIZE)
        (image,) = answer["images"]
        assert (code, image["provider"]) == (0, provider), image["reason"]
        picture = picture_of(animatize, key)
        assert picture["provider"] == picture["asked_provider"] == provider
        assert [each["outcome"] for each in picture["attempts"]] == ["made"]
        with Image.open(picture["path"]) as opened:
            assert opened.size == (picture["width"], picture["height"])
        assert animatize("run", key, "--provider", provider, "--size", SIZE)[0] == 0
    billed = sum(charge.cost_nanousd for charge in server.bill)
    assert billed > 0
    assert server.leaks == []
    calls = select(generation_calls.c.state, generation_calls.c.cost_nanousd)
    with open_workplace().images.engine.connect() as connection:
        rows = connection.execute(calls).all()
    assert [state for state, _ in rows] == ["settled"] * len(PROVIDERS)
    assert sum(cost for _, cost in rows) == billed
    assert_no_key(server, data_dir)
    with dg.DagsterInstance.from_config(os.environ["DAGSTER_HOME"]) as instance:
        tags = [run.tags.get(COST_TAG) for run in instance.get_runs()]
        for provider in PROVIDERS:
            pool = instance.event_log_storage.get_concurrency_info(pool_of(provider))
            assert pool.slot_count > 0
            assert (pool.active_slot_count, pool.pending_step_count) == (0, 0)
    paid = [float(tag) for tag in tags if tag is not None]
    assert sum(paid) == pytest.approx(billed / 1e9, abs=4e-4)


def test_a_fallback_is_told_and_asked_again_later(
    animatize: Animatize, server: LoopbackServer, key: str
) -> None:
    server.script("flux.submit", "quota")
    code, answer = animatize("run", key, "--provider", "flux", "--size", SIZE)
    assert (code, answer["images"][0]["provider"]) == (0, "local")
    picture = picture_of(animatize, key)
    told = [(each["provider"], each["outcome"], each["reason"]) for each in picture["attempts"]]
    assert told == [("flux", "failed", "quota"), ("local", "made", None)]
    code, answer = animatize("run", key, "--provider", "flux", "--size", SIZE)
    assert (code, answer["images"][0]["provider"]) == (0, "flux")


def test_people_are_told_who_did_not_deliver_and_why(
    animatize: Animatize,
    key: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-nobody-at-all")
    capsys.readouterr()
    assert execute(["run", key, "--provider", "openai", "--size", SIZE]) == 0
    assert f"Pictures that openai did not deliver: 1; `animatize show {key}`" in (
        capsys.readouterr().out
    )
    assert execute(["show", key]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "openai, which did not deliver. Failed calls: 1; the last: " in said
    assert picture_of(animatize, key)["attempts"][0]["message"].split(". ")[0] in said


def test_a_key_that_is_none_refuses_only_runs_that_would_use_it(
    animatize: Animatize, server: LoopbackServer, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BFL_API_KEY", "two words")
    code, answer = animatize("run", key, "--size", SIZE)
    assert (code, answer["images"][0]["provider"]) == (0, "local"), answer
    code, answer = animatize("run", key, "--provider", "flux", "--size", SIZE)
    assert code == 1
    assert "flux" in answer["images"][0]["reason"]
    assert "two words" not in json.dumps(answer)
    assert server.calls("flux.submit") == []


def test_a_call_whose_answer_was_lost_is_fetched_by_reconciling(
    animatize: Animatize, server: LoopbackServer, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANIMATIZE_MAX_ATTEMPTS", "1")
    monkeypatch.setenv("ANIMATIZE_PICTURE_DEADLINE_S", "8")  # else it asks for half a minute
    server.down("flux_delivery")
    assert (
        animatize("run", key, "--provider", "flux", "--size", SIZE)[1]["images"][0]["provider"]
        == "local"
    )
    code, answer = animatize("ledger")
    assert (code, len(answer["open"])) == (1, 1)
    server.up("flux_delivery")
    code, answer = animatize("ledger", "reconcile")
    assert (code, answer["open"]) == (0, []), answer
    billed = len(server.bill)
    assert animatize("run", key, "--provider", "flux", "--size", SIZE)[0] == 0
    picture = picture_of(animatize, key)
    assert (picture["provider"], picture["reuse"]["level"]) == ("flux", "exact")
    assert len(server.bill) == billed


def test_a_budget_is_a_clear_refusal_and_nothing_is_called(
    animatize: Animatize, server: LoopbackServer, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANIMATIZE_BUDGET_DAY_USD", "0.001")
    code, answer = animatize("run", key, "--provider", "flux", "--size", SIZE)
    assert code == 1
    assert "ANIMATIZE_BUDGET_DAY_USD" in answer["images"][0]["reason"]
    assert server.calls("flux.submit") == []


def test_a_quote_is_near_the_bill(animatize: Animatize, server: LoopbackServer, key: str) -> None:
    size = ("--size", "1024x1024")
    code, told = animatize("quote", key, "--provider", "flux", *size)
    assert code == 0
    assert animatize("run", key, "--provider", "flux", *size)[0] == 0
    bill = sum(charge.cost_nanousd for charge in server.bill) / 1e9
    assert told["low_usd"] <= bill <= told["high_usd"]


def test_lost_artefacts_are_found_in_the_result_store_and_no_cache_drops_an_assets_file(
    animatize: Animatize,
    server: LoopbackServer,
    key: str,
    data_dir: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert animatize("run", key, "--provider", "flux", "--size", SIZE)[0] == 0
    before = len(server.bill)
    for record in (data_dir / "artifacts" / "generated_picture").rglob("record.json"):
        record.unlink()
    assert animatize("run", key, "--provider", "flux", "--size", SIZE)[0] == 0
    assert len(server.bill) == before
    picture = picture_of(animatize, key)
    assert picture["reuse"]["level"] == "exact"
    assert picture["cost_usd"] == 0
    code, usage = animatize("cache", "stats")
    assert (code, usage["results"]["entries"]) == (0, 1)
    assert usage["requests"]["counts"]["exact"] == 1
    monkeypatch.setenv("ANIMATIZE_RESULTS_TTL_DAYS", "1e-9")
    assert animatize("cache", "clean")[1]["dropped"]["expired"] == 1
    with Image.open(picture["path"]) as opened:
        opened.load()
    assert animatize("run", key, "--provider", "flux", "--size", SIZE)[0] == 0
    assert len(server.bill) == before


def test_reproducing_says_what_is_equal_and_pays_only_when_told(
    animatize: Animatize, server: LoopbackServer, key: str
) -> None:
    first = animatize("run", key, "--size", SIZE)
    assert first[0] == 0, first
    code, answer = animatize("reproduce", key)
    assert code == 0
    assert {each["stage"]: each["verdict"] for each in answer["stages"]} == dict.fromkeys(
        (
            "source_image",
            "scene_analysis",
            "movement_prediction",
            "motion_prompt",
            "generated_picture",
            "animatic_clip",
        ),
        "equal",
    )
    assert animatize("run", key, "--provider", "flux", "--size", SIZE)[0] == 0
    before = len(server.bill)
    code, answer = animatize("reproduce", key)
    verdicts = {each["stage"]: each["verdict"] for each in answer["stages"]}
    assert verdicts["generated_picture"] == "not_repeated"
    assert len(server.bill) == before
    animatize("reproduce", key, "--paid")
    assert len(server.bill) == before + 1


def test_reproducing_what_cost_nothing_here_pays_nothing_either(
    animatize: Animatize, server: LoopbackServer, key: str, data_dir: Path
) -> None:
    animatize("run", key, "--provider", "flux", "--size", SIZE, "--expand", "draft")
    for record in (data_dir / "artifacts" / "generated_picture").rglob("record.json"):
        record.unlink()
    animatize("run", key, "--provider", "flux", "--size", SIZE, "--expand", "draft")
    assert picture_of(animatize, key)["cost_usd"] == 0  # it was reused
    before = len(server.bill)
    code, answer = animatize("reproduce", key)
    verdicts = {each["stage"]: each["verdict"] for each in answer["stages"]}
    assert code == 0
    assert verdicts.pop("motion_prompt") == verdicts.pop("generated_picture") == "not_repeated"
    assert set(verdicts.values()) == {"equal"}
    assert (len(server.bill), server.calls("flux.submit")[1:]) == (before, [])
    server.script("flux.submit", "quota")
    animatize("run", key, "--provider", "flux", "--size", "288x288")
    assert picture_of(animatize, key)["provider"] == "local"  # it fell back
    code, answer = animatize("reproduce", key)
    assert code == 0, answer
    assert (len(server.bill), len(server.calls("flux.submit"))) == (before, 2)


def test_own_hardware_is_asked_again_without_being_paid(
    animatize: Animatize, server: LoopbackServer, key: str
) -> None:
    animatize("run", key, "--provider", "comfyui", "--size", SIZE)
    asked = len(server.calls("comfyui.prompt"))
    answer = animatize("reproduce", key)[1]
    verdicts = {each["stage"]: each["verdict"] for each in answer["stages"]}
    assert verdicts["generated_picture"] in {"equal", "differs"}
    assert len(server.calls("comfyui.prompt")) == asked + 1


def test_reproducing_at_a_price_asks_the_language_model_too(
    animatize: Animatize, server: LoopbackServer, key: str
) -> None:
    animatize("run", key, "--size", SIZE, "--expand", "draft")
    asked = len(server.calls("openai.chat"))
    answer = animatize("reproduce", key, "--paid")[1]
    assert len(server.calls("openai.chat")) > asked
    verdicts = {each["stage"]: each["verdict"] for each in answer["stages"]}
    assert "not_repeated" not in verdicts.values()


def test_a_prompt_is_expanded_once_and_keeps_the_move(
    animatize: Animatize, server: LoopbackServer, key: str
) -> None:
    code, answer = animatize("run", key, "--size", SIZE, "--expand", "draft")
    assert code == 0, answer
    document = animatize("show", key)[1]
    prompt = document["motion_prompt"]
    assert prompt["compiler"] == "llm", prompt["expansion"]
    assert prompt["camera_phrase"] in prompt["positive"]
    assert prompt["camera_move"] == document["movement_prediction"]["camera_path"]["move"]
    assert prompt["expansion"]["cost_usd"] == sum(c.cost_nanousd for c in server.bill) / 1e9
    before = len(server.calls("openai.chat"))
    assert animatize("run", key, "--size", SIZE, "--expand", "draft")[0] == 0
    assert len(server.calls("openai.chat")) == before


def test_a_model_that_does_not_answer_leaves_the_templates_prompt(
    animatize: Animatize, server: LoopbackServer, key: str
) -> None:
    server.script("openai.chat", "quota")
    assert animatize("run", key, "--size", SIZE, "--expand", "final")[0] == 0
    prompt = animatize("show", key)[1]["motion_prompt"]
    assert (prompt["compiler"], prompt["expansion"]["fallback"]) == ("template", "quota")
    assert animatize("run", key, "--size", SIZE, "--expand", "final")[0] == 0
    assert animatize("show", key)[1]["motion_prompt"]["compiler"] == "llm"


def test_the_doctor_asks_without_spending(
    animatize: Animatize, server: LoopbackServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, answer = animatize("doctor")
    assert code == 0
    assert server.calls() == []
    monkeypatch.setenv("ANIMATIZE_OPENAI_MODEL", "dall-e-3")
    code, answer = animatize("doctor")
    assert code == 1
    (bad,) = [each for each in answer["findings"] if each["verdict"] == "error"]
    assert "gpt-image" in bad["why"]


def assert_no_key(server: LoopbackServer, data_dir: Path) -> None:
    secrets = [value.encode() for value in server.keys.values()]
    for path in data_dir.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert not any(secret in content for secret in secrets), path
