"""How soon the dashboard's views are painted with 100,000 images and 90 days of jobs.

``animatize serve`` runs in a process of its own over such a data folder: the newest 24 images, a
page of the gallery, were really made, and 50,000 jobs of both pipelines and as many requests for
pictures lie in the last 90 days. Debian's Chromium opens each view with nothing in its cache; the
value is its first contentful paint (https://www.w3.org/TR/paint-timing/). The baseline is the page
to sign in, which shows nothing of what is stored; the two are opened in turn. What a view asks for
afterwards is measured apart: seconds until nothing on it is still being computed.

    python benchmarks/dashboard.py [--quick] [--json]
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from image_list import fill
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright
from report import REPEATS, Measurement, finish, measure, medians, not_measured
from serving import serving
from simulated_fleet import Fleet
from sqlalchemy import Engine, insert

from animatize_assets.database.tables import generation_requests
from animatize_assets.performance.models import PIPELINE_TYPES, JobRecord, PipelineType
from animatize_assets.performance.store import PerformanceStore
from animatize_assets.pipeline.progress import open_progress
from animatize_assets.pipeline.request import PipelineRequest
from animatize_assets.pipeline.stages import STAGES, run_stages
from animatize_assets.workplace.opening import Workplace, open_workplace

IMAGES, QUICK_IMAGES = 100_000, 5_000
MADE, QUICK_MADE = 24, 1
JOBS, QUICK_JOBS = 25_000, 200
"""Of each pipeline type."""
DAYS = 90
PROVIDERS = ("local", "openai")
GOAL_S = 1.0
WIDTH, HEIGHT = 960, 640
NOISE = 0.12
RECORDED_AT_ONCE = 2_000
COMPUTED_MS = 120_000

FIRST_PAINT = """() => new Promise((resolve) => {
  new PerformanceObserver((list) => {
    for (const entry of list.getEntriesByName("first-contentful-paint")) {
      resolve(entry.startTime / 1000);
    }
  }).observe({ type: "paint", buffered: true });
})"""
NOTHING_IS_BUSY = "() => document.querySelector('[aria-busy]') === null"


def main() -> int:
    """Measure, print, and say by the exit code whether a goal was missed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="5,000 images and 400 jobs")
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout")
    options = parser.parse_args()
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        print("Chromium is missing; on Debian: apt-get install chromium", file=sys.stderr)
        rows = [not_measured(each, "s", f"at most {GOAL_S:g}") for each in views_of("KEY")]
        return finish("dashboard", rows, as_json=options.json)
    quick = options.quick
    with tempfile.TemporaryDirectory() as folder:
        os.environ["ANIMATIZE_DATA_DIR"] = folder
        os.environ["DAGSTER_HOME"] = str(Path(folder) / "dagster")
        workplace = open_workplace()
        fill(workplace.images.engine, QUICK_IMAGES if quick else IMAGES)
        key = make_images(workplace, Path(folder), QUICK_MADE if quick else MADE)
        jobs = QUICK_JOBS if quick else JOBS
        record_jobs(workplace.performance.store, jobs)
        log_requests(workplace.images.engine, 2 * jobs)
        workplace.performance.engine.dispose()
        workplace.images.engine.dispose()
        with serving() as address, opened(chromium) as browser:
            rows = measure_views(browser, address, views_of(key))
    return finish("dashboard", rows, as_json=options.json)


def make_images(workplace: Workplace, folder: Path, count: int) -> str:
    """Take in and make as many images; returns the key of the last one."""
    chance = np.random.default_rng(1)
    keys = []
    for number in range(count):
        small = chance.integers(0, 256, (8, 12, 3), np.uint8)
        path = folder / f"upload {number}.png"
        Image.fromarray(small).resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC).save(path)
        keys.append(workplace.images.ingest(path).image_key or "")
        path.unlink()
    with workplace.workshop() as workshop, closing(open_progress(workshop, STAGES)) as progress:
        for key in keys:
            for outcome in run_stages(workshop, key, PipelineRequest()):
                progress.note(outcome)
    return keys[-1]


def record_jobs(store: PerformanceStore, count: int) -> None:
    """Record a fleet's jobs of both pipelines, spread over the last days."""
    for seed, pipeline in enumerate(PIPELINE_TYPES):
        chance = np.random.default_rng(seed)
        made = Fleet.draw(chance, noise=NOISE, pipeline_type=pipeline).jobs(count, chance)
        spread = [
            _in_the_last_days(each.job, pipeline, number, count) for number, each in enumerate(made)
        ]
        for at in range(0, count, RECORDED_AT_ONCE):
            store.record(*spread[at : at + RECORDED_AT_ONCE])


