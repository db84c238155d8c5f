"""Every provider model: what it does and takes, its sizes, limits, prices and end.

A model id is data: no other module names one. Belongs here: reading and checking
``catalogue.yaml``, and what follows from an entry. Does not belong here: the facts themselves
(data, each with source and date), the kinds of size rule (``sizes``) and of price (``prices``).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from animatize_assets.errors import NotConfigured
from animatize_assets.generation import prices
from animatize_assets.generation.models import Usage
from animatize_assets.generation.prices import Price
from animatize_assets.generation.sizes import AspectRatios, Size, SizeRule
from animatize_assets.prompts.data_file import content_version, read_mapping, validated
from animatize_assets.records import Measured, Record

CATALOGUE_FILE = Path(__file__).with_name("catalogue.yaml")

WARNING_DAYS = 60
"""A shutdown is told of from so many days before it."""

Ability = Literal["picture", "edit", "text"]
"""``picture``: from words; ``edit``: from words and an input image; ``text``: words from words."""


class Takes(Record):
    """Which parameters a model takes; what it does not take is not sent."""

    seed: bool = False
    negative: bool = False
    steps: bool = False
    guidance: bool = False
    input_image: bool = False
    temperature: bool = False


class Fact(Record):
    """One statement about a model, where it was read, and when."""

    says: str = Field(min_length=3)
    source: str = Field(min_length=3)
    date: dt.date


class ProviderModel(Record):
    """One model of one provider."""

    provider: str
    model: str
    does: tuple[Ability, ...] = Field(min_length=1)
    sizes: SizeRule | None = Field(default=None, description="None: it makes no pictures")
    takes: Takes = Takes()
    quality: str | None = Field(
        default=None, description="what is asked for, where the model has several"
    )
    max_prompt_characters: int | None = Field(default=None, ge=1)
    concurrency: int | None = Field(
        default=None, ge=1, description="calls under way at a time; None: no limit is known"
    )
    requests_per_min: Measured | None = Field(
        default=None, gt=0, description="None: no limit is known"
    )
    price: Price | None = Field(default=None, description="None: not known")
    shutdown: dt.date | None = Field(
        default=None, description="first day on which it no longer answers; None: none is known"
    )
    successor: str | None = None
    facts: tuple[Fact, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if ("text" not in self.does) == (self.sizes is None):
            raise ValueError("a model that makes pictures needs sizes, a text model has none")
        if self.takes.input_image != ("edit" in self.does):
            raise ValueError("'edit' in does and takes.input_image must say the same")
        if self.shutdown is not None and self.successor is None:
            raise ValueError("a model with a shutdown date needs a successor")
        return self

    @property
    def key(self) -> str:
        """``provider/model``."""
        return f"{self.provider}/{self.model}"

    def is_retired(self, today: dt.date) -> bool:
        """Whether it no longer answers on the day ``today``."""
        return self.shutdown is not None and self.shutdown <= today

    def warning(self, today: dt.date) -> str | None:
        """Return a sentence from 60 days before the shutdown until it; else None."""
        if self.shutdown is None or self.is_retired(today):
            return None
        days = (self.shutdown - today).days
        if days > WARNING_DAYS:
            return None
        return (
            f"Model '{self.model}' of {self.provider} shuts down on {self.shutdown}, in {days} "
            f"day{'s' if days != 1 else ''}; change to '{self.successor}'."
        )


class CatalogueFile(Record):
    """The whole of ``catalogue.yaml``."""

    version: str = Field(min_length=1)
    defaults: dict[str, str] = Field(description="provider -> the model that it is used with")
    models: tuple[ProviderModel, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Self:
        keys = [each.key for each in self.models]
        if twice := sorted({key for key in keys if keys.count(key) > 1}):
            raise ValueError(f"listed more than once: {', '.join(twice)}")
        named = {f"{provider}/{model}" for provider, model in self.defaults.items()}
        named |= {f"{each.provider}/{each.successor}" for each in self.models if each.successor}
        if unknown := sorted(named - set(keys)):
            raise ValueError(f"named as default or successor, but not listed: {unknown}")
        if without := sorted({each.provider for each in self.models} - set(self.defaults)):
            raise ValueError(f"without a default model: {without}")
        return self


class Catalogue(Record):
    """Every model of a file, by ``provider/model``, and the version of the file's content."""

    version: str
    models: dict[str, ProviderModel]
    defaults: dict[str, str]

    @cached_property
    def providers(self) -> tuple[str, ...]:
        """The providers, in the file's order."""
        return tuple(self.defaults)

    def of(self, provider: str) -> tuple[ProviderModel, ...]:
        """Return the models of a provider, retired ones too, in the file's order."""
        return tuple(each for each in self.models.values() if each.provider == provider)

    def default(self, provider: str) -> ProviderModel:
        """Return the model that a provider is used with when none is named.

        Raises:
            NotConfigured: the catalogue does not have this provider.

        """
        if provider not in self.defaults:
            raise NotConfigured(
                f"The catalogue has no provider '{provider}'; it has: {', '.join(self.providers)}."
            )
        return self.models[f"{provider}/{self.defaults[provider]}"]

    def get(self, provider: str, model: str, today: dt.date) -> ProviderModel:
        """Return a model that answers on the day ``today``.

        Raises:
            NotConfigured: it is retired, and the sentence names its successor, or it is unknown.

        """
        found = self.models.get(f"{provider}/{model}")
        if found is None:
            self.default(provider)
            live = [each.model for each in self.of(provider) if not each.is_retired(today)]
            raise NotConfigured(
                f"The catalogue has no model '{model}' of {provider}; choose one of: "
                f"{', '.join(live)}."
            )
        if found.is_retired(today):
            raise NotConfigured(
                f"Model '{model}' of {provider} was shut down on {found.shutdown}; use its "
                f"successor '{self.live_successor(found, today).model}'."
            )
        return found

    def live_successor(self, model: ProviderModel, today: dt.date) -> ProviderModel:
        """Return the first model in the line of successors that answers on the day ``today``.

        The provider's default when the whole line is retired.
        """
        seen = {model.key}
        while model.is_retired(today):
            following = self.models.get(f"{model.provider}/{model.successor}")
            if following is None or following.key in seen:
                return self.default(model.provider)
            seen.add(following.key)
            model = following
        return model

    def warnings(
        self, today: dt.date, *, configured: Sequence[ProviderModel] | None = None
    ) -> list[str]:
        """Return one sentence for each model that is shut down within 60 days.

        ``configured``: look only at these.
        """
        looked_at = self.models.values() if configured is None else configured
        return [told for each in looked_at if (told := each.warning(today)) is not None]


