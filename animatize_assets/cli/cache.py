"""``animatize cache stats|clean``: what the caches hold, and bringing them back to their bounds."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from animatize_assets.cli.tables import facts
from animatize_assets.cli.terminal import Terminal
from animatize_assets.pipeline.source_opening import open_caches, open_results, open_shadow_log
from animatize_assets.workplace.opening import Workplace, open_workplace

HITS = ("exact", "canonical", "similar")


def cache(terminal: Terminal, what: str) -> int:
    """Print how the caches stand; ``clean`` them first when asked to."""
    workplace = open_workplace()
    dropped: dict[str, Any] | None = None
    if what == "clean" and workplace.exists:
        dropped = asdict(_results(workplace).clean())
        caches = open_caches(workplace.generation, workplace.artifacts, workplace.images.engine)
        dropped["locks"] = caches.flights.clean() if caches else 0
    served, judged = requests_served(workplace), reuse_judged(workplace)
    content = {
        "results": results_usage(workplace),
        "requests": served,
        "reuse": judged,
        "dropped": dropped,
    }
    terminal.document(content)
    terminal.say(
        facts("result store", _rows(content["results"], dropped)),
        facts("requests for pictures", _served_rows(served, judged)),
    )
    return 0


def requests_served(workplace: Workplace) -> dict[str, Any] | None:
    """Return how often each kind of hit answered a request, of all that were ever made here.

    ``rates``: kind -> share of the requests for providers that are cached, 0..1; failed ones count.
    """
    if not workplace.exists:
        return None
    from animatize_assets.generation.request_log import RequestLog  # noqa: PLC0415 - SQLAlchemy

    counts = dict.fromkeys(("made", "failed", *HITS), 0)
    logged = RequestLog(workplace.images.engine).counts(["provider", "outcome"])
    for (provider, outcome), number in logged.items():
        if provider != "local" and outcome in counts:
            counts[outcome] += number
    asked = sum(counts.values())
    rates = {name: counts[name] / asked for name in HITS} if asked else {}
    return {"counts": counts, "rates": rates, "hit_rate": sum(rates.values()) if asked else None}


def reuse_judged(workplace: Workplace) -> dict[str, dict[str, Any]]:
    """Return, by level, how many reuses were made in the shadow and how many proved wrong."""
    counts = open_shadow_log(workplace.data_dir).counts()
    return {
        level: {"compared": each.compared, "wrong": each.wrong, "says": each.sentence}
        for level, each in counts.items()
    }


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


def _served_rows(
    served: dict[str, Any] | None, judged: dict[str, dict[str, Any]]
) -> list[tuple[str, str]]:
    if served is None or served["hit_rate"] is None:
        return [("requests", "none of a provider that is cached")]
    counts = served["counts"]
    rows = [("made", f"{counts['made']}, and {counts['failed']} failed")]
    rows += [(name, f"{counts[name]} ({served['rates'][name]:.1%})") for name in HITS]
    rows.append(("hit rate", f"{served['hit_rate']:.1%}"))
    rows += [(f"{level}, wrong", each["says"]) for level, each in judged.items()]
    return rows
