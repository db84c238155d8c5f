"""``animatize alerts``: what is wrong, and a person's word that it is not any more."""

from __future__ import annotations

import click
from rich.table import Table
from rich.text import Text

from animatize_assets.cli.terminal import Terminal
from animatize_assets.performance.alert_models import Severity, runbook_of
from animatize_assets.performance.alert_store import AlertStore, alert_body
from animatize_assets.performance.models import AlertRecord
from animatize_assets.workplace.opening import open_workplace

BY_HAND = "command line"
"""Who resolved an alert here."""

SHOWN = 100


def alerts(
    terminal: Terminal,
    what: str,
    alert_id: int | None,
    *,
    severity: Severity | None,
    everything: bool,
) -> int:
    """Print the alerts, or resolve one; 1 when there is none of that number."""
    if (what == "resolve") != (alert_id is not None):
        raise click.UsageError("Say `alerts resolve ID`, or no ID to list them.")
    store = AlertStore(open_workplace().performance.engine)
    if alert_id is not None:
        return _resolve(terminal, store, alert_id)
    is_resolved = None if everything else False
    terminal.document(
        store.predecessor_body(severity=severity, is_resolved=is_resolved, limit=SHOWN)
    )
    found = store.alerts(severity=severity, is_resolved=is_resolved, limit=SHOWN)
    if not found:
        kind = f"{severity} " if severity else ""
        terminal.say(f"No {kind}alert{'' if everything else ' is open'}.")
        return 0
    terminal.say(_table(found))
    total = store.count(severity=severity, is_resolved=is_resolved)
    if total > len(found):
        terminal.say(f"The newest {len(found)} of {total}.")
    return 0


def _resolve(terminal: Terminal, store: AlertStore, alert_id: int) -> int:
    try:
        resolved = store.resolve(alert_id, BY_HAND)
    except LookupError as error:
        terminal.error("alert_not_found", str(error.args[0]))
        return 1
    terminal.document({"alert": alert_body(resolved)})
    terminal.say(f"Alert {alert_id} is resolved, by {resolved.resolved_by}: {resolved.message}")
    return 0


def _table(found: tuple[AlertRecord, ...]) -> Table:
    table = Table(box=None, pad_edge=False)
    for column in ("id", "severity", "since", "seen", "what", "what to do", "state"):
        table.add_column(column, overflow="fold")
    for alert in found:
        table.add_row(
            str(alert.id),
            alert.severity,
            f"{alert.created_at:%Y-%m-%d %H:%M}",
            f"{alert.occurrences} times",
            Text(alert.message),
            runbook_of(alert.alert_type),
            f"resolved by {alert.resolved_by}" if alert.is_resolved else "open",
        )
    return table
