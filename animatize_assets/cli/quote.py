"""``animatize quote``: what pictures would cost and how long they take, before they are made."""

from __future__ import annotations

import click
from rich.console import RenderableType

from animatize_assets.cli.keys import resolve_key
from animatize_assets.cli.tables import facts
from animatize_assets.cli.terminal import Terminal
from animatize_assets.cli.times import exactly
from animatize_assets.generation.quote import Quote
from animatize_assets.workplace.opening import Workplace, open_workplace
from animatize_assets.workplace.quoting import quote_pictures


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
    told = quote_pictures(workplace, chosen, provider, size)
    terminal.document(told.model_dump(mode="json"))
    terminal.say(_page(told, provider, workplace))
    return 0 if told.expected_usd is not None else 1


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
        ("time", "not known" if told.expected_seconds is None else exactly(told.expected_seconds)),
        ("budgets", allowed or "none"),
    ]
    if told.providers and not told.providers[0].deliveries_measured:
        rows.append(("basis", "no call was made yet: retries are a stated prior, not measured"))
    return facts(f"quote for {provider}", rows)
