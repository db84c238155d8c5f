"""``animatize doctor``: each thing is judged, with what to do; nothing is changed by looking."""

from __future__ import annotations

import socket
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from dagster._core.scheduler.instigation import InstigatorStatus, TickData, TickStatus
from dagster._daemon.types import DaemonHeartbeat
from dagster._utils.error import SerializableErrorInfo
from sqlalchemy import text

from animatize_assets.cli.doctor_dagster import judge_automation, judge_daemon, judge_daemons
from animatize_assets.database.engine import open_engine
from animatize_assets.generation.budget import Budget
from animatize_assets.generation.ledger import SqlLedger
from animatize_assets.images.disk_space import DiskSpace
from animatize_assets.orchestration import code_location, open_instance
from animatize_assets.orchestration.automation import AutomationState, DaemonState, TickState
from animatize_assets.workplace import from_settings
from animatize_assets.workplace.opening import open_workplace
from animatize_assets_tests.cli.conftest import Animatize
from animatize_assets_tests.cli.test_migrate import sensor_state
from animatize_assets_tests.generation.ledgers import planned

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


def finding(answer: Any, what: str) -> dict[str, str]:
    (found,) = [each for each in answer.document["findings"] if each["what"].startswith(what)]
    return found


def told(answer: Any, what: str) -> tuple[str, str]:
    found = finding(answer, what)
    if found["verdict"] in {"warning", "error"}:
        assert found["remedy"]
    return found["verdict"], found["why"]


def test_a_new_folder_is_fine_and_stays_untouched(animatize: Animatize, data_dir: Path) -> None:
    answer = animatize("doctor", "--json")
    assert answer.code == 0
    assert {each["verdict"] for each in answer.document["findings"]} <= {"ok", "not configured"}
    assert told(answer, "code location")[0] == "ok"
    assert not data_dir.exists()
    people = animatize("doctor")
    assert "0 errors, 0 warnings." in people.out


