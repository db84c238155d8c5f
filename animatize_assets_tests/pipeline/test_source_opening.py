"""A provider that cannot be used refuses what would be asked of it, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import SecretStr
from upath import UPath

from animatize_assets.errors import NotConfigured
from animatize_assets.generation.catalogue import load_catalogue
from animatize_assets.generation.sourcing import PictureSource
from animatize_assets.images.limits import ImageLimits
from animatize_assets.pipeline.generation_setup import GenerationSetup, ProviderSetup
from animatize_assets.pipeline.workshop import open_stores, open_workshop

KEY = "k3y" * 10
RETIRED = next(
    each.model
    for each in load_catalogue().of("openai")
    if each.is_retired(datetime.now(UTC).date())
)

UNUSABLE = {
    "a key with a space": ("flux", ProviderSetup(SecretStr(f"{KEY} {KEY}"))),
    "an address that would send the key unencrypted": (
        "imagen",
        ProviderSetup(SecretStr(KEY), "http://192.0.2.1"),
    ),
    "a retired model": ("openai", ProviderSetup(SecretStr(KEY), model=RETIRED)),
    "a model that there is not": ("openai", ProviderSetup(SecretStr(KEY), model="gpt-image-0")),
    "a workflow that is none": (
        "comfyui",
        ProviderSetup(base_url="http://127.0.0.1:1", workflow=Path(__file__)),
    ),
}


@contextmanager
def pictures(folder: Path, setup: GenerationSetup) -> Iterator[PictureSource]:
    stores = open_stores(UPath(folder / "data"), ImageLimits())
    with closing(open_workshop(*stores, generation=setup)) as workshop:
        yield workshop.pictures


@pytest.mark.parametrize("what", UNUSABLE)
def test_only_pictures_that_would_be_asked_of_it_are_refused(what: str, tmp_path: Path) -> None:
    name, how = UNUSABLE[what]
    other = "openai" if name == "flux" else "flux"
    setup = GenerationSetup(providers={name: how, other: ProviderSetup(SecretStr(KEY))})
    with pictures(tmp_path, setup) as source:
        source.check("local")
        source.check(other)
        for refuse in (source.check, source.provider):
            with pytest.raises(NotConfigured) as refused:
                refuse(name)
            assert KEY not in str(refused.value)


@pytest.mark.parametrize("what", UNUSABLE)
def test_a_fallback_that_cannot_be_used_is_not_passed_over_in_silence(
    what: str, tmp_path: Path
) -> None:
    name, how = UNUSABLE[what]
    other = "openai" if name == "flux" else "flux"
    setup = GenerationSetup(
        providers={name: how, other: ProviderSetup(SecretStr(KEY))}, fallback=(name,)
    )
    with pictures(tmp_path, setup) as source:
        source.check("local")
        with pytest.raises(NotConfigured):
            source.check(other)


def test_what_is_not_set_up_at_all_is_no_obstacle_as_a_fallback(tmp_path: Path) -> None:
    setup = GenerationSetup(
        providers={"flux": ProviderSetup(SecretStr(KEY))}, fallback=("openai", "comfyui")
    )
    with pictures(tmp_path, setup) as source:
        source.check("flux")
        with pytest.raises(NotConfigured, match="ANIMATIZE_OPENAI_API_KEY"):
            source.check("openai")
