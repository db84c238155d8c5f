"""A period and what came before it are read together and lie apart."""

from __future__ import annotations

from datetime import timedelta

from animatize_assets.performance.job_window import JobWindow
from animatize_assets.performance.store import PerformanceStore
from animatize_assets_tests.performance.jobs import MONDAY, job

DAY = timedelta(days=1)


def test_it_holds_the_same_as_two_looks(store: PerformanceStore) -> None:
    for number in range(12):
        kind = "video" if number % 3 == 0 else "image"
        store.record(job(number, pipeline_type=kind, finished_at=MONDAY + number * DAY / 2))
    since, until = MONDAY + 3 * DAY, MONDAY + 5 * DAY
    window = JobWindow.read(store, since, until, earlier=2 * DAY)
    assert list(window.jobs["job_id"]) == ["job-6", "job-7", "job-8", "job-9"]
    assert list(window.earlier["job_id"]) == ["job-2", "job-3", "job-4", "job-5"]
    looked = store.frame(since=since, until=until).reset_index(drop=True)
    assert window.jobs.reset_index(drop=True).equals(looked)

    videos = window.of("video")
    assert list(videos.jobs["job_id"]) == ["job-6", "job-9"]
    assert len(videos.earlier) == 4
    assert window.of(None) is window
    assert list(window.from_earlier(since - DAY)["job_id"]) == [f"job-{n}" for n in range(4, 10)]


def test_an_empty_one_has_its_columns(store: PerformanceStore) -> None:
    window = JobWindow.read(store, MONDAY, MONDAY + DAY, earlier=DAY)
    assert window.jobs.empty
    assert window.earlier.empty
    assert window.jobs["finished_at"].dt.tz is not None
    assert window.jobs["success"].dtype == bool
