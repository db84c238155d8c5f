"""``animatize backup FILE``: everything that is generated in one file, while work goes on."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from animatize_assets.cli.tables import facts
from animatize_assets.cli.terminal import Terminal
from animatize_assets.errors import NotConfigured
from animatize_assets.settings import Settings
from animatize_assets.workplace.opening import open_workplace

if TYPE_CHECKING:
    from animatize_assets.workplace.backup_file import Manifest

MEGA = 1_000_000
SERVER = "postgresql"

VARIABLES = {
    "project": "ANIMATIZE_DATABASE_URL",
    "performance": "ANIMATIZE_PERFORMANCE_DATABASE_URL",
    "dagster": "ANIMATIZE_DAGSTER_DATABASE_URL",
    "mlflow": "ANIMATIZE_MLFLOW_TRACKING_URI",
}
"""Name of each database in a backup -> what names the server's."""


def backup(terminal: Terminal, file: Path) -> int:
    """Save the instance, as it is at one moment.

    Raises:
        NotConfigured: nothing was ever stored here, or a variable names what cannot be saved.
        StorageFailed: the file is there already, or could not be written whole.
    """
    # SQLAlchemy, and Dagster, which takes a second to import.
    from animatize_assets.orchestration import prepare_home  # noqa: PLC0415
    from animatize_assets.workplace.backing_up import Places, back_up  # noqa: PLC0415

    workplace = open_workplace()
    if not workplace.exists:
        raise NotConfigured(
            f"Nothing was ever stored in {workplace.data_dir}: there is nothing to save."
        )
    places = Places(workplace.data_dir, prepare_home(workplace.data_dir))
    servers, elsewhere = saved_servers(workplace.settings)
    if elsewhere:
        terminal.note(elsewhere)
    manifest = back_up(places, servers, file.absolute(), now=datetime.now(UTC))
    size = file.stat().st_size
    terminal.document(_answer(file, size, manifest) | {"left_out": elsewhere or None})
    terminal.say(
        facts(
            "saved",
            [
                ("file", str(file.absolute())),
                ("size", f"{size / MEGA:.1f} MB, of {manifest.bytes / MEGA:.1f} MB"),
                ("files", str(manifest.files)),
                ("databases", ", ".join(each.name for each in manifest.databases)),
            ],
        )
    )
    return 0


def saved_servers(settings: Settings) -> tuple[dict[str, str], str]:
    """Return name -> URL of the databases that are on a server, and what is saved by others.

    Raises:
        NotConfigured: a variable names another kind of database.
    """
    secrets = {
        "project": settings.database_url,
        "performance": settings.performance_database_url,
        "dagster": settings.dagster_database_url,
    }
    named = {name: url.get_secret_value() for name, url in secrets.items() if url is not None}
    tracking = settings.mlflow_tracking_uri
    elsewhere = ""
    if tracking is not None and tracking.startswith(("http://", "https://")):
        elsewhere = "MLflow's trainings are on a tracking server, which saves them itself."
    elif tracking is not None:
        named["mlflow"] = tracking
    servers: dict[str, str] = {}
    for name, url in named.items():
        _check(VARIABLES[name], url)
        if url not in servers.values():  # the job records may be in the project's
            servers[name] = url
    return servers, elsewhere


def _check(variable: str, url: str) -> None:
    try:
        is_server = make_url(url).get_backend_name() == SERVER
    except ArgumentError:
        is_server = False
    if not is_server:
        raise NotConfigured(
            f"{variable} names no PostgreSQL database. Of others only the files in the data folder "
            "are saved: unset it, or save that database with its own program."
        )


def _answer(file: Path, size: int, manifest: Manifest) -> dict[str, object]:
    return {"file": str(file.absolute()), "file_bytes": size} | manifest.model_dump(mode="json")
