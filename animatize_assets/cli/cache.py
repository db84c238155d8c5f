"""``animatize cache stats|clean``: what the caches hold, and bringing them back to their bounds."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from animatize_assets.cli.tables import facts
from animatize_assets.cli.terminal import Terminal
from animatize_assets.cli.workplace import Workplace, open_workplace
from animatize_assets.pipeline.source_opening import open_caches, open_results


def cache(terminal: Terminal, what: str) -> int:
    """Print how the caches stand; ``clean`` them first when asked to."""
    workplace = open_workplace()
    dropped: dict[str, Any] | None = None
    if what == "clean" and workplace.exists:
        dropped = asdict(_results(workplace).clean())
        caches = open_caches(workplace.generation, workplace.artifacts, workplace.images.engine)
        dropped["locks"] = caches.flights.clean() if caches else 0
    content = {"results": results_usage(workplace), "dropped": dropped}
    terminal.document(content)
    terminal.say(facts("result store", _rows(content["results"], dropped)))
    return 0


def _results(workplace: Workplace) -> Any:
    return open_results(workplace.generation, workplace.artifacts, workplace.images.engine)


def results_usage(workplace: Workplace) -> dict[str, Any] | None:
    """Return what the result store holds; None when nothing was ever stored here."""
    if not workplace.exists:
        return None
    usage = asdict(_results(workplace).usage())
    oldest = usage["oldest_stored_at"]
    return usage | {"oldest_stored_at": oldest and oldest.isoformat()}


def _rows(usage: dict[str, Any] | None, dropped: dict[str, Any] | None) -> list[tuple[str, str]]:
    if usage is None:
        return [("results", "none: nothing was ever stored here")]
    rows = [
        ("results", f"{usage['entries']}, {usage['bytes'] / 1e6:.1f} MB"),
        ("limit", f"{usage['max_bytes'] / 1e9:g} GB"),
        ("reused", f"{usage['uses']} times"),
        ("oldest", usage["oldest_stored_at"] or "none"),
    ]
    if usage["damaged"]:
        rows.append(("damaged", f"{usage['damaged']} files set aside in results/damaged"))
    if dropped is not None:
        told = ", ".join(f"{name.replace('_', ' ')} {n}" for name, n in dropped.items() if n)
        rows.append(("dropped", told or "nothing"))
    return rows