def load_catalogue(path: Path | None = None) -> Catalogue:
    """Read a catalogue, by default the one that is shipped.

    Raises:
        InvalidRule: the file cannot be used; the sentence names every problem.

    """
    return _shipped() if path is None else _read(path)


@lru_cache(maxsize=1)
def _shipped() -> Catalogue:
    return _read(CATALOGUE_FILE)


def _read(path: Path) -> Catalogue:
    content = read_mapping(path)
    file = validated(path, CatalogueFile, content)
    return Catalogue(
        version=content_version(content),
        models={each.key: each for each in file.models},
        defaults=file.defaults,
    )


def nearest_size(model: ProviderModel, width: int, height: int) -> Size:
    """Return the size to ask ``model`` for, px; see ``sizes`` for what "nearest" means.

    Of a model that takes an aspect ratio it is exactly that ratio; the pixels are the model's.
    """
    return model.sizes.nearest((width, height)) if model.sizes else (width, height)


def cost_of(model: ProviderModel, usage: Usage, *, batch: bool = False) -> float | None:
    """Return what a call cost, US dollars; None when the price or a count is not known."""
    return prices.cost(model.price, usage, batch=batch)


def expected_cost(
    model: ProviderModel,
    width: int,
    height: int,
    *,
    input_image: bool = False,
    input_pixels: int | None = None,
    characters: int = 2000,
) -> float | None:
    """Return what one picture costs at most, US dollars; None when that is not known.

    ``input_image``: whether the source image is sent along, and ``input_pixels`` of what size
    where that is known (``source_image.sent_size``). ``characters``: of the prompt.
    """
    size = nearest_size(model, width, height)
    by_class = isinstance(model.sizes, AspectRatios)
    tokens = model.sizes.choice(size)[1] if isinstance(model.sizes, AspectRatios) else model.quality
    return prices.at_most(
        model.price,
        size,
        tokens=tokens,
        by_area=not by_class,
        input_image=input_image,
        input_pixels=input_pixels,
        characters=characters,
    )


def expected_text_cost(
    model: ProviderModel, characters: int, output_tokens: int, *, batch: bool = False
) -> float | None:
    """Return what one answer of a text model costs at most, US dollars; None when not known.

    ``characters``: of everything that is sent. ``output_tokens``: the limit that is sent along.
    """
    asked = -(-characters // prices.CHARACTERS_PER_TOKEN)
    return cost_of(model, Usage(input_tokens=asked, output_tokens=output_tokens), batch=batch)
