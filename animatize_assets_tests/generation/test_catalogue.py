from __future__ import annotations

import math
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import assume, given
from hypothesis import strategies as st

from animatize_assets.errors import InvalidRule, NotConfigured
from animatize_assets.generation.catalogue import (
    CATALOGUE_FILE,
    ProviderModel,
    cost_of,
    expected_cost,
    expected_text_cost,
    load_catalogue,
    nearest_size,
)
from animatize_assets.generation.models import Usage
from animatize_assets.generation.sizes import AspectRatios, MultipleOf

READ_ON = date(2026, 11, 21)
"""The day that the shipped catalogue speaks of."""

CATALOGUE = load_catalogue()
EVERY = list(CATALOGUE.models.values())
ONE_OF_EACH_RULE = list(
    {each.sizes.model_dump_json(): each for each in EVERY if each.sizes is not None}.values()
)
BY_MULTIPLES = [each for each in ONE_OF_EACH_RULE if isinstance(each.sizes, MultipleOf)]
RETIRED = [each for each in EVERY if each.is_retired(READ_ON)]

sides = st.integers(1, 12_000)
counts = st.integers(0, 100_000)


def multiples(**changes: int) -> dict[str, Any]:
    limits = {"step": 16, "min_side_px": 16, "max_side_px": 128, "max_pixels": 4096}
    return {"rule": "multiple_of", **limits, **changes}


def catalogue_file(tmp_path: Path, **changes: Any) -> Path:
    """A catalogue of two models, one of them changed."""
    fact = {"says": "It is so.", "source": "somebody", "date": "2026-11-21"}
    first = {"provider": "p", "model": "old", "does": ["picture"], "sizes": {"rule": "any"}}
    second = {**first, "model": "new", "facts": [fact]}
    content = {
        "version": "1",
        "defaults": {"p": "new"},
        "models": [{**first, "facts": [fact], **changes}, second],
    }
    path = tmp_path / "catalogue.yaml"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return path


def test_it_has_every_provider_and_no_default_is_retired() -> None:
    assert CATALOGUE.providers == ("local", "openai", "flux", "imagen", "comfyui")
    for provider in CATALOGUE.providers:
        model = CATALOGUE.default(provider)
        assert "picture" in model.does
        assert CATALOGUE.get(provider, model.model, READ_ON) is model
        assert not model.is_retired(READ_ON + timedelta(days=60))


def test_what_a_default_costs_is_known_beforehand() -> None:
    for provider in CATALOGUE.providers:
        cost = expected_cost(CATALOGUE.default(provider), 1280, 720)
        assert cost == 0 if provider in {"local", "comfyui"} else cost


@pytest.mark.parametrize("model", RETIRED, ids=lambda model: model.key)
def test_a_retired_model_names_a_successor_that_answers(model: ProviderModel) -> None:
    with pytest.raises(NotConfigured) as caught:
        CATALOGUE.get(model.provider, model.model, READ_ON)
    successor = CATALOGUE.live_successor(model, READ_ON)
    assert not successor.is_retired(READ_ON)
    assert set(successor.does) & set(model.does)
    assert f"'{successor.model}'" in str(caught.value)
    assert str(model.shutdown) in str(caught.value)


@pytest.mark.parametrize("model", ["dall-e-3", "gpt-image-1", "gpt-4.1-nano", "o1"])
def test_the_dead_models_of_openai_are_known_as_such(model: str) -> None:
    assert CATALOGUE.models[f"openai/{model}"].is_retired(READ_ON)


def test_a_warning_begins_60_days_before_a_shutdown_and_ends_with_it() -> None:
    model = CATALOGUE.models["openai/gpt-image-1.5"]
    assert model.shutdown is not None
    told = [
        (model.shutdown - timedelta(days=days), model.warning(model.shutdown - timedelta(days)))
        for days in (61, 60, 1, 0)
    ]
    assert [text is not None for _, text in told] == [False, True, True, False]
    assert "2026-12-01" in str(told[1][1])
    assert "in 60 days" in str(told[1][1])
    assert f"'{model.successor}'" in str(told[1][1])
    assert CATALOGUE.get("openai", model.model, model.shutdown - timedelta(days=1)) is model
    with pytest.raises(NotConfigured):
        CATALOGUE.get("openai", model.model, model.shutdown)


def test_warnings_can_be_limited_to_what_is_configured() -> None:
    assert len(CATALOGUE.warnings(READ_ON)) > 3
    assert CATALOGUE.warnings(READ_ON, configured=[CATALOGUE.default("flux")]) == []
    assert CATALOGUE.warnings(READ_ON - timedelta(days=365)) == []


