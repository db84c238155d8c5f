"""How many pictures the budgets still allow."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine
from upath import UPath

from animatize_assets.images.limits import ImageLimits
from animatize_assets.pipeline.generation_setup import GenerationSetup
from animatize_assets.pipeline.request import PipelineRequest
from animatize_assets.pipeline.workshop import open_stores
from animatize_assets.workplace.allowances import affordable, allowance_usd
from animatize_assets_tests.pipeline.cheap import write_images
from animatize_assets_tests.workplace.test_service_readings import pay

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
NO_LIMIT: dict[str, Any] = {"budget_run_usd": None, "budget_day_usd": None}


@pytest.mark.parametrize(
    ("limits", "left"),
    [
        ({}, math.inf),
        ({"budget_run_usd": 2}, 2),
        ({"budget_day_usd": 10}, 7),
        ({"budget_day_usd": 10, "budget_run_usd": 2}, 2),
        ({"budget_provider_day_usd": {"openai": 1}}, math.inf),
        ({"budget_provider_day_usd": {"flux": 2.5}, "budget_day_usd": 10}, 1.5),
        ({"budget_day_usd": 2}, 0),
    ],
)
def test_the_narrowest_limit_counts_and_what_may_be_spent_is(
    limits: dict[str, Any], left: float, engine: Engine
) -> None:
    pay(engine, "openai", 2.0, NOON - timedelta(hours=1))
    pay(engine, "flux", 1.0, NOON - timedelta(hours=2), is_settled=False)
    pay(engine, "openai", 7.0, NOON - timedelta(hours=13))  # yesterday
    setup = GenerationSetup(**(NO_LIMIT | limits))
    assert allowance_usd(engine, setup, "flux", now=NOON) == pytest.approx(left)


def test_the_first_pictures_that_fit_are_affordable(tmp_path: Path) -> None:
    images, _ = open_stores(UPath(tmp_path), ImageLimits())
    keys = [images.ingest(path).image_key or "" for path in write_images(tmp_path / "given", 3)]
    setup = GenerationSetup()
    asked = PipelineRequest(provider="flux", size=(1024, 1024))

    def told(allowance: float, request: PipelineRequest = asked) -> int:
        found = affordable(images, setup, keys, request, allowance)
        assert list(found) == keys[: len(found)]
        return len(found)

    each = next(cents / 1000 for cents in range(1, 1000) if told(cents / 1000) == 1)
    assert [told(each * count) for count in (0, 0.99, 1, 2, 5)] == [0, 0, 1, 2, 3]
    assert told(math.inf) == 3
    assert told(0.0, PipelineRequest(provider="local")) == 3
    images.engine.dispose()