def _in_the_last_days(job: JobRecord, pipeline: PipelineType, number: int, count: int) -> JobRecord:
    ended = datetime.now(UTC) - timedelta(days=DAYS * (count - number) / (count + 1))
    later = ended - job.finished_at
    provider = PROVIDERS[number % len(PROVIDERS)]
    return job.model_copy(
        update={
            "job_id": f"{pipeline}-{job.job_id}",
            "parameters": job.parameters.model_copy(update={"provider": provider}),
            "submitted_at": job.submitted_at + later,
            "started_at": None if job.started_at is None else job.started_at + later,
            "finished_at": ended,
            "cost_usd": 0.0 if provider == "local" else 0.04,
            "run_id": f"run-{number // 100}",
            "partition_key": f"photo-{number // 2:016x}",
        }
    )


def log_requests(engine: Engine, count: int) -> None:
    """Log requests for pictures, spread over the last days."""
    now = datetime.now(UTC)
    for first in range(0, count, RECORDED_AT_ONCE):
        numbers = range(first, min(first + RECORDED_AT_ONCE, count))
        with engine.begin() as connection:
            connection.execute(
                insert(generation_requests), [_request(number, count, now) for number in numbers]
            )


def _request(number: int, count: int, now: datetime) -> dict[str, object]:
    return {
        "requested_at": now - timedelta(days=DAYS * (count - number) / (count + 1)),
        "image_key": f"photo-{number:016x}",
        "run_id": f"run-{number // 100}",
        "target": "generic",
        "style": "cinematic",
        "provider": PROVIDERS[number % len(PROVIDERS)],
        "model": "model-1",
        "width": 1024,
        "height": 1024,
        "movement": "push_in",
        "outcome": "exact" if number % 3 == 0 else "made",
        "made_by": PROVIDERS[number % len(PROVIDERS)],
        "cost_nanousd": 40_000_000,
        "result_key": f"{number:032x}",
    }


def views_of(image_key: str) -> dict[str, str]:
    """Return the views that are measured: name -> path."""
    return {
        "Now": "/",
        "Images": "/images",
        "Images, failed ones": "/images?state=failed",
        "Images, a name that none has": "/images?search=no-such-name",
        "one image": f"/images/{image_key}",
        "pictures of one image": f"/images/{image_key}/pictures",
        f"Performance, {DAYS} days": f"/performance?days={DAYS}",
        f"Compare, {DAYS} days": f"/compare?left=local&right=openai&days={DAYS}",
    }


@contextmanager
def opened(chromium: str) -> Iterator[Browser]:
    """Start Chromium without a window."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium,
            args=["--no-sandbox"],  # the pages are our own; containers run as root
        )
        yield browser
        browser.close()


def measure_views(browser: Browser, address: str, views: dict[str, str]) -> list[Measurement]:
    """Open each view and the page to sign in, in turn."""
    rows = [
        measure(
            "Now, the first visit after the start",
            visit(browser, address, "/", first_paint),
            "s",
            goal=GOAL_S,
        )
    ]
    # Statistics are computed by a process that is started by whoever asks first.
    visit(browser, address, "/performance?days=1", until_computed)
    for name, path in views.items():
        computed = visit(browser, address, path, until_computed)
        paints: dict[str, list[float]] = {"view": [], "sign in": []}
        for _ in range(REPEATS):
            paints["view"].append(visit(browser, address, path, first_paint))
            paints["sign in"].append(visit(browser, address, "/sign-in", first_paint))
        seconds = medians(paints)
        rows += [
            measure(
                f"{name}: first paint",
                seconds["view"],
                "s",
                goal=GOAL_S,
                baseline=seconds["sign in"],
            ),
            measure(f"{name}: all of it, asked for the first time", computed, "s"),
        ]
    return rows


def visit(browser: Browser, address: str, path: str, seconds: Callable[[Page], float]) -> float:
    """Open a view with an empty cache, and measure."""
    context = browser.new_context(base_url=address)
    page = context.new_page()
    page.set_default_timeout(COMPUTED_MS)
    try:
        answer = page.goto(path, wait_until="commit")
        if answer is None or not answer.ok:
            raise RuntimeError(f"{path} was answered {answer and answer.status}")
        return seconds(page)
    finally:
        context.close()


def first_paint(page: Page) -> float:
    """Return when the browser first painted text or a picture, s after it was asked."""
    return float(page.evaluate(FIRST_PAINT))


def until_computed(page: Page) -> float:
    """Return when the page had got what it asks for afterwards, s after it was asked."""
    page.wait_for_load_state("domcontentloaded")
    page.wait_for_function(NOTHING_IS_BUSY)
    return float(page.evaluate("performance.now() / 1000"))


if __name__ == "__main__":
    sys.exit(main())
