"""From what was typed to image keys."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from animatize_assets.cli.keys import resolve_key
from animatize_assets.errors import ImageNotFound

KEYS = ("china-aa11", "china-bb22", "flower-cc33", "flower")


def test_a_key_or_its_unique_beginning() -> None:
    assert resolve_key("china-aa11", KEYS) == "china-aa11"
    assert resolve_key("china-b", KEYS) == "china-bb22"
    assert resolve_key("flower", KEYS) == "flower"


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("chin", "begins 2 image keys: china-aa11, china-bb22"),
        ("chnia-aa11", "nearest: china-aa11"),
        ("", "No image has the key ''"),
    ],
)
def test_what_is_not_one_image_is_refused_with_the_nearest(typed: str, told: str) -> None:
    with pytest.raises(ImageNotFound, match=told):
        resolve_key(typed, KEYS)


def test_nothing_ingested() -> None:
    with pytest.raises(ImageNotFound, match="none has been ingested"):
        resolve_key("china", ())


@given(st.lists(st.text("ab-", min_size=1), unique=True, min_size=1), st.text("ab-", max_size=4))
def test_the_answer_is_always_a_key_that_begins_so(keys: list[str], typed: str) -> None:
    try:
        answer = resolve_key(typed, keys)
    except ImageNotFound:
        assert sum(key.startswith(typed) for key in keys if typed) != 1
    else:
        assert answer in keys
        assert answer.startswith(typed)