def test_what_is_not_listed_is_refused_with_a_choice() -> None:
    with pytest.raises(NotConfigured, match="gpt-image-2"):
        CATALOGUE.get("openai", "gpt-image-99", READ_ON)
    with pytest.raises(NotConfigured, match="imagen"):
        CATALOGUE.get("midjourney", "v8", READ_ON)


def test_a_line_of_retired_models_ends_at_one_that_answers(tmp_path: Path) -> None:
    path = catalogue_file(tmp_path, shutdown="2026-01-01", successor="new")
    catalogue = load_catalogue(path)
    assert catalogue.live_successor(catalogue.models["p/old"], READ_ON).model == "new"


@pytest.mark.parametrize(
    "changes",
    [
        {"colour": "blue"},
        {"facts": []},
        {"facts": [{"says": "It is so.", "date": "2026-11-21"}]},
        {"facts": [{"says": "It is so.", "source": "somebody"}]},
        {"price": {"kind": "per_image", "usd": 0.04, "source": "somebody"}},
        {"price": {"kind": "per_image", "usd": 0.04, "date": "2026-11-21"}},
        {"price": {"kind": "per_image", "usd": -1, "date": "2026-11-21", "source": "somebody"}},
        {"price": {"kind": "by_guess", "date": "2026-11-21", "source": "somebody"}},
        {"model": "new"},
        {"shutdown": "2026-01-01"},
        {"shutdown": "2026-01-01", "successor": "nobody"},
        {"sizes": None},
        {"does": ["edit", "picture"]},
        {"takes": {"magic": True}},
        {"sizes": {"rule": "fixed", "sizes": []}},
        {"sizes": {"rule": "aspect_ratios", "ratios": ["wide"], "resolutions": {"1K": 1024}}},
        {"sizes": multiples(min_side_px=8)},
        {"sizes": multiples(step=64, min_side_px=64, min_pixels=5000, max_pixels=10_000)},
    ],
    ids=str,
)
def test_a_file_that_is_not_whole_is_refused(tmp_path: Path, changes: dict[str, Any]) -> None:
    load_catalogue(catalogue_file(tmp_path, sizes=multiples()))
    with pytest.raises(InvalidRule):
        load_catalogue(catalogue_file(tmp_path, **changes))


def test_its_version_follows_its_content(tmp_path: Path) -> None:
    assert load_catalogue(CATALOGUE_FILE).version == CATALOGUE.version
    one = load_catalogue(catalogue_file(tmp_path)).version
    assert load_catalogue(catalogue_file(tmp_path, concurrency=3)).version != one


@pytest.mark.parametrize("model", ONE_OF_EACH_RULE, ids=lambda model: model.key)
@given(width=sides, height=sides)
def test_the_nearest_size_is_allowed_and_is_its_own_nearest(
    model: ProviderModel, width: int, height: int
) -> None:
    nearest = nearest_size(model, width, height)
    assert model.sizes is not None
    assert model.sizes.allows(nearest)
    assert nearest_size(model, *nearest) == nearest
    if model.sizes.allows((width, height)):
        assert nearest == (width, height)


