"""What a person sees of the pictures made ahead without opening a file.

Belongs here: choosing and phrasing metadata. Does not belong here: computing any of it.
See https://docs.dagster.io/guides/build/assets/metadata-and-tags.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import dagster as dg

if TYPE_CHECKING:
    from animatize_assets.pregeneration.night import NightReport
    from animatize_assets.pregeneration.patterns import PatternCount

SHOWN = 100
"""Rows of a table: Dagster keeps it for ever."""


def patterns_metadata(counts: Sequence[PatternCount], patterns: int) -> dict[str, Any]:
    """Describe the patterns, the most asked for of late first; ``patterns``: how many there are."""
    rows = [
        dg.TableRecord(
            {
                "target": each.target,
                "style": each.style,
                "provider": each.provider,
                "size": "own" if each.size is None else f"{each.size[0]}x{each.size[1]}",
                "requests": each.requests,
                "weight": each.weight,
                "movements": ", ".join(f"{name} {n}" for name, n in each.movements.items()),
            }
        )
        for each in counts[:SHOWN]
    ]
    schema = dg.TableSchema(
        columns=[
            dg.TableColumn("target", description="Target model of the prompt."),
            dg.TableColumn("style"),
            dg.TableColumn("provider"),
            dg.TableColumn("size", description="Pixels; own: as the image has it."),
            dg.TableColumn("requests", "int"),
            dg.TableColumn("weight", "float", "Requests, each counting half after a week."),
            dg.TableColumn("movements", description="Kinds of camera movement, with requests."),
        ]
    )
    return {
        "patterns": patterns,
        "requests": sum(each.requests for each in counts),
        "most_asked_for": dg.MetadataValue.table(rows, schema),
    }


def night_metadata(report: NightReport) -> dict[str, Any]:
    """Describe a night: what was chosen and why not more, what was made, what is left."""
    plan = report.plan
    rows = [
        dg.TableRecord(
            {
                "image": each.image_key,
                "pattern": str(each.pattern),
                "movement": each.movement,
                "probability": each.probability,
                "way": each.way,
                "cost $": each.cost_usd,
            }
        )
        for each in plan.pictures[:SHOWN]
    ]
    schema = dg.TableSchema(
        columns=[
            dg.TableColumn("image"),
            dg.TableColumn("pattern"),
            dg.TableColumn("movement"),
            dg.TableColumn("probability", "float", "That it is asked for before it is dropped."),
            dg.TableColumn("way", description="own: one's own hardware; batch: half the price."),
            dg.TableColumn("cost $", "float", "At most."),
        ]
    )
    told: dict[str, Any] = {
        "planned": len(plan.pictures),
        "cost_usd_at_most": plan.cost_usd,
        "by_day_usd_at_most": plan.by_day_usd,
        "expected_uses": plan.expected_uses,
        "own_hardware_seconds": plan.seconds,
        "came": report.came,
        "batches_under_way": report.under_way,
        "sent": report.sent,
        "made": report.made,
        "failed": report.failed,
        "remaining": report.remaining,
        "left_out": dg.MetadataValue.json(plan.left_out),
        "plan": dg.MetadataValue.table(rows, schema),
    }
    return told if report.stopped is None else told | {"stopped": report.stopped}
