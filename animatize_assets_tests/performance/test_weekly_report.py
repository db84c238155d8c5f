"""A week is counted whole and once, and its page says what its numbers say."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from animatize_assets.performance import report_page
from animatize_assets.performance.models import JobRecord, Promise
from animatize_assets.performance.report_page import html_page, markdown
from animatize_assets.performance.store import PerformanceStore
from animatize_assets.performance.weekly_report import (
    WeeklyReport,
    build_weekly_report,
    monday_of,
)
from animatize_assets_tests.performance.jobs import job

WEEK_START = date(2026, 6, 8)
MONDAY_0 = datetime(2026, 6, 8, tzinfo=UTC)
NOW = datetime(2026, 6, 15, 6, tzinfo=UTC)


def _report(store: PerformanceStore, week_start: date = WEEK_START) -> WeeklyReport:
    return build_weekly_report(store, week_start, clock=lambda: NOW)


def _promised(seconds: float) -> Promise:
    return Promise(predicted_seconds=seconds, low_seconds=8, high_seconds=12, method="ml_model")


def _week(store: PerformanceStore) -> None:
    """Four jobs of the week (one failed), two of the week before, and two just outside."""

    def at(number: int, moment: datetime, **known: object) -> JobRecord:
        return job(number, finished_at=moment, **known)

    store.record(
        at(1, MONDAY_0, seconds=10, cost_usd=0.04, promise=_promised(10), queue_time_seconds=2),
        at(2, MONDAY_0 + timedelta(days=1), seconds=20, promise=_promised(10)),
        at(3, MONDAY_0 + timedelta(days=6), seconds=30, pipeline_type="video", cost_usd=0.02),
        at(4, MONDAY_0 + timedelta(days=7, seconds=-1), success=False, error_type="ValueError"),
        at(5, MONDAY_0 + timedelta(days=7)),
        at(6, MONDAY_0 - timedelta(seconds=1), seconds=5, promise=_promised(5)),
        at(7, MONDAY_0 - timedelta(days=7), seconds=7),
        at(8, MONDAY_0 - timedelta(days=7, seconds=1)),
    )


def test_a_week_is_counted_from_monday_to_sunday(store: PerformanceStore) -> None:
    _week(store)
    report = _report(store)
    totals = report.totals
    assert (totals.total_jobs, totals.successful_jobs, totals.success_rate) == (4, 3, 0.75)
    assert (totals.total_generation_time, totals.avg_generation_time) == (60, 20)
    assert (totals.cost_usd, totals.jobs_of_known_cost) == (pytest.approx(0.06), 2)
    assert totals.avg_queue_time == 2
    assert (report.before.total_jobs, report.before.total_generation_time) == (2, 12)
    assert report.before.cost_usd is None
    assert [(day.date.day, day.pipeline_type) for day in report.days] == [
        (8, "image"),
        (9, "image"),
        (14, "image"),
        (14, "video"),
    ]


def test_estimates_are_compared_with_the_week_before(store: PerformanceStore) -> None:
    _week(store)
    image, video = _report(store).predictions
    assert (image.estimated_jobs, image.within_20_percent, image.interval_coverage) == (2, 0.5, 0.5)
    assert (image.within_20_percent_before, image.interval_coverage_before) == (1, 0)
    assert (video.estimated_jobs, video.within_20_percent) == (0, None)
    assert any("animatize train" in told for told in _report(store).recommendations)


def test_the_predecessors_clients_read_it(store: PerformanceStore) -> None:
    _week(store)
    body = json.loads(json.dumps(_report(store).predecessor_body()))
    assert list(body) == [
        "week_start",
        "week_end",
        "total_jobs",
        "total_generation_time",
        "avg_generation_time",
        "success_rate",
        "top_bottlenecks",
        "performance_trends",
        "predictions_accuracy",
    ]
    assert (body["week_start"], body["week_end"]) == ("2026-06-08", "2026-06-14")
    assert body["predictions_accuracy"] == {"image": 0.5}
    assert body["performance_trends"][0] == {
        "date": "2026-06-08",
        "pipeline_type": "image",
        "avg_generation_time": 10.0,
        "median_generation_time": 10.0,
        "success_rate": 1.0,
        "total_jobs": 1,
        "bottlenecks": [],
        "recommendations": [],
    }


def test_a_bottleneck_comes_with_what_to_do(store: PerformanceStore) -> None:
    store.record(
        *(
            job(n, finished_at=MONDAY_0 + timedelta(hours=n), queue_time_seconds=90)
            for n in range(100)
        )
    )
    report = _report(store)
    assert [found.type for found in report.bottlenecks] == ["high_queue_time"]
    assert report.recommendations[0] == report.bottlenecks[0].recommendations[0]
    assert "high queue time" in markdown(report)
    assert "high queue time" in html_page(report)


def test_a_week_without_jobs_says_so_and_what_to_do(store: PerformanceStore) -> None:
    report = _report(store)
    assert report.totals.avg_generation_time is None
    assert report.totals.cost_usd is None
    assert report.predecessor_body()["success_rate"] is None
    for told in (html_page(report), markdown(report)):
        assert "No job ended in this week" in told
        assert "animatize demo" in told
        assert "not measured" not in told


def test_a_week_begins_on_a_monday(store: PerformanceStore) -> None:
    with pytest.raises(ValueError, match="begins on a Monday"):
        _report(store, WEEK_START + timedelta(days=1))


@given(st.dates(date(1990, 1, 1), date(2100, 1, 1)))
def test_every_day_has_its_monday(day: date) -> None:
    monday = monday_of(day)
    assert monday.weekday() == 0
    assert timedelta(0) <= day - monday < timedelta(days=7)


class _Page(HTMLParser):
    """What a page is made of."""

    VOID = ("meta", "path", "use", "br")

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self.ids: list[str] = []
        self.open: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.addresses += [value or "" for name, value in attrs if name in {"src", "href"}]
        self.ids += [value or "" for name, value in attrs if name == "id"]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in self.VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open.pop() == tag


def test_the_page_stands_alone_and_escapes_what_records_say(store: PerformanceStore) -> None:
    evil = "<script>alert(1)</script>"
    store.record(
        *(
            job(
                n,
                finished_at=MONDAY_0 + timedelta(hours=n),
                success=n % 2 == 0,
                error_type=evil,
                parameters={"model": evil, "worker": evil},
            )
            for n in range(100)
        )
    )
    report = _report(store)
    assert report.bottlenecks
    page = html_page(report)
    made_of = _Page(page)
    assert made_of.open == []
    assert "script" not in made_of.tags
    assert evil not in page
    assert evil not in markdown(report)
    assert made_of.tags.count("svg") == 2
    assert all(address.startswith("#") for address in made_of.addresses)
    assert page == html_page(report)  # the same report is the same page


def test_charts_of_one_page_share_no_mark(store: PerformanceStore) -> None:
    _week(store)
    ids = _Page(html_page(_report(store))).ids
    assert ids
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(None, "not measured"), (0.3, "0.3 s"), (47.2, "47 s"), (600, "10 min"), (9_000, "2.5 h")],
)
def test_durations_are_told_as_a_person_would(seconds: float | None, told: str) -> None:
    assert report_page.duration(seconds) == told


@pytest.mark.parametrize(
    ("first", "last", "told"),
    [
        (date(2026, 6, 8), date(2026, 6, 14), "8 to 14 June 2026"),
        (date(2026, 6, 29), date(2026, 7, 5), "29 June to 5 July 2026"),
        (date(2026, 12, 28), date(2027, 1, 3), "28 December 2026 to 3 January 2027"),
    ],
)
def test_weeks_are_named(first: date, last: date, told: str) -> None:
    assert report_page.period(first, last) == told


def test_not_quite_all_is_not_all() -> None:
    assert report_page.percent(0.996) == "99.6 %"
    assert report_page.percent(1.0) == "100 %"
    assert report_page.percent(0.9999) == "99.9 %"
