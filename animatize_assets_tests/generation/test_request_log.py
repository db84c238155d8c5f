"""Every request leaves a row, and the rows can be counted."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from animatize_assets.database.engine import open_engine
from animatize_assets.database.tables import generation_requests
from animatize_assets.errors import StorageFailed
from animatize_assets.generation.request_log import LoggedRequest, Repeats, RequestLog
from animatize_assets_tests.generation.ledgers import Clock, database


def logged(**changes: Any) -> LoggedRequest:
    values: dict[str, Any] = {
        "image_key": "a",
        "target": "generic",
        "style": "cinematic",
        "provider": "flux",
        "model": "flux-2-pro",
        "width": 1280,
        "height": 720,
        "movement": "push_in",
        "outcome": "made",
        **changes,
    }
    return LoggedRequest(**values)


def test_a_request_is_kept_as_it_was() -> None:
    clock = Clock()
    with database() as engine:
        RequestLog(engine, clock).write(
            logged(run_id="run-1", made_by="local", cost_usd=0.045, result_key="k")
        )
        RequestLog(engine, clock).write(logged(cost_usd=None))
        with engine.connect() as connection:
            first, second = connection.execute(select(generation_requests)).all()
    assert (first.image_key, first.width, first.height) == ("a", 1280, 720)
    assert (first.made_by, first.cost_nanousd, first.result_key) == ("local", 45_000_000, "k")
    assert (second.cost_nanousd, second.made_by, second.run_id) == (None, None, None)


def test_counts_by_any_columns_and_time() -> None:
    clock = Clock()
    with database() as engine:
        log = RequestLog(engine, clock)
        log.write(logged())
        log.write(logged(outcome="exact"))
        noon = clock.now
        clock.advance(hours=1)
        log.write(logged(provider="openai", outcome="failed"))
        assert log.counts(["provider"]) == {("flux",): 2, ("openai",): 1}
        assert log.counts(["outcome", "provider"], until=clock.now) == {
            ("made", "flux"): 1,
            ("exact", "flux"): 1,
        }
        assert log.counts(["outcome"], since=clock.now) == {("failed",): 1}
        assert log.counts(["made_by"], since=noon) == {(None,): 3}


def test_repeats_are_requests_for_images_that_were_asked_before() -> None:
    clock = Clock()
    with database() as engine:
        log = RequestLog(engine, clock)
        for image_key, outcome in [("a", "made"), ("b", "made"), ("a", "exact"), ("a", "made")]:
            log.write(logged(image_key=image_key, outcome=outcome))
        log.write(logged(provider="openai"))
        assert log.repeats() == {"flux": Repeats(2, 1), "openai": Repeats(0, 0)}
        assert log.seen("flux") == {"a", "b"}
        assert log.seen("imagen") == frozenset()
        clock.advance(days=8)
        log.write(logged(outcome="canonical"))
        assert log.repeats(since=clock.now) == {"flux": Repeats(0, 0)}
        assert log.seen("flux", since=clock.now) == {"a"}


@settings(max_examples=25, deadline=None)  # each example makes a database
@given(
    st.lists(
        st.tuples(
            st.sampled_from("abc"),
            st.sampled_from(["flux", "openai"]),
            st.sampled_from(["made", "exact", "canonical", "similar", "failed"]),
        ),
        max_size=25,
    )
)
def test_counts_agree_with_counting_by_hand(requests: list[tuple[str, str, str]]) -> None:
    with database() as engine:
        log = RequestLog(engine, Clock())
        for image_key, provider, outcome in requests:
            log.write(logged(image_key=image_key, provider=provider, outcome=outcome))
        assert log.counts(["image_key", "provider", "outcome"]) == Counter(requests)
        for provider, found in log.repeats().items():
            mine = [image_key for image_key, asked, _ in requests if asked == provider]
            assert found.repeats == len(mine) - len(set(mine))
            assert 0 <= found.served <= found.repeats


def test_a_log_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path}/without tables.db")
    with pytest.raises(StorageFailed, match="could not be logged"):
        RequestLog(engine).write(logged())
    engine.dispose()
