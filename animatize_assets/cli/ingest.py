"""``animatize ingest FILE...``: validate, normalise, register."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.table import Table
from rich.text import Text

from animatize_assets.cli.terminal import Terminal
from animatize_assets.cli.workplace import Workplace, open_workplace
from animatize_assets.images.models import IngestOutcome
from animatize_assets.orchestration import open_instance, register_images


def ingest(terminal: Terminal, files: tuple[Path, ...]) -> int:
    """Offer each file to the image store; 1 when one was refused."""
    outcomes = ingest_files(terminal, open_workplace(), files)
    terminal.document({"images": [outcome.model_dump(mode="json") for outcome in outcomes]})
    terminal.say(_table(outcomes))
    return 1 if any(outcome.status == "rejected" for outcome in outcomes) else 0


def ingest_files(
    terminal: Terminal, workplace: Workplace, files: Sequence[Path]
) -> tuple[IngestOutcome, ...]:
    """Offer each file to the image store and register what it accepts with Dagster."""
    outcomes: list[IngestOutcome] = []
    try:
        with terminal.progress("files") as bar:
            for file in bar.track(files, description="Ingesting"):
                outcomes.append(workplace.images.ingest(file))  # noqa: PERF401  # kept when one raises
    finally:
        # Also when the disk is full or a person cancels: what was accepted is registered.
        if accepted := [outcome.image_key for outcome in outcomes if outcome.image_key]:
            with open_instance(workplace.data_dir) as instance:
                register_images(instance, accepted)
    return tuple(outcomes)


def _table(outcomes: Sequence[IngestOutcome]) -> Table:
    table = Table(box=None, pad_edge=False)
    for column in ("file", "status", "image key or reason"):
        table.add_column(column, overflow="fold")
    for outcome in outcomes:
        told = f"{outcome.code}: {outcome.reason}" if outcome.code else outcome.image_key
        table.add_row(Text(outcome.file), outcome.status, Text(told or ""))
    return table
