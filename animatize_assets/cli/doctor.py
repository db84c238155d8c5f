"""``animatize doctor``: whether everything can work, what expires soon, and what to do."""

from __future__ import annotations

from datetime import UTC, datetime

from rich.table import Table

from animatize_assets.cli.doctor_dagster import check_dagster
from animatize_assets.cli.doctor_providers import check_providers
from animatize_assets.cli.terminal import Terminal
from animatize_assets.workplace.checkup import Finding, check_workplace
from animatize_assets.workplace.opening import open_workplace

STYLES = {"ok": "green", "warning": "yellow", "error": "bold red", "not configured": "dim"}


def doctor(terminal: Terminal, *, reach: bool) -> int:
    """Print every finding; 1 when one is an error.

    Raises:
        InvalidSetting: a variable is outside its range; the sentence names it.
    """
    workplace, now = open_workplace(), datetime.now(UTC)
    findings = [
        *check_workplace(workplace, now=now),
        *check_providers(workplace, ask=reach),
        *check_dagster(workplace, now=now),
    ]
    errors = sum(finding.verdict == "error" for finding in findings)
    terminal.document({"findings": [finding.model_dump(mode="json") for finding in findings]})
    terminal.say(_table(findings))
    warnings = sum(finding.verdict == "warning" for finding in findings)
    terminal.say(f"{errors} errors, {warnings} warnings.")
    return int(errors > 0)


def _table(findings: list[Finding]) -> Table:
    table = Table(box=None, pad_edge=False)
    for column in ("what", "verdict", "why", "remedy"):
        table.add_column(column, overflow="fold")
    for each in findings:
        table.add_row(each.what, each.verdict, each.why, each.remedy, style=STYLES[each.verdict])
    return table
