"""The newest weekly report in the dashboard, over real HTTP."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import httpx
import pytest

from animatize_assets.performance.weekly_report import WEEK, build_weekly_report, monday_of
from animatize_assets.web.routes.dashboard_week import REPORT_POLICY
from animatize_assets.web.service import Service
from animatize_assets_tests.performance.jobs import job


@pytest.fixture
def last_monday() -> date:
    return monday_of(datetime.now(UTC).date()) - WEEK


def record_jobs(service: Service, monday: date, count: int) -> None:
    noon = datetime.combine(monday, time(12), UTC)
    service.performance.store.record(
        *[job(number, finished_at=noon + timedelta(hours=number)) for number in range(count)]
    )


def write_report(service: Service, monday: date) -> Path:
    """Write what the asset writes."""
    folder = service.data_dir / "reports"
    folder.mkdir(parents=True, exist_ok=True)
    report = build_weekly_report(service.performance.store, monday)
    file = folder / f"week-{monday}.json"
    file.write_text(report.model_dump_json())
    return file


def test_the_reports_own_parts_are_shown(
    client: httpx.Client, service: Service, last_monday: date
) -> None:
    record_jobs(service, last_monday, 30)
    told = client.get("/performance/week").text
    for heading in (
        "What held jobs up in that week",
        "Day by day",
        "How good the estimates were",
        "Where things were going",
    ):
        assert f"<h3>{heading}</h3>" in told
    assert "30 jobs, 100 % of them successful" in told
    assert f'src="/performance/week/charts/0.svg?monday={last_monday}' in told
    drawn = client.get(f"/performance/week/charts/0.svg?monday={last_monday}")
    assert drawn.headers["content-type"] == "image/svg+xml"
    assert "prefers-color-scheme:dark" in drawn.text
    assert "--image:" in drawn.text
    assert client.get("/performance/week/charts/9.svg").status_code == 404


def test_the_reports_page_can_do_nothing(
    client: httpx.Client, service: Service, last_monday: date
) -> None:
    record_jobs(service, last_monday, 3)
    answer = client.get(f"/performance/week/report?monday={last_monday}")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["content-security-policy"] == REPORT_POLICY
    assert "3 jobs, 100 % of them successful" in answer.text
    assert "<script" not in answer.text


def test_a_written_report_outlives_its_records(
    client: httpx.Client, service: Service, last_monday: date
) -> None:
    record_jobs(service, last_monday, 5)
    write_report(service, last_monday)
    record_jobs(service, last_monday, 9)  # comes too late for the report
    assert "5 jobs, 100 % of them" in client.get("/performance/week").text


def test_earlier_reports_are_linked_and_no_other_week_is_computed(
    client: httpx.Client, service: Service, last_monday: date
) -> None:
    earlier = last_monday - 3 * WEEK
    record_jobs(service, earlier, 4)
    write_report(service, earlier)
    told = client.get("/performance/week").text
    assert f'href="/performance/week/report?monday={earlier}"' in told
    page = client.get(f"/performance/week/report?monday={earlier}")
    assert "4 jobs, 100 % of them" in page.text
    for other in (last_monday - WEEK, last_monday + timedelta(days=1)):
        assert client.get(f"/performance/week/report?monday={other}").status_code == 404


def test_a_report_that_cannot_be_read_is_put_together_anew(
    client: httpx.Client, service: Service, last_monday: date
) -> None:
    record_jobs(service, last_monday, 6)
    write_report(service, last_monday).write_text("{")
    assert "6 jobs, 100 % of them" in client.get("/performance/week").text
