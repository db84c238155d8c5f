"""What waits on the disk is looked for until the service ends, whatever happens meanwhile."""

from __future__ import annotations

import logging
import threading

import pytest

from animatize_assets.web.spooled_jobs import SpooledJobs


def test_it_looks_at_once_and_again_after_a_failure(caplog: pytest.LogCaptureFixture) -> None:
    looked = threading.Semaphore(0)

    def look() -> int:
        looked.release()
        raise RuntimeError("the database is away")

    watch = SpooledJobs(look, look_every_s=0.001)
    with caplog.at_level(logging.ERROR):
        watch.start()
        for _ in range(3):
            assert looked.acquire(timeout=30)
        watch.close()
    assert "could not be written" in caplog.text


def test_it_ends_without_waiting_for_its_next_look() -> None:
    looked = threading.Event()
    watch = SpooledJobs(looked.set, look_every_s=3600)
    watch.start()
    assert looked.wait(30)
    watch.close()
    assert "spooled-jobs" not in {thread.name for thread in threading.enumerate()}


def test_one_that_was_never_started_can_be_closed() -> None:
    SpooledJobs(lambda: pytest.fail("nobody asked")).close()
