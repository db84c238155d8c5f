"""``animatize ledger [show|reconcile|write-off]``: what was paid, and what nobody knows yet."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any

import click
from rich.table import Table

from animatize_assets.cli.terminal import Terminal
from animatize_assets.pipeline.reconciling import reconcile_calls
from animatize_assets.pipeline.source_opening import open_ledger
from animatize_assets.workplace.opening import Workplace, open_workplace

NO_CALLS = "No call that may cost money was ever made here."


def ledger(terminal: Terminal, what: str, call_id: str | None, cost_usd: float | None) -> int:
    """Print sums and open calls; ``reconcile`` asks the providers first. 1 while calls are open."""
    if (what == "write-off") != (call_id is not None):
        raise click.UsageError("Say `ledger write-off CALL_ID`, or no CALL_ID to list the calls.")
    if cost_usd is not None and (call_id is None or math.isnan(cost_usd)):
        raise click.UsageError("Say `ledger write-off CALL_ID --cost USD`, with dollars from 0 up.")
    workplace = open_workplace()
    if call_id is not None:
        return _write_off(terminal, workplace, call_id, cost_usd)
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
    for each in found:
        terminal.say(f"{each['call_id']}: {each['why']}")
    terminal.say(_sums(content["providers"]), *_open_calls(content["open"]))
    return 1 if content["open"] else 0


def _write_off(
    terminal: Terminal, workplace: Workplace, call_id: str, cost_usd: float | None
) -> int:
    """Close one open call by a person's word; 1 when there is no such call."""
    if not workplace.exists:
        terminal.error("call_not_open", NO_CALLS)
        return 1
    try:
        opened = open_ledger(workplace.generation, workplace.images.engine)
        opened.write_off(call_id, cost_usd=cost_usd)
    except LookupError as error:
        terminal.error("call_not_open", str(error.args[0]))
        return 1
    terminal.document({"written_off": {"call_id": call_id, "cost_usd": cost_usd}})
    counted = "the most that it may cost" if cost_usd is None else f"{cost_usd:.4f} $"
    terminal.say(f"Call {call_id} is written off; it counts as spent: {counted}.")
    return 0


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
        return NO_CALLS
    table = Table(box=None, pad_edge=False)
    counted = ("calls", "settled", "failed", "open", "written_off")
    for column in ("provider", *counted, "billed", "possible besides"):
        table.add_column(column.replace("_", " "))
    for each in providers:
        counts = (str(each[name]) for name in counted)
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