def test_a_slip_in_a_variables_name_is_told_with_the_right_one(
    animatize: Animatize, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANIMATIZE_BUGDET_DAY_USD", "5")
    answer = animatize("doctor", "--json")
    assert (answer.code, told(answer, "variable")[0]) == (0, "warning")
    assert "ANIMATIZE_BUDGET_DAY_USD" in finding(answer, "variable")["remedy"]


@pytest.mark.parametrize(
    ("revision", "judged", "remedy"),
    [
        ("0003", (0, "warning"), "animatize backup"),
        ("9999", (1, "error"), "Install that version"),
    ],
)
def test_a_database_of_another_version_is_told_and_left_alone(
    animatize: Animatize, data_dir: Path, revision: str, judged: tuple[int, str], remedy: str
) -> None:
    engine = open_engine(f"sqlite:///{data_dir / 'animatize.db'}")
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE alembic_version (version_num TEXT)"))
        connection.execute(text("INSERT INTO alembic_version VALUES (:it)"), {"it": revision})
    answer = animatize("doctor", "--json")
    assert (answer.code, told(answer, "database of images")[0]) == judged
    assert remedy in finding(answer, "database of images")["remedy"]
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT version_num FROM alembic_version")) == revision
    engine.dispose()


def test_a_server_that_does_not_answer_is_an_error_without_its_password(
    animatize: Animatize, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(
        "ANIMATIZE_PERFORMANCE_DATABASE_URL", "postgresql+psycopg2://me:s3cret@127.0.0.1:1/no"
    )
    answer = animatize("doctor", "--json")
    assert (answer.code, told(answer, "database of job records")[0]) == (1, "error")
    assert "s3cret" not in answer.out


@pytest.mark.parametrize(("least", "verdict"), [(10.0, "error"), (0.6, "warning"), (0.1, "ok")])
def test_the_disk_is_judged_by_the_guards_limit(
    animatize: Animatize,
    data_dir: Path,
    monkeypatch: pytest.MonkeyPatch,
    least: float,
    verdict: str,
) -> None:
    class Usage:
        total, free = 100_000_000_000, 1_000_000_000

    guard = DiskSpace((data_dir,), round(least * 1e9), 0.0, lambda _: Usage())
    monkeypatch.setattr(from_settings, "disk_space", lambda _: guard)
    assert told(animatize("doctor", "--json"), "disk")[0] == verdict


@pytest.mark.parametrize(("limit", "verdict"), [("100", "ok"), ("6", "warning"), ("5", "error")])
def test_what_is_spent_is_judged_by_the_limit(
    animatize: Animatize, monkeypatch: pytest.MonkeyPatch, limit: str, verdict: str
) -> None:
    ledger = SqlLedger(open_workplace().images.engine, Budget())
    ledger.open_call(planned(expected_usd=5.0))
    monkeypatch.setenv("ANIMATIZE_BUDGET_DAY_USD", limit)
    assert told(animatize("doctor", "--json"), "budget: day")[0] == verdict


def test_a_port_that_something_else_has_is_told(
    animatize: Animatize, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as other:
        monkeypatch.setenv("ANIMATIZE_SERVE_PORT", str(other.getsockname()[1]))
        assert told(animatize("doctor", "--json"), "port")[0] == "warning"


def test_a_code_location_that_does_not_load_is_an_error(
    animatize: Animatize, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise SyntaxError("in somebody's rule")

    monkeypatch.setattr(code_location, "load_definitions", broken)
    answer = animatize("doctor", "--json")
    assert (answer.code, told(answer, "code location")) == (
        1,
        ("error", "SyntaxError: in somebody's rule"),
    )


def test_daemons_schedules_and_sensors_are_read_from_the_instance(
    animatize: Animatize, data_dir: Path
) -> None:
    now = datetime.now(UTC).timestamp()
    state = sensor_state()
    with open_instance(data_dir) as instance:
        instance.add_daemon_heartbeat(DaemonHeartbeat(now, "SENSOR", "me", []))
        instance.add_daemon_heartbeat(DaemonHeartbeat(now - 3_600, "SCHEDULER", "me", []))
        instance.add_instigator_state(state)
        instance.create_tick(
            TickData(
                state.instigator_origin_id,
                state.name,
                state.instigator_type,
                TickStatus.FAILURE,
                now,
                selector_id=state.selector_id,
                error=SerializableErrorInfo("KeyError: gone\n", [], "KeyError"),
            )
        )
    answer = animatize("doctor", "--json")
    assert answer.code == 1
    assert told(answer, "daemon SENSOR") == ("ok", "it lives")
    assert told(answer, "daemon SCHEDULER")[0] == "error"
    verdict, why = told(answer, "sensor new_images")
    assert verdict == "error"
    assert "failure: KeyError: gone" in why
    assert told(answer, "sensor new_uploads") == ("ok", "on; no turn yet")
    verdict, why = told(answer, "schedule weekly_report")
    assert "dagster schedule start weekly_report" in why
    with open_instance(data_dir) as instance:
        instance.update_instigator_state(state.with_status(InstigatorStatus.STOPPED))
    assert told(animatize("doctor", "--json"), "sensor new_images")[1].startswith("off")


@pytest.mark.parametrize(
    ("silent", "error", "needs", "verdict"),
    [
        (timedelta(seconds=30), None, ["x"], "ok"),
        (timedelta(seconds=30), "no database", [], "error"),
        (timedelta(hours=1), None, [], "warning"),
        (timedelta(hours=1), None, ["schedule x"], "error"),
        (None, None, ["schedule x"], "warning"),
    ],
)
def test_a_daemon_is_judged_by_what_waits_for_it(
    silent: timedelta | None, error: str | None, needs: list[str], verdict: str
) -> None:
    daemon = DaemonState("SENSOR", None if silent is None else NOW - silent, error)
    assert judge_daemon(daemon, needs, NOW).verdict == verdict


def test_daemons_that_are_alike_are_told_together() -> None:
    daemons = [DaemonState(name, None if name != "C" else NOW, None) for name in ("A", "B", "C")]
    assert [each.what for each in judge_daemons(daemons, [], NOW)] == ["daemons A, B", "daemon C"]


def test_a_switched_off_schedule_is_no_error_whatever_its_last_turn_was() -> None:
    last = TickState(NOW, "FAILURE", "KeyError")
    assert judge_automation(AutomationState("x", "schedule", False, last)).verdict == "ok"
    assert judge_automation(AutomationState("x", "schedule", True, last)).verdict == "error"
