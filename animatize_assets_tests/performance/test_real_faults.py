"""Three faults made for real: a CPU hog, a slow disk, a slow server.

Jobs are tracked as users track them, with real clocks and a real sampler. Nothing here asserts how
long anything took: only what the detectors say of the same jobs with the fault and without it.
"""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pandas as pd
import pytest

from animatize_assets.performance.bottlenecks.detection import find_bottlenecks
from animatize_assets.performance.bottlenecks.findings import Bottleneck
from animatize_assets.performance.sampling import ResourceSampler
from animatize_assets.performance.store import frame_of, to_row
from animatize_assets.performance.thresholds import Thresholds
from animatize_assets.performance.tracking import Tracking, track_generation_job
from animatize_assets.telemetry.job_tracking import TrackedJob
from animatize_assets_tests.performance.tracked import Kept

PARAMETERS = {"width": 64, "height": 64, "steps": 1, "provider": "local", "worker": "here"}
JOBS = 24


def tracked(work: Callable[[TrackedJob], None], *, sampled: bool = False) -> pd.DataFrame:
    """Do the work of JOBS jobs, one after the other, and return their records."""
    kept = Kept()
    with ExitStack() as stack:
        sampler = ResourceSampler(interval_s=0.1) if sampled else None
        if sampler is not None:
            stack.callback(sampler.close)
        tracking = Tracking(kept, sampler)
        for number in range(JOBS):
            with track_generation_job(
                f"job-{number}", "image", PARAMETERS, tracking=tracking
            ) as job:
                work(job)
                job.mark_success()
    return frame_of(to_row(each) for each in kept.jobs)


def by_type(findings: tuple[Bottleneck, ...]) -> dict[str, Bottleneck]:
    return {each.type: each for each in findings}


def compute(megabytes: int) -> None:
    hashlib.sha256(bytes(megabytes * 1_000_000)).digest()


@contextmanager
def hogs(count: int) -> Iterator[None]:
    """Run processes that burn a core each until they are ended.

    Their parent ends at once: what a child burns would be the job's own use.
    """
    burn = "print('burning', flush=True)\nwhile True: pass"
    start = ['"$@" & echo $!', "sh", sys.executable, "-c", burn]
    with ExitStack() as stack:
        for _ in range(count):
            parent = subprocess.Popen(["sh", "-c", *start], stdout=subprocess.PIPE, text=True)
            assert parent.stdout is not None
            stack.callback(parent.stdout.close)
            said = {parent.stdout.readline().strip() for _ in range(2)}
            parent.wait()
            (hog,) = said - {"burning"}
            stack.callback(os.kill, int(hog), signal.SIGKILL)
        yield


def write(path: Path, blocks: int, *, flushed: bool) -> None:
    """Write a file; ``flushed``: wait for the disk after each block, as a slow one makes you."""
    with path.open("wb", buffering=0) as file:
        for _ in range(blocks):
            file.write(bytes(4096))
            if flushed:
                os.fsync(file.fileno())


@pytest.mark.full
def test_a_slow_disk_is_a_slow_initialization(tmp_path: Path) -> None:
    def loading(*, flushed: bool) -> Callable[[TrackedJob], None]:
        def work(job: TrackedJob) -> None:
            job.mark_phase("model_load", "weights")
            write(tmp_path / "weights", 150, flushed=flushed)
            job.mark_phase("processing")
            compute(30)

        return work

    before, after = (tracked(loading(flushed=False)) for _ in range(2))
    slow = tracked(loading(flushed=True))
    loads, work = slow["model_load_time_seconds"], slow["processing_time_seconds"]
    if loads.quantile(0.25) < 0.2 * work.median():
        pytest.skip("this disk (or a memory file system) does not make anybody wait")
    assert find_bottlenecks(after, earlier=before) == ()
    findings = by_type(find_bottlenecks(slow, earlier=before))
    assert set(findings) == {"slow_initialization"}
    assert "model_load_time_seconds" in findings["slow_initialization"].recommendations[0]


@contextmanager
def server(delay_s: float) -> Iterator[str]:
    """Serve one request at a time, each after the delay that is the fault."""

    class Picture(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            time.sleep(delay_s)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"picture")

        def log_message(self, *args: object) -> None:
            """Keep the test's output for the test."""

    with HTTPServer(("127.0.0.1", 0), Picture) as listening:
        thread = threading.Thread(target=listening.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.server_port}/"
        finally:
            listening.shutdown()
            thread.join()


def ask(url: str) -> None:
    with urllib.request.urlopen(url) as answer:
        assert answer.read() == b"picture"


@pytest.mark.full
def test_a_cpu_hog_is_a_cpu_bottleneck() -> None:
    # Jobs that mostly wait for their server leave the cores idle; hogs do not.
    with server(0.15) as url:

        def work(job: TrackedJob) -> None:
            job.mark_phase("processing")
            compute(10)
            ask(url)

        healthy = tracked(work, sampled=True)
        if float((healthy["cpu_utilization_avg"] > Thresholds().high_cpu_percent).mean()) > 0.1:
            pytest.skip("others keep this machine's cores busy: there is no healthy window")
        with hogs(os.cpu_count() or 1):
            hogged = tracked(work, sampled=True)
    assert find_bottlenecks(healthy) == ()
    finding = by_type(find_bottlenecks(hogged, earlier=healthy))["cpu_bottleneck"]
    assert finding.affected_jobs >= JOBS / 3
    assert finding.metrics["slowdown_from"] == "like jobs on a CPU with room"


@pytest.mark.full
def test_work_that_uses_all_cores_itself_is_no_cpu_bottleneck() -> None:
    cores = os.cpu_count() or 1

    def work(job: TrackedJob) -> None:
        job.mark_phase("processing")
        with ThreadPoolExecutor(cores) as pool:  # hashing lets go of the interpreter's lock
            list(pool.map(compute, [60] * cores))

    jobs = tracked(work, sampled=True)
    by_others = jobs["cpu_utilization_avg"] - jobs["cpu_utilization_own"]
    if float((by_others > Thresholds().others_cpu_percent).mean()) > 0.1:
        pytest.skip("others keep this machine's cores busy: the jobs are not alone")
    assert jobs["cpu_utilization_avg"].median() > Thresholds().high_cpu_percent
    assert find_bottlenecks(jobs) == ()


def asked_together(url: str) -> pd.DataFrame:
    """Submit JOBS jobs at once to one worker, which asks the server for each."""
    kept = Kept()
    tracking = Tracking(kept)
    submitted = datetime.now(UTC)
    for number in range(JOBS):
        with track_generation_job(
            f"job-{number}", "image", PARAMETERS, queued_at=submitted, tracking=tracking
        ) as job:
            job.mark_phase("processing")
            ask(url)
            job.mark_success()
    return frame_of(to_row(each) for each in kept.jobs)


def test_a_slow_server_makes_a_queue() -> None:
    # The limit is a few hundred times what the quick server takes for all jobs together.
    thresholds = Thresholds(high_queue_s=0.8)
    with server(0.0) as url:
        quick = asked_together(url)
    with server(0.12) as url:
        slow = asked_together(url)
    assert find_bottlenecks(quick, thresholds) == ()
    findings = by_type(find_bottlenecks(slow, thresholds))
    assert set(findings) == {"high_queue_time"}
    assert findings["high_queue_time"].metrics["places"] == 1
    assert int(findings["high_queue_time"].metrics["places_enough"]) > 1
