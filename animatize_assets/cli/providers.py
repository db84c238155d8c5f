"""``animatize providers``: the catalogue, and what of it can be used."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from rich.table import Table

from animatize_assets.cli.terminal import Terminal
from animatize_assets.generation.catalogue import Catalogue, load_catalogue
from animatize_assets.pipeline.generation_setup import ProviderSetup, missing
from animatize_assets.workplace.opening import Workplace, open_workplace


def providers(terminal: Terminal) -> int:
    """Print the catalogue."""
    workplace, catalogue = open_workplace(), load_catalogue()
    listed = [_provider(name, catalogue, workplace) for name in catalogue.providers]
    terminal.document({"catalogue_version": catalogue.version, "providers": listed})
    terminal.say(*(_table(provider) for provider in listed))
    return 0


def provider_states(workplace: Workplace) -> list[dict[str, Any]]:
    """Return name, whether it is configured, its model and its breaker, per provider."""
    catalogue = load_catalogue()
    return [
        {
            key: value
            for key, value in _provider(name, catalogue, workplace).items()
            if key != "models"
        }
        for name in catalogue.providers
    ]


def _provider(name: str, catalogue: Catalogue, workplace: Workplace) -> dict[str, Any]:
    how = workplace.generation.providers.get(name, ProviderSetup())
    lacks = None if name == "local" else missing(name, how)
    today = datetime.now(UTC).date()
    return {
        "name": name,
        "configured": lacks is None,
        "reason": lacks,
        "model": how.model or catalogue.default(name).model,
        **_breaker(workplace, name),
        "models": [
            model.model_dump(mode="json", exclude={"provider", "facts"})
            | {"retired": model.is_retired(today)}
            for model in catalogue.of(name)
        ],
    }


def _breaker(workplace: Workplace, name: str) -> dict[str, str | None]:
    """Return the state of a provider's breaker as any process last saw it, since when, and why.

    A process that ended with an open one says nothing more: the next one begins with a closed one.
    """
    closed: dict[str, str | None] = {
        "breaker": "closed",
        "breaker_since": None,
        "breaker_reason": None,
    }
    if not workplace.exists:
        return closed
    from animatize_assets.generation.health import HealthBoard  # noqa: PLC0415 - SQLAlchemy
    from animatize_assets.generation.recovery import breakers_in_effect  # noqa: PLC0415
    from animatize_assets.generation.request_log import RequestLog  # noqa: PLC0415

    engine = workplace.images.engine
    for seen in breakers_in_effect(RequestLog(engine), HealthBoard(engine)):
        if seen.provider == name and seen.state != "closed":
            since = seen.opened_at.isoformat(timespec="seconds") if seen.opened_at else None
            return {
                "breaker": seen.state,
                "breaker_since": since,
                "breaker_reason": seen.reason,
            }
    return closed


def _table(provider: dict[str, Any]) -> Table:
    state = "configured" if provider["configured"] else f"not configured: {provider['reason']}"
    if provider["breaker"] != "closed":
        state += f"; breaker last seen {provider['breaker']}, since {provider['breaker_since']}"
        state += f" ({provider['breaker_reason']})"
    table = Table(
        title=f"{provider['name']} ({state})", title_justify="left", box=None, pad_edge=False
    )
    for column in ("model", "does", "takes", "price", "shut down"):
        table.add_column(column, overflow="fold")
    for model in provider["models"]:
        used = " *" if model["model"] == provider["model"] else ""
        table.add_row(
            model["model"] + used,
            ", ".join(model["does"]),
            ", ".join(name for name, taken in model["takes"].items() if taken),
            price_sentence(model["price"]),
            _end(model),
        )
    return table


def price_sentence(price: dict[str, Any] | None) -> str:
    """Say what a model costs, with the day on which that was read."""
    if price is None:
        return "not known"
    if price["kind"] == "free":
        return "free"
    amounts = ", ".join(
        f"{name.removesuffix('_usd').replace('_', ' ')} {value:g} $"
        for name, value in price.items()
        if name.endswith("usd") and value is not None
    )
    unit = {"per_token": " per million tokens", "per_megapixel": " per megapixel"}
    return f"{amounts}{unit.get(price['kind'], ' per picture')} ({price['date']})"


def _end(model: dict[str, Any]) -> str:
    if model["shutdown"] is None:
        return ""
    then = f", then {model['successor']}" if model["successor"] else ""
    return f"{'retired ' if model['retired'] else ''}{model['shutdown']}{then}"