@pytest.mark.parametrize("model", BY_MULTIPLES, ids=lambda model: model.key)
@given(width=st.integers(880, 1400), height=st.integers(880, 1400))
def test_of_the_sizes_around_a_wish_the_nearest_aspect_is_taken(
    model: ProviderModel, width: int, height: int
) -> None:
    rule = model.sizes
    assert isinstance(rule, MultipleOf)
    around = [
        (rule.step * (width // rule.step + right), rule.step * (height // rule.step + down))
        for right in {0, min(1, width % rule.step)}
        for down in {0, min(1, height % rule.step)}
    ]
    assume(all(rule.allows(size) for size in around))

    def off(size: tuple[int, int]) -> float:
        return abs(math.log(size[0] * height / (size[1] * width)))

    nearest = nearest_size(model, width, height)
    assert off(nearest) <= min(off(size) for size in around) + 1e-8
    assert abs(nearest[0] - width) < rule.step
    assert abs(nearest[1] - height) < rule.step


@pytest.mark.parametrize("model", BY_MULTIPLES, ids=lambda model: model.key)
@given(ratio=st.floats(0.34, 2.9), pixels=st.integers(100, 10**8))
def test_a_wish_of_any_area_keeps_its_aspect(
    model: ProviderModel, ratio: float, pixels: int
) -> None:
    rule = model.sizes
    assert isinstance(rule, MultipleOf)
    width, height = max(1, round((pixels * ratio) ** 0.5)), max(1, round((pixels / ratio) ** 0.5))
    assume(width / height < 3 and height / width < 3)
    made = nearest_size(model, width, height)
    # Each side is off by less than one step of what was fitted into the limits.
    tolerance = 2 * rule.step / min(made)
    assert abs(math.log(made[0] * height / (made[1] * width))) <= tolerance


def test_an_aspect_ratio_is_exactly_one_of_the_list() -> None:
    rule = CATALOGUE.default("imagen").sizes
    assert isinstance(rule, AspectRatios)
    assert rule.choice((1920, 1080)) == ("16:9", "2K")
    assert rule.choice((1280, 720)) == ("16:9", "1K")
    assert rule.choice((100, 100)) == ("1:1", "1K")
    assert rule.choice((9000, 9000)) == ("1:1", "4K")
    width, height = rule.nearest((1280, 720))
    assert width * 9 == height * 16


def test_what_is_not_known_costs_none_and_never_nothing() -> None:
    unknown = CATALOGUE.models["openai/chatgpt-image-latest"]
    assert cost_of(unknown, Usage(input_tokens=1, output_tokens=1)) is None
    assert expected_cost(unknown, 1024, 1024) is None
    openai = CATALOGUE.default("openai")
    assert cost_of(openai, Usage()) is None
    assert cost_of(openai, Usage(input_tokens=10, output_tokens=100)) is None
    imagen = CATALOGUE.default("imagen")
    assert cost_of(imagen, Usage(input_tokens=10, output_tokens=1120)) is None
    assert cost_of(CATALOGUE.default("flux"), Usage(images=1)) is None
    assert cost_of(CATALOGUE.default("openai"), Usage(), batch=True) is None


def test_published_prices_of_single_pictures_come_out() -> None:
    flare = CATALOGUE.models["openai/gpt-image-2.5-flare"]
    medium = Usage(input_tokens=0, input_image_tokens=0, output_tokens=439)
    assert cost_of(flare, medium) == pytest.approx(0.0132, abs=5e-5)
    banana = CATALOGUE.models["imagen/gemini-nano-banana-2.1"]
    picture = Usage(input_tokens=0, output_tokens=1120, output_image_tokens=1120)
    assert cost_of(banana, picture) == 0.0336
    pro = CATALOGUE.models["flux/flux-2-pro"]
    assert cost_of(pro, Usage(images=1, megapixels=1.0)) == 0.03
    assert cost_of(pro, Usage(images=1, megapixels=1.05)) == 0.03
    assert expected_cost(pro, 1024, 1024) == 0.03
    assert cost_of(CATALOGUE.models["flux/flux-kontext-pro"], Usage(images=2)) == 0.08


def test_a_million_tokens_cost_what_the_price_says() -> None:
    sol, million = CATALOGUE.models["openai/gpt-6.1-sol"], 1_000_000
    fresh = Usage(input_tokens=million, output_tokens=million)
    assert cost_of(sol, fresh) == 12.0
    assert cost_of(sol, fresh, batch=True) == 6.0
    cached = fresh.model_copy(update={"cached_tokens": million})
    assert cost_of(sol, cached) == pytest.approx(10.1)
    written = fresh.model_copy(update={"cache_write_tokens": million})
    assert cost_of(sol, written) == pytest.approx(12.5)
    assert expected_text_cost(sol, 2 * million, million) == 12.0


@given(asked=counts, pictures=counts, cached=counts, answered=counts, more=counts)
def test_more_tokens_never_cost_less(
    asked: int, pictures: int, cached: int, answered: int, more: int
) -> None:
    for model in EVERY:
        usage = Usage(
            input_tokens=asked + pictures + cached,
            input_image_tokens=pictures,
            cached_tokens=cached,
            output_tokens=answered,
            output_image_tokens=answered if model.sizes else 0,
            images=1,
            megapixels=1.0,
        )
        longer = usage.model_copy(update={"input_tokens": asked + pictures + cached + more})
        cost, higher = cost_of(model, usage), cost_of(model, longer)
        assert (cost is None) == (model.price is None or higher is None)
        if cost is not None and higher is not None:
            assert 0 <= cost <= higher


@given(width=st.integers(64, 4000), height=st.integers(64, 4000))
def test_a_larger_picture_with_a_source_never_costs_less(width: int, height: int) -> None:
    for provider in CATALOGUE.providers:
        model = CATALOGUE.default(provider)
        plain = expected_cost(model, width, height)
        with_source = expected_cost(model, width, height, input_image=True)
        assert plain is not None
        assert with_source is not None
        assert plain <= with_source
