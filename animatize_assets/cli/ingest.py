"""``animatize ingest FILE...``: validate, normalise, register."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.table import Table
from rich.text import Text
from sqlalchemy.exc import SQLAlchemyError

from animatize_assets.cli.terminal import Terminal, first_line
from animatize_assets.errors import StorageFailed
from animatize_assets.images.archive import ImageArchive
from animatize_assets.images.models import IngestOutcome
from animatize_assets.images.naming import displayable
from animatize_assets.images.store import ImageStore
from animatize_assets.orchestration import open_instance, register_images, unarchive_images
from animatize_assets.workplace.opening import Workplace, open_workplace


def ingest(terminal: Terminal, files: tuple[Path, ...]) -> int:
    """Offer each file to the image store; 1 when one was refused."""
    workplace = open_workplace()
    workplace.check_disk()
    outcomes = offer_files(terminal, workplace, files)
    terminal.document({"images": [outcome.model_dump(mode="json") for outcome in outcomes]})
    terminal.say(_table(outcomes))
    try:
        register_accepted(workplace, outcomes)
    except (OSError, SQLAlchemyError) as error:
        terminal.note(
            f"Dagster was not told of these images ({first_line(error)}); `animatize run` does it."
        )
        return 1
    return 1 if any(outcome.status == "rejected" for outcome in outcomes) else 0


def offer_files(
    terminal: Terminal, workplace: Workplace, files: Sequence[Path]
) -> tuple[IngestOutcome, ...]:
    """Offer each file to the image store.

    A file that cannot be stored, because the disk is full, costs no other.
    """
    images = workplace.images
    with terminal.progress("files") as bar:
        return tuple(_offer(images, file) for file in bar.track(files, description="Ingesting"))


def register_accepted(workplace: Workplace, outcomes: Sequence[IngestOutcome]) -> None:
    """Make the accepted images partitions, in the order of the files; archived ones come back."""
    accepted = [outcome.image_key for outcome in outcomes if outcome.image_key]
    if accepted:
        with open_instance(workplace.data_dir) as instance:
            unarchive_images(instance, ImageArchive(workplace.images.engine), accepted)
            register_images(instance, accepted)


def _offer(images: ImageStore, file: Path) -> IngestOutcome:
    try:
        return images.ingest(file)
    except (StorageFailed, OSError, SQLAlchemyError) as error:
        return IngestOutcome(
            file=displayable(str(file)),
            status="rejected",
            code=StorageFailed.code,
            reason=first_line(error),
        )


def _table(outcomes: Sequence[IngestOutcome]) -> Table:
    table = Table(box=None, pad_edge=False)
    for column in ("file", "status", "image key or reason"):
        table.add_column(column, overflow="fold")
    for outcome in outcomes:
        told = f"{outcome.code}: {outcome.reason}" if outcome.code else outcome.image_key
        table.add_row(Text(outcome.file), outcome.status, Text(told or ""))
    return table
