"""A rule speaks when its limit is passed, says by how much, and knows when it cannot say."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from animatize_assets.performance import alerts, service_alerts
from animatize_assets.performance.alert_models import (
    SEVERITIES,
    Judgement,
    ProviderState,
    Spending,
    fingerprint_of,
)
from animatize_assets.performance.models import JobRecord, Promise, ResourceUse
from animatize_assets.performance.thresholds import Thresholds
from animatize_assets.performance.trend_alerts import worsening
from animatize_assets.performance.trends import Trend
from animatize_assets_tests.performance.jobs import job

LIMITS = Thresholds()


def _failing(failed: int, of: int) -> list[JobRecord]:
    return [job(n, success=n >= failed, error_type="ValueError") for n in range(of)]


def _promised(near: int, of: int) -> list[JobRecord]:
    return [
        job(
            n,
            seconds=10,
            promise=Promise(predicted_seconds=11 if n < near else 30, method="ml_model"),
        )
        for n in range(of)
    ]


def _trend(metric: str, direction: str, *, low: float, high: float, now: float) -> Trend:
    return Trend(
        metric=metric,
        pipeline_type="image",
        unit="s",
        direction=direction,  # type: ignore[arg-type]
        change_rate=0.1,
        confidence=0.99,
        p_value=0.01,
        current_value=now,
        predicted_value_7d=(low + high) / 2,
        predicted_low_7d=low,
        predicted_high_7d=high,
        points=10,
        jobs=100,
    )


@pytest.mark.parametrize(
    ("seconds", "severity"),
    [(121, "low"), (180, "medium"), (300, "high"), (600, "critical")],
)
def test_a_slow_picture_is_told_by_how_much_it_is_too_slow(seconds: float, severity: str) -> None:
    (draft,) = alerts.slow_generation([job(1), job(2, seconds=seconds)], LIMITS).drafts
    assert draft.severity == severity
    assert (draft.threshold_value, draft.actual_value) == (120, seconds)
    assert "1 of 2 image jobs" in draft.message
    assert "job-2" in draft.message


def test_a_video_may_take_longer_than_a_picture() -> None:
    judged = alerts.slow_generation([job(1, seconds=299, pipeline_type="video")], LIMITS)
    assert judged == Judgement.fine("slow_generation", "video")


def test_a_failed_job_is_not_slow() -> None:
    assert alerts.slow_generation([job(1, seconds=999, success=False)], LIMITS) == Judgement()


def test_failures_are_an_alarm_when_they_are_not_chance() -> None:
    assert alerts.high_failure_rate(_failing(9, 9), LIMITS) == Judgement()  # too few jobs
    assert alerts.high_failure_rate(_failing(2, 10), LIMITS) == Judgement()  # chance: undecided
    (draft,) = alerts.high_failure_rate(_failing(25, 100), LIMITS).drafts
    assert (draft.severity, draft.actual_value) == ("high", 0.25)
    assert "ValueError" in draft.message
    fine = alerts.high_failure_rate(_failing(10, 100), LIMITS)
    assert fine == Judgement.fine("high_failure_rate", "image")


@given(st.integers(1, 60), st.floats(0.05, 0.95))
def test_more_failures_are_never_milder(of: int, share: float) -> None:
    some, more = int(share * of), of
    milder, worse = (
        [
            SEVERITIES.index(d.severity)
            for d in alerts.high_failure_rate(_failing(n, of), LIMITS).drafts
        ]
        for n in (some, more)
    )
    assert max(worse, default=-1) >= max(milder, default=-1)


def test_the_cpu_of_each_worker_is_judged_by_what_is_left() -> None:
    def at(worker: str, cpu: float | None) -> list[JobRecord]:
        use = ResourceUse(cpu_utilization_avg=cpu)
        return [job(n, parameters={"worker": worker}, resources=use) for n in range(10)]

    judged = alerts.high_cpu([*at("a", 95), *at("b", 40), *at("c", None)], LIMITS)
    (draft,) = judged.drafts
    assert draft.severity == "high"  # 20 per cent may be left, 5 are
    assert "CPU use of a averages 95 %" in draft.message
    assert judged.cleared == (fingerprint_of("resource", "CPU use of b"),)


def _busy(own: float | None, **known: object) -> list[JobRecord]:
    fields = {"cpu_utilization_avg": 99.0, "cpu_utilization_own": own} | known
    return [job(n, resources=ResourceUse.model_validate(fields)) for n in range(12)]


def test_a_cpu_in_use_by_the_job_itself_is_no_alarm() -> None:
    cleared = (fingerprint_of("resource", "CPU use of this host"),)
    assert alerts.high_cpu(_busy(98.0), LIMITS) == Judgement(cleared=cleared)
    assert alerts.high_cpu(_busy(80.0), LIMITS) == Judgement(cleared=cleared)


@pytest.mark.parametrize(("own", "severity"), [(70, "low"), (50, "medium"), (30, "high")])
def test_a_cpu_that_others_use_is_told_by_what_they_take(own: float, severity: str) -> None:
    (draft,) = alerts.high_cpu(_busy(own), LIMITS).drafts
    assert (draft.severity, draft.actual_value) == (severity, 99.0)


def test_a_cpu_of_which_nobody_knows_who_used_it_is_told_by_what_is_left() -> None:
    (draft,) = alerts.high_cpu(_busy(None), LIMITS).drafts
    assert draft.severity == "critical"


def test_a_job_that_keeps_its_gpu_waiting_is_told_though_it_uses_the_cpu_itself() -> None:
    (draft,) = alerts.high_cpu(_busy(98.0, gpu_model="A", gpu_utilization_avg=30.0), LIMITS).drafts
    assert draft.severity == "critical"


def test_the_cpu_is_not_judged_by_jobs_of_a_few_ticks() -> None:
    short = [each.model_copy(update={"total_time_seconds": 0.05}) for each in _busy(None)]
    assert alerts.high_cpu(short, LIMITS) == Judgement()


def test_a_full_device_is_told() -> None:
    use = ResourceUse(vram_peak_mb=23_900, vram_total_mb=24_000)
    (draft,) = alerts.high_vram([job(n, resources=use) for n in range(10)]).drafts
    assert draft.severity == "critical"
    assert alerts.high_vram([job(1), job(2)]) == Judgement()  # not measured is not 0


def test_estimates_that_drift_are_told_after_fifty() -> None:
    assert alerts.accuracy_drift(_promised(0, 49)) == Judgement()
    (draft,) = alerts.accuracy_drift(_promised(29, 50)).drafts
    assert (draft.severity, draft.threshold_value, draft.actual_value) == ("low", 0.6, 0.58)
    assert alerts.accuracy_drift(_promised(30, 50)).cleared
    old_and_bad = _promised(0, 50)
    new_and_good = [
        j.model_copy(update={"finished_at": j.finished_at.replace(month=7)})
        for j in _promised(50, 50)
    ]
    assert alerts.accuracy_drift([*new_and_good, *old_and_bad]).cleared


def test_a_provider_that_is_left_alone_is_told() -> None:
    up = ProviderState(provider="local", state="closed")
    probing = ProviderState(provider="imagen", state="half_open")
    down = ProviderState(provider="openai", state="open", failures=10, reason="transient")
    poor = ProviderState(provider="flux", state="open", failures=1, reason="quota")
    judged = service_alerts.provider_down([up, probing, down, poor])
    assert [draft.severity for draft in judged.drafts] == ["medium", "high"]
    assert judged.cleared == (fingerprint_of("provider_down", "local"),)
    assert service_alerts.provider_down([down]).drafts[0].severity == "critical"


@pytest.mark.parametrize(
    ("spent", "severity"),
    [(7.99, None), (8, "low"), (9, "medium"), (9.5, "high"), (10, "critical")],
)
def test_money_is_told_before_it_is_gone(spent: float, severity: str | None) -> None:
    judged = service_alerts.budget([Spending(limit_name="day", spent_usd=spent, limit_usd=10)])
    assert [draft.severity for draft in judged.drafts] == [severity] * (severity is not None)
    assert bool(judged.cleared) == (severity is None)


def test_a_budget_of_nothing_is_used_up() -> None:
    judged = service_alerts.budget([Spending(limit_name="day", spent_usd=0, limit_usd=0)])
    assert judged.drafts[0].severity == "critical"


def test_a_trend_is_told_when_it_surely_passes_its_limit() -> None:
    surely = _trend("image_generation_time", "degrading", low=130, high=150, now=100)
    perhaps = _trend("image_generation_time", "degrading", low=110, high=150, now=100)
    (draft,) = worsening([surely]).drafts
    assert (draft.alert_type, draft.severity) == ("slow_generation", "low")
    assert "100 s now, at least 130 s in 7 days" in draft.message
    assert worsening([perhaps]).drafts == ()
    failing = _trend("image_success_rate", "degrading", low=0.6, high=0.7, now=0.8)
    (draft,) = worsening([failing]).drafts
    assert draft.severity == "high"
    assert "at least 30 % failures in 7 days" in draft.message
    assert worsening([_trend("image_cost", "degrading", low=9, high=9, now=1)]) == Judgement()


def test_nothing_to_judge_says_nothing() -> None:
    assert alerts.judge_jobs([]) == Judgement()
