"""In which order providers are asked, and what is no setting."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import SecretStr

from animatize_assets.errors import InvalidSetting, NotConfigured
from animatize_assets.pipeline.generation_setup import GenerationSetup, ProviderSetup
from animatize_assets.pipeline.source_opening import open_expansions
from animatize_assets_tests.integration.generating import migrated


@pytest.mark.parametrize("ends_local", [True, False])
def test_local_is_always_last(ends_local: bool) -> None:
    setup = GenerationSetup(fallback=("local", "flux", "openai"), fallback_to_local=ends_local)
    assert setup.order("openai") == ("openai", "flux", "local")


def test_local_may_be_switched_off_and_falls_back_to_nobody() -> None:
    setup = GenerationSetup(fallback=("flux",), fallback_to_local=False)
    assert setup.order("openai") == ("openai", "flux")
    assert setup.order("local") == ("local",)


@pytest.mark.parametrize(
    "wrong",
    [
        {"fallback": ("fluks",)},
        {"enabled": ("locale",)},
        {"budget_provider_day_usd": {"opnai": 1.0}},
        {"budget_provider_day_usd": {"openai": float("inf")}},
        {"shadow_share": 1.5},
    ],
)
def test_what_is_misspelt_or_no_amount_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(InvalidSetting):
        GenerationSetup().changed(**wrong)


@pytest.mark.parametrize(
    ("key", "address"), [("sk secret", None), ("sk-secret", "http://192.0.2.1/v1")]
)
def test_batches_send_no_key_that_pictures_would_not_send(
    tmp_path: Path, key: str, address: str | None
) -> None:
    setup = GenerationSetup(providers={"openai": ProviderSetup(SecretStr(key), address)})
    engine = migrated(tmp_path / "animatize.db")
    expansions = open_expansions(setup, engine)
    assert expansions is not None
    with pytest.raises(NotConfigured) as refused:
        expansions.desk()
    assert key not in str(refused.value)
    engine.dispose()
