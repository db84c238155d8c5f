"""What the commands about providers and caches say, without any provider being asked."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from upath import UPath

from animatize_assets.generation.accounting import PlannedCall
from animatize_assets.generation.breaker import BreakerState
from animatize_assets.generation.budget import Budget
from animatize_assets.generation.catalogue import ProviderModel, load_catalogue
from animatize_assets.generation.health import HealthBoard
from animatize_assets.generation.ledger import SqlLedger
from animatize_assets.generation.request_log import LoggedRequest, RequestLog, RequestOutcome
from animatize_assets.generation.shadowing import Comparison
from animatize_assets.images.limits import ImageLimits
from animatize_assets.pipeline.source_opening import open_shadow_log
from animatize_assets.pipeline.workshop import open_stores
from animatize_assets_tests.cli.conftest import Animatize

SECRET = "sk-" + "s3cret" * 4
LIMITS = ImageLimits(max_bytes=10**6, max_pixels=10**6, min_side_px=1)


def verdict_of(document: dict[str, list[dict[str, str]]], what: str) -> tuple[str, str]:
    (found,) = [each for each in document["findings"] if each["what"] == what]
    return found["verdict"], found["why"]


@pytest.mark.parametrize(
    "model", [each for each in load_catalogue().of("openai") if "picture" in each.does]
)
def test_the_doctor_judges_every_model_by_its_end(
    animatize: Animatize, monkeypatch: pytest.MonkeyPatch, model: ProviderModel
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    monkeypatch.setenv("ANIMATIZE_OPENAI_MODEL", model.model)
    today = datetime.now(UTC).date()
    answer = animatize("doctor", "--json")
    verdict, why = verdict_of(answer.document, f"openai: {model.model}")
    if model.is_retired(today):
        successor = load_catalogue().live_successor(model, today).model
        assert (answer.code, verdict) == (1, "error")
        assert f"'{successor}'" in why
    elif model.warning(today):
        assert verdict == "warning"
        assert str(model.shutdown) in why
    else:
        assert verdict == "ok"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OPENAI_API_KEY", f"{SECRET} {SECRET}"),
        ("OPENAI_API_KEY", f"{SECRET}\n\n{SECRET}"),
        ("ANIMATIZE_OPENAI_BASE_URL", "http://192.0.2.1/v1"),
        ("ANIMATIZE_OPENAI_BASE_URL", "nonsense"),
    ],
)
@pytest.mark.parametrize("reach", [[], ["--reach"]])
def test_the_doctor_refuses_what_no_run_would_use_and_sends_no_key(
    animatize: Animatize, monkeypatch: pytest.MonkeyPatch, name: str, value: str, reach: list[str]
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    monkeypatch.setenv(name, value)
    answer = animatize("doctor", "--json", *reach)
    assert (answer.code, verdict_of(answer.document, "openai: address and key")[0]) == (
        1,
        "error",
    )
    assert SECRET not in answer.out + answer.err


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ANIMATIZE_FALLBACK", '["flux", "fluks"]'),
        ("ANIMATIZE_BUDGET_PROVIDER_DAY_USD", '{"opnai": 5}'),
        ("ANIMATIZE_BUDGET_PROVIDER_DAY_USD", '{"openai": -5}'),
        ("ANIMATIZE_BUDGET_PROVIDER_DAY_USD", '{"openai": NaN}'),
    ],
)
@pytest.mark.parametrize("command", ["doctor", "providers"])
def test_a_fallback_or_a_budget_that_would_silently_be_none_is_refused(
    animatize: Animatize, monkeypatch: pytest.MonkeyPatch, name: str, value: str, command: str
) -> None:
    monkeypatch.setenv(name, value)
    answer = animatize(command, "--json")
    assert answer.code == 2
    assert answer.document["error"]["code"] == "invalid_setting"
    assert name in answer.document["error"]["message"]


def test_the_doctor_warns_of_a_fallback_that_is_not_configured(
    animatize: Animatize, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANIMATIZE_FALLBACK", '["flux"]')
    answer = animatize("doctor", "--json")
    verdict, why = verdict_of(answer.document, "fallback: flux")
    assert (answer.code, verdict) == (0, "warning")
    assert "ANIMATIZE_FLUX_API_KEY" in why


def test_stats_tell_how_often_each_kind_of_hit_answered(
    animatize: Animatize, data_dir: Path
) -> None:
    assert animatize("cache", "stats", "--json").document["requests"] is None
    images, _ = open_stores(UPath(data_dir), LIMITS)
    outcomes: list[RequestOutcome] = ["made", "made", "exact", "canonical", "canonical"]
    for provider, outcome in [("local", "made"), *(("flux", each) for each in outcomes)]:
        RequestLog(images.engine).write(
            LoggedRequest(
                image_key="boat-0123456789abcdef",
                target="flux",
                style="noir",
                provider=provider,
                model="m",
                width=16,
                height=16,
                movement="zoom_in",
                outcome=outcome,
            )
        )
    images.engine.dispose()
    log = open_shadow_log(data_dir)
    for wrong in (False, False, True, False):
        log.write(Comparison("2026-11-21T00:00:00+00:00", "k", "canonical", 0.1, wrong))
    told = animatize("cache", "stats", "--json").document
    assert told["requests"]["counts"]["made"] == 2
    assert told["requests"]["rates"] == {"exact": 0.2, "canonical": 0.4, "similar": 0.0}
    assert told["requests"]["hit_rate"] == pytest.approx(0.6)
    assert (told["reuse"]["canonical"]["compared"], told["reuse"]["canonical"]["wrong"]) == (4, 1)
    page = animatize("cache", "stats").out
    assert "60.0%" in page
    assert "1 of 4" in page


def open_calls(data_dir: Path, *providers: str, age: timedelta = timedelta(0)) -> list[str]:
    """Open calls for 4 cents each, of processes that were killed ``age`` ago; their ids."""
    images, _ = open_stores(UPath(data_dir), LIMITS)
    began = datetime.now(UTC) - age
    ledger = SqlLedger(images.engine, Budget(), lambda: began)
    ids = [
        ledger.open_call(PlannedCall(provider, "a-model", f"{number:064x}", expected_usd=0.04))
        for number, provider in enumerate(providers)
    ]
    images.engine.dispose()
    return ids


def test_a_person_who_has_read_the_bill_closes_a_call(animatize: Animatize, data_dir: Path) -> None:
    billed, unbilled, unclear = open_calls(data_dir, "openai", "openai", "imagen")
    for call, cost in ((billed, ["--cost", "0.03"]), (unbilled, ["--cost", "0"]), (unclear, [])):
        assert animatize("ledger", "--json").code == 1
        answer = animatize("ledger", "write-off", call, *cost, "--json")
        assert answer.code == 0
        assert answer.document["written_off"] == {
            "call_id": call, "cost_usd": float(cost[1]) if cost else None,
        }  # fmt: skip
    answer = animatize("ledger", "--json")
    assert (answer.code, answer.document["open"]) == (0, [])
    imagen, openai = answer.document["providers"]
    assert (openai["written_off"], openai["billed_usd"], openai["possible_usd"]) == (2, 0.03, 0)
    assert (imagen["written_off"], imagen["billed_usd"], imagen["possible_usd"]) == (1, 0, 0.04)
    assert "written off" in animatize("ledger").out


def test_what_is_no_open_call_is_not_written_off(animatize: Animatize, data_dir: Path) -> None:
    answer = animatize("ledger", "write-off", "nothing", "--json")
    assert (answer.code, answer.document["error"]["code"]) == (1, "call_not_open")
    assert not data_dir.exists()
    (call,) = open_calls(data_dir, "openai")
    assert animatize("ledger", "write-off", call).code == 0
    for name, why in ((call, "written_off"), ("nothing", "no call nothing")):
        answer = animatize("ledger", "write-off", name, "--json")
        assert (answer.code, answer.document["error"]["code"]) == (1, "call_not_open")
        assert why in answer.document["error"]["message"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["write-off"],
        ["show", "some-call"],
        ["reconcile", "some-call"],
        ["show", "--cost", "1"],
        ["write-off", "some-call", "--cost", "-1"],
        ["write-off", "some-call", "--cost", "nan"],
        ["write-off", "some-call", "--cost", "inf"],
        ["write-off", "some-call", "--cost", "cheap"],
    ],
)
def test_a_write_off_names_one_call_and_an_amount(
    animatize: Animatize, data_dir: Path, arguments: list[str]
) -> None:
    answer = animatize("ledger", *arguments, "--json")
    assert (answer.code, answer.document["error"]["code"]) == (2, "usage")
    assert not data_dir.exists()


def test_reconciling_writes_off_what_flux_has_forgotten_without_its_key(
    animatize: Animatize, data_dir: Path
) -> None:
    (old,) = open_calls(data_dir, "flux", age=timedelta(hours=1))
    (new,) = open_calls(data_dir, "flux")
    answer = animatize("ledger", "reconcile", "--json")
    found = {each["call_id"]: each["found"] for each in answer.document["reconciled"]}
    assert (answer.code, found) == (1, {old: "written_off", new: "unknown"})
    assert [each["call_id"] for each in answer.document["open"]] == [new]
    assert f"{new}: The process ended" in animatize("ledger", "reconcile").out


def test_an_open_breaker_is_shown_with_why_and_since_when(
    animatize: Animatize, data_dir: Path
) -> None:
    images, _ = open_stores(UPath(data_dir), LIMITS)
    HealthBoard(images.engine).note(BreakerState("flux", "open", 10, "transient", 30.0))
    images.engine.dispose()
    for command in ("providers", "status"):
        listed = animatize(command, "--json").document["providers"]
        (flux,) = [each for each in listed if each["name"] == "flux"]
        assert (flux["breaker"], flux["breaker_reason"]) == ("open", "transient")
        assert datetime.fromisoformat(flux["breaker_since"]) <= datetime.now(UTC)
        (openai,) = [each for each in listed if each["name"] == "openai"]
        assert (openai["breaker"], openai["breaker_since"]) == ("closed", None)
    assert "breaker last seen open" in animatize("providers").out
