"""The pictures of one image are found wherever they are kept, and what went is told as gone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from animatize_assets.errors import ImageNotFound
from animatize_assets.generation.kept_picture import KeptPicture
from animatize_assets.generation.result_index import About
from animatize_assets.pipeline.source_opening import open_results
from animatize_assets.workplace.earlier_pictures import picture_named, pictures_of
from animatize_assets.workplace.opening import Workplace, open_workplace
from animatize_assets_tests.pipeline.cheap import write_images
from animatize_assets_tests.web.made_images import SIDE, ask, keep, picture_of

FIRST, SECOND, THIRD = (digit * 32 for digit in "abc")


@pytest.fixture
def workplace() -> Iterator[Workplace]:
    opened = open_workplace()
    yield opened
    opened.images.engine.dispose()


@pytest.fixture
def key(workplace: Workplace, tmp_path: Path) -> str:
    return taken(workplace, tmp_path, 1)


def taken(workplace: Workplace, folder: Path, number: int) -> str:
    """Take an image in; returns its key."""
    (file,) = write_images(folder / f"files {number}", 1, start=number)
    return workplace.images.ingest(file).image_key or ""


def cache(workplace: Workplace, image_key: str, result_key: str, content: bytes) -> None:
    """Keep a picture as the cache of paid results does."""
    record = KeptPicture(
        media_type="image/png",
        width=SIDE,
        height=SIDE,
        provider="flux",
        model="flux-model",
        seed=1,
        cost_usd=0.25,
        asked_size=None,
        aspect_only=False,
        usage=None,
        reproducible=False,
    )
    about = About(
        kind="picture",
        structured_key="s",
        canonical_key="c",
        text="A text of the cache.",
        record=record.model_dump_json(),
        image_key=image_key,
    )
    open_results(workplace.generation, workplace.artifacts, workplace.images.engine).put(
        result_key, content, about
    )


def test_an_image_that_is_not_there_is_told(workplace: Workplace) -> None:
    with pytest.raises(ImageNotFound):
        pictures_of(workplace, "nothing-0123456789abcdef")


def test_an_image_without_pictures_has_none(workplace: Workplace, key: str) -> None:
    assert pictures_of(workplace, key) == ()


def test_pictures_of_two_providers_are_both_found(workplace: Workplace, key: str) -> None:
    for result_key, provider, color in ((FIRST, "openai", 10), (SECOND, "local", 20)):
        keep(workplace, key, result_key, provider, content=picture_of(color))
        ask(workplace, key, result_key, provider, run_id=f"run-{provider}")
    newest, before = pictures_of(workplace, key)
    assert (newest.provider, newest.is_current) == ("local", True)
    assert (before.provider, before.is_current) == ("openai", False)
    assert before.file is not None
    assert before.file.path.read_bytes() == picture_of(10)
    assert (before.seconds, before.cost_usd, before.prompt) == (3.5, 0.25, "Slow push in.")
    assert before.request is not None
    assert before.request.asked.run_id == "run-openai"


def test_a_picture_that_only_the_cache_has_is_found_with_its_text(
    workplace: Workplace, key: str
) -> None:
    ask(workplace, key, FIRST, "flux")
    cache(workplace, key, FIRST, picture_of(30))
    (found,) = pictures_of(workplace, key)
    assert found.file is not None
    assert found.file.path.read_bytes() == picture_of(30)
    assert (found.prompt, found.seconds, found.size) == ("A text of the cache.", None, (SIDE, SIDE))


def test_what_was_evicted_is_told_as_gone(workplace: Workplace, key: str) -> None:
    ask(workplace, key, FIRST, "flux", cost_usd=None)
    (found,) = pictures_of(workplace, key)
    assert found.file is None
    assert (found.provider, found.model) == ("flux", "flux-model")
    assert (found.prompt, found.cost_usd, found.size) == (None, None, None)


def test_a_fallback_that_was_made_again_is_not_taken_for_what_replaced_it(
    workplace: Workplace, key: str
) -> None:
    ask(workplace, key, FIRST, "local")
    keep(workplace, key, FIRST, "flux", content=picture_of(40))
    ask(workplace, key, FIRST, "flux")
    second, first = pictures_of(workplace, key)
    assert second.file is not None
    assert (first.provider, first.file) == ("local", None)


def test_a_current_picture_that_nobody_logged_is_there(workplace: Workplace, key: str) -> None:
    ask(workplace, key, FIRST, "openai")
    keep(workplace, key, FIRST, "openai", content=picture_of(50))
    keep(workplace, key, SECOND, "local", content=picture_of(60))
    newest, before = pictures_of(workplace, key)
    assert (newest.request, newest.result_key, newest.is_current) == (None, SECOND, True)
    assert before.result_key == FIRST


def test_failed_requests_and_those_of_other_images_have_no_picture_here(
    workplace: Workplace, key: str, tmp_path: Path
) -> None:
    other = taken(workplace, tmp_path, 2)
    ask(workplace, key, FIRST, "flux", outcome="failed")
    ask(workplace, other, SECOND, "flux")
    assert pictures_of(workplace, key) == ()
    assert picture_named(workplace, key, SECOND) is None
    assert picture_named(workplace, other, SECOND) is not None


def test_a_picture_from_a_cache_took_no_calls(workplace: Workplace, key: str) -> None:
    keep(workplace, key, FIRST, "openai", content=picture_of(70))
    ask(workplace, key, FIRST, "openai", outcome="exact", cost_usd=0.0)
    (found,) = pictures_of(workplace, key)
    assert (found.seconds, found.cost_usd) == (None, 0.0)


def test_a_picture_from_before_prompts_were_kept_has_the_text_of_the_cache(
    workplace: Workplace, key: str
) -> None:
    keep(workplace, key, THIRD, "flux", content=picture_of(80), prompt=None)
    ask(workplace, key, THIRD, "flux")
    (found,) = pictures_of(workplace, key)
    assert found.prompt is None
    cache(workplace, key, THIRD, picture_of(80))
    (found,) = pictures_of(workplace, key)
    assert found.prompt == "A text of the cache."
