"""Driving the ticks of both sensors by hand: what they raise, tell and ask for, and how often."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest

from animatize_assets.defs import performance_sensors
from animatize_assets.defs.performance_sensors import estimator_drift, performance_alerts
from animatize_assets.generation.breaker import BreakerState
from animatize_assets.generation.health import HealthBoard
from animatize_assets.performance.alert_store import AlertStore
from animatize_assets.performance.models import AlertRecord
from animatize_assets.performance.opening import SPOOL
from animatize_assets.performance.spool import Spool
from animatize_assets_tests.defs.fleet_records import jobs, performance, room, run_job, stores
from animatize_assets_tests.defs.runs import cheap_definitions
from animatize_assets_tests.defs.test_performance_assets import ONE_TYPE
from animatize_assets_tests.defs.webhook import Webhook, webhook
from animatize_assets_tests.performance.jobs import job


class Daemon:
    """Ticks both sensors and remembers their cursors, like Dagster's daemon."""

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self.instance = instance
        self.alerts_cursor: str | None = None
        self.drift_cursor: str | None = None

    def look_for_alerts(self) -> str:
        """Tick, and return what the tick says."""
        context = dg.build_sensor_context(instance=self.instance, cursor=self.alerts_cursor)
        result = performance_alerts(context, performance(), stores())
        self.alerts_cursor = result.cursor
        assert result.skip_reason is not None
        return result.skip_reason.skip_message or ""

    def look_for_drift(self) -> list[dg.RunRequest]:
        context = dg.build_sensor_context(instance=self.instance, cursor=self.drift_cursor)
        result = estimator_drift(context, performance())
        self.drift_cursor = result.cursor
        return list(result.run_requests or [])


@pytest.fixture
def daemon(instance: dg.DagsterInstance) -> Daemon:
    return Daemon(instance)


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Webhook]:
    with webhook() as opened:
        monkeypatch.setenv("ANIMATIZE_ALERT_WEBHOOK_URL", opened.url)
        yield opened


def open_alerts() -> list[AlertRecord]:
    return list(AlertStore(room().engine).alerts(is_resolved=False))


def slow_job(number: int, seconds: float = 500.0) -> None:
    room().store.record(job(number, seconds=seconds, finished_at=datetime.now(UTC)))


@pytest.mark.usefixtures("either_database")
def test_a_slow_job_reaches_the_webhook_within_one_tick_and_once(
    daemon: Daemon, receiver: Webhook
) -> None:
    daemon.look_for_alerts()
    assert receiver.received == []
    slow_job(1)
    told = daemon.look_for_alerts()
    (alert,) = receiver.received
    assert (alert["alert_type"], alert["severity"]) == ("slow_generation", "high")
    assert "1 delivered" in told
    assert daemon.look_for_alerts() == "Nothing is new."
    assert len(receiver.received) == 1


def test_what_a_webhook_does_not_take_is_told_at_a_later_tick(
    daemon: Daemon, receiver: Webhook
) -> None:
    receiver.answer = 400
    slow_job(1)
    assert "1 waiting" in daemon.look_for_alerts()
    receiver.answer = 200
    assert "1 delivered" in daemon.look_for_alerts()
    assert len({each["delivery_id"] for each in receiver.received}) == 1


def test_a_webhook_that_hangs_holds_nothing_up(
    daemon: Daemon, receiver: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(performance_sensors, "DELIVERY_S", 0.2)
    receiver.is_awake.clear()
    slow_job(1)
    assert "The webhook is slow" in daemon.look_for_alerts()
    assert len(open_alerts()) == 1
    monkeypatch.setattr(performance_sensors, "DELIVERY_S", 10.0)
    receiver.is_awake.set()
    assert "1 delivered" in daemon.look_for_alerts()


def test_an_address_that_is_none_keeps_no_alert_from_being_raised(
    daemon: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANIMATIZE_ALERT_WEBHOOK_URL", "ftp://secret-host/secret")
    slow_job(1)
    told = daemon.look_for_alerts()
    assert "Not delivered" in told
    assert "secret" not in told
    assert [each.alert_type for each in open_alerts()] == ["slow_generation"]


def test_a_provider_that_is_down_and_a_budget_that_is_spent(
    daemon: Daemon, receiver: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    images, _ = stores().open()
    board = HealthBoard(images.engine)
    board.note(BreakerState("openai", "open", 10, "transient", 30.0))
    board.note(BreakerState("flux", "closed", 0, None, None))
    daemon.look_for_alerts()
    assert [(each["alert_type"], each["severity"]) for each in receiver.received] == [
        ("provider_down", "medium")
    ]
    board.note(BreakerState("openai", "closed", 0, None, None))
    assert "Resolved: provider_down" in daemon.look_for_alerts()
    assert open_alerts() == []


def test_a_breaker_that_nobody_tells_of_any_more_is_no_news(daemon: Daemon) -> None:
    images, _ = stores().open()
    long_ago = datetime.now(UTC) - timedelta(hours=2)
    HealthBoard(images.engine, lambda: long_ago).note(
        BreakerState("openai", "open", 10, "transient", 30.0)
    )
    daemon.look_for_alerts()
    assert open_alerts() == []


def test_a_tick_sees_what_was_recorded_while_the_database_was_down(daemon: Daemon) -> None:
    waiting = Spool(room().folder / SPOOL)
    slow = job(1, seconds=500.0, finished_at=datetime.now(UTC))
    waiting.put(waiting.new_id(), slow)
    assert "slow_generation" in daemon.look_for_alerts()
    assert waiting.ids() == []


@pytest.mark.usefixtures("either_database")
def test_drift_is_asked_for_once(daemon: Daemon) -> None:
    room().store.record(*jobs(60, until=datetime.now(UTC), told=0.5))
    (request,) = daemon.look_for_drift()
    assert request.partition_key == "image"
    # New jobs that are told as badly ask for nothing more today.
    room().store.record(*jobs(60, first=60, until=datetime.now(UTC), told=0.5))
    assert daemon.look_for_drift() == []
    assert daemon.look_for_drift() == []


def test_a_restart_that_forgets_its_cursor_asks_with_the_same_key(daemon: Daemon) -> None:
    room().store.record(*jobs(60, until=datetime.now(UTC), told=0.5))
    (first,) = daemon.look_for_drift()
    daemon.drift_cursor = None
    (again,) = daemon.look_for_drift()
    assert again.run_key is not None
    # The day may end between two looks; the key is of the day.
    assert again.run_key.split()[0] == (first.run_key or "").split()[0] == "image"


def test_what_the_sensor_asks_for_trains_an_estimator(
    daemon: Daemon, instance: dg.DagsterInstance
) -> None:
    room().store.record(*jobs(80, until=datetime.now(UTC), told=0.5))
    (request,) = daemon.look_for_drift()
    assert run_job(instance, "retrain_estimators", request.partition_key, **ONE_TYPE).success
    assert room().registry.rows.active("image") is not None
    daemon.drift_cursor = None
    assert daemon.look_for_drift() == []


def test_both_sensors_are_on() -> None:
    repository = cheap_definitions().get_repository_def()
    for name in ("performance_alerts", "estimator_drift"):
        assert repository.get_sensor_def(name).default_status == dg.DefaultSensorStatus.RUNNING
