"""``animatize unarchive KEY...``: archived images back among the others, as they were."""

from __future__ import annotations

from animatize_assets.cli.archive import resolve, tell
from animatize_assets.cli.terminal import Terminal
from animatize_assets.images.archive import ImageArchive
from animatize_assets.orchestration import open_instance, unarchive_images
from animatize_assets.workplace.opening import open_workplace


def unarchive(terminal: Terminal, keys: tuple[str, ...]) -> int:
    """Bring the images back; 1 when one is not known."""
    workplace = open_workplace()
    named, answers = resolve(keys, workplace.known_keys(archived=True))
    if named:
        archive = ImageArchive(workplace.images.engine)
        with open_instance(workplace.data_dir) as instance:
            back = unarchive_images(instance, archive, named)
        for key in named:
            answers[key] = ("unarchived" if key in back else "not_archived", None)
    return tell(terminal, answers)
