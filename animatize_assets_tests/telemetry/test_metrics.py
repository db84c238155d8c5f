"""The instruments are the ones on the page, and their attributes take few values."""

from __future__ import annotations

import re
from pathlib import Path

from animatize_assets.telemetry import metrics
from animatize_assets.telemetry.cache_requests import note
from animatize_assets_tests.telemetry.reading import sums

PAGE = Path(__file__).parents[2] / "docs" / "metrics.md"
ROW = re.compile(r"^\| `(?!animatize_|process_)([a-z_.]+)` \|", re.MULTILINE)
"""Those of Prometheus are held against the page by the tests of ``/metrics``."""


def test_the_page_lists_every_instrument_and_every_cache() -> None:
    text = Path(metrics.__file__).read_text()
    named = set(re.findall(r'"((?:animatize|gen_ai)\.[a-z_.]+)"', text))
    listed = ROW.findall(PAGE.read_text(encoding="utf-8"))
    assert len(listed) == len(set(listed))
    assert set(listed) == named | set(metrics.CACHES)


def test_every_cache_is_counted_under_its_name_alone() -> None:
    sums("animatize.cache.requests")  # counting begins
    for cache in metrics.CACHES:
        for hit in (True, False):
            note(cache, hit=hit)
    assert set(sums("animatize.cache.requests")) == {
        frozenset({("cache", cache), ("outcome", outcome)})
        for cache in metrics.CACHES
        for outcome in ("hit", "miss")
    }
