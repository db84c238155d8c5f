"""``animatize quote``: what pictures would cost, before anything is spent."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from math import prod

import click
from rich.console import RenderableType

from animatize_assets.cli.keys import resolve_key
from animatize_assets.cli.tables import facts
from animatize_assets.cli.terminal import Terminal
from animatize_assets.generation.catalogue import expected_cost, load_catalogue, nearest_size
from animatize_assets.generation.quote import History, Planned, Quote
from animatize_assets.generation.quote import quote as quoted
from animatize_assets.generation.source_image import sent_size
from animatize_assets.pipeline.generation_setup import ProviderSetup
from animatize_assets.rendering.size import output_size
from animatize_assets.workplace.opening import Workplace, open_workplace


def quote(
    terminal: Terminal,
    keys: tuple[str, ...],
    *,
    everything: bool,
    provider: str,
    size: tuple[int, int] | None,
) -> int:
    """Print the expected cost; 1 when it is not known."""
    if bool(keys) == everything:
        raise click.UsageError("Name images, or say --all.")
    workplace = open_workplace()
    known = workplace.known_keys()
    chosen = known if everything else [resolve_key(key, known) for key in keys]
    planned = [_planned(workplace, key, provider, size) for key in chosen]
    history = History()
    if workplace.exists:
        since = datetime.now(UTC) - timedelta(seconds=workplace.generation.results_ttl_s)
        history = History.read(workplace.images.engine, [provider], since=since)
    told = quoted(planned, history)
    terminal.document(told.model_dump(mode="json"))
    terminal.say(_page(told, provider, workplace))
    return 0 if told.expected_usd is not None else 1


def _planned(
    workplace: Workplace, key: str, provider: str, size: tuple[int, int] | None
) -> Planned:
    image = workplace.images.get(key)
    catalogue = load_catalogue()
    named = workplace.generation.providers.get(provider, ProviderSetup()).model
    today = datetime.now(UTC).date()
    model = catalogue.get(provider, named, today) if named else catalogue.default(provider)
    width, height = output_size(image.width, image.height, size=size)
    asked = nearest_size(model, width, height)
    price = expected_cost(
        model,
        width,
        height,
        input_image=model.takes.input_image,
        input_pixels=prod(sent_size((image.width, image.height), asked)),
    )
    return Planned(provider, key, price)


def _page(told: Quote, provider: str, workplace: Workplace) -> RenderableType:
    if told.expected_usd is None or told.low_usd is None or told.high_usd is None:
        cost = f"not known: {told.why_unknown}"
    else:
        cost = f"{told.expected_usd:.2f} $ (90 %: {told.low_usd:.2f} to {told.high_usd:.2f} $)"
    generation = workplace.generation
    limits = {"run": generation.budget_run_usd, "day": generation.budget_day_usd}
    allowed = ", ".join(f"{v:g} $ per {k}" for k, v in limits.items() if v is not None)
    rows = [
        ("pictures", f"{told.pictures}, of which {told.expected_served:g} expected from a cache"),
        ("cost", cost),
        ("budgets", allowed or "none"),
    ]
    if told.providers and not told.providers[0].deliveries_measured:
        rows.append(("basis", "no call was made yet: retries are a stated prior, not measured"))
    return facts(f"quote for {provider}", rows)
