"""``animatize restore FILE``: a backup brought back, checked before anything is touched."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from animatize_assets.cli.backup import VARIABLES, saved_servers
from animatize_assets.cli.migrate import HISTORY, NEW_TRACKING, make_project_tables
from animatize_assets.cli.tables import facts
from animatize_assets.cli.terminal import Terminal
from animatize_assets.errors import OrchestrationFailed, StorageFailed
from animatize_assets.settings import Settings
from animatize_assets.workplace.opening import open_workplace

if TYPE_CHECKING:
    from animatize_assets.workplace.restoring import Server


def restore(terminal: Terminal, file: Path, *, replace: bool) -> int:
    """Bring a backup back into the data folder, Dagster's home and the servers' databases.

    Raises:
        StorageFailed: something is there and ``replace`` is False, or the file is no whole backup.
        NotConfigured: the backup has a database on a server, or none, and the settings say else.
        OrchestrationFailed: a run goes on in what would be replaced.
    """
    from animatize_assets.orchestration.home import home_of  # noqa: PLC0415  # Dagster, a second
    from animatize_assets.orchestration.process_marks import living  # noqa: PLC0415
    from animatize_assets.workplace.backing_up import Places  # noqa: PLC0415
    from animatize_assets.workplace.restoring import restore_backup  # noqa: PLC0415

    workplace = open_workplace(restoring=True)
    places = Places(workplace.data_dir, home_of(workplace.data_dir))
    file = file.absolute()
    if replace and file.is_relative_to(places.data_dir):
        raise StorageFailed(f"{file} lies in the folder that it would replace. Move it first.")
    if living(places.home):
        raise OrchestrationFailed(
            "A run goes on in what would be replaced. Let it end, and stop the daemon and the "
            "service before."
        )
    manifest = restore_backup(file, places, _servers(workplace.settings), replace=replace)
    terminal.document({"restored": manifest.model_dump(mode="json")})
    terminal.say(
        facts(
            "restored",
            [
                ("data folder", str(places.data_dir)),
                ("as of", f"{manifest.made_at:%Y-%m-%d %H:%M:%S} UTC"),
                ("files", f"{manifest.files}, each with the hash that it was saved with"),
                ("databases", ", ".join(each.name for each in manifest.databases)),
                ("settings then", ", ".join(manifest.settings) or "none"),
            ],
        )
    )
    return 0


def _servers(settings: Settings) -> dict[str, Server]:
    from animatize_assets.orchestration.storage_move import (  # noqa: PLC0415
        BOOKKEEPING,
        make_dagster_tables,
    )
    from animatize_assets.performance.registry import make_tracking_tables  # noqa: PLC0415
    from animatize_assets.workplace.restoring import Server  # noqa: PLC0415

    prepared = {
        "project": (make_project_tables, HISTORY),
        "performance": (make_project_tables, HISTORY),
        "dagster": (make_dagster_tables, BOOKKEEPING),
        "mlflow": (make_tracking_tables, HISTORY),
    }
    named, _ = saved_servers(settings)
    return {
        name: Server(
            VARIABLES[name], url, *prepared[name], NEW_TRACKING if name == "mlflow" else {}
        )
        for name, url in named.items()
    }
