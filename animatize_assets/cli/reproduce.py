"""``animatize reproduce KEY``: everything again without caches, and what differs."""

from __future__ import annotations

from rich.table import Table

from animatize_assets.cli.keys import resolve_key
from animatize_assets.cli.terminal import Terminal
from animatize_assets.errors import ImageNotFound
from animatize_assets.pipeline.reproduction import StageComparison
from animatize_assets.pipeline.reproduction import reproduce as repeat
from animatize_assets.workplace.opening import open_workplace


def reproduce(terminal: Terminal, key: str, *, paid: bool) -> int:
    """Make every stage again; 1 when one differs or cannot be made."""
    workplace = open_workplace()
    known = workplace.known_keys(archived=True)
    if not known:
        raise ImageNotFound(f"No image has the key '{key}': {workplace.data_dir} holds none.")
    image_key = resolve_key(key, known)
    compared: list[StageComparison] = []
    with terminal.progress("stages") as bar, workplace.workshop() as workshop:
        task = bar.add_task("Making it again", total=None)
        for each in repeat(workshop, image_key, paid=paid):
            compared.append(each)
            bar.update(task, advance=1, description=f"{each.stage}: {each.verdict}")
    terminal.document(
        {"image_key": image_key, "stages": [each.model_dump(mode="json") for each in compared]}
    )
    terminal.say(_table(compared))
    return 0 if all(each.verdict in ("equal", "not_repeated") for each in compared) else 1


def _table(compared: list[StageComparison]) -> Table:
    table = Table(box=None, pad_edge=False)
    for column in ("stage", "again", "what differs", "why"):
        table.add_column(column, overflow="fold")
    for each in compared:
        verdict = each.verdict.replace("_", " ")
        table.add_row(each.stage, verdict, ", ".join(each.differs), each.reason or "")
    return table
