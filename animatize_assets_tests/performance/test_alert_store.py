"""What is wrong is one open alert until it is gone, and its history stays."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine

from animatize_assets.performance.alert_models import AlertDraft, Judgement, Severity
from animatize_assets.performance.alert_store import AlertStore

START = datetime(2026, 6, 1, 12, tzinfo=UTC)


class Clock:
    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def alerts(engine: Engine, clock: Clock) -> AlertStore:
    return AlertStore(engine, clock)


def draft(subject: str = "image", severity: Severity = "low", **known: Any) -> AlertDraft:
    fields: dict[str, Any] = {
        "alert_type": "slow_generation",
        "subject": subject,
        "severity": severity,
        "message": "It is slow.",
        "threshold_value": 120.0,
        "actual_value": 130.0,
    }
    return AlertDraft(**(fields | known))


FINE = Judgement.fine("slow_generation", "image")


def test_the_same_alert_is_counted_and_keeps_its_newest_numbers(
    alerts: AlertStore, clock: Clock
) -> None:
    first = alerts.raise_(Judgement.bad(draft()))
    clock.now += timedelta(minutes=1)
    again = alerts.raise_(Judgement.bad(draft(actual_value=140.0, details={"jobs": 3})))
    assert len(first.new) == len(again.repeated) == 1
    assert again.new == ()
    (alert,) = alerts.alerts()
    assert (alert.occurrences, alert.actual_value, alert.details) == (2, 140, {"jobs": 3})
    assert (alert.created_at, alert.last_seen_at) == (START, clock.now)


def test_an_alert_is_resolved_when_its_condition_is_surely_gone(alerts: AlertStore) -> None:
    alerts.raise_(Judgement.of(Judgement.bad(draft()), Judgement.bad(draft("video"))))
    assert alerts.raise_(Judgement()).resolved == ()
    (resolved,) = alerts.raise_(FINE).resolved
    assert (resolved.resolved_by, resolved.resolved_at) == ("automatic", START)
    assert [a.is_resolved for a in alerts.alerts()] == [False, True]


def test_what_comes_back_is_a_new_alert_with_a_history(alerts: AlertStore) -> None:
    for judged in (Judgement.bad(draft()), FINE, Judgement.bad(draft())):
        alerts.raise_(judged)
    history = alerts.alerts(fingerprint=draft().fingerprint)
    assert [alert.is_resolved for alert in history] == [False, True]


def test_a_person_resolves_once(alerts: AlertStore) -> None:
    (new,) = alerts.raise_(Judgement.bad(draft())).new
    assert alerts.resolve(new.id, "Ada").resolved_by == "Ada"
    assert alerts.resolve(new.id, "Ben").resolved_by == "Ada"
    with pytest.raises(LookupError, match="no alert 99"):
        alerts.resolve(99, "Ada")


def test_what_nothing_confirms_any_more_is_resolved(alerts: AlertStore, clock: Clock) -> None:
    alerts.raise_(Judgement.bad(draft()))
    clock.now += timedelta(days=7)
    alerts.raise_(Judgement.bad(draft("video")))
    assert alerts.resolve_stale() == ()
    clock.now += timedelta(seconds=1)
    (stale,) = alerts.resolve_stale()
    assert stale.fingerprint == draft().fingerprint


def test_a_list_is_what_the_predecessors_clients_read(alerts: AlertStore) -> None:
    for number in range(3):
        alerts.raise_(Judgement.bad(draft(f"high {number}", "high", details={"kinds": ["a"]})))
    alerts.raise_(Judgement.bad(draft("low")))
    body = alerts.predecessor_body(severity="high", limit=2)
    assert body["total_count"] == 3
    assert len(body["alerts"]) == 2
    assert (
        body["alerts"][0]
        | {
            "id": 3,
            "alert_type": "slow_generation",
            "severity": "high",
            "message": "It is slow.",
            "details": {"kinds": ["a"]},
            "threshold_value": 120.0,
            "actual_value": 130.0,
            "is_resolved": False,
            "created_at": "2026-06-01T12:00:00+00:00",
            "resolved_at": None,
        }
        == body["alerts"][0]
    )
    assert alerts.predecessor_body(is_resolved=True) == {"alerts": [], "total_count": 0}


def test_an_alert_that_gets_worse_is_told_again(alerts: AlertStore) -> None:
    (told,) = alerts.raise_(Judgement.bad(draft(severity="medium"))).new
    alerts.mark_delivered([told])
    alerts.raise_(Judgement.bad(draft(severity="low")))
    assert alerts.undelivered() == ()
    alerts.raise_(Judgement.bad(draft(severity="high")))
    (worse,) = alerts.undelivered()
    alerts.mark_delivered([told])  # what was told is not what it became
    assert alerts.undelivered() == (worse,)
    alerts.mark_delivered([worse])
    assert alerts.undelivered() == ()


def test_many_at_once_open_one_alert(engine: Engine) -> None:
    begin, failures = threading.Barrier(4), []

    def raise_some() -> None:
        begin.wait()
        try:
            for _ in range(5):
                AlertStore(engine).raise_(Judgement.bad(draft()))
        except Exception as error:  # noqa: BLE001  # of a thread: told below
            failures.append(error)

    threads = [threading.Thread(target=raise_some) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    (alert,) = AlertStore(engine).alerts()
    assert alert.occurrences == 20
