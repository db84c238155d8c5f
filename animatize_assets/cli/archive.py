"""``animatize archive KEY...``: images that nobody needs for now, kept whole and out of the way."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from rich.table import Table

from animatize_assets.cli.keys import resolve_key
from animatize_assets.cli.terminal import Terminal
from animatize_assets.errors import ImageNotFound
from animatize_assets.images.archive import ImageArchive
from animatize_assets.images.states import ImageStates
from animatize_assets.orchestration import (
    archive_images,
    forget_ended_runs,
    open_instance,
    register_images,
)
from animatize_assets.workplace.opening import open_workplace


def archive(terminal: Terminal, keys: tuple[str, ...]) -> int:
    """Archive the images; 1 when one is not known, or a run works on it."""
    workplace = open_workplace()
    named, answers = resolve(keys, workplace.known_keys(archived=True))
    if named:
        rows = ImageArchive(workplace.images.engine)
        before = {image.image_key for image in rows.find(named)}
        with open_instance(workplace.data_dir) as instance:
            register_images(instance, workplace.images.keys())
            forget_ended_runs(instance, ImageStates(workplace.images.engine))
            now = archive_images(instance, rows, [key for key in named if key not in before])
        for key in named:
            if key in now or key in before:
                answers[key] = ("archived" if key in now else "archived_before", None)
            else:
                answers[key] = ("refused", "A run works on it; archive it when that has ended.")
    return tell(terminal, answers)


Answers = dict[str, tuple[str, str | None]]
"""Image key, or what was given for one -> what became of it, and why."""


def resolve(given: Sequence[str], known: Collection[str]) -> tuple[list[str], Answers]:
    """Return the image keys that are meant, each once, and the answers to what means none."""
    named: dict[str, None] = {}
    answers: Answers = {}
    for name in given:
        try:
            named[resolve_key(name, list(known))] = None
        except ImageNotFound as error:
            answers[name] = ("not_found", error.message)
    return list(named), answers


def tell(terminal: Terminal, answers: Answers) -> int:
    """Print the answers; 1 when something was refused."""
    images: list[dict[str, Any]] = [
        {"image_key": key, "status": status, "reason": reason}
        for key, (status, reason) in answers.items()
    ]
    terminal.document({"images": images})
    table = Table(box=None, pad_edge=False)
    for column in ("image", "status", "reason"):
        table.add_column(column, overflow="fold")
    for image in images:
        table.add_row(image["image_key"], image["status"], image["reason"] or "")
    terminal.say(table)
    return int(any(reason is not None for _, reason in answers.values()))
