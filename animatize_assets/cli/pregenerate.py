"""``animatize pregenerate``: pictures made before anybody asks for them, and their worth."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from animatize_assets.cli.tables import facts
from animatize_assets.cli.terminal import Terminal
from animatize_assets.errors import OrchestrationFailed
from animatize_assets.pregeneration.night import NightReport
from animatize_assets.pregeneration.planning import Plan
from animatize_assets.pregeneration.usage import NightUse, PregenerationUse
from animatize_assets.workplace.opening import Workplace, open_workplace
from animatize_assets.workplace.pregenerating import (
    limits_of,
    open_night_of,
    use_in,
    window_of,
)

SHOWN = 20
"""Pictures and nights that are printed for people; --json has all."""

WHY = {
    "over_budget": "beyond the budget",
    "no_time": "beyond the window",
    "too_many": "beyond the most pictures of a night",
    "too_wasteful": "too likely to be wasted",
    "not_cheaper": "not cheaper at night",
    "kept": "kept already",
    "under_way": "in a batch already",
    "failed_before": "tried in vain of late",
    "not_ready": "of images that are not analysed as they would be now",
    "not_configured": "of providers that are not set up",
}


def pregenerate(terminal: Terminal, what: str, *, dry_run: bool) -> int:
    """Make pictures ahead, show what would be made, take what came, or tell what it was worth."""
    workplace = open_workplace()
    if what == "report":
        use = use_in(workplace)
        terminal.document(use.model_dump(mode="json"))
        terminal.say(_use_page(use))
        return 0
    if what == "collect":
        return _collect(terminal, workplace)
    window = window_of(workplace.settings)
    limits = limits_of(workplace.settings, window)
    with open_night_of(workplace) as night:
        if dry_run:
            plan = night.plan(limits)
            terminal.document(plan.model_dump(mode="json"))
            terminal.say(*_plan_page(plan))
            return 0
        try:
            report = night.work(limits, datetime.now(UTC) + window)
        except TimeoutError as error:
            raise OrchestrationFailed(_BUSY) from error
    terminal.document(report.model_dump(mode="json"))
    terminal.say(_night_page(report))
    return 1 if report.failed else 0


_BUSY = "Another process makes pictures ahead now; wait until it has ended."


def _collect(terminal: Terminal, workplace: Workplace) -> int:
    with open_night_of(workplace) as night:
        try:
            came, under_way = night.collect()
        except TimeoutError as error:
            raise OrchestrationFailed(_BUSY) from error
    terminal.document({"came": came, "under_way": under_way})
    terminal.say(f"{came} pictures have come; {under_way} batches are under way.")
    return 0


def _plan_page(plan: Plan) -> tuple[RenderableType, ...]:
    table = Table(box=None, pad_edge=False)
    for heading in ("image", "target", "style", "provider", "size", "movement"):
        table.add_column(heading, overflow="fold")
    for heading in ("probability", "cost", "by day"):
        table.add_column(heading, justify="right")
    for each in plan.pictures[:SHOWN]:
        table.add_row(
            Text(each.image_key),
            each.target,
            each.style,
            each.provider,
            "own" if each.size is None else f"{each.size[0]}x{each.size[1]}",
            each.movement,
            f"{each.probability:.2f}",
            f"{each.cost_usd:.4f} $",
            f"{each.by_day_usd:.4f} $",
        )
    more = len(plan.pictures) - SHOWN
    rows = [
        (
            "pictures",
            f"{len(plan.pictures)}, of which {plan.expected_uses:.1f} are expected to be asked for",
        ),
        ("cost", f"at most {plan.cost_usd:.2f} $; by day {plan.by_day_usd:.2f} $"),
        ("own hardware", str(timedelta(seconds=round(plan.seconds)))),
        *((WHY[why], str(count)) for why, count in plan.left_out.items()),
    ]
    shown = (table,) if plan.pictures else ()
    return (*shown, *((f"and {more} more",) if more > 0 else ()), facts("plan", rows))


def _night_page(report: NightReport) -> RenderableType:
    rows = [
        ("came from batches", f"{report.came}; {report.under_way} batches are under way"),
        ("planned", f"{len(report.plan.pictures)}, at most {report.plan.cost_usd:.2f} $"),
        ("sent in batches", str(report.sent)),
        ("made here", f"{report.made}, {report.failed} failed"),
        ("for another night", str(report.remaining)),
    ]
    if report.stopped:
        rows.append(("stopped", report.stopped))
    return facts("pictures made ahead", rows)


def _use_page(use: PregenerationUse) -> RenderableType:
    table = Table(box=None, pad_edge=False)
    table.add_column("night")
    for heading in (
        "made",
        "used",
        "waiting",
        "wasted",
        "failed",
        "used of settled",
        "paid",
        "by day",
        "saved",
    ):
        table.add_column(heading, justify="right")
    for night in (*use.nights[:SHOWN], use.total):
        table.add_row(*_use_cells(night))
    share = "" if use.served_share is None else f" ({100 * use.served_share:.0f} %)"
    table.caption = f"{use.served} of {use.requests} requests since were served by them{share}."
    return table


def _use_cells(night: NightUse) -> list[str]:
    counts = (night.made, night.used, night.waiting, night.wasted, night.failed)
    share = "" if night.hit_share is None else f"{100 * night.hit_share:.0f} %"
    money = (night.paid_usd, night.by_day_usd, night.saved_usd)
    return [
        "all" if night.night is None else str(night.night),
        *map(str, counts),
        share,
        *("unknown" if usd is None else f"{usd:.2f} $" for usd in money),
    ]
