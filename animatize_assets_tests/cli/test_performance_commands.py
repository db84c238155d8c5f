"""How long, how much and why: what a person and a script are told, from day one on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from animatize_assets.performance.alert_models import AlertDraft, Judgement
from animatize_assets.performance.alert_store import AlertStore
from animatize_assets.performance.models import JobRecord
from animatize_assets.performance.opening import SPOOL, PerformanceRoom
from animatize_assets.performance.spool import Spool
from animatize_assets.pipeline.job_parameters import this_worker
from animatize_assets.pipeline.stages import STAGES
from animatize_assets.settings import Settings
from animatize_assets.workplace.from_settings import performance_room
from animatize_assets_tests.cli.conftest import Animatize
from animatize_assets_tests.performance.fleet import records
from animatize_assets_tests.performance.jobs import job

VIDEO = ("--pipeline", "video", "--resolution", "768x768", "--frames", "60", "--steps", "25")
PREDECESSORS = {
    "predicted_time_seconds",
    "confidence",
    "prediction_method",
    "model_used",
    "uncertainty_range",
    "recommendations",
}


@pytest.fixture
def room(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[PerformanceRoom]:
    """The job records that the command line sees."""
    monkeypatch.setenv("ANIMATIZE_PERFORMANCE_DATABASE_URL", database_url)
    opened = performance_room(Settings.read())
    yield opened
    opened.engine.dispose()


def recent(jobs: Sequence[JobRecord]) -> list[JobRecord]:
    """The same jobs; the last one ended a minute ago."""
    later = datetime.now(UTC) - timedelta(minutes=1) - max(each.finished_at for each in jobs)
    return [
        each.model_copy(
            update={
                "submitted_at": each.submitted_at + later,
                "started_at": each.started_at and each.started_at + later,
                "finished_at": each.finished_at + later,
            }
        )
        for each in jobs
    ]


def test_what_waited_for_the_database_is_in_the_views(
    animatize: Animatize, room: PerformanceRoom
) -> None:
    waiting = Spool(room.folder / SPOOL)
    for each in recent(records(12)):
        waiting.put(waiting.new_id(), each)
    assert (
        animatize("report", "--days", "3", "--json").document["overall_statistics"]["total_jobs"]
        == 12
    )
    assert waiting.ids() == []


def clips(count: int) -> list[JobRecord]:
    """Finished clips, each a quarter longer than the one before, so that no last two are alike.

    A clip's seconds follow from its frames, with 3 % noise.
    """
    chance = np.random.default_rng(5)
    return recent(
        [
            job(
                number,
                pipeline_type="video",
                seconds=0.05 * frames * float(chance.lognormal(0, 0.03)),
                parameters={"width": 512, "height": 512, "frame_count": frames},
            )
            for number, frames in enumerate(round(10 * 1.25**each) for each in range(count))
        ]
    )


@pytest.fixture
def image_key(animatize: Animatize, picture: Callable[..., Path]) -> str:
    answer = animatize("ingest", picture(), "--json")
    return str(answer.document["images"][0]["image_key"])


def test_day_one_is_told_kindly(animatize: Animatize, room: PerformanceRoom) -> None:
    for command in ("report", "bottlenecks", "trends"):
        answer = animatize(command)
        assert (answer.code, answer.err) == (0, "")
        assert "animatize demo" in answer.out
    assert "animatize demo" in animatize("report", "--days", "3").out
    assert animatize("alerts").out == "No alert is open.\n"
    assert "animatize ingest" in animatize("estimate", "--all").out


def test_day_one_documents_measure_nothing(animatize: Animatize, room: PerformanceRoom) -> None:
    week = animatize("report", "--json").document
    assert (week["total_jobs"], week["avg_generation_time"], week["success_rate"]) == (
        0,
        None,
        None,
    )
    days = animatize("report", "--days", "3", "--json").document
    assert days["overall_statistics"]["success_rate"] is None
    assert animatize("bottlenecks", "--json").document == {
        "period_days": 7,
        "total_jobs": 0,
        "bottlenecks": [],
        "optimization_opportunities": [],
    }
    assert animatize("trends", "--json").document["trends"] == {}
    assert animatize("alerts", "--json").document == {"alerts": [], "total_count": 0}
    run = animatize("estimate", "--all", "--json").document
    assert (run["images"], run["seconds"], run["stages"]) == (0, 0.0, {})


def test_a_database_that_is_down_is_told_without_its_password(
    animatize: Animatize, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = "postgresql+psycopg2://someone:s3cret@127.0.0.1:1/nowhere"
    monkeypatch.setenv("ANIMATIZE_PERFORMANCE_DATABASE_URL", url)
    for command in (("report",), ("alerts",), ("estimate", *VIDEO)):
        answer = animatize(*command, "--json")
        assert (answer.code, answer.document["error"]["code"]) == (1, "storage_failed")
        assert "ANIMATIZE_PERFORMANCE_DATABASE_URL" in answer.document["error"]["message"]
        assert "s3cret" not in answer.out + answer.err


def test_one_job_is_estimated_and_what_would_be_shorter(
    animatize: Animatize, room: PerformanceRoom
) -> None:
    told = animatize("estimate", *VIDEO, "--job-type", "scene", "--json").document
    assert set(told) == PREDECESSORS | {"interval_90", "model_version", "learned_from", "notes"}
    assert (told["prediction_method"], told["model_used"]) == ("heuristic", "fallback")
    assert (told["confidence"], told["uncertainty_range"]) == (None, None)
    assert any(each.startswith("20 steps instead of 25") for each in told["recommendations"])
    page = animatize("estimate", *VIDEO).out
    assert "no such job has finished here yet" in page
    assert "not known yet" in page
    double = animatize("estimate", *VIDEO[:-1], "50", "--json").document
    assert double["predicted_time_seconds"] > 1.5 * told["predicted_time_seconds"]


def test_finished_jobs_give_an_interval(animatize: Animatize, room: PerformanceRoom) -> None:
    room.store.record(*clips(12))
    described = ("--pipeline", "video", "--resolution", "512x512", "--frames", "100")
    told = animatize("estimate", *described, "--json").document
    low, high = told["uncertainty_range"]
    assert low < told["predicted_time_seconds"] < high
    assert 0 < told["confidence"] <= 1
    assert told["learned_from"] == 12
    assert "corrected by 12 finished job(s)" in animatize("estimate", *described).out


def test_a_local_job_is_a_job_of_this_machine(animatize: Animatize, room: PerformanceRoom) -> None:
    here = {"provider": "local", "worker": this_worker(), "batch_size": 1, "frame_count": 50}
    sized = {"width": 512, "height": 512}
    fast, slow = (
        [
            job(
                number + first,
                pipeline_type="video",
                seconds=seconds + number / 100,
                parameters=here | sized | {"worker": worker},
            )
            for number in range(4)
        ]
        for first, seconds, worker in ((0, 2.0, this_worker()), (4, 50.0, "elsewhere"))
    )
    room.store.record(*recent(fast), *recent(slow))
    described = ("--pipeline", "video", "--resolution", "512x512", "--frames", "50")
    told = animatize("estimate", *described, "--provider", "local", "--json").document
    assert told["learned_from"] == 4
    assert told["predicted_time_seconds"] == pytest.approx(2, rel=0.05)


def test_a_run_is_estimated_stage_by_stage(
    animatize: Animatize, room: PerformanceRoom, image_key: str, picture: Callable[..., Path]
) -> None:
    one = animatize("estimate", image_key[:8], "--json").document
    assert list(one["stages"]) == list(STAGES)
    assert (one["images"], one["concurrency"], one["interval_80"]) == (1, 1, None)
    animatize("ingest", picture("other.png", seed=1))
    both = animatize("estimate", "--all", "--json").document
    assert both["images"] == 2
    assert both["seconds"] == pytest.approx(2 * one["seconds"])
    smaller = animatize("estimate", image_key, "--size", "64x48", "--json").document
    assert smaller["stages"]["animatic_clip"]["seconds"] < one["stages"]["animatic_clip"]["seconds"]
    page = animatize("estimate", "--all").out
    assert "2, one after the other" in page
    assert "by a stated formula" in page


def test_a_run_that_cannot_be_is_not_estimated(
    animatize: Animatize, room: PerformanceRoom, image_key: str
) -> None:
    unset = animatize("estimate", image_key, "--provider", "flux", "--json")
    assert (unset.code, unset.document["error"]["code"]) == (1, "not_configured")
    nobody = animatize("estimate", "nobody", "--json")
    assert (nobody.code, nobody.document["error"]["code"]) == (1, "image_not_found")


def test_a_providers_calls_go_on_beside_each_other(
    animatize: Animatize,
    room: PerformanceRoom,
    picture: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ANIMATIZE_FLUX_API_KEY", "k" * 20)
    for seed in range(6):
        animatize("ingest", picture(f"{seed}.png", seed=seed))
    told = animatize("estimate", "--all", "--provider", "flux", "--json").document
    assert told["concurrency"] > 1
    in_a_row = sum(each["seconds"] for each in told["stages"].values())
    assert in_a_row / told["concurrency"] < told["seconds"] < in_a_row


def test_a_rating_goes_to_what_made_the_newest_picture_and_clip(
    animatize: Animatize, room: PerformanceRoom, image_key: str
) -> None:
    none = animatize("rate", image_key, "4", "--json")
    assert (none.code, none.document["error"]["code"]) == (1, "no_jobs")
    made = ["generated_picture", "generated_picture", "animatic_clip", "scene_analysis"]
    room.store.record(
        *(
            job(number, partition_key=image_key, parameters={"job_type": stage})
            for number, stage in enumerate(made)
        ),
        job(9, partition_key=image_key, parameters={"job_type": "animatic_clip"}, success=False),
        job(10, partition_key="another-image", parameters={"job_type": "animatic_clip"}),
    )
    rated = animatize("rate", image_key[:8], "4", "--json").document
    assert rated == {"image_key": image_key, "rating": 4, "jobs": ["job-1", "job-2"]}
    ratings = {each.job_id: each.user_rating for each in room.store.jobs()}
    assert {name for name, rating in ratings.items() if rating == 4} == {"job-1", "job-2"}
    assert "Rated 2 of 5" in animatize("rate", image_key, "2").out


def test_too_few_jobs_to_learn_from_are_counted(
    animatize: Animatize, room: PerformanceRoom
) -> None:
    room.store.record(*clips(29))
    answer = animatize("train", "--pipeline", "video", "--json")
    assert answer.code == 1
    assert answer.document["trained"] == []
    (refused,) = answer.document["not_trained"]
    assert (refused["code"], refused["jobs"], refused["missing"]) == ("not_enough_jobs", 29, 1)
    told = animatize("train")
    assert told.code == 1
    assert "1 more" in told.out
    assert "30 more" in told.out


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)  # a training is seconds of CPU
def test_thirty_jobs_train_an_estimator_that_is_used(
    animatize: Animatize, room: PerformanceRoom
) -> None:
    room.store.record(*clips(30))
    answer = animatize("train", "--json")
    assert answer.code == 0
    (trained,) = answer.document["trained"]
    (refused,) = answer.document["not_trained"]
    assert (trained["pipeline_type"], refused["pipeline_type"]) == ("video", "image")
    assert trained["learned_from"] == 30
    assert set(trained["scores"]) >= {"random_forest", "linear_regression"}
    assert trained["reason"]
    assert trained["is_promoted"]
    told = animatize("estimate", "--pipeline", "video", "--resolution", "512x512", "--json")
    assert told.document["prediction_method"] == "ml_model"
    assert (told.document["model_version"], told.document["learned_from"]) == ("1", 30)


def slow_queue(plan: dict[str, Any], number: int, random: np.random.Generator) -> None:
    plan["queue_s"] = 200.0 + 10.0 * float(random.random())


def test_what_holds_jobs_up_is_told_with_its_remedy(
    animatize: Animatize, room: PerformanceRoom
) -> None:
    room.store.record(*recent(records(120, change=slow_queue)))
    told = animatize("bottlenecks", "--json").document
    assert told["total_jobs"] == 120
    (found,) = [each for each in told["bottlenecks"] if each["type"] == "high_queue_time"]
    assert found["recommendations"]
    page = animatize("bottlenecks").out
    assert "high queue time" in page
    days = animatize("report", "--days", "7", "--json").document
    assert "high_queue_time" in {each["type"] for each in days["bottlenecks"]}
    assert "high queue time" in animatize("report", "--days", "7").out
    image = animatize("trends", "--json").document["trends"]["image"]
    assert "high_queue_time" in image["bottlenecks"]
    assert animatize("trends", "--pipeline", "video", "--json").document["trends"] == {}


def test_few_jobs_are_not_called_healthy(animatize: Animatize, room: PerformanceRoom) -> None:
    room.store.record(*recent([job(number) for number in range(3)]))
    assert "Too few jobs" in animatize("bottlenecks").out
    assert "too few days" in animatize("trends").out


def test_jobs_of_long_ago_are_pointed_to(animatize: Animatize, room: PerformanceRoom) -> None:
    old = [
        each.model_copy(update={"finished_at": each.finished_at - timedelta(days=60)})
        for each in recent([job(number) for number in range(3)])
    ]
    room.store.record(*old)
    assert "--days looks further back" in animatize("bottlenecks").out
    assert animatize("bottlenecks", "--days", "90", "--json").document["total_jobs"] == 3


def test_a_week_is_a_document_and_a_page(
    animatize: Animatize, room: PerformanceRoom, tmp_path: Path
) -> None:
    today = datetime.now(UTC)
    last_week = today - timedelta(days=today.weekday() + 3)
    room.store.record(*(job(number, finished_at=last_week) for number in range(4)))
    assert "--weeks-back 1" in animatize("report").out
    page = tmp_path / "week.html"
    told = animatize("report", "--weeks-back", "1", "--html", page, "--json").document
    assert (told["total_jobs"], told["success_rate"]) == (4, 1.0)
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert "4 jobs" in animatize("report", "--weeks-back", "1").out


def test_alerts_are_listed_and_resolved(animatize: Animatize, room: PerformanceRoom) -> None:
    drafts = [
        AlertDraft(
            alert_type="slow_generation",
            subject=subject,
            severity=severity,
            message=f"Slow on {subject}.",
            threshold_value=300.0,
            actual_value=400.0,
        )
        for subject, severity in (("gpu-1", "high"), ("gpu-2", "low"))
    ]
    AlertStore(room.engine).raise_(Judgement(drafts=tuple(drafts)))
    high = animatize("alerts", "--severity", "high", "--json").document
    assert high["total_count"] == 1
    (alert,) = high["alerts"]
    assert (alert["severity"], alert["message"]) == ("high", "Slow on gpu-1.")
    assert "Slow on gpu-2." in animatize("alerts").out
    resolved = animatize("alerts", "resolve", str(alert["id"]), "--json").document["alert"]
    assert (resolved["is_resolved"], resolved["resolved_by"]) == (True, "command line")
    assert animatize("alerts", "--json").document["total_count"] == 1
    assert animatize("alerts", "--all", "--json").document["total_count"] == 2
    assert "resolved by command line" in animatize("alerts", "--all").out
    unknown = animatize("alerts", "resolve", "999", "--json")
    assert (unknown.code, unknown.document["error"]["code"]) == (1, "alert_not_found")
