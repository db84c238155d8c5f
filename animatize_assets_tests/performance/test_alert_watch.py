"""Looks at everything that may be an alert: what they find, and what they leave alone."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from sqlalchemy import Engine

from animatize_assets.performance.alert_models import ProviderState, Spending
from animatize_assets.performance.alert_store import AlertStore, Raised
from animatize_assets.performance.alert_watch import (
    CONFIRM_EVERY,
    TRENDS_EVERY,
    AlertWatch,
    Look,
    Seen,
    Services,
)
from animatize_assets.performance.models import JobRecord, Promise
from animatize_assets.performance.store import PerformanceStore
from animatize_assets_tests.performance.jobs import MONDAY, job


class Watched:
    """A watch with its clock and its memory."""

    def __init__(self, engine: Engine) -> None:
        self.now = MONDAY
        self.seen = Seen()
        self.services = Services()
        self.store = PerformanceStore(engine)
        self.alerts = AlertStore(engine, lambda: self.now)
        self._watch = AlertWatch(self.store, self.alerts)
        self._number = 0

    def look(self, after: timedelta = timedelta(seconds=30)) -> Look:
        self.now += after
        look = self._watch.look(self.seen, self.services, now=self.now)
        # What is remembered is kept as text between two looks.
        self.seen = Seen.model_validate_json(look.seen.model_dump_json())
        return look

    def judged(self, after: timedelta = timedelta(seconds=30)) -> Raised:
        raised = self.look(after).raised
        assert raised is not None
        return raised

    def job(self, *, at: datetime | None = None, **known: object) -> JobRecord:
        self._number += 1
        made = job(self._number, finished_at=at or self.now, **known)  # type: ignore[arg-type]
        self.store.record(made)
        return made

    def open_types(self) -> list[str]:
        return sorted(alert.alert_type for alert in self.alerts.alerts(is_resolved=False))


@pytest.fixture
def watched(engine: Engine) -> Watched:
    return Watched(engine)


def test_nothing_new_is_not_judged_again_for_ten_minutes(watched: Watched) -> None:
    watched.job(seconds=500.0)
    assert [alert.alert_type for alert in watched.judged().new] == ["slow_generation"]
    assert watched.look().raised is None
    (again,) = watched.judged(CONFIRM_EVERY).repeated
    assert again.occurrences == 2
    watched.job(seconds=500.0)
    assert watched.judged().repeated[0].occurrences == 3


def test_a_slow_job_is_news_for_an_hour(watched: Watched) -> None:
    watched.job(seconds=500.0)
    watched.judged()
    watched.job(seconds=5.0)
    assert watched.judged().resolved == ()
    watched.job(at=watched.now + timedelta(hours=1), seconds=5.0)
    assert [alert.alert_type for alert in watched.judged(timedelta(hours=1)).resolved] == [
        "slow_generation"
    ]


def test_a_failure_rate_is_that_of_the_newest_jobs_of_a_day(watched: Watched) -> None:
    for _ in range(12):
        watched.job(success=False, error_type="ProviderError")
    watched.judged()
    assert watched.open_types() == ["high_failure_rate"]
    for _ in range(50):
        watched.job(at=watched.now)
    watched.judged()
    assert watched.open_types() == []


def test_failures_of_an_earlier_day_are_no_news(watched: Watched) -> None:
    for _ in range(30):
        watched.job(at=MONDAY - timedelta(days=2), success=False, error_type="ProviderError")
    assert watched.judged().new == ()


def test_bad_estimates_are_told(watched: Watched) -> None:
    promise = Promise(predicted_seconds=5.0, method="heuristic")
    for _ in range(50):
        watched.job(seconds=10.0, promise=promise)
    watched.judged()
    assert watched.open_types() == ["accuracy_drift"]


def test_a_change_of_what_others_keep_is_news(watched: Watched) -> None:
    watched.judged()
    down = ProviderState(provider="openai", state="open", failures=10, reason="quota")
    watched.services = Services(
        providers=(down,), spending=(Spending(limit_name="day", spent_usd=24, limit_usd=25),)
    )
    watched.judged()
    assert watched.open_types() == ["budget", "provider_down"]
    assert watched.look().raised is None
    watched.services = Services(
        providers=(down.model_copy(update={"state": "closed", "failures": 0}),),
        spending=(Spending(limit_name="day", spent_usd=0, limit_usd=25),),
    )
    assert len(watched.judged().resolved) == 2


def test_a_trend_that_will_pass_its_limit_is_told_and_looked_for_once_an_hour(
    watched: Watched,
) -> None:
    for day in range(20):
        for hour in range(4):
            at = MONDAY - timedelta(days=20 - day, hours=hour)
            watched.job(at=at, seconds=40.0 + 4 * day)
    first = watched.judged()
    assert [alert.fingerprint for alert in first.new] != []
    assert watched.open_types() == ["slow_generation"]
    assert "in 7 days" in first.new[0].message
    looked_at = watched.seen.trends_at
    watched.job(seconds=20.0)
    watched.judged()
    assert watched.seen.trends_at == looked_at
    watched.judged(TRENDS_EVERY)
    assert watched.seen.trends_at == watched.now


def test_what_nothing_confirms_for_a_week_is_resolved(watched: Watched) -> None:
    watched.services = Services(
        providers=(ProviderState(provider="gone", state="open", failures=10),)
    )
    watched.judged()
    watched.services = Services()
    look = watched.look(timedelta(days=8))
    assert [alert.alert_type for alert in look.stale] == ["provider_down"]
    assert watched.open_types() == []
