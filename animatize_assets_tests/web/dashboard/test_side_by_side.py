"""Which two pictures are shown, and how they are named."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from animatize_assets.web.dashboard.side_by_side import UNLOGGED, side_by_side
from animatize_assets.web.routes.image_pictures import Picture

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)


def picture(number: int | None, provider: str = "local", run_id: str | None = "run-a") -> Picture:
    return Picture(
        result_key="0" * 32,
        request_id=number,
        requested_at=None if number is None else NOON + timedelta(hours=number),
        asked_provider=provider,
        provider=provider,
        model="m",
        run_id=run_id,
        target="generic",
        style="cinematic",
        outcome="made",
        seconds=1.0,
        cost_usd=0.0,
        prompt="A text.",
        width=8,
        height=8,
        is_current=number is None,
        file=None,
    )


PICTURES = [
    picture(5, "local", "run-c"),
    picture(4, "local", "run-b"),
    picture(3, "openai", "run-b"),
    picture(2, "local", "run-a"),
    picture(1, "openai", "run-a"),
]


@pytest.mark.parametrize(
    ("left", "right", "shown"),
    [
        ("", "", ("5", "3")),  # the newest, and the newest by another provider
        ("openai", "local", ("3", "5")),
        ("run-a", "run-b", ("2", "4")),
        ("1", "2", ("1", "2")),
        ("4", "", ("4", "3")),
        ("", "3", ("5", "3")),
        ("1", "1", ("1", "1")),
    ],
)
def test_a_side_is_named_by_request_provider_or_run(
    left: str, right: str, shown: tuple[str, str]
) -> None:
    two = side_by_side(PICTURES, left, right)
    assert two.left is not None
    assert two.right is not None
    assert (two.left.name, two.right.name) == shown
    assert two.unknown == ()


def test_without_another_provider_another_run_stands_beside() -> None:
    two = side_by_side([picture(2), picture(1, run_id="run-z")], "", "")
    assert two.right is not None
    assert two.right.picture.run_id == "run-z"


def test_an_unknown_name_is_told_and_takes_nothing_elses_place() -> None:
    two = side_by_side(PICTURES, "flux", "local")
    assert (two.left, two.unknown) == (None, ("flux",))
    assert two.right is not None


def test_one_picture_stands_alone() -> None:
    two = side_by_side([picture(None)], "", "")
    assert two.left is not None
    assert (two.left.name, two.right) == (UNLOGGED, None)
    assert two.left.label == "local · m · run run-a · the current one"


def test_nothing_has_no_sides() -> None:
    assert side_by_side([], "", "").left is None


@given(
    st.lists(st.tuples(st.sampled_from(["local", "flux"]), st.sampled_from(["x", "y"]))),
    st.sampled_from(["", "local", "flux", "x", "9"]),
    st.sampled_from(["", "local", "y", "1"]),
)
def test_what_is_shown_is_what_was_asked_for(
    made: list[tuple[str, str]], left: str, right: str
) -> None:
    pictures = [picture(number, *each) for number, each in enumerate(made, 1)]
    two = side_by_side(pictures, left, right)
    for name, side in ((left, two.left), (right, two.right)):
        if name and side is not None:
            assert name in (side.name, side.picture.provider, side.picture.run_id)
        if name and side is None:
            assert name in two.unknown
    if not left and not right and len(pictures) > 1:
        assert two.left != two.right
