"""The rows that lists of images are made of, on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, delete, event, insert

from animatize_assets.database.engine import open_engine
from animatize_assets.database.migration import upgrade
from animatize_assets.database.tables import image_states, images
from animatize_assets.images.states import ImageStates, ListedImage, Standing, Wanted

DAY = datetime(2026, 5, 4, tzinfo=UTC)
CODE, OTHER_CODE = "c" * 64, "d" * 64


@pytest.fixture(scope="module")
def shared_engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    opened = open_engine(f"sqlite:///{tmp_path_factory.mktemp('states')}/animatize.db")
    upgrade(opened)
    yield opened
    opened.dispose()


@pytest.fixture
def states(engine: Engine) -> ImageStates:
    return ImageStates(engine, code_digest=CODE, clock=lambda: DAY + timedelta(hours=1))


def key(number: int) -> str:
    return f"photo-{number:016x}"


def register(engine: Engine, count: int, state: str = "missing") -> list[str]:
    """Insert as many images, the oldest first; returns their keys."""
    rows: list[dict[str, Any]] = [
        {
            "id": number,
            "sha256": f"{number:064x}",
            "image_key": key(number),
            "original_name": f"Photo {number}.jpg",
            "format": "jpeg",
            "byte_count": 1000 + number,
            "width": 640,
            "height": 480,
            "source_mode": "RGB",
            "exif_orientation": 1,
            "has_icc_profile": False,
            "flattened_alpha": False,
            "frame_count": 1,
            "original_path": "o",
            "normalized_path": "o",
            "registered_at": DAY,
        }
        for number in range(1, count + 1)
    ]
    with engine.begin() as connection:
        connection.execute(insert(images), rows)
        connection.execute(
            insert(image_states),
            [{"image_id": row["id"], "state": state, "updated_at": DAY} for row in rows],
        )
    return [row["image_key"] for row in rows]


def listed(states: ImageStates, **wanted: Any) -> list[ListedImage]:
    return list(states.page(Wanted(**wanted), before=None, limit=100).images)


def test_a_line_tells_of_the_image_and_how_far_it_is(engine: Engine, states: ImageStates) -> None:
    (image,) = register(engine, 1)
    states.begin([image], "run-1")
    states.settle([Standing(image, "complete", "local", "push_in", CODE)])
    assert listed(states) == [
        ListedImage(
            image_key=image,
            original_name="Photo 1.jpg",
            format="jpeg",
            byte_count=1001,
            width=640,
            height=480,
            registered_at=DAY,
            state="complete",
            provider="local",
            movement="push_in",
            reason=None,
            run_id="run-1",
            updated_at=DAY + timedelta(hours=1),
        )
    ]
    assert states.of(image) == listed(states)[0]
    assert states.of(key(2)) is None


def test_pages_follow_each_other_newest_first(engine: Engine, states: ImageStates) -> None:
    keys = register(engine, 7)
    seen: list[str] = []
    before: int | None = None
    while True:
        page = states.page(Wanted(), before=before, limit=3)
        seen += [image.image_key for image in page.images]
        if page.next_cursor is None:
            break
        before = page.next_cursor
    assert seen == keys[::-1]


def test_a_list_is_filtered_by_all_that_is_wanted(engine: Engine, states: ImageStates) -> None:
    keys = register(engine, 4)
    states.settle(
        [
            Standing(keys[0], "complete", "local", "push_in", CODE),
            Standing(keys[1], "complete", "flux", "push_in", CODE),
            Standing(keys[2], "failed", "flux", "tilt", reason="generated_picture: no credit"),
        ]
    )

    def found(**wanted: Any) -> list[str]:
        return [image.image_key for image in listed(states, **wanted)]

    assert found(state="complete") == [keys[1], keys[0]]
    assert found(provider="flux") == [keys[2], keys[1]]
    assert found(movement="push_in", provider="flux") == [keys[1]]
    assert found(state="missing") == [keys[3]]
    assert found(key_contains="0004") == [keys[3]]
    assert found(key_contains="%") == found(key_contains="_") == []
    assert listed(states, state="failed")[0].reason == "generated_picture: no credit"
    assert states.counts() == {"complete": 2, "failed": 1, "missing": 1}


def test_what_other_code_made_is_stale(engine: Engine, states: ImageStates) -> None:
    keys = register(engine, 3)
    states.settle(
        [
            Standing(keys[0], "complete", code_digest=CODE),
            Standing(keys[1], "complete", code_digest=OTHER_CODE),
            Standing(keys[2], "complete"),
        ]
    )
    assert [image.state for image in listed(states)] == ["complete", "stale", "complete"]
    assert [image.image_key for image in listed(states, state="stale")] == [keys[1]]
    assert [image.image_key for image in listed(states, state="complete")] == [keys[2], keys[0]]
    assert states.counts() == {"complete": 2, "stale": 1}
    assert ImageStates(engine).counts() == {"complete": 3}


def test_what_a_standing_leaves_out_stays(engine: Engine, states: ImageStates) -> None:
    (image,) = register(engine, 1)
    states.settle([Standing(image, "failed", "flux", "tilt", CODE, reason="why")])
    states.settle([Standing(image, "complete")])
    line = listed(states)[0]
    assert (line.provider, line.movement, line.reason) == ("flux", "tilt", None)


def test_images_of_a_run_that_ended_are_looked_up_again(
    engine: Engine, states: ImageStates
) -> None:
    keys = register(engine, 4)
    states.begin(keys[:2], "dead")
    states.begin([keys[2]], "alive")
    states.settle([Standing(keys[0], "complete")])
    assert states.runs_in_progress() == {"dead", "alive"}
    states.forget_runs(["dead"])
    assert states.unknown(10) == (keys[1],)
    assert states.runs_in_progress() == {"alive"}
    assert states.counts() == {"complete": 1, "unknown": 1, "in_progress": 1, "missing": 1}


@given(
    state_of=st.lists(st.sampled_from(["missing", "failed", "complete"]), min_size=1, max_size=12),
    limit=st.integers(1, 5),
)
@settings(max_examples=25, deadline=None)
def test_pages_of_any_size_show_each_image_once(
    shared_engine: Engine, state_of: list[str], limit: int
) -> None:
    with shared_engine.begin() as connection:
        connection.execute(delete(images))
    keys = register(shared_engine, len(state_of))
    states = ImageStates(shared_engine)
    states.settle([Standing(k, state) for k, state in zip(keys, state_of, strict=True)])  # type: ignore[arg-type]
    for wanted in ("missing", "failed", "complete"):
        found: list[str] = []
        before: int | None = None
        while True:
            page = states.page(Wanted(state=wanted), before=before, limit=limit)  # type: ignore[arg-type]
            found += [image.image_key for image in page.images]
            before = page.next_cursor
            if before is None:
                break
        assert found == [k for k, s in zip(keys, state_of, strict=True) if s == wanted][::-1]


@pytest.mark.parametrize(
    ("wanted", "index"),
    [
        (Wanted(state="failed"), "ix_image_states_state_image_id"),
        (Wanted(provider="flux"), "ix_image_states_provider_image_id"),
        (Wanted(movement="tilt"), "ix_image_states_movement_image_id"),
    ],
)
def test_a_filtered_page_reads_no_more_than_its_lines(
    wanted: Wanted, index: str, shared_engine: Engine
) -> None:
    told: list[str] = []

    def explain(connection: Any, _cursor: Any, sql: str, values: Any, *_more: Any) -> None:
        plan = connection.connection.cursor().execute(f"EXPLAIN QUERY PLAN {sql}", values)
        told.extend(row[3] for row in plan.fetchall())

    event.listen(shared_engine, "before_cursor_execute", explain)
    try:
        ImageStates(shared_engine).page(wanted, before=9, limit=5)
    finally:
        event.remove(shared_engine, "before_cursor_execute", explain)
    assert any(index in line for line in told), told
    assert not any("TEMP B-TREE" in line or line.startswith("SCAN") for line in told), told
