"""``animatize sizes``: what grows, what bounds it, and how large it is now."""

from __future__ import annotations

from rich.table import Table

from animatize_assets.cli.terminal import Terminal
from animatize_assets.workplace.opening import open_workplace
from animatize_assets.workplace.sizes import read_sizes

MEGA = 1_000_000


def sizes(terminal: Terminal) -> int:
    """Print every thing that grows."""
    from animatize_assets.orchestration.home import home_of  # noqa: PLC0415  # Dagster, a second

    workplace = open_workplace()
    read = read_sizes(workplace, home_of(workplace.data_dir))
    room = workplace.generation.disk.room(workplace.data_dir)
    disk = {"total": room.total, "free": room.free, "kept_free": room.kept_free}
    terminal.document(read.model_dump(mode="json") | {"disk": disk})
    table = Table(box=None, pad_edge=False)
    table.add_column("what", overflow="fold")
    table.add_column("entries", justify="right")
    table.add_column("MB", justify="right")
    table.add_column("bound", overflow="fold")
    for each in read.growing:
        megabytes = "" if each.bytes is None else f"{each.bytes / MEGA:.1f}"
        table.add_row(each.name, str(each.entries), megabytes, each.bound)
    per_image = (
        "" if read.bytes_per_image is None else f", {read.bytes_per_image / MEGA:.2f} MB an image"
    )
    terminal.say(
        table,
        f"{read.live_images} images and {read.archived_images} archived ones: "
        f"{read.bytes / MEGA:.1f} MB{per_image}. The disk has {room.free / 1000 / MEGA:.1f} GB "
        f"left, {room.kept_free / 1000 / MEGA:.1f} GB are kept free.",
    )
    return 0
