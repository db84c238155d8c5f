"""``animatize ledger [show|reconcile]``: what was paid, and what nobody knows yet."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from rich.table import Table

from animatize_assets.cli.terminal import Terminal
from animatize_assets.pipeline.reconciling import reconcile_calls
from animatize_assets.pipeline.source_opening import open_ledger
from animatize_assets.workplace.opening import Workplace, open_workplace


def ledger(terminal: Terminal, what: str) -> int:
    """Print sums and open calls; ``reconcile`` asks the providers first. 1 while calls are open."""
    workplace = open_workplace()
    found: list[dict[str, Any]] = []
    if what == "reconcile" and workplace.exists:
        found = [
            {"call_id": each.row.call_id, "found": each.found, "why": each.why}
            for each in reconcile_calls(
                workplace.generation, workplace.artifacts, workplace.images.engine
            )
        ]
    content = _standing(workplace) | {"reconciled": found}
    terminal.document(content)
    terminal.say(_sums(content["providers"]), *_open_calls(content["open"]))
    return 1 if content["open"] else 0


def _standing(workplace: Workplace) -> dict[str, Any]:
    if not workplace.exists:
        return {"providers": [], "open": []}
    opened = open_ledger(workplace.generation, workplace.images.engine)
    shown = ("call_id", "provider", "model", "purpose", "image_key", "expected_usd", "failure")
    return {
        "providers": [asdict(each) for each in opened.totals()],
        "open": [
            {name: getattr(row, name) for name in shown} | {"since": row.opened_at.isoformat()}
            for row in opened.open_rows()
        ],
    }


def _sums(providers: list[dict[str, Any]]) -> Table | str:
    if not providers:
        return "No call that may cost money was ever made here."
    table = Table(box=None, pad_edge=False)
    for column in ("provider", "calls", "settled", "failed", "open", "billed", "possible besides"):
        table.add_column(column)
    for each in providers:
        counts = (str(each[name]) for name in ("calls", "settled", "failed", "open"))
        money = (f"{each[name]:.4f} $" for name in ("billed_usd", "possible_usd"))
        table.add_row(each["provider"], *counts, *money)
    return table


def _open_calls(rows: list[dict[str, Any]]) -> list[Table]:
    if not rows:
        return []
    table = Table(
        title="Nobody knows yet what became of", title_justify="left", box=None, pad_edge=False
    )
    for column in ("call", "provider", "image", "at most", "since", "last failure"):
        table.add_column(column, overflow="fold")
    for row in rows:
        most = "not known" if row["expected_usd"] is None else f"{row['expected_usd']:.4f} $"
        table.add_row(
            row["call_id"],
            row["provider"],
            row["image_key"] or "",
            most,
            row["since"][:19],
            row["failure"] or "",
        )
    return [table]
